"""What people ask of a store: list, show, replay, drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.stores.history import Selection
from spigot.webhook import State, Verdict
from support.stores import NOW, attempt, end, loaded, put, put_all, settle, waiting, webhook

if TYPE_CHECKING:
    from spigot.ports import Store
    from spigot.webhook import Webhook
    from support.stores import HandClock


def ids(webhooks: list[Webhook]) -> list[str]:
    return [each.id for each in webhooks]


def selected(store: Store, **narrowed: object) -> list[str]:
    return [entry.id for entry in store.history.entries(Selection(**narrowed))]  # type: ignore[arg-type]


# --- replay --------------------------------------------------------------------------------------


def test_a_replay_goes_to_the_end_of_the_lane_with_fresh_attempts_and_its_history(
    store: Store,
) -> None:
    dead, behind = webhook(delivery="d-1"), webhook()
    put_all(store, [dead, behind])
    first_place = loaded(store, dead.id).place
    settle(store, dead.id, attempt(Verdict.AGAIN, delay=9.0, counted=True))
    settle(store, dead.id, attempt(Verdict.DEAD, "too often", counted=True, status=500))
    assert list(store.history.replay(Selection())) == [1]
    assert [each.webhook for each in waiting(store)] == [behind, dead]
    place = loaded(store, dead.id).place
    assert place.position > loaded(store, behind.id).place.position > first_place.position
    assert place[1:] == (dead.lane, dead.path, 0.0, 0.0, 0, False)
    assert store.signs().position == place.position
    settle(store, dead.id, attempt(Verdict.DELIVERED))
    (detail,) = store.history.show(dead.id)
    assert detail.entry.state is State.DELIVERED
    assert [(each.number, each.verdict) for each in detail.tries] == [
        (1, "again"),
        (2, "dead"),
        (3, "delivered"),
    ]


def test_a_replay_keeps_the_old_order(store: Store) -> None:
    webhooks = [webhook() for _ in range(5)]
    put_all(store, webhooks)
    for each in reversed(webhooks):
        settle(store, each.id, attempt(Verdict.DEAD, at=NOW))
    assert sum(store.history.replay(Selection())) == 5
    assert [each.webhook.id for each in waiting(store)] == ids(webhooks)


def test_without_a_state_the_dead_are_replayed(store: Store) -> None:
    done, dead, dropped, fresh = (webhook() for _ in range(4))
    end(store, done, Verdict.DELIVERED)
    end(store, dead, Verdict.DEAD)
    put(store, dropped)
    sum(store.history.drop(Selection()))
    put(store, fresh)
    assert sum(store.history.replay(Selection())) == 1
    assert [each.webhook.id for each in waiting(store)] == [fresh.id, dead.id]


@pytest.mark.parametrize("state", [State.DELIVERED, State.DROPPED])
def test_what_was_delivered_or_dropped_can_be_replayed(store: Store, state: State) -> None:
    first = webhook()
    put(store, first)
    if state is State.DELIVERED:
        settle(store, first.id, attempt(Verdict.DELIVERED))
    else:
        sum(store.history.drop(Selection()))
    assert sum(store.history.replay(Selection(state=state))) == 1
    assert [each.webhook for each in waiting(store)] == [first]


def test_what_waits_is_not_replayed(store: Store) -> None:
    put(store, first := webhook())
    before = store.places_after(0, 10)
    for selection in (Selection(names=(first.id,)), Selection(state=State.WAITING)):
        assert sum(store.history.replay(selection, dry_run=True)) == 0
        assert sum(store.history.replay(selection)) == 0
    assert store.places_after(0, 10) == before
    assert store.panel.counts().waiting == 1


def test_a_resolved_one_that_is_replayed_counts_as_any_other(store: Store) -> None:
    dead, again = webhook(delivery="d-1"), webhook(delivery="d-1")
    end(store, dead, Verdict.DEAD)
    put(store, again)
    sum(store.history.replay(Selection()))
    settle(store, dead.id, attempt(Verdict.DEAD))
    assert store.panel.counts().dead == 1
    (entry,) = store.history.entries(Selection(state=State.DEAD))
    assert entry.resolved_by is None


# --- drop ----------------------------------------------------------------------------------------


def test_a_drop_ends_what_waits(store: Store, clock: HandClock) -> None:
    first = webhook()
    put(store, first)
    clock.advance(60)
    assert list(store.history.drop(Selection())) == [1]
    assert waiting(store) == []
    (entry,) = store.history.entries(Selection())
    assert (entry.state, entry.reason) == (State.DROPPED, "dropped by a person")
    assert (entry.status, entry.ended_at) == (0, NOW + 60)
    assert store.panel.counts()[:4] == (1, 0, 0, 0)


def test_a_drop_ends_what_is_dead_and_keeps_the_reason(store: Store) -> None:
    first = webhook()
    end(store, first, Verdict.DEAD)
    assert sum(store.history.drop(Selection(state=State.DEAD))) == 1
    (entry,) = store.history.entries(Selection())
    assert entry.state is State.DROPPED
    assert entry.reason == "dropped by a person; was dead: said so"
    assert store.panel.counts()[:4] == (1, 0, 0, 0)


def test_without_a_state_what_waits_is_dropped(store: Store) -> None:
    dead, fresh = webhook(), webhook()
    end(store, dead, Verdict.DEAD)
    put(store, fresh)
    assert sum(store.history.drop(Selection())) == 1
    assert selected(store, state=State.DEAD) == [dead.id]


def test_a_replayed_one_can_be_dropped(store: Store) -> None:
    dead, other = webhook(), webhook()
    end(store, dead, Verdict.DEAD)
    put(store, other)
    sum(store.history.replay(Selection()))
    assert sum(store.history.drop(Selection(names=(dead.id,)))) == 1
    assert [each.webhook for each in waiting(store)] == [other]


def test_what_was_delivered_or_dropped_is_not_dropped(store: Store) -> None:
    done, gone = webhook(delivery="d-1"), webhook(delivery="d-2")
    end(store, done, Verdict.DELIVERED)
    put(store, gone)
    sum(store.history.drop(Selection()))
    before = store.history.entries(Selection())
    selection = Selection(names=("d-1", "d-2"))
    assert sum(store.history.drop(selection, dry_run=True)) == 0
    assert sum(store.history.drop(selection)) == 0
    assert store.history.entries(Selection()) == before


def test_a_dry_run_counts_and_changes_nothing(store: Store) -> None:
    dead, fresh = webhook(), webhook()
    end(store, dead, Verdict.DEAD)
    put(store, fresh)
    before = store.history.entries(Selection()), store.panel.counts(), store.signs()
    assert sum(store.history.replay(Selection(), dry_run=True)) == 1
    assert sum(store.history.drop(Selection(), dry_run=True)) == 1
    assert sum(store.history.drop(Selection(names=(dead.id, fresh.id)), dry_run=True)) == 2
    assert (store.history.entries(Selection()), store.panel.counts(), store.signs()) == before


def test_many_are_changed_in_steps(store: Store) -> None:
    put_all(store, [webhook() for _ in range(1200)])
    dropped = list(store.history.drop(Selection()))
    assert sum(dropped) == 1200
    replayed = list(store.history.replay(Selection(state=State.DROPPED)))
    assert sum(replayed) == 1200
    assert store.panel.counts().waiting == 1200


def test_each_edit_shows_in_the_signs_of_every_process(store: Store, other: Store) -> None:
    put_all(store, [webhook(), webhook()])
    store.changed()
    before = store.signs().edits
    sum(other.history.drop(Selection(limit=1)))
    assert store.changed()
    dropped = store.signs().edits
    sum(other.history.replay(Selection(state=State.DROPPED)))
    assert store.changed()
    assert store.signs().edits > dropped > before
    assert not store.changed()


# --- selecting -----------------------------------------------------------------------------------


def test_everything_is_listed_newest_first(store: Store) -> None:
    webhooks = [webhook() for _ in range(3)]
    put_all(store, webhooks)
    assert selected(store) == ids(webhooks)[::-1]
    assert selected(store, limit=2) == ids(webhooks)[:0:-1]
    assert selected(store, limit=0) == []


def test_an_entry_says_what_it_is(store: Store) -> None:
    first = webhook(delivery="d-1", body=b"{ }", path="/github-webhook/x")
    put(store, first)
    (entry,) = store.history.entries(Selection())
    assert entry[1:] == (
        first.id, State.WAITING, NOW, "/github-webhook/", "/github-webhook/x", "github", "push",
        "d-1", "/github-webhook/x acme/app", 3, 0, "", 0, None, None,
    )  # fmt: skip
    (detail,) = store.history.show(first.id)
    assert detail == (entry, "POST", first.query, first.headers, b"{ }", 0.0, [])


def test_a_state_narrows(store: Store) -> None:
    webhooks = [webhook() for _ in range(8)]
    put_all(store, webhooks)
    one, two, three, four, five, six, *rest = ids(webhooks)
    for id_, verdict, at in (
        (one, Verdict.DELIVERED, 9.0), (two, Verdict.DEAD, 5.0), (three, Verdict.DELIVERED, 1.0),
        (four, Verdict.DEAD, 1.0), (six, Verdict.DEAD, 5.0),
    ):  # fmt: skip
        settle(store, id_, attempt(verdict, at=NOW + at))
    sum(store.history.drop(Selection(names=(five,))))
    assert selected(store, state=State.WAITING) == rest[::-1]
    assert selected(store, state=State.DELIVERED) == [three, one]
    assert selected(store, state=State.DEAD) == [six, two, four]
    assert selected(store, state=State.DROPPED) == [five]
    assert selected(store, state=State.DEAD, limit=2) == [six, two]


def test_what_waits_is_listed_by_its_place(store: Store) -> None:
    first, second = webhook(), webhook()
    end(store, first, Verdict.DEAD)
    put(store, second)
    sum(store.history.replay(Selection()))
    assert selected(store, state=State.WAITING) == [first.id, second.id]
    assert selected(store) == [second.id, first.id]


def test_the_filters_narrow(store: Store) -> None:
    app = webhook(repository="acme/app", event="push", received_at=NOW)
    long = webhook(repository="other/acme/app", event="ping", received_at=NOW + 1)
    job = webhook(hook="/project/", path="/project/a", event=None, received_at=NOW + 2)
    put_all(store, [app, long, job])
    assert selected(store, hook="/project/") == [job.id]
    assert selected(store, hook="/project/a") == [job.id]
    assert selected(store, hook="/project") == []
    assert selected(store, lane="/github-webhook/ acme/app") == [app.id]
    assert selected(store, lane="acme/app") == [job.id, app.id]
    assert selected(store, lane="app") == []
    assert selected(store, lane="x" * 100) == []
    assert selected(store, event="push") == [app.id]
    assert selected(store, since=NOW + 1) == [job.id, long.id]
    assert selected(store, until=NOW + 1) == [app.id]
    assert selected(store, since=NOW + 1, until=NOW + 2, event="ping") == [long.id]
    assert selected(store, lane="acme/app", limit=1) == [job.id]


def test_names_are_ids_and_delivery_ids(store: Store) -> None:
    first, second, third = (webhook(delivery=f"d-{number}") for number in range(3))
    put_all(store, [first, second, third])
    settle(store, first.id, attempt(Verdict.DEAD))
    assert selected(store, names=(first.id, "d-2", "nobody")) == [third.id, first.id]
    assert selected(store, names=()) == []
    assert selected(store, names=(first.id, "d-2"), state=State.DEAD) == [first.id]


def test_show_finds_all_of_a_delivery_id(store: Store) -> None:
    first, again = webhook(delivery="d-1"), webhook(delivery="d-1")
    end(store, first, Verdict.DEAD)
    put(store, again)
    assert [each.entry.id for each in store.history.show("d-1")] == [again.id, first.id]
    assert [each.entry.id for each in store.history.show(first.id)] == [first.id]
    assert store.history.show("nobody") == []
