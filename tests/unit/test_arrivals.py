from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from spigot.errors import StoreError
from spigot.stores import arrivals
from spigot.stores.arrivals import delivery_key
from spigot.stores.history import Selection
from spigot.stores.sqlite import SqliteStore
from spigot.stores.writer import BATCH_BYTES
from spigot.webhook import Receipt, Verdict
from support.stores import PATIENCE, attempt, busy, end, put, put_all, settle, waiting, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spigot.webhook import Webhook


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path)
    yield store
    store.close()


def trace(store: SqliteStore) -> list[str]:
    """Return a list that fills with what the writer runs from now on."""
    statements: list[str] = []
    store.writer.between(lambda db: db.set_trace_callback(statements.append))
    return statements


def put_together(store: SqliteStore, webhooks: list[Webhook]) -> list[Receipt | Exception]:
    """Put webhooks so that they reach the writer as one batch."""
    told = threading.Event()
    results: dict[int, Receipt | Exception] = {}

    def done(index: int, result: Receipt | Exception) -> None:
        results[index] = result
        if len(results) == len(webhooks):
            told.set()

    with busy(store.writer):
        for index, each in enumerate(webhooks):
            store.put(each, lambda result, index=index: done(index, result))  # type: ignore[misc]
    assert told.wait(PATIENCE)
    return [results[index] for index in range(len(webhooks))]


def rolls_back(store: SqliteStore, *webhooks: Webhook) -> None:
    """Put webhooks in one batch whose last item cannot be written."""
    results = put_together(store, [*webhooks, webhook(event="\ud800")])
    assert isinstance(results[-1], StoreError)


# --- one commit for many -------------------------------------------------------------------------


def test_webhooks_that_come_together_share_one_commit(store: SqliteStore) -> None:
    put(store, webhook())
    commits: list[None] = []
    store.writer.after_commit(lambda: commits.append(None))
    statements = trace(store)
    results = put_together(store, [webhook(delivery=f"d-{number}") for number in range(50)])
    assert all(isinstance(result, Receipt) for result in results)
    assert len(commits) == 1
    # One statement is a transaction of its own.
    assert not any(each.startswith(("BEGIN", "COMMIT")) for each in statements)


def test_a_large_body_gets_a_commit_of_its_own(store: SqliteStore) -> None:
    large = webhook(body=random.randbytes(BATCH_BYTES - 1))
    webhooks = [webhook(), webhook(), large, webhook()]
    commits: list[None] = []
    store.writer.after_commit(lambda: commits.append(None))
    put_together(store, webhooks)
    assert len(commits) == 3
    assert [each.webhook for each in waiting(store)] == webhooks


def test_everyone_who_wants_to_know_hears_once_that_something_arrived(store: SqliteStore) -> None:
    arrived: list[int] = []
    store.on_arrival = lambda: arrived.append(len(store.places_after(0, 1000)))
    put_together(store, [webhook() for _ in range(50)])
    store.panel.set_valve(on=False)
    settle(store, waiting(store)[0].webhook.id, attempt(Verdict.DELIVERED))
    assert arrived == [50]


def test_duplicates_in_a_batch_leave_the_others_their_order(store: SqliteStore) -> None:
    put(store, first := webhook(delivery="first"))
    batch = [
        webhook(delivery=name)
        for name in ("a", "first", None, "b", "a", "c", "first", "b", None, "d")
    ]
    results = put_together(store, batch)
    assert [result.duplicate for result in results if isinstance(result, Receipt)] == [
        False, True, False, False, True, False, True, True, False, False,
    ]  # fmt: skip
    assert [each.webhook for each in waiting(store)] == [
        first, *(batch[index] for index in (0, 2, 3, 5, 8, 9)),
    ]  # fmt: skip
    assert store.panel.counts()[:2] == (7, 7)


def test_one_webhook_that_cannot_be_stored_does_not_fail_the_others(store: SqliteStore) -> None:
    put(store, first := webhook())
    good = [webhook(delivery=f"d-{number}") for number in range(3)]
    same_id = webhook()._replace(id=first.id)
    results = put_together(store, [good[0], same_id, good[1], webhook(event="\ud800"), good[2]])
    assert [isinstance(result, StoreError) for result in results] == [
        False, True, False, True, False,
    ]  # fmt: skip
    assert [each.webhook for each in waiting(store)] == [first, *good]
    assert store.panel.counts()[:2] == (4, 4)


# --- after a rollback ----------------------------------------------------------------------------


def test_after_a_rollback_duplicates_are_still_recognised(store: SqliteStore) -> None:
    put(store, first := webhook(delivery="d-1"))
    rolls_back(store, second := webhook(delivery="d-2"))
    for original in (first, second):
        assert put(store, webhook(delivery=original.delivery)) == (original.id, True)


def test_a_rollback_of_the_first_put_after_a_start_forgets_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    put(store, first := webhook(delivery="d-1"))
    store.close()
    store = SqliteStore(tmp_path)
    rolls_back(store)
    assert put(store, webhook(delivery="d-1")) == (first.id, True)
    store.close()


def test_what_was_rolled_back_itself_is_not_taken_for_known(store: SqliteStore) -> None:
    put(store, webhook())
    bad = webhook(delivery="d-1", event="\ud800")
    results = put_together(store, [bad, webhook(event="\ud800")])
    assert all(isinstance(result, StoreError) for result in results)
    assert not put(store, webhook(delivery="d-1")).duplicate


def test_a_rollback_does_not_make_a_large_backlog_be_read_anew(store: SqliteStore) -> None:
    put_all(store, [webhook(delivery=f"d-{number}") for number in range(100)])
    statements = trace(store)
    rolls_back(store, webhook(delivery="new"))
    put(store, webhook(delivery="newer"))
    assert not any("REPLACE" in statement for statement in statements)


def test_a_settlement_that_is_rolled_back_leaves_the_delivery_known(store: SqliteStore) -> None:
    put(store, first := webhook(delivery="d-1"))
    (found,) = waiting(store)
    made = attempt(Verdict.DELIVERED)
    with pytest.raises(StoreError):
        store.settle(found, made._replace(decision=made.decision._replace(reason="\ud800")))
    assert put(store, webhook(delivery="d-1")) == (first.id, True)
    assert store.panel.counts()[:3] == (1, 1, 0)


# --- knowing -------------------------------------------------------------------------------------


def test_only_hook_path_and_delivery_id_make_the_key() -> None:
    first = webhook(delivery="d-1", hook="/a/", path="/a/b")
    assert delivery_key(first) == delivery_key(webhook(delivery="d-1", hook="/a/", path="/a/b"))
    others = [
        webhook(delivery="d-2", hook="/a/", path="/a/b"),
        webhook(delivery="d-1", hook="/a/b", path="/a/b"),
        webhook(delivery="d-1", hook="/a/", path="/a/c"),
    ]
    assert len({delivery_key(each) for each in (first, *others)}) == 4
    assert delivery_key(webhook(delivery=None)) is None


def test_two_deliveries_whose_digests_agree_are_both_stored(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spigot.stores.sqlite.delivery_key", lambda _: 7)
    first, second = webhook(delivery="d-1"), webhook(delivery="d-2")
    receipts = put_together(store, [first, second])
    assert receipts == [(first.id, False), (second.id, False)]
    assert put(store, webhook(delivery="d-2")) == (second.id, True)


def test_a_delivery_that_another_process_put_is_known(tmp_path: Path, store: SqliteStore) -> None:
    put(store, webhook(delivery="mine"))
    other = SqliteStore(tmp_path)
    put(other, theirs := webhook(delivery="theirs"))
    assert put(other, webhook(delivery="mine")).duplicate
    other.close()
    assert put(store, webhook(delivery="theirs")) == (theirs.id, True)


@pytest.mark.parametrize("steps", [0, 1, 9])
def test_what_waited_at_the_start_is_known_however_much_of_it_was_indexed_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr(arrivals, "_INDEX_STEP", 2)
    first = SqliteStore(tmp_path / "other")
    webhooks = [webhook(delivery=str(number)) for number in range(5)]
    receipts = put_all(first, webhooks)
    first.close()

    store = SqliteStore(tmp_path / "other")
    more = [store.index_deliveries() for _ in range(steps)]
    assert more == [number < 3 for number in range(steps)]
    again = put_all(store, [webhook(delivery=str(number)) for number in range(5)])
    assert again == [Receipt(receipt.id, duplicate=True) for receipt in receipts]
    assert not put(store, webhook(delivery="new")).duplicate
    assert not store.index_deliveries()
    store.close()


def test_deliveries_that_have_ended_leave_no_trace_in_memory(store: SqliteStore) -> None:
    for number in range(5):
        end(store, webhook(delivery=f"d-{number}"), Verdict.DELIVERED)
    known: list[Any] = []
    store.writer.between(lambda db: known.extend(db.execute("SELECT * FROM deliveries").fetchall()))
    assert known == []


def test_a_redelivery_finds_its_dead_one_by_an_index(store: SqliteStore) -> None:
    end(store, webhook(delivery="d-1"), Verdict.DEAD)
    plan: list[Any] = []
    store.writer.between(
        lambda db: plan.extend(
            db.execute(
                "EXPLAIN QUERY PLAN UPDATE ended SET resolved_by = 'x' "
                "WHERE delivery = 1 AND state = 'dead' AND resolved_by IS NULL"
            ).fetchall()
        )
    )
    assert "ended_unresolved" in plan[0][-1]


# --- a full disk ---------------------------------------------------------------------------------


def test_on_a_full_disk_puts_fail_settling_uses_the_reserve_and_nothing_is_lost(
    tmp_path: Path, store: SqliteStore
) -> None:
    given_up: list[int] = []

    def limit(db: sqlite3.Connection, more: int) -> None:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + more}").fetchone()

    def give_up_reserve() -> bool:
        if given_up:
            return False
        given_up.append(1)
        assert store.writer._db is not None
        limit(store.writer._db, 100)
        return True

    store.writer._on_full = give_up_reserve
    put(store, first := webhook(delivery="d-1"))
    put(store, second := webhook(delivery="d-2"))
    store.writer.between(lambda db: limit(db, 0))
    large = webhook(delivery="large", body=random.randbytes(50_000))
    with pytest.raises(StoreError, match="Free some disk space"):
        put(store, large)
    assert given_up == []
    assert put(store, webhook(delivery="d-1")) == (first.id, True)
    settle(store, first.id, attempt(Verdict.DEAD, status=400, answer=b"x" * 50_000))
    assert given_up == [1]
    settle(store, second.id, attempt(Verdict.DELIVERED))
    assert store.panel.counts()[:4] == (2, 0, 1, 1)
    with pytest.raises(StoreError, match="Free some disk space"):
        put_all(
            store,
            [
                large._replace(id=str(n), delivery=str(n), body=random.randbytes(50_000))
                for n in range(20)
            ],
        )
    store.writer.between(lambda db: limit(db, 10_000))
    assert put(store, large) == (large.id, False)
    ids = [entry.id for entry in store.history.entries(Selection(names=(large.id,)))]
    assert ids == [large.id]
    store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "spigot.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_settlement_without_any_reserve_changes_nothing_and_can_be_repeated(
    store: SqliteStore,
) -> None:
    put(store, first := webhook(delivery="d-1"))
    (found,) = waiting(store)
    made = attempt(Verdict.DEAD, status=400, answer=b"x" * 50_000)
    store.writer.between(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())
    with pytest.raises(StoreError, match="Free some disk space"):
        store.settle(found, made)
    assert waiting(store) == [found]
    assert store.history.show(first.id)[0].tries == []
    store.writer.between(lambda db: db.execute("PRAGMA max_page_count = 10000").fetchone())
    store.settle(found, made)
    assert len(store.history.show(first.id)[0].tries) == 1
    assert store.panel.counts().dead == 1


def test_of_a_duplicate_nothing_is_kept(store: SqliteStore) -> None:
    put(store, first := webhook(delivery="again", body=random.randbytes(300_000)))
    for _ in range(3):
        put(store, first)
    put_together(store, [first, first, webhook(delivery="new"), first])
    ((frames,),) = store._reader.read("SELECT count(*) FROM contents")
    assert frames == 2
    assert [each.webhook.delivery for each in waiting(store)] == ["again", "new"]
    assert waiting(store)[0].webhook.body == first.body
