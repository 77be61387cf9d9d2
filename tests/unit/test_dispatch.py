"""Who goes next, behind one lock."""

from __future__ import annotations

import pytest

from spigot.dispatch import Dispatch
from spigot.pace import ROUND, Pace
from spigot.sight import State
from spigot.webhook import Place, Verdict
from support.stores import HandClock, attempt

MOST = 0.05


def place(position: int, lane: str = "lane", *, due_in: float = 0.0, clock: HandClock) -> Place:
    due_at = clock.now() + due_in if due_in else 0.0
    return Place(position, lane, "/path", due_at, due_in, 0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def dispatch(clock: HandClock) -> Dispatch:
    dispatch = Dispatch(clock, Pace(4))
    dispatch.let_flow(flows=True)
    return dispatch


def test_with_nothing_due_it_looks_as_often_as_it_has_to(dispatch: Dispatch) -> None:
    assert dispatch.pause(MOST) == MOST


@pytest.mark.parametrize(("due_in", "pause"), [(0.02, 0.02), (30.0, MOST)])
def test_it_is_up_when_something_becomes_due(
    dispatch: Dispatch, clock: HandClock, due_in: float, pause: float
) -> None:
    dispatch.add([place(1, due_in=due_in, clock=clock)], backlog=0)
    assert dispatch.pause(MOST) == pytest.approx(pause)


def test_it_is_up_when_the_rate_lets_the_next_go(clock: HandClock) -> None:
    dispatch = Dispatch(clock, Pace(4, rate=50))
    dispatch.let_flow(flows=True)
    dispatch.add([place(1, "a", clock=clock), place(2, "b", clock=clock)], backlog=0)
    for _ in range(2):
        job = dispatch.take(State.READY)
        assert job is not None
        dispatch.settled(job, attempt(Verdict.DELIVERED))
    assert 0.0 < dispatch.pause(MOST) <= 0.02


@pytest.mark.parametrize("queue_is_long", [False, True])
def test_what_was_dropped_or_could_not_go_costs_no_rate_and_no_gap(
    clock: HandClock, queue_is_long: bool
) -> None:
    dispatch = Dispatch(clock, Pace(4, rate=10), gap=60.0)
    dispatch.let_flow(flows=True)
    dispatch.look(queue_is_long=queue_is_long)
    dispatch.add([place(number, "/p acme/app", clock=clock) for number in range(1, 101)], backlog=0)
    for position in range(1, 100):
        job = dispatch.take(State.READY)
        assert job is not None
        assert job.position == position
        dispatch.gone(job)
    job = dispatch.take(State.READY)
    assert job is not None
    dispatch.back(job)
    assert dispatch.take(State.READY) == job
    assert dispatch.take(State.READY) is None


def test_what_is_due_and_may_not_go_keeps_it_no_busier(
    dispatch: Dispatch, clock: HandClock
) -> None:
    dispatch.add([place(1, due_in=1.0, clock=clock)], backlog=0)
    clock.advance(5.0)
    assert dispatch.pause(MOST) == MOST


def test_a_clock_that_jumped_stretches_no_delay(dispatch: Dispatch, clock: HandClock) -> None:
    due = place(1, due_in=10.0, clock=clock)
    clock.adjust(-100_000.0)
    dispatch.add([due], backlog=0)
    clock.advance(10.0)
    job = dispatch.take(State.READY)
    assert job is not None
    assert job.position == 1


@pytest.mark.parametrize(("flows", "state"), [(False, State.READY), (True, State.NOT_READY)])
def test_nothing_goes_while_the_flow_is_held(
    dispatch: Dispatch, clock: HandClock, flows: bool, state: State
) -> None:
    dispatch.add([place(1, clock=clock)], backlog=0)
    dispatch.let_flow(flows=flows)
    assert dispatch.take(state) is None


def test_while_jenkins_is_unknown_one_goes_at_a_time_however_wide_the_window(
    dispatch: Dispatch, clock: HandClock
) -> None:
    dispatch.add(
        [place(number, f"lane {number}", clock=clock) for number in range(1, 199)], backlog=0
    )
    for _ in range(2 * ROUND):
        job = dispatch.take(State.READY)
        assert job is not None
        dispatch.settled(job, attempt(Verdict.DELIVERED, took=0.01))
    assert dispatch.take(State.UNKNOWN) is not None
    assert dispatch.take(State.UNKNOWN) is None
    assert dispatch.take(State.READY) is not None


def test_after_an_outage_one_goes_at_a_time_until_answers_are_good(
    dispatch: Dispatch, clock: HandClock
) -> None:
    dispatch.add(
        [place(number, f"lane {number}", clock=clock) for number in range(1, 199)], backlog=0
    )
    jobs = []
    for _ in range(ROUND):
        job = dispatch.take(State.READY)
        assert job is not None
        assert dispatch.take(State.READY) is None
        dispatch.settled(job, attempt(Verdict.DELIVERED, took=0.01))
        jobs.append(job)
    assert dispatch.take(State.READY) is not None
    assert dispatch.take(State.READY) is not None
    assert dispatch.take(State.READY) is None
    dispatch.begin_gently()
    assert dispatch.take(State.READY) is None


def test_it_rests_once_nothing_flows_and_nothing_runs(dispatch: Dispatch, clock: HandClock) -> None:
    dispatch.add([place(1, clock=clock)], backlog=0)
    job = dispatch.take(State.READY)
    assert job is not None
    dispatch.let_flow(flows=False)
    assert not dispatch.rests
    dispatch.back(job)
    assert dispatch.rests


@pytest.mark.parametrize(
    ("status", "failed_before", "window"),
    [(500, False, 1), (429, False, 1), (500, True, 2), (404, False, 2)],
)
def test_a_bad_answer_makes_the_window_smaller_unless_it_is_no_news(
    clock: HandClock, status: int, failed_before: bool, window: int
) -> None:
    pace = Pace(4)
    dispatch = Dispatch(clock, pace)
    dispatch.let_flow(flows=True)
    dispatch.add(
        [place(number, f"lane {number}", clock=clock) for number in range(1, 199)], backlog=0
    )
    for _ in range(ROUND):
        job = dispatch.take(State.READY)
        assert job is not None
        dispatch.settled(job, attempt(Verdict.DELIVERED, took=0.01))
    job = dispatch.take(State.READY)
    assert job is not None
    dispatch.settled(job, attempt(Verdict.AGAIN, status=status), failed_before=failed_before)
    assert pace.window == window


def test_an_attempt_that_has_become_slow_is_told_once_a_second(
    dispatch: Dispatch, clock: HandClock
) -> None:
    dispatch.add([place(1, clock=clock)], backlog=0)
    assert not dispatch.look(queue_is_long=False)
    assert dispatch.take(State.READY) is not None
    seen = []
    for _ in range(30):
        clock.advance(0.25)
        seen.append(dispatch.look(queue_is_long=False))
    assert sum(seen) == 1
