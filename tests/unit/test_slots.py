"""Who is on the way, and whether there is a place for another."""

from __future__ import annotations

from spigot.slots import ASK_SECONDS, SLOW_MOST, SLOW_OF_PATH, Slots

SLOW = 5.0


def slow(_path: str) -> float:
    return SLOW


def filled(*paths: str, most: int = 16, tick: float = 0.0) -> Slots:
    slots = Slots(most)
    for position, path in enumerate(paths, 1):
        slots.take(position, path, tick)
    return slots


def test_there_is_a_place_until_the_window_is_full() -> None:
    slots = filled("/a", "/b")
    assert slots.full(3, 0.0, slow) == set()
    assert slots.full(2, 0.0, slow) is None
    slots.leave(1)
    assert slots.full(2, 0.0, slow) == set()


def test_a_slow_attempt_fills_no_place_unless_nobody_knows_whether_jenkins_is_there() -> None:
    slots = filled("/a")
    assert slots.full(1, SLOW - 0.1, slow) is None
    assert slots.full(1, SLOW, slow) == set()
    assert slots.full(1, SLOW, None) is None


def test_a_path_whose_attempts_hang_leaves_the_places_to_others() -> None:
    slots = filled(*["/hangs"] * 4)
    assert slots.full(4, SLOW, slow) == set()
    for position in range(5, 5 + SLOW_OF_PATH):
        slots.take(position, "/hangs", SLOW)
    assert slots.full(4, 2 * SLOW, slow) == {"/hangs"}


def test_one_that_hangs_right_after_an_outage_holds_up_nobody_for_long() -> None:
    slots = filled("/a")
    for position in range(2, 2 + SLOW_OF_PATH):
        tick = SLOW * (position - 1)
        assert slots.full(1, tick, slow) == set()
        slots.take(position, "/a", tick)
    assert slots.full(1, 99.0, slow) == {"/a"}


def test_slow_ones_are_not_without_end() -> None:
    slots = filled(*[f"/{number}" for number in range(2 * SLOW_MOST)], most=2)
    assert slots.full(2, 99.0, slow) is None


def test_an_attempt_becomes_slow_once() -> None:
    slots = filled("/a", tick=10.0)
    assert not slots.slowed_since(10.0, 10.0 + ASK_SECONDS - 0.01)
    assert slots.slowed_since(10.0 + ASK_SECONDS - 0.01, 10.0 + ASK_SECONDS)
    assert not slots.slowed_since(10.0 + ASK_SECONDS, 99.0)


def test_one_that_has_left_may_leave_again() -> None:
    slots = filled("/a")
    slots.leave(1)
    slots.leave(1)
    assert len(slots) == 0
