"""Who is next: lanes in order, heads that sleep, paths that are held."""

from __future__ import annotations

import pytest

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


def test_a_path_that_is_full_keeps_its_turn_and_the_others_go(lines: Lines) -> None:
    fill(lines, "a1", "a2", path="/a")
    fill(lines, "b1", path="/b", start=3)
    job = lines.take(0.0, {"/a"})
    assert job is not None
    assert job.path == "/b"
    assert lines.take(0.0, {"/a"}) is None
    assert [take(lines).position, take(lines).position] == [1, 2]
