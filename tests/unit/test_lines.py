"""Who is next: lanes in order, heads that sleep, paths that are held."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spigot.lane import Hold
from spigot.lines import Job, Lines


def hold(until: float, times: int = 1, why: str = "500") -> Hold:
    return Hold(why, since=0.0, since_tick=0.0, times=times, until=until)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def fill(lines: Lines, *lanes: str, path: str = "/p", start: int = 1) -> None:
    """Put one webhook into each lane named, in this order."""
    for position, lane in enumerate(lanes, start):
        lines.add(lane, path, position, tick=0.0)


def take(lines: Lines, tick: float = 0.0) -> Job:
    job = lines.take(tick)
    assert job is not None
    return job


def take_all(lines: Lines, tick: float = 0.0) -> list[int]:
    """Take what may go, end each at once, and return the positions."""
    taken = []
    while (job := lines.take(tick)) is not None:
        taken.append(job.position)
        lines.ended(job, tick)
    return taken


class TestTurns:
    def test_live_lanes_and_the_backlog_take_turns(self, lines: Lines) -> None:
        fill(lines, *"abcd")
        for position, lane in enumerate("xyz", 11):
            lines.add(lane, "/p", position, live=True, tick=0.0)
        assert take_all(lines) == [11, 1, 12, 2, 13, 3, 4]

    def test_a_live_lane_stays_one_until_it_is_empty(self, lines: Lines) -> None:
        fill(lines, *"aabb")
        for position in (11, 12, 13):
            lines.add("x", "/p", position, live=True, tick=0.0)
        assert take_all(lines) == [11, 1, 12, 3, 13, 2, 4]

    def test_what_comes_behind_a_backlog_waits_in_its_lane(self, lines: Lines) -> None:
        fill(lines, *"ab")
        lines.add("a", "/p", 11, live=True, tick=0.0)
        assert take_all(lines) == [1, 2, 11]


class TestGap:
    LANES = ("/p acme/app", "/q acme/app", "/p acme/lib", "/p")

    @pytest.fixture
    def lines(self) -> Lines:
        return Lines(gap=2.0)

    def test_the_next_of_a_repository_waits_at_whatever_path(self, lines: Lines) -> None:
        lines.add("/p acme/app", "/p", 1, tick=0.0)
        lines.add("/q acme/app", "/q", 2, tick=0.0)
        assert take_all(lines) == [1]
        assert lines.next_alarm() == 2.0
        assert take_all(lines, 1.9) == []
        assert take_all(lines, 2.0) == [2]

    def test_other_repositories_and_what_names_none_do_not_wait(self, lines: Lines) -> None:
        for position, lane in enumerate(["/p a", "/p b", "/p", "/p", "/p"], 1):
            lines.add(lane, "/p", position, tick=0.0)
        assert take_all(lines) == [1, 2, 3, 4, 5]

    def test_a_lane_keeps_its_order_and_its_gap(self, lines: Lines) -> None:
        for position in range(1, 4):
            lines.add("/p a", "/p", position, tick=0.0)
        seen = [(tick / 2, take_all(lines, tick / 2)) for tick in range(10)]
        assert [(tick, got) for tick, got in seen if got] == [(0.0, [1]), (2.0, [2]), (4.0, [3])]

    def test_repositories_of_long_ago_are_forgotten(self, lines: Lines) -> None:
        for number in range(1000):
            lines.add(f"/p {number}", "/p", number, tick=float(number))
            take_all(lines, float(number))
        assert len(lines._sent) <= 3


class TestRecall:
    """What Jenkins forgot comes back at its old position, before all others of its lane."""

    def test_it_goes_before_those_that_wait(self, lines: Lines) -> None:
        fill(lines, "a", "a", start=11)
        lines.add("a", "/p", 3, tick=0.0)
        lines.add("a", "/p", 4, tick=0.0)
        assert take_all(lines) == [3, 4, 11, 12]

    def test_it_does_not_go_before_one_that_is_on_its_way(self, lines: Lines) -> None:
        fill(lines, "a", "a", start=11)
        job = take(lines)
        lines.add("a", "/p", 3, tick=0.0)
        lines.ended(job, 0.0)
        assert take_all(lines) == [3, 12]

    def test_one_that_comes_back_lets_it_pass(self, lines: Lines) -> None:
        fill(lines, "a", "a", start=11)
        job = take(lines)
        lines.add("a", "/p", 3, tick=0.0)
        lines.back(job, 0.0)
        assert take_all(lines) == [3, 11, 12]

    def test_one_that_has_to_be_tried_again_lets_it_pass_and_sleeps(self, lines: Lines) -> None:
        fill(lines, "a", "a", start=11)
        job = take(lines)
        lines.add("a", "/p", 3, tick=0.0)
        lines.again(job, 9.0, 0.0)
        assert take_all(lines) == [3]
        assert take_all(lines, 8.9) == []
        assert take_all(lines, 9.0) == [11, 12]

    def test_a_head_that_sleeps_lets_it_pass_and_sleeps_on(self, lines: Lines) -> None:
        fill(lines, "a", "a", start=11)
        lines.again(take(lines), 9.0, 0.0)
        lines.add("a", "/p", 3, tick=0.0)
        assert take_all(lines) == [3]
        assert take_all(lines, 8.9) == []
        assert take_all(lines, 9.0) == [11, 12]

    def test_a_head_whose_time_came_meanwhile_goes_next(self, lines: Lines) -> None:
        fill(lines, "a", start=11)
        lines.again(take(lines), 9.0, 0.0)
        lines.add("a", "/p", 3, tick=0.0)
        job = take(lines)
        assert lines.take(10.0) is None
        lines.ended(job, 10.0)
        assert take(lines, 10.0).position == 11

    def test_a_dropped_head_that_would_sleep_on_is_roused(self, lines: Lines) -> None:
        fill(lines, "a", start=11)
        lines.again(take(lines), 900.0, 0.0)
        lines.add("a", "/p", 3, tick=0.0)
        assert take_all(lines) == [3]
        assert lines.asleep() == {11: "a"}
        lines.rouse("a", 11, 1.0)
        assert take_all(lines, 1.0) == [11]

    def test_each_keeps_its_own_time_to_sleep(self, lines: Lines) -> None:
        fill(lines, "a", start=11)
        lines.again(take(lines), 900.0, 0.0)
        lines.add("a", "/p", 3, tick=0.0)
        lines.again(take(lines), 4.0, 0.0)
        assert lines.asleep() == {3: "a", 11: "a"}
        assert take_all(lines, 4.0) == [3]
        assert take_all(lines, 899.0) == []
        assert take_all(lines, 900.0) == [11]

    def test_one_dropped_behind_it_does_not_sleep_on(self, lines: Lines) -> None:
        fill(lines, "a", "a", start=11)
        lines.again(take(lines), 900.0, 0.0)
        lines.add("a", "/p", 3, tick=0.0)
        job = take(lines)
        lines.rouse("a", 11, 1.0)
        lines.ended(job, 1.0)
        assert take_all(lines, 1.0) == [11, 12]

    def test_in_an_empty_lane_it_is_alone(self, lines: Lines) -> None:
        lines.add("a", "/p", 3, tick=0.0)
        assert take_all(lines) == [3]


class TestLanes:
    def test_nothing_waits_at_first(self, lines: Lines) -> None:
        assert lines.take(0.0) is None
        assert lines.next_alarm() is None
        assert lines.holds == {}

    def test_a_lane_comes_out_in_order(self, lines: Lines) -> None:
        fill(lines, *"aaaa")
        assert take_all(lines) == [1, 2, 3, 4]

    def test_the_lane_waits_for_its_head(self, lines: Lines) -> None:
        fill(lines, "a", "a")
        job = take(lines)
        assert lines.take(0.0) is None
        lines.ended(job, 0.0)
        assert take(lines).position == 2

    def test_lanes_do_not_wait_for_each_other(self, lines: Lines) -> None:
        fill(lines, *"aab")
        assert {take(lines).position, take(lines).position} == {1, 3}
        assert lines.take(0.0) is None

    def test_what_comes_while_its_lane_is_away_waits_behind(self, lines: Lines) -> None:
        fill(lines, "a")
        job = take(lines)
        lines.add("a", "/p", 2, tick=0.0)
        assert lines.take(0.0) is None
        lines.ended(job, 0.0)
        assert take_all(lines) == [2]

    def test_lanes_and_paths_take_turns(self, lines: Lines) -> None:
        fill(lines, *"aaabbb", path="/p")
        fill(lines, *"ccc", path="/q", start=7)
        assert take_all(lines) == [1, 7, 4, 8, 2, 9, 5, 3, 6]

    def test_a_long_lane_does_not_starve_a_thousand_short_ones(self, lines: Lines) -> None:
        fill(lines, *["long"] * 3000)
        fill(lines, *(f"lane {number}" for number in range(1000)), start=3001)
        taken = take_all(lines)
        assert sorted(taken) == list(range(1, 4001))
        assert max(taken.index(position) for position in range(3001, 4001)) <= 1001
        assert [position for position in taken if position <= 3000] == list(range(1, 3001))


class TestSleep:
    def test_a_head_that_is_due_later_sleeps_until_then(self, lines: Lines) -> None:
        lines.add("a", "/p", 1, due=5.0, tick=0.0)
        lines.add("a", "/p", 2, tick=0.0)
        assert lines.take(4.9) is None
        assert lines.next_alarm() == 5.0
        assert take(lines, 5.0).position == 1

    def test_again_keeps_the_head_and_its_lane_waiting_but_no_other(self, lines: Lines) -> None:
        fill(lines, *"aab")
        lines.again(take(lines), 10.0, 0.0)
        assert take_all(lines) == [3]
        assert lines.asleep() == {1: "a"}
        assert take_all(lines, 10.0) == [1, 2]
        assert lines.asleep() == {}

    def test_back_lets_it_go_at_once(self, lines: Lines) -> None:
        fill(lines, *"aa")
        lines.back(take(lines), 0.0)
        assert take_all(lines) == [1, 2]

    def test_a_roused_lane_goes_at_once(self, lines: Lines) -> None:
        fill(lines, *"aa")
        lines.again(take(lines), 10.0, 0.0)
        lines.rouse("a", 1, 1.0)
        assert take_all(lines, 1.0) == [1, 2]

    def test_only_a_sleeping_lane_can_be_roused(self, lines: Lines) -> None:
        fill(lines, "a")
        lines.rouse("a", 1, 0.0)
        lines.rouse("nobody", 1, 0.0)
        job = take(lines)
        lines.rouse("a", 1, 0.0)
        assert lines.take(0.0) is None
        lines.ended(job, 0.0)

    def test_the_alarm_of_an_earlier_sleep_wakes_nobody(self, lines: Lines) -> None:
        fill(lines, *"aa")
        lines.again(take(lines), 10.0, 0.0)
        lines.rouse("a", 1, 1.0)
        lines.ended(take(lines, 1.0), 1.0)
        lines.again(take(lines, 1.0), 50.0, 1.0)
        assert lines.take(10.0) is None
        assert take(lines, 50.0).position == 2

    def test_the_alarm_of_a_lane_that_is_gone_does_no_harm(self, lines: Lines) -> None:
        fill(lines, "a")
        lines.again(take(lines), 10.0, 0.0)
        lines.rouse("a", 1, 1.0)
        lines.ended(take(lines, 1.0), 1.0)
        assert lines.take(20.0) is None
        assert lines.next_alarm() is None


class TestHolds:
    def test_a_held_path_waits_and_the_others_flow(self, lines: Lines) -> None:
        fill(lines, *"ab")
        fill(lines, "c", path="/q", start=3)
        lines.hold("/p", hold(10.0), 0.0)
        assert take_all(lines) == [3]
        assert list(lines.holds) == ["/p"]
        assert lines.next_alarm() == 10.0

    def test_one_at_a_time_may_try(self, lines: Lines) -> None:
        fill(lines, *"abc")
        lines.hold("/p", hold(10.0), 0.0)
        job = take(lines, 10.0)
        assert job.hold == hold(10.0)
        assert lines.take(11.0) is None

    def test_trials_rotate_among_the_lanes(self, lines: Lines) -> None:
        fill(lines, *"abc")
        tried = []
        for times in range(6):
            lines.hold("/p", hold(10.0 * times, times), 10.0 * times)
            job = take(lines, 10.0 * times)
            tried.append(job.lane)
            lines.back(job, 10.0 * times)
        assert tried == list("abcabc")

    def test_after_a_trial_that_ended_another_may_try_at_once(self, lines: Lines) -> None:
        fill(lines, *"ab")
        lines.hold("/p", hold(10.0), 0.0)
        lines.ended(take(lines, 10.0), 10.0)
        assert take(lines, 10.0).hold is not None

    def test_a_trial_that_sleeps_lets_another_try(self, lines: Lines) -> None:
        fill(lines, *"ab")
        lines.hold("/p", hold(10.0), 0.0)
        lines.again(take(lines, 10.0), 99.0, 10.0)
        assert take(lines, 10.0).lane == "b"

    def test_a_lifted_path_flows(self, lines: Lines) -> None:
        fill(lines, *"abc")
        lines.hold("/p", hold(10.0), 0.0)
        job = take(lines, 10.0)
        assert lines.lift("/p", 10.0)
        assert lines.holds == {}
        assert {take(lines, 10.0).lane, take(lines, 10.0).lane} == {"b", "c"}
        lines.ended(job, 10.0)

    def test_there_is_nothing_to_lift_where_nothing_is_held(self, lines: Lines) -> None:
        fill(lines, "a")
        assert not lines.lift("/p", 0.0)
        assert not lines.lift("/other", 0.0)
        assert take_all(lines) == [1]

    def test_held_paths_can_be_told_to_try_at_once(self, lines: Lines) -> None:
        fill(lines, *"ab", path="/p")
        fill(lines, "c", path="/q", start=3)
        lines.hold("/p", hold(100.0), 0.0)
        lines.hold("/q", hold(200.0), 0.0)
        lines.try_held(1.0)
        assert {take(lines, 1.0).path, take(lines, 1.0).path} == {"/p", "/q"}
        assert lines.take(1.0) is None

    def test_telling_to_try_does_not_make_two_trials(self, lines: Lines) -> None:
        fill(lines, *"ab")
        lines.hold("/p", hold(10.0), 0.0)
        take(lines, 10.0)
        lines.try_held(11.0)
        assert lines.take(11.0) is None

    def test_what_comes_to_a_held_path_waits(self, lines: Lines) -> None:
        lines.hold("/p", hold(10.0), 0.0)
        fill(lines, "a")
        assert lines.take(0.0) is None
        assert take(lines, 10.0).hold is not None

    def test_the_trial_of_an_older_hold_makes_no_room_for_a_second_of_the_new_one(
        self, lines: Lines
    ) -> None:
        fill(lines, *"abc")
        lines.hold("/p", hold(1.0), 0.0)
        old = take(lines, 1.0)
        lines.lift("/p", 1.0)
        lines.hold("/p", hold(2.0, why="404"), 1.0)
        take(lines, 2.0)
        lines.back(old, 2.0)
        assert lines.take(2.0) is None


class _Waiting(NamedTuple):
    position: int
    due: float


PATHS = ("/p", "/q")
LANES = {"/p a": "/p", "/p b": "/p", "/p c": "/p", "/q a": "/q"}


class LinesMachine(RuleBasedStateMachine):
    """Does anything to `Lines`, and to a naive model of them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = Lines()
        self.tick = 0.0
        self.position = 0
        self.lowest = 0
        self.lanes: dict[str, deque[_Waiting]] = {lane: deque() for lane in LANES}
        self.away: dict[str, Job] = {}
        self.until: dict[str, float] = {}
        self.since_hold: dict[str, set[str]] = {}

    def may_go(self, lane: str) -> bool:
        waiting, path = self.lanes[lane], LANES[lane]
        if lane in self.away or not waiting or waiting[0].due > self.tick:
            return False
        return path not in self.until or (
            self.until[path] <= self.tick and not self.since_hold[path]
        )

    def gone(self, job: Job) -> None:
        del self.away[job.lane]
        for lanes in self.since_hold.values():
            lanes.discard(job.lane)

    @rule(lane=st.sampled_from(sorted(LANES)), wait=st.sampled_from([0.0, 0.0, 5.0]))
    def add(self, lane: str, wait: float) -> None:
        self.position += 1
        # Only a head can have been tried before; what comes behind it is new.
        due = self.tick + wait if wait and not self.lanes[lane] else 0.0
        self.lines.add(lane, LANES[lane], self.position, due=due, tick=self.tick)
        self.lanes[lane].append(_Waiting(self.position, due))

    @rule(lane=st.sampled_from(sorted(LANES)))
    def recall(self, lane: str) -> None:
        self.lowest -= 1
        self.lines.add(lane, LANES[lane], self.lowest, tick=self.tick)
        # Those behind one on its way are in order among themselves.
        first = [self.lanes[lane].popleft()] if lane in self.away else []
        rest = sorted([*self.lanes[lane], _Waiting(self.lowest, 0.0)])
        self.lanes[lane] = deque([*first, *rest])

    @rule()
    def take(self) -> None:
        able = {lane for lane in LANES if self.may_go(lane)}
        job = self.lines.take(self.tick)
        assert (job is not None) == bool(able)
        if job is None:
            return
        assert job.lane in able
        assert job.path == LANES[job.lane]
        assert job.position == self.lanes[job.lane][0].position
        assert (job.hold is not None) == (job.path in self.until)
        self.away[job.lane] = job
        if job.path in self.until:
            self.since_hold[job.path].add(job.lane)

    @precondition(lambda self: self.away)
    @rule(data=st.data(), how=st.sampled_from(["ended", "again", "back"]))
    def come_back(self, data: st.DataObject, how: str) -> None:
        job = self.away[data.draw(st.sampled_from(sorted(self.away)))]
        self.gone(job)
        if how == "ended":
            self.lines.ended(job, self.tick)
            self.lanes[job.lane].popleft()
        elif how == "again":
            self.lines.again(job, self.tick + 3.0, self.tick)
            self.lanes[job.lane][0] = _Waiting(job.position, self.tick + 3.0)
        else:
            self.lines.back(job, self.tick)
            self.lanes[job.lane][0] = _Waiting(job.position, 0.0)
        self.lanes[job.lane] = deque(sorted(self.lanes[job.lane]))

    @rule(path=st.sampled_from(PATHS), wait=st.sampled_from([0.0, 2.0, 7.0]))
    def hold(self, path: str, wait: float) -> None:
        self.lines.hold(path, hold(self.tick + wait), self.tick)
        self.until[path] = self.tick + wait
        self.since_hold.setdefault(path, set())

    @rule()
    def forget_idle_holds(self) -> None:
        self.lines.forget_idle_holds()
        busy = {LANES[lane] for lane, waiting in self.lanes.items() if waiting}
        for path in set(self.until) - busy:
            del self.until[path], self.since_hold[path]

    @rule(path=st.sampled_from(PATHS))
    def lift(self, path: str) -> None:
        assert self.lines.lift(path, self.tick) == (path in self.until)
        self.until.pop(path, None)
        self.since_hold.pop(path, None)

    @rule()
    def try_held(self) -> None:
        self.lines.try_held(self.tick)
        self.until = dict.fromkeys(self.until, self.tick)

    @rule(lane=st.sampled_from(sorted(LANES)))
    def rouse(self, lane: str) -> None:
        for number, one in enumerate(self.lanes[lane]):
            if one.due > self.tick:
                self.lines.rouse(lane, one.position, self.tick)
                self.lanes[lane][number] = one._replace(due=0.0)

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.tick += seconds

    @invariant()
    def holds_and_sleepers_are_told(self) -> None:
        assert set(self.lines.holds) == set(self.until)
        late = {
            waiting[0].position: lane
            for lane, waiting in self.lanes.items()
            if waiting and lane not in self.away and waiting[0].due > self.tick
        }
        assert late.items() <= self.lines.asleep().items()

    @invariant()
    def a_held_path_has_one_trial_at_most(self) -> None:
        assert all(len(lanes) <= 1 for lanes in self.since_hold.values())

    @invariant()
    def an_alarm_is_set_for_all_that_waits_for_its_time(self) -> None:
        alarm = self.lines.next_alarm()
        for lane, waiting in self.lanes.items():
            if waiting and lane not in self.away and waiting[0].due > self.tick:
                assert alarm is not None
                assert alarm <= waiting[0].due

    def teardown(self) -> None:
        """Once nothing is held and all are due, everything comes out, each lane in order."""
        self.tick += 1000.0
        for path in PATHS:
            self.lines.lift(path, self.tick)
        for job in self.away.values():
            self.lines.back(job, self.tick)
        taken: dict[str, list[int]] = {lane: [] for lane in LANES}
        while (job_ := self.lines.take(self.tick)) is not None:
            taken[job_.lane].append(job_.position)
            self.lines.ended(job_, self.tick)
        assert taken == {
            lane: [one.position for one in sorted(waiting)] for lane, waiting in self.lanes.items()
        }
        assert self.lines.holds == {}
        assert self.lines.asleep() == {}


TestAnything = LinesMachine.TestCase
TestAnything.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


def test_a_path_that_is_full_keeps_its_turn_and_the_others_go(lines: Lines) -> None:
    fill(lines, "a1", "a2", path="/a")
    fill(lines, "b1", path="/b", start=3)
    job = lines.take(0.0, {"/a"})
    assert job is not None
    assert job.path == "/b"
    assert lines.take(0.0, {"/a"}) is None
    assert [take(lines).position, take(lines).position] == [1, 2]
