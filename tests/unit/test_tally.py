"""Counting what became of webhooks."""

from __future__ import annotations

from spigot.commands.tally import Arrived, Sent, count

A1, A2, B1 = Sent("1", "a", b"one"), Sent("2", "a", b"two"), Sent("3", "b", b"three")
STORED = [A1, A2, B1]


def arrived(*sent: Sent) -> list[Arrived]:
    return [Arrived(one.delivery, one.body) for one in sent]


def test_all_that_was_stored_and_came_once_in_order_is_good() -> None:
    tally = count(4, STORED, arrived(B1, A1, A2))

    assert tally == (4, 3, 3, 0, 0, 0, 0)
    assert tally.good


def test_what_never_came_is_lost() -> None:
    tally = count(3, STORED, arrived(A1, A2))

    assert (tally.delivered, tally.lost, tally.good) == (2, 1, False)


def test_what_came_after_a_later_one_of_its_lane_is_out_of_order() -> None:
    tally = count(3, STORED, arrived(A2, B1, A1))

    assert (tally.out_of_order, tally.lost, tally.good) == (1, 0, False)


def test_a_repetition_is_a_duplicate_and_breaks_no_promise() -> None:
    tally = count(3, STORED, arrived(A1, A2, A1, B1))

    assert (tally.duplicates, tally.out_of_order, tally.good) == (1, 0, True)


def test_another_body_is_no_delivery() -> None:
    tally = count(3, STORED, [*arrived(A1, A2), Arrived("3", b"else")])

    assert (tally.delivered, tally.changed, tally.lost, tally.good) == (2, 1, 0, False)


def test_what_was_never_answered_does_not_count_when_it_comes() -> None:
    assert count(1, [], arrived(A1)) == (1, 0, 0, 0, 0, 0, 0)
