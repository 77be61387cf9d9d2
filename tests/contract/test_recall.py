"""What Jenkins may have forgotten waits once more, at the front of its lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.stores.history import Selection
from spigot.stores.recalls import MOST
from spigot.webhook import State, Verdict
from support.stores import NOW, attempt, loaded, put, put_all, settle, waiting, webhook

if TYPE_CHECKING:
    from spigot.ports import Store
    from spigot.webhook import Place


def any_path(_path: str, _query: str) -> bool:
    return True


def deliver(store: Store, *ids: str, at: float = NOW, status: int = 200) -> None:
    for id_ in ids:
        settle(store, id_, attempt(Verdict.DELIVERED, "200", at=at, took=0.0, status=status))


def recall(store: Store, since: float = NOW - 60, until: float = NOW) -> list[Place]:
    return [place for step in store.recall(since, until, any_path) for place in step]


def test_it_waits_before_all_others_of_its_lane_in_the_old_order(store: Store) -> None:
    first, second, later = webhook(), webhook(), webhook()
    put_all(store, [first, second])
    deliver(store, first.id, second.id)
    put(store, later)
    places = recall(store)
    assert [each.webhook for each in waiting(store)] == [first, second, later]
    assert [each.place for each in waiting(store)[:2]] == places
    assert all(place.recalled for place in places)
    assert not loaded(store, later.id).place.recalled


def test_it_has_fresh_attempts_and_keeps_its_history(store: Store) -> None:
    one = webhook()
    put(store, one)
    settle(store, one.id, attempt(Verdict.AGAIN, "500", delay=5.0, counted=True, status=500))
    deliver(store, one.id)
    recall(store)
    place = loaded(store, one.id).place
    assert (place.due_at, place.delay, place.attempts) == (0.0, 0.0, 0)
    deliver(store, one.id, at=NOW + 9)
    (detail,) = store.history.show(one.id)
    assert detail.entry.state is State.DELIVERED
    assert [each.verdict for each in detail.tries] == ["again", "delivered", "delivered"]


@pytest.mark.parametrize(
    ("at", "recalled"),
    [(NOW - 60.1, False), (NOW - 60, True), (NOW, True), (NOW + 0.1, False)],
)
def test_only_what_was_delivered_in_that_time(store: Store, at: float, recalled: bool) -> None:
    one = webhook()
    put(store, one)
    deliver(store, one.id, at=at)
    assert bool(recall(store)) is recalled
    assert bool(waiting(store)) is recalled


def test_only_what_is_chosen_by_path_and_query(store: Store) -> None:
    one, other = webhook(hook="/github-webhook/"), webhook(hook="/ghprbhook/")
    put_all(store, [one, other])
    deliver(store, one.id, other.id)
    asked: list[tuple[str, str]] = []

    def chosen(path: str, query: str) -> bool:
        asked.append((path, query))
        return path == "/github-webhook/"

    assert len([*store.recall(NOW - 60, NOW, chosen)]) == 1
    assert [each.webhook for each in waiting(store)] == [one]
    assert sorted(asked) == [("/ghprbhook/", "a=1&b=%20"), ("/github-webhook/", "a=1&b=%20")]


def test_nothing_that_ended_otherwise(store: Store) -> None:
    dead, dropped, ignored = webhook(), webhook(), webhook()
    put_all(store, [dead, dropped, ignored])
    settle(store, dead.id, attempt(Verdict.DEAD, "404", status=404, at=NOW, took=0.0))
    list(store.history.drop(Selection(names=(dropped.id,))))
    deliver(store, ignored.id, status=400)
    assert recall(store) == []


def test_a_second_call_finds_nothing_more_until_it_was_delivered_again(store: Store) -> None:
    one = webhook()
    put(store, one)
    deliver(store, one.id)
    assert len(recall(store)) == 1
    assert recall(store) == []
    deliver(store, one.id, at=NOW + 5)
    assert recall(store) == []
    assert len(recall(store, since=NOW + 5, until=NOW + 6)) == 1


def test_it_is_counted_as_waiting_and_as_delivered_once_more(store: Store) -> None:
    put_all(store, [one := webhook(received_at=NOW - 99), webhook(received_at=NOW)])
    deliver(store, one.id)
    recall(store)
    counts = store.panel.counts()
    assert (counts.stored, counts.waiting, counts.delivered) == (2, 2, 1)
    assert counts.oldest_received_at == NOW - 99
    deliver(store, one.id, at=NOW + 5)
    counts = store.panel.counts()
    assert (counts.stored, counts.waiting, counts.delivered) == (2, 1, 2)


def test_a_redelivery_while_it_waits_is_a_duplicate(store: Store) -> None:
    first = webhook(delivery="d-1")
    put(store, first)
    deliver(store, first.id)
    recall(store)
    receipt = put(store, webhook(delivery="d-1"))
    assert (receipt.id, receipt.duplicate) == (first.id, True)


def test_a_redelivery_that_waits_already_stays_the_one_that_counts(store: Store) -> None:
    first, again = webhook(delivery="d-1"), webhook(delivery="d-1")
    put(store, first)
    deliver(store, first.id)
    put(store, again)
    recall(store)
    assert put(store, webhook(delivery="d-1")).id == again.id
    deliver(store, first.id, at=NOW + 5)
    assert put(store, webhook(delivery="d-1")).id == again.id


def test_a_replay_by_a_person_is_no_recall(store: Store) -> None:
    one = webhook()
    put(store, one)
    deliver(store, one.id)
    recall(store)
    deliver(store, one.id, at=NOW + 5)
    list(store.history.replay(Selection(names=(one.id,))))
    assert not loaded(store, one.id).place.recalled


def test_many_come_in_steps_and_none_is_left_out(store: Store) -> None:
    webhooks = [webhook(repository=f"acme/{number % 7}") for number in range(1201)]
    put_all(store, webhooks)
    for each in waiting(store):
        store.settle(each, attempt(Verdict.DELIVERED, "200", at=NOW, took=0.0))
    assert len(recall(store)) == 1201
    assert [each.webhook for each in waiting(store)] == webhooks


def test_another_process_sees_it(store: Store, other: Store) -> None:
    put(store, one := webhook())
    deliver(store, one.id)
    recall(store)
    (place,) = other.places_after(0, 10)
    assert place.recalled


def test_one_that_was_recalled_often_is_left_alone(store: Store) -> None:
    put(store, one := webhook())
    for restart in range(MOST + 1):
        deliver(store, one.id, at=NOW + restart)
        recalled = recall(store, since=NOW + restart, until=NOW + restart)
        assert bool(recalled) is (restart < MOST)
