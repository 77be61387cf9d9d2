from __future__ import annotations

import random
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from spigot.errors import StoreError
from spigot.stores.content import PART_BYTES
from spigot.stores.history import Selection
from spigot.stores.parts import InParts
from spigot.stores.sqlite import SqliteStore
from spigot.stores.upkeep import Upkeep
from spigot.webhook import Verdict
from support.gateway import wait_until
from support.stores import DAY, PATIENCE, HandClock, end, loaded, put, waiting, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spigot.webhook import Headers, Receipt

BODY = random.Random(1).randbytes(3 * PART_BYTES)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path)
    yield store
    store.close()


def parts(store: SqliteStore) -> int:
    with closing(sqlite3.connect(store.path)) as db:
        (count,) = db.execute("SELECT count(*) FROM parts").fetchone()
        return int(count)


@pytest.mark.parametrize("headers", [(), ((b"a", b"b"), (b"content-type", b"text/plain"))])
@pytest.mark.parametrize("start", [b"", b"\r\n", b"\r\n\r\n", b"a: b\r\n\r\n"])
def test_a_large_webhook_comes_back_to_the_byte(
    store: SqliteStore, headers: Headers, start: bytes
) -> None:
    large = webhook(headers=headers, body=start + BODY)
    put(store, webhook())
    put(store, large)
    put(store, webhook())
    assert parts(store) > 3
    assert loaded(store, large.id).webhook == large
    (detail,) = store.history.show(large.id)
    assert (detail.headers, detail.body) == (headers, start + BODY)


def test_what_packs_well_needs_no_parts(store: SqliteStore) -> None:
    large = webhook(body=b"[" + b"1234567890," * PART_BYTES + b"0]")
    put(store, large)
    assert parts(store) == 0
    assert loaded(store, large.id).webhook == large


def test_small_webhooks_are_stored_between_the_parts_of_a_large_one(store: SqliteStore) -> None:
    large, small = webhook(body=BODY), webhook()
    told = threading.Event()
    given = False

    def committed() -> None:
        nonlocal given
        if not given:
            given = True
            store.put(small, lambda _: told.set())

    store.writer.after_commit(committed)
    put(store, large)
    assert told.wait(PATIENCE)
    assert [each.webhook.id for each in waiting(store)] == [small.id, large.id]


def test_parts_go_when_their_webhook_is_pruned(store: SqliteStore) -> None:
    clock = HandClock()
    end(store, webhook(body=BODY), Verdict.DELIVERED)
    put(store, kept := webhook(body=BODY))
    both = parts(store)
    upkeep = Upkeep(store, keep_delivered=DAY, keep_dead=DAY, clock=clock)
    clock.advance(2 * DAY)
    assert upkeep.prune() == 1
    assert parts(store) == both / 2
    assert loaded(store, kept.id).webhook == kept


def test_a_duplicate_leaves_no_parts(store: SqliteStore) -> None:
    first = webhook(delivery="d", body=BODY)
    put(store, first)
    before = parts(store)
    assert put(store, webhook(delivery="d", body=BODY)).duplicate
    assert parts(store) == before
    assert loaded(store, first.id).webhook == first


def test_a_webhook_that_cannot_be_stored_leaves_no_parts(store: SqliteStore) -> None:
    results: list[Receipt | Exception] = []
    store.put(webhook(event="\ud800", body=BODY), results.append)
    wait_until(lambda: results)
    assert isinstance(results[0], StoreError)
    wait_until(lambda: parts(store) == 0)


def test_a_large_webhook_is_refused_by_a_closed_store(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.close()
    results: list[Receipt | Exception] = []
    store.put(webhook(body=BODY), results.append)
    assert isinstance(results[0], StoreError)


def test_what_a_crash_left_goes_at_the_next_start_and_nothing_else(
    store: SqliteStore, tmp_path: Path
) -> None:
    put(store, stored := webhook(body=BODY))
    before = parts(store)
    store.parts.keep((), BODY)
    store.parts.keep((), BODY)
    with closing(SqliteStore(tmp_path)) as restarted:
        piece = restarted.parts.keep((), BODY)  # its webhook comes in a moment
        assert restarted.parts.drop_strays() == 2
        assert parts(store) == before + 4
        assert isinstance(piece, InParts)
        restarted.parts.kept(piece.first)
        assert restarted.parts.drop_strays() == 1
        assert restarted.parts.drop_strays() == 0
    assert parts(store) == before
    assert loaded(store, stored.id).webhook == stored


def test_upkeep_begins_with_what_a_crash_left(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as crashed:
        crashed.parts.keep((), BODY)
    with closing(SqliteStore(tmp_path)) as store:
        upkeep = Upkeep(store, keep_delivered=DAY, keep_dead=DAY, clock=store.history._clock)
        assert parts(store)
        upkeep.start()
        wait_until(lambda: parts(store) == 0)
        upkeep.stop()


def test_a_large_webhook_that_is_pruned_while_it_is_read_waits_no_more(store: SqliteStore) -> None:
    put(store, webhook(body=BODY))
    (place,) = store.places_after(0, 9)
    store.writer.between(lambda db: db.execute("DELETE FROM parts WHERE number % 65536 = 2"))
    assert store.load(place.position) is None
    assert list(store.history.entries(Selection()))
