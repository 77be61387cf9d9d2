"""What a drain has in hand, and what of it may be given back."""

from __future__ import annotations

from spigot.stores.hand import Hand
from support.stores import webhook


def hand(*webhooks: tuple[str, str]) -> Hand:
    """Return a hand with webhooks of these paths and repositories, at positions 1, 2, 3…"""
    made = Hand()
    for number, (path, repository) in enumerate(webhooks, 1):
        made.take(webhook(path=path, repository=repository), f"receipt-{number}", "", 0)
    return made


def positions(made: Hand) -> list[int]:
    return [held.place.position for held in made.all()]


def test_positions_are_in_the_order_in_which_messages_came() -> None:
    made = hand(("/a", "x"), ("/a", "y"), ("/b", "x"))
    assert positions(made) == [1, 2, 3]
    assert (len(made), made.position) == (3, 3)


def test_what_is_on_its_way_stays_in_hand_when_all_is_given_back() -> None:
    made = hand(("/a", "x"), ("/a", "y"))
    sent = made.send(1)
    assert [held.receipt for held in made.leave_resting()] == ["receipt-2"]
    assert made.get(1) == sent
    assert positions(made) == [1]


def test_what_has_come_back_leaves_with_those_behind_it_in_its_lane() -> None:
    made = hand(("/a", "x"), ("/a", "x"), ("/a", "y"), ("/a", "x"))
    first, second = made.send(1), made.get(2)
    assert first
    assert second
    made.leave(first)
    made.send(2)
    assert [held.receipt for held in made.leave_from(second)] == ["receipt-2", "receipt-4"]
    assert positions(made) == [3]


def test_a_paths_webhooks_leave_without_those_of_others() -> None:
    made = hand(("/a", "x"), ("/b", "x"), ("/a", "y"))
    made.send(3)
    assert [held.receipt for held in made.leave_resting("/a")] == ["receipt-1"]
    assert positions(made) == [2, 3]


def test_what_has_left_is_sent_no_more() -> None:
    made = hand(("/a", "x"))
    made.leave_resting()
    assert made.send(1) is None
    made.take(webhook(), "again", "", 1)
    assert positions(made) == [2]
