"""What a store promises on `put`, `places_after` and `load`."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from spigot.payloads import github_payloads
from spigot.stores.history import Selection
from spigot.webhook import State, Verdict
from support.stores import (
    PATIENCE,
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
    from spigot.webhook import Headers


def test_what_is_put_gets_a_receipt_with_its_own_id(store: Store) -> None:
    first = webhook(delivery="d-1")
    receipt = put(store, first)
    assert receipt.id == first.id
    assert not receipt.duplicate


def test_webhooks_wait_in_the_order_in_which_they_were_put(store: Store) -> None:
    webhooks = [webhook(delivery=f"d-{number}") for number in range(100)]
    put_all(store, webhooks)
    assert [each.webhook for each in waiting(store)] == webhooks
    positions = [place.position for place in store.places_after(0, 1000)]
    assert positions == sorted(set(positions))
    assert store.signs().position == positions[-1]


def test_a_drain_meets_them_in_the_order_in_which_they_were_put(store: Store) -> None:
    webhooks = [webhook(delivery=f"d-{number}") for number in range(25)]
    put_all(store, webhooks)
    assert [each.webhook for each in drained(store)] == webhooks


def test_a_new_place_is_due_at_once_and_has_no_attempts(store: Store) -> None:
    first = webhook(path="/github-webhook/x")
    put(store, first)
    (place,) = store.places_after(0, 10)
    assert place[1:] == (first.lane, "/github-webhook/x", 0.0, 0.0, 0, False)


def test_places_are_read_in_chunks_without_a_gap(store: Store) -> None:
    put_all(store, [webhook() for _ in range(10)])
    everything = store.places_after(0, 100)
    seen, position = [], 0
    while chunk := store.places_after(position, 3):
        assert len(chunk) <= 3
        seen += chunk
        position = chunk[-1].position
    assert seen == everything
    assert store.places_after(everything[-1].position, 10) == []


def test_a_reader_misses_nothing_that_many_threads_put_meanwhile(
    store: Store, other: Store
) -> None:
    batches = [
        [webhook(delivery=f"{thread}-{number}") for number in range(100)] for thread in range(8)
    ]
    threads = [
        threading.Thread(target=put_all, args=(store if number % 2 else other, batch))
        for number, batch in enumerate(batches)
    ]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    deadline = time.monotonic() + PATIENCE
    while len(seen) < 800 and time.monotonic() < deadline:
        seen += [place.position for place in store.places_after(seen[-1] if seen else 0, 7)]
    for thread in threads:
        thread.join(PATIENCE)
    assert seen == [place.position for place in store.places_after(0, 10_000)]
    ids = [each.webhook.id for each in waiting(store)]
    assert sorted(ids) == sorted(each.id for batch in batches for each in batch)
    for batch in batches:
        of_thread = {each.id for each in batch}
        assert [id_ for id_ in ids if id_ in of_thread] == [each.id for each in batch]


def test_still_waiting_names_those_that_do(store: Store) -> None:
    webhooks = [webhook() for _ in range(1100)]
    put_all(store, webhooks)
    positions = [place.position for place in store.places_after(0, 10_000)]
    settle(store, webhooks[0].id, attempt(Verdict.DELIVERED))
    sum(store.history.drop(Selection(names=(webhooks[1].id,))))
    assert store.still_waiting([*positions, 999_999]) == set(positions[2:])
    assert store.still_waiting([]) == set()


# --- sending twice -------------------------------------------------------------------------------


def test_the_same_delivery_is_stored_once_while_it_waits(store: Store, other: Store) -> None:
    first = webhook(delivery="d-1")
    put(store, first)
    for process in (store, other, store):
        receipt = put(process, webhook(delivery="d-1"))
        assert receipt == (first.id, True)
    assert [each.webhook.id for each in waiting(store)] == [first.id]
    assert store.panel.counts().stored == 1


def test_the_same_delivery_twice_at_once_is_stored_once(store: Store) -> None:
    webhooks = [webhook(delivery="d-1"), webhook(delivery="d-2"), webhook(delivery="d-1")]
    receipts = put_all(store, webhooks)
    assert receipts == [
        (webhooks[0].id, False),
        (webhooks[1].id, False),
        (webhooks[0].id, True),
    ]
    assert [each.webhook.id for each in waiting(store)] == [webhooks[0].id, webhooks[1].id]


def test_a_duplicate_of_a_webhook_that_is_tried_again_and_again_is_one(store: Store) -> None:
    first = webhook(delivery="d-1")
    put(store, first)
    settle(store, first.id, attempt(Verdict.AGAIN, delay=10.0, counted=True))
    settle(store, first.id, attempt(Verdict.HOLD_PATH))
    assert put(store, webhook(delivery="d-1")) == (first.id, True)


@pytest.mark.parametrize("ended", ["delivered", "dead", "dropped"])
def test_a_delivery_that_has_ended_is_stored_anew(store: Store, ended: str) -> None:
    first, again = webhook(delivery="d-1"), webhook(delivery="d-1")
    put(store, first)
    if ended == "dropped":
        assert sum(store.history.drop(Selection(names=(first.id,)))) == 1
    else:
        settle(store, first.id, attempt(Verdict(ended)))
    assert put(store, again) == (again.id, False)
    assert put(store, webhook(delivery="d-1")) == (again.id, True)
    assert [each.webhook.id for each in waiting(store)] == [again.id]


def test_a_delivery_whose_first_was_dropped_by_another_process_is_stored(
    store: Store, other: Store
) -> None:
    first, again = webhook(delivery="d-1"), webhook(delivery="d-1")
    put(store, first)
    assert sum(other.history.drop(Selection(names=(first.id,)))) == 1
    receipts = put_all(store, [again, webhook(delivery="d-1")])
    assert receipts == [(again.id, False), (again.id, True)]


@pytest.mark.parametrize("replayed_by", ["the same process", "another process"])
@pytest.mark.parametrize("dropped_first", [False, True])
def test_a_delivery_that_waits_by_a_replay_is_a_duplicate(
    store: Store, other: Store, replayed_by: str, dropped_first: bool
) -> None:
    process = store if replayed_by == "the same process" else other
    first = webhook(delivery="d-1")
    put(store, first)
    if dropped_first:
        sum(process.history.drop(Selection(names=(first.id,))))
    else:
        settle(store, first.id, attempt(Verdict.DEAD))
    assert sum(process.history.replay(Selection(names=(first.id,)))) == 1
    assert put(store, webhook(delivery="d-1")) == (first.id, True)
    put(store, webhook(delivery="d-2"))
    assert put(store, webhook(delivery="d-1")) == (first.id, True)


def test_a_delivery_that_waits_twice_by_a_replay_stays_known_until_the_last_has_ended(
    store: Store,
) -> None:
    first, second, third = (webhook(delivery="d-1") for _ in range(3))
    end(store, first, Verdict.DEAD)
    put(store, second)
    sum(store.history.replay(Selection()))
    assert put(store, webhook(delivery="d-1")).duplicate
    for each in waiting(store):
        assert put(store, webhook(delivery="d-1")).duplicate
        store.settle(each, attempt(Verdict.DELIVERED))
    assert put(store, third) == (third.id, False)


def test_a_redelivery_marks_the_dead_one_as_resolved(store: Store) -> None:
    dead, done, again = (webhook(delivery="d-1") for _ in range(3))
    end(store, done, Verdict.DELIVERED)
    end(store, dead, Verdict.DEAD)
    stranger = webhook(delivery="d-1", path="/github-webhook/x")
    end(store, stranger, Verdict.DEAD)
    assert store.panel.counts().dead == 2
    put(store, again)
    resolved = {entry.id: entry.resolved_by for entry in store.history.entries(Selection())}
    assert resolved == {dead.id: again.id, done.id: None, stranger.id: None, again.id: None}
    assert store.panel.counts().dead == 1


def test_who_resolved_a_dead_one_first_stays_named(store: Store) -> None:
    dead, again, later = (webhook(delivery="d-1") for _ in range(3))
    end(store, dead, Verdict.DEAD)
    end(store, again, Verdict.DELIVERED)
    put(store, later)
    (entry,) = store.history.entries(Selection(state=State.DEAD))
    assert entry.resolved_by == again.id


def test_without_a_delivery_id_nothing_is_a_duplicate(store: Store) -> None:
    receipts = put_all(store, [webhook(delivery=None) for _ in range(3)])
    assert not any(receipt.duplicate for receipt in receipts)
    end(store, webhook(delivery=None), Verdict.DEAD)
    put(store, webhook(delivery=None))
    assert len(waiting(store)) == 4
    assert store.panel.counts().dead == 1


def test_another_hook_or_path_makes_another_delivery(store: Store) -> None:
    receipts = put_all(
        store,
        [
            webhook(delivery="d-1", hook="/project/", path="/project/a"),
            webhook(delivery="d-1", hook="/project/", path="/project/b"),
            webhook(delivery="d-1", hook="/project/a", path="/project/a"),
            webhook(delivery="d-1", hook="/project/", path="/project/a"),
        ],
    )
    assert [receipt.duplicate for receipt in receipts] == [False, False, False, True]


# --- to the byte ---------------------------------------------------------------------------------


def test_every_example_of_github_comes_back_to_the_byte(store: Store) -> None:
    webhooks = [
        webhook(event=event, body=body, delivery=f"d-{number}")
        for number, (event, body) in enumerate(github_payloads())
    ]
    assert len(webhooks) == 329
    put_all(store, webhooks)
    assert [each.webhook for each in waiting(store)] == webhooks


ODD_HEADERS = pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"x-empty", b""),),
        ((b"x-twice", b"1"), (b"host", b"a"), (b"x-twice", b"2"), (b"x-twice", b"1")),
        ((b"x-bytes", bytes(range(128, 256))),),
        ((b"x-colon", b": a: b:"), (b"x-colon", b"")),
    ],
    ids=["none", "empty value", "repeated", "bytes over 127", "colons"],
)
ODD_BODIES = [b"", b"\r\n\r\n", b"\r\na: b\r\n\r\nc", b"\0\xff", b'{"a": "\xc3\xa4"}']


@ODD_HEADERS
def test_odd_headers_and_bodies_come_back_to_the_byte(store: Store, headers: Headers) -> None:
    odd = [webhook(headers=headers, body=body) for body in ODD_BODIES]
    put_all(store, odd)
    assert [each.webhook for each in waiting(store)] == odd


@ODD_HEADERS
def test_odd_headers_and_bodies_are_shown_to_the_byte(store: Store, headers: Headers) -> None:
    odd = [webhook(headers=headers, body=body) for body in ODD_BODIES]
    put_all(store, odd)
    for each in odd:
        (detail,) = store.history.show(each.id)
        assert (detail.headers, detail.body) == (headers, each.body)
        assert detail.entry.size == len(each.body)


def test_a_body_of_five_megabytes_comes_back_to_the_byte(store: Store) -> None:
    large = webhook(body=bytes(range(256)) * (5 * 1024 * 1024 // 256))
    put_all(store, [webhook(), large, webhook()])
    assert loaded(store, large.id).webhook == large


def test_every_field_comes_back(store: Store) -> None:
    odd = webhook(delivery=None, event=None)._replace(
        method="GET", query="url=git%40host%3Aa&x=/", provider="unknown", lane="/git/notifyCommit"
    )
    put(store, odd)
    assert loaded(store, odd.id).webhook == odd


def test_nothing_is_loaded_from_a_position_where_nothing_waits(store: Store) -> None:
    end(store, webhook(), Verdict.DELIVERED)
    assert store.load(1) is None
    assert store.load(77) is None
