"""What people do with the dead ones: list, show, replay, drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.stores.history import Selection
from spigot.webhook import State, Verdict
from support.stores import NOW, attempt, drained, put, settle, waiting, webhook

if TYPE_CHECKING:
    from spigot.ports import Store
    from spigot.webhook import Webhook

DEAD = Selection(state=State.DEAD)


def die(store: Store, *webhooks: Webhook) -> None:
    """Put webhooks and let each die, a second after the one before."""
    for number, each in enumerate(webhooks):
        put(store, each)
        made = attempt(Verdict.DEAD, "404", status=404, counted=True, at=NOW + number, took=0.25)
        settle(store, each.id, made)


def dead(store: Store, **narrowed: object) -> list[str]:
    selection = DEAD._replace(**narrowed)  # type: ignore[arg-type]
    return [entry.id for entry in store.history.entries(selection)]


def test_the_last_that_died_is_listed_first_and_as_often_as_it_is_asked_for(store: Store) -> None:
    webhooks = [webhook() for _ in range(3)]
    die(store, *webhooks)
    for _ in range(2):
        assert dead(store) == [each.id for each in reversed(webhooks)]
    assert dead(store, limit=2) == [each.id for each in webhooks[:0:-1]]
    assert store.panel.counts().dead == 3


def test_an_entry_says_what_it_is_and_why_it_died(store: Store) -> None:
    one = webhook(delivery="d-1", body=b"{ }", path="/github-webhook/x")
    die(store, one)
    (entry,) = store.history.entries(DEAD)
    assert entry[1:] == (
        one.id, State.DEAD, NOW, "/github-webhook/", "/github-webhook/x", "github", "push",
        "d-1", "/github-webhook/x acme/app", 3, 1, "404", 404, NOW + 0.25, None,
    )  # fmt: skip
    (detail,) = store.history.show(one.id)
    assert detail[:6] == (entry, "POST", one.query, one.headers, b"{ }", 0.0)


def test_a_body_of_five_megabytes_is_shown_to_the_byte(store: Store) -> None:
    large = webhook(body=bytes(range(256)) * (5 * 1024 * 1024 // 256))
    die(store, large)
    (detail,) = store.history.show(large.id)
    assert detail.entry.size == len(large.body)
    assert detail.body == large.body


def test_a_reason_of_odd_characters_is_kept_readable(store: Store) -> None:
    one = webhook()
    put(store, one)
    settle(store, one.id, attempt(Verdict.DEAD, "400 n\x00o \x1b[31m ä 🐙\n", status=400))
    (entry,) = store.history.entries(DEAD)
    assert entry.reason.startswith("400 n")
    assert entry.reason.endswith(" ä 🐙\n")


def test_the_filters_narrow_the_dead(store: Store) -> None:
    app = webhook(repository="acme/app", event="push", received_at=NOW)
    long = webhook(repository="other/acme/app", event="ping", received_at=NOW + 1)
    job = webhook(hook="/project/", path="/project/a", event=None, received_at=NOW + 2)
    die(store, app, long, job)
    assert dead(store, hook="/project/") == [job.id]
    assert dead(store, hook="/project/a") == [job.id]
    assert dead(store, hook="/project") == []
    assert dead(store, lane="/github-webhook/ acme/app") == [app.id]
    assert dead(store, lane="acme/app") == [job.id, app.id]
    assert dead(store, lane="app") == []
    assert dead(store, event="push") == [app.id]
    assert dead(store, since=NOW + 1) == [job.id, long.id]
    assert dead(store, until=NOW + 1) == [app.id]
    assert dead(store, since=NOW + 1, until=NOW + 2, event="ping") == [long.id]


def test_ids_and_delivery_ids_name_the_dead(store: Store) -> None:
    first, second, third = (webhook(delivery=f"d-{number}") for number in range(3))
    die(store, first, second, third)
    assert dead(store, names=(first.id, "d-2", "nobody")) == [third.id, first.id]
    assert dead(store, names=()) == []
    assert [each.entry.id for each in store.history.show("d-1")] == [second.id]
    assert store.history.show("nobody") == []


@pytest.mark.parametrize("by_name", [False, True])
def test_a_replay_goes_behind_what_waits_with_fresh_attempts(
    store: Store, *, by_name: bool
) -> None:
    first, behind = webhook(delivery="d-1"), webhook()
    die(store, first)
    put(store, behind)
    selection = Selection(names=("d-1",)) if by_name else Selection()
    assert list(store.history.replay(selection)) == [1]
    assert dead(store) == []
    found = drained(store)
    assert [each.webhook for each in found] == [behind, first]
    assert [each.place.attempts for each in found] == [0, 0]


def test_a_replay_takes_those_that_are_selected_in_their_old_order(store: Store) -> None:
    webhooks = [webhook(received_at=NOW + number) for number in range(5)]
    die(store, *webhooks)
    assert sum(store.history.replay(DEAD._replace(since=NOW + 2))) == 3
    assert [each.webhook for each in drained(store)] == webhooks[2:]
    assert dead(store) == [webhooks[1].id, webhooks[0].id]


def test_one_that_dies_again_is_found_again(store: Store) -> None:
    one = webhook()
    die(store, one)
    assert sum(store.history.replay(Selection())) == 1
    settle(store, one.id, attempt(Verdict.DEAD, "once more", status=400))
    (entry,) = store.history.entries(DEAD)
    assert (entry.id, entry.reason, entry.status) == (one.id, "once more", 400)


def test_a_dropped_one_is_dead_no_more_and_does_not_wait(store: Store) -> None:
    first, second = webhook(), webhook()
    die(store, first, second)
    assert sum(store.history.drop(DEAD._replace(names=(first.id,)))) == 1
    assert dead(store) == [second.id]
    assert waiting(store) == []
    assert store.panel.counts().dead == 1


def test_a_dry_run_leaves_the_dead_as_they_are(store: Store) -> None:
    webhooks = [webhook(), webhook()]
    die(store, *webhooks)
    before = store.history.entries(DEAD)
    assert sum(store.history.replay(DEAD, dry_run=True)) == 2
    assert sum(store.history.drop(DEAD, dry_run=True)) == 2
    assert sum(store.history.replay(Selection(names=("nobody",)), dry_run=True)) == 0
    assert store.history.entries(DEAD) == before
    assert waiting(store) == []


def test_a_change_that_is_left_half_way_leaves_the_rest_as_it_was(store: Store) -> None:
    die(store, *[webhook() for _ in range(3)])
    steps = store.history.replay(DEAD)
    done = next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert len(waiting(store)) == done
    assert len(dead(store)) == 3 - done
