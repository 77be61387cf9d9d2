"""How many at once, and how fast."""

from __future__ import annotations

import random

import pytest

from spigot.pace import (
    NOISE_SECONDS,
    PATHS,
    QUEUE_GAP,
    ROUND,
    SLOW_SECONDS,
    TOO_SLOW,
    Pace,
)

PATH = "/github-webhook/"


def answer(pace: Pace, times: int, took: float = 0.02, path: str = PATH) -> None:
    for _ in range(times):
        pace.answered_well(path, took)


def answer_rounds(pace: Pace, rounds: int, took: float = 0.02) -> None:
    for _ in range(rounds):
        answer(pace, max(ROUND, pace.window), took)


@pytest.fixture
def pace() -> Pace:
    return Pace(16)


class TestWindow:
    def test_it_begins_with_one_at_a_time(self, pace: Pace) -> None:
        assert pace.window == 1

    def test_each_round_of_good_and_quick_answers_makes_it_wider_by_one(self, pace: Pace) -> None:
        seen = []
        for _ in range(5):
            answer(pace, max(ROUND, pace.window) - 1)
            seen.append(pace.window)
            answer(pace, 1)
        assert (seen, pace.window) == ([1, 2, 3, 4, 5], 6)

    def test_it_grows_to_the_most_and_no_further(self, pace: Pace) -> None:
        answer_rounds(pace, 100)
        assert pace.window == 16

    def test_one_that_may_have_only_one_stays_there(self) -> None:
        pace = Pace(1)
        answer_rounds(pace, 5)
        pace.answered_badly()
        assert pace.window == 1

    def test_the_first_bad_answer_halves_it(self, pace: Pace) -> None:
        answer_rounds(pace, 100)
        pace.answered_badly()
        assert pace.window == 8

    def test_what_was_sent_before_it_shrank_does_not_make_it_shrink_again(self, pace: Pace) -> None:
        answer_rounds(pace, 100)
        for _ in range(16):
            pace.answered_badly()
        assert pace.window == 8
        pace.answered_badly()
        assert pace.window == 4

    def test_it_never_closes(self, pace: Pace) -> None:
        for _ in range(100):
            pace.answered_badly()
        assert pace.window == 1

    def test_after_an_outage_it_begins_again(self, pace: Pace) -> None:
        answer_rounds(pace, 100)
        pace.begin_gently()
        assert pace.window == 1


class TestQuick:
    def widen(self, pace: Pace, rounds: int) -> None:
        answer_rounds(pace, rounds, 0.02)

    @pytest.mark.parametrize("took", [0.001, 0.02, 0.035])
    def test_what_is_not_twice_as_slow_as_at_best_is_quick(self, pace: Pace, took: float) -> None:
        self.widen(pace, 5)
        answer_rounds(pace, 1, took)
        assert pace.window == 7

    @pytest.mark.parametrize("took", [0.04, 0.049])
    def test_where_answers_have_doubled_it_grows_no_more(self, pace: Pace, took: float) -> None:
        self.widen(pace, 5)
        answer_rounds(pace, 20, took)
        assert pace.window == 6

    def test_beyond_that_it_shrinks_until_one_is_left(self, pace: Pace) -> None:
        self.widen(pace, 15)
        seen = []
        for _ in range(6):
            answer_rounds(pace, 1, 0.09)
            seen.append(pace.window)
        assert seen == [12, 9, 6, 4, 3, 2]

    def test_with_one_at_a_time_the_load_is_not_ours_and_it_learns_anew(self, pace: Pace) -> None:
        self.widen(pace, 15)
        answer_rounds(pace, 60, 0.5)
        assert pace.window == 16

    def test_each_path_has_its_own_idea_of_quick(self, pace: Pace) -> None:
        for _ in range(200):
            answer(pace, 2, 0.01)
            answer(pace, 2, 0.9, "/generic-webhook-trigger/invoke")
        assert pace.window == 16

    def test_one_slow_answer_among_quick_ones_is_no_sign(self, pace: Pace) -> None:
        self.widen(pace, 5)
        answer(pace, 1, 30.0)
        answer(pace, ROUND - 1)
        assert pace.window == 7

    def test_quick_and_slow_events_at_one_path_are_no_sign(self, pace: Pace) -> None:
        chance = random.Random(3)
        windows = []
        for _ in range(20_000):
            answer(pace, 1, 0.2 if chance.random() < 0.6 else 0.003)
            windows.append(pace.window)
        assert sum(windows[1000:]) / len(windows[1000:]) > 12

    def test_many_paths_of_which_each_is_seldom_used_are_judged_together(self, pace: Pace) -> None:
        for number in range(2000):
            answer(pace, 1, 0.02 * pace.window, path=f"/project/{number % 200}")
        assert pace.window < 4

    def test_jitter_of_some_milliseconds_is_no_sign(self, pace: Pace) -> None:
        answer_rounds(pace, 1, 0.001)
        answer_rounds(pace, 100, 0.001 + NOISE_SECONDS * 0.9)
        assert pace.window == 16

    def test_paths_without_end_take_no_memory_without_end(self, pace: Pace) -> None:
        for number in range(10 * PATHS):
            answer(pace, 1, path=f"/project/{number}")
        assert len(pace._speeds) <= PATHS


class TestRate:
    def test_without_a_rate_the_next_may_go_at_once(self, pace: Pace) -> None:
        pace.went(100.0)
        assert pace.next_tick <= 100.0

    def test_with_one_the_next_goes_after_its_share_of_a_second(self) -> None:
        pace = Pace(16, rate=4)
        pace.went(100.0)
        pace.went(pace.next_tick)
        assert 100.4 < pace.next_tick <= 100.5

    def test_who_comes_late_catches_up_so_that_the_average_is_the_rate(self) -> None:
        pace, tick, late = Pace(16, rate=100), 0.0, 0.004
        for _ in range(1000):
            tick = max(tick, pace.next_tick) + late
            pace.went(tick)
        assert tick == pytest.approx(10.0, rel=0.01)

    def test_a_long_pause_is_not_caught_up(self) -> None:
        pace = Pace(16, rate=100)
        pace.went(0.0)
        pace.went(1000.0)
        assert pace.next_tick > 1000.0 - 0.05

    def test_while_builds_queue_up_at_jenkins_one_a_second_goes(self, pace: Pace) -> None:
        answer_rounds(pace, 100)
        pace.queue_is_long = True
        assert pace.window == 1
        pace.went(100.0)
        pace.went(pace.next_tick)
        assert pace.next_tick >= 100.0 + 2 * QUEUE_GAP - 0.05
        pace.queue_is_long = False
        assert pace.window == 16


class Model:
    """A Jenkins whose answers take longer the more are in progress, and have doubled at a load."""

    def __init__(self, alone: float, doubled_at: float, bend: float) -> None:
        self.alone, self.doubled_at, self.bend = alone, doubled_at, bend

    def took(self, load: int) -> float:
        return self.alone * float(1 + (load / self.doubled_at) ** self.bend)

    def per_second(self, load: int) -> float:
        return load / self.took(load)


@pytest.mark.parametrize("alone", [0.01, 0.3])
@pytest.mark.parametrize("doubled_at", [3, 5, 8, 20, 60])
@pytest.mark.parametrize("bend", [1.0, 2.0, 4.0])
def test_a_jenkins_that_breaks_at_twice_the_load_where_answers_have_doubled_is_never_broken(
    alone: float, doubled_at: int, bend: float
) -> None:
    pace, model = Pace(256), Model(alone, doubled_at, bend)
    answers, seconds = 0, 0.0
    for number in range(3000):
        load = pace.window
        assert load < 2 * doubled_at
        these = max(ROUND, load)
        answer(pace, these, model.took(load))
        if number >= 500:
            answers, seconds = answers + these, seconds + these / model.per_second(load)
    bearable = max(model.per_second(load) for load in range(1, 2 * doubled_at))
    assert answers / seconds >= 0.6 * bearable


class TestSlowAttempts:
    def test_one_is_slow_that_takes_far_longer_than_its_path_does(self, pace: Pace) -> None:
        assert pace.slow_after(PATH) == SLOW_SECONDS
        answer_rounds(pace, 1, 2.0)
        assert pace.slow_after(PATH) == pytest.approx(2.0 * 2 * TOO_SLOW)
        assert pace.slow_after("/other/") == SLOW_SECONDS

    def test_nobody_is_slow_within_a_second(self, pace: Pace) -> None:
        answer_rounds(pace, 1, 0.001)
        assert pace.slow_after(PATH) == 1.0
