"""The drain when something it needs fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from spigot.drain import CHUNK, Drain
from spigot.errors import StoreError
from spigot.meters import Meters
from spigot.pace import Pace
from spigot.ports import Signs
from spigot.readiness import Moment, Restart, unknown
from spigot.valve import ValveRow
from spigot.webhook import Place
from support.stores import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def drain(clock: HandClock) -> Drain:
    nobody = cast("None", object())
    return Drain(nobody, nobody, nobody, clock, pace=Pace(1), meters=Meters())  # type: ignore[arg-type]


def quiet_guard() -> SimpleNamespace:
    return SimpleNamespace(
        readiness=unknown(Moment(0.0, 0.0)),
        queue_is_long=False,
        has_asked=True,
        look=lambda: None,
        watch=lambda **_: None,
    )


def drain_of(
    store: object, clock: HandClock, guard: SimpleNamespace | None = None, **more: Any
) -> Drain:
    """Return a drain of a store that makes no attempts; ready to look, not started."""
    delivery = cast("None", object())
    return Drain(
        store, delivery, guard or quiet_guard(), clock, pace=Pace(1), meters=Meters(), **more  # type: ignore[arg-type]
    )  # fmt: skip


class Failing:
    """A store that tells of a change once, and fails when it is asked what changed."""

    def __init__(self) -> None:
        self.fails = 1
        self.told = False

    def changed(self) -> bool:
        told, self.told = self.told, True
        return not told

    def signs(self) -> Signs:
        if self.fails:
            self.fails -= 1
            raise StoreError("cannot be read now")
        return Signs(ValveRow(on=False, version=7), 0, 0)

    def still_waiting(self, _: list[int]) -> set[int]:
        return set()


def test_a_change_that_could_not_be_read_is_read_at_the_next_look(clock: HandClock) -> None:
    drain = drain_of(Failing(), clock)
    with pytest.raises(StoreError):
        drain._look()
    drain._look()
    assert (drain.flowing, drain.resting) == (False, 7)


class Holding(Failing):
    """A store in which webhooks wait, one lane each; those on ``/last/`` are the last."""

    def __init__(self, waiting: int) -> None:
        super().__init__()
        self.fails = 0
        self.places = [
            Place(number, f"lane {number}", "/path/", 0.0, 0.0, 0) for number in range(1, waiting)
        ]
        self.places.append(Place(waiting, "lane", "/last/", 0.0, 0.0, 0))

    def signs(self) -> Signs:
        return Signs(ValveRow(), edits=0, position=self.places[-1].position)

    def places_after(self, position: int, limit: int) -> list[Place]:
        return [place for place in self.places if place.position > position][:limit]

    def recall(self, *_: object) -> list[list[Place]]:
        return []


class Changing(Holding):
    """The same, with something new at each look."""

    def changed(self) -> bool:
        return True


def test_that_a_restart_was_dealt_with_is_on_record_before_anything_flows(
    clock: HandClock,
) -> None:
    guard, told = quiet_guard(), []
    guard.readiness = guard.readiness._replace(restart=Restart(0.0, 1.0))

    def recalled(_: Restart) -> None:
        guard.readiness = guard.readiness._replace(restart=None)

    guard.recalled = recalled
    watched: Drain = drain_of(
        Holding(1), clock, guard,
        recall=30.0, on_state=lambda: told.append((watched.flowing, guard.readiness.restart)),
    )  # fmt: skip
    watched._look()
    assert told == [(False, None)]
    assert watched.flowing


def test_of_many_that_wait_some_are_read_between_two_looks_at_the_valve(clock: HandClock) -> None:
    store = Holding(3 * CHUNK + 1)
    drain = drain_of(store, clock)
    drain._dispatch.restore([("/last/", "404", 0.0, 1)])
    seen = []
    for _ in range(4):
        drain._look()
        seen.append(drain._seen)
    assert seen == [CHUNK, 2 * CHUNK, 3 * CHUNK, 3 * CHUNK + 1]
    assert set(drain.holds) == {"/last/"}, "a hold was lifted before all that waits was known"


def test_what_waits_is_read_while_nothing_flows_too_and_counts_as_backlog(
    clock: HandClock,
) -> None:
    class Shut(Changing):
        valve = ValveRow(on=False)

        def signs(self) -> Signs:
            return super().signs()._replace(valve=self.valve)

    store = Shut(CHUNK)
    drain = drain_of(store, clock)
    drain._look()
    assert (drain.flowing, drain._unread) == (False, False)
    store.valve = ValveRow(on=True)
    drain._look()
    store.places.append(Place(CHUNK + 1, "new", "/path/", 0.0, 0.0, 0))
    drain._look()
    job = drain._take()
    assert job is not None
    assert job.lane == "new", "a live webhook has its turn before the backlog"


def test_what_jenkins_forgot_is_backlog_after_a_start_too(clock: HandClock) -> None:
    class Forgotten(Changing):
        def recall(self, *_: object) -> list[list[Place]]:
            return [[Place(1, "forgotten", "/path/", 0.0, 0.0, 0, recalled=True)]]

    guard, store = quiet_guard(), Forgotten(2)
    store.places = [Place(2, "waits", "/path/", 0.0, 0.0, 0)]
    guard.has_asked = False  # nothing flows before Jenkins was asked
    guard.recalled = lambda _: setattr(guard, "readiness", guard.readiness._replace(restart=None))
    drain = drain_of(store, clock, guard, recall=30.0)
    drain._look()
    guard.readiness, guard.has_asked = guard.readiness._replace(restart=Restart(0.0, 1.0)), True
    drain._look()
    store.places.append(Place(3, "new", "/path/", 0.0, 0.0, 0))
    drain._look()
    job = drain._take()
    assert job is not None
    assert job.lane == "new", "a live webhook has its turn before the backlog"


def test_that_all_rests_is_told_even_if_what_waits_cannot_be_read(clock: HandClock) -> None:
    class Damaged(Holding):
        def signs(self) -> Signs:
            return super().signs()._replace(valve=ValveRow(on=False, version=7))

        def places_after(self, *_: int) -> list[Place]:
            raise StoreError("the database is damaged")

    told: list[int | None] = []
    watched: Drain = drain_of(Damaged(1), clock, on_state=lambda: told.append(watched.resting))
    with pytest.raises(StoreError):
        watched._look()
    assert told == [7]


def test_a_job_for_which_there_is_no_thread_is_not_lost(
    drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "_guard", quiet_guard())
    drain._dispatch.let_flow(flows=True)
    drain._dispatch.add([Place(1, "lane", "/path", 0.0, 0.0, 0)], backlog=0)

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(drain._pool, "give", refuse)
    with pytest.raises(RuntimeError):
        drain._hand_out()
    assert drain.running == 0
    job = drain._take()
    assert job is not None
    assert job.position == 1
