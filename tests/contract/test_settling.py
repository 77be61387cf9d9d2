"""What an attempt changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.stores.history import Selection
from spigot.webhook import Attempt, Decision, Happened, Outcome, State, Verdict
from support.stores import (
    NOW,
    attempt,
    drained,
    end,
    loaded,
    put,
    put_all,
    settle,
    waiting,
    webhook,
)

if TYPE_CHECKING:
    from spigot.ports import Store
    from spigot.stores.history import Detail


def show(store: Store, id_: str) -> Detail:
    (detail,) = store.history.show(id_)
    return detail


def test_delivered_ends_it_and_counts_it(store: Store) -> None:
    first, second = webhook(), webhook()
    put_all(store, [first, second])
    settle(store, first.id, attempt(Verdict.DELIVERED, "taken", status=201))
    assert [each.webhook.id for each in waiting(store)] == [second.id]
    entry = show(store, first.id).entry
    assert (entry.state, entry.reason, entry.status) == (State.DELIVERED, "taken", 201)
    assert entry.ended_at == NOW + 0.5
    assert store.panel.counts()[:4] == (2, 1, 1, 0)


def test_what_was_delivered_waits_no_more(store: Store) -> None:
    first, second = webhook(), webhook()
    put_all(store, [first, second])
    settle(store, first.id, attempt(Verdict.DELIVERED))
    assert [each.webhook.id for each in waiting(store)] == [second.id]
    assert store.panel.counts().waiting == 1


@pytest.mark.parametrize("verdict", [Verdict.HOLD_FLOW, Verdict.HOLD_PATH])
def test_a_hold_leaves_it_where_it_was(store: Store, verdict: Verdict) -> None:
    webhooks = [webhook(), webhook()]
    put_all(store, webhooks)
    settle(store, webhooks[0].id, attempt(verdict))
    assert [(each.webhook, each.place.attempts) for each in drained(store)] == [
        (each, 0) for each in webhooks
    ]


def test_what_is_to_be_tried_again_is_not_overtaken_and_its_attempts_are_counted(
    store: Store,
) -> None:
    webhooks = [webhook(), webhook()]
    put_all(store, webhooks)
    settle(store, webhooks[0].id, attempt(Verdict.AGAIN, counted=True))
    assert [(each.webhook, each.place.attempts) for each in drained(store)] == [
        (webhooks[0], 1),
        (webhooks[1], 0),
    ]


def test_dead_ends_it_with_its_reason(store: Store) -> None:
    first = webhook()
    put(store, first)
    settle(store, first.id, attempt(Verdict.DEAD, "no such job", status=404, counted=True))
    assert waiting(store) == []
    entry = show(store, first.id).entry
    assert (entry.state, entry.reason, entry.status) == (State.DEAD, "no such job", 404)
    assert entry.ended_at == NOW + 0.5
    counts = store.panel.counts()
    assert (counts.waiting, counts.dead) == (0, 1)


def test_again_keeps_its_place_and_says_when(store: Store) -> None:
    first, second = webhook(), webhook()
    put_all(store, [first, second])
    before = loaded(store, first.id).place
    settle(store, first.id, attempt(Verdict.AGAIN, delay=10.0, counted=True, status=500))
    place = loaded(store, first.id).place
    assert place == before._replace(due_at=NOW + 0.5 + 10.0, delay=10.0, attempts=1)
    assert [each.webhook.id for each in waiting(store)] == [first.id, second.id]
    detail = show(store, first.id)
    assert detail.due_at == place.due_at
    assert (detail.entry.state, detail.entry.reason) == (State.WAITING, "said so")
    assert (detail.entry.status, detail.entry.ended_at) == (0, None)


@pytest.mark.parametrize("verdict", [Verdict.HOLD_FLOW, Verdict.HOLD_PATH])
@pytest.mark.parametrize("counted", [False, True])
def test_a_hold_leaves_it_due_at_once(store: Store, verdict: Verdict, counted: bool) -> None:
    first = webhook()
    put(store, first)
    settle(store, first.id, attempt(Verdict.AGAIN, delay=10.0, counted=True))
    settle(store, first.id, attempt(verdict, delay=300.0, counted=counted))
    place = loaded(store, first.id).place
    assert (place.due_at, place.delay, place.attempts) == (0.0, 0.0, 1 + counted)
    assert store.panel.counts()[:4] == (1, 1, 0, 0)


def test_only_counted_attempts_count_but_all_are_in_the_history(store: Store) -> None:
    first = webhook()
    put(store, first)
    for counted in (True, False, True):
        settle(store, first.id, attempt(Verdict.AGAIN, counted=counted))
    assert loaded(store, first.id).place.attempts == 2
    assert show(store, first.id).entry.attempts == 3


def test_the_history_tells_each_attempt_in_order(store: Store) -> None:
    first = webhook()
    put(store, first)
    settle(
        store,
        first.id,
        Attempt(
            NOW,
            1.5,
            Outcome(Happened.BROKEN, error="reset by peer"),
            Decision(Verdict.AGAIN, "broken", delay=2.0, counted=True, maybe_taken=True),
        ),
    )
    settle(store, first.id, attempt(Verdict.AGAIN, "500 oops", status=500, answer=b"o\xffps"))
    settle(store, first.id, attempt(Verdict.DELIVERED, "taken", answer=b"fine"))
    assert show(store, first.id).tries == [
        (1, NOW, 1.5, "broken", 0, "reset by peer", b"", "again", "broken", 1, 1),
        (2, NOW, 0.5, "answered", 500, "", b"o\xffps", "again", "500 oops", 0, 0),
        (3, NOW, 0.5, "answered", 200, "", b"", "delivered", "taken", 0, 0),
    ]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_after_a_drop_an_attempt_is_recorded_and_changes_nothing(
    store: Store, other: Store, verdict: Verdict
) -> None:
    first = webhook()
    put(store, first)
    in_flight = loaded(store, first.id)
    sum(other.history.drop(Selection(names=(first.id,))))
    store.settle(in_flight, attempt(verdict, counted=True))
    entry = show(store, first.id).entry
    assert (entry.state, entry.reason, entry.attempts) == (State.DROPPED, "dropped by a person", 1)
    assert waiting(store) == []
    assert store.panel.counts()[:4] == (1, 0, 0, 0)


def test_an_attempt_from_before_a_drop_and_a_replay_does_not_end_the_replayed_one(
    store: Store,
) -> None:
    first = webhook()
    put(store, first)
    in_flight = loaded(store, first.id)
    sum(store.history.drop(Selection()))
    sum(store.history.replay(Selection(names=(first.id,))))
    store.settle(in_flight, attempt(Verdict.DELIVERED))
    assert [each.webhook.id for each in waiting(store)] == [first.id]
    assert show(store, first.id).entry.attempts == 1


def test_two_attempts_that_are_recorded_twice_end_it_once(store: Store) -> None:
    first = webhook()
    put(store, first)
    found = loaded(store, first.id)
    store.settle(found, attempt(Verdict.DELIVERED))
    store.settle(found, attempt(Verdict.DELIVERED))
    assert store.panel.counts()[:4] == (1, 0, 1, 0)
    assert [each.number for each in show(store, first.id).tries] == [1, 2]


def test_a_webhook_delivered_once_more_by_a_replay_counts_twice(store: Store) -> None:
    first = webhook()
    end(store, first, Verdict.DELIVERED)
    sum(store.history.replay(Selection(state=State.DELIVERED)))
    settle(store, first.id, attempt(Verdict.DELIVERED))
    assert store.panel.counts()[:4] == (1, 0, 2, 0)
