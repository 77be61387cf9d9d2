from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from spigot.notices import Subject
from spigot.stores import database
from spigot.stores import upkeep as upkeep_module
from spigot.stores.history import Selection
from spigot.stores.sqlite import SqliteStore
from spigot.stores.upkeep import Upkeep
from spigot.webhook import State, Verdict
from support.stores import (
    DAY,
    NOW,
    PATIENCE,
    HandClock,
    attempt,
    end,
    loaded,
    put,
    put_all,
    settle,
    webhook,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path, clock=clock)
    yield store
    store.close()


@pytest.fixture
def upkeep(store: SqliteStore, clock: HandClock) -> Upkeep:
    return Upkeep(store, keep_delivered=7 * DAY, keep_dead=90 * DAY, clock=clock)


def states(store: SqliteStore) -> dict[str, State]:
    return {entry.id: entry.state for entry in store.history.entries(Selection())}


def rows(store: SqliteStore, table: str) -> int:
    ((count,),) = store._reader.read(f"SELECT count(*) FROM {table}")
    return int(count)


# --- pruning -------------------------------------------------------------------------------------


def test_each_state_is_kept_for_its_time_and_what_waits_for_ever(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock
) -> None:
    done, dead, dropped, fresh = (webhook() for _ in range(4))
    put(store, dropped)
    sum(store.history.drop(Selection()))
    end(store, done, Verdict.DELIVERED)
    end(store, dead, Verdict.DEAD)
    put(store, fresh)
    settle(store, fresh.id, attempt(Verdict.AGAIN, counted=True))
    clock.advance(7 * DAY)
    assert upkeep.prune() == 0
    clock.advance(0.25)
    assert upkeep.prune() == 1  # the attempts took half a second more
    assert dropped.id not in states(store)
    clock.advance(0.75)
    assert upkeep.prune() == 1
    assert states(store) == {dead.id: State.DEAD, fresh.id: State.WAITING}
    assert rows(store, "attempts") == 2
    clock.advance(83 * DAY - 1)
    assert upkeep.prune() == 0
    clock.advance(1)
    assert upkeep.prune() == 1
    clock.advance(1000 * DAY)
    assert upkeep.prune() == 0
    assert states(store) == {fresh.id: State.WAITING}
    assert loaded(store, fresh.id).webhook == fresh
    assert [rows(store, table) for table in ("webhooks", "ended", "attempts")] == [1, 0, 1]


def test_a_notice_goes_with_the_last_of_its_webhooks(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock
) -> None:
    first, second = webhook(), webhook()
    put_all(store, [first, second])
    subject = Subject("octo/hello", 1, "a" * 40)
    found = [(loaded(store, each.id).place.position, "here", subject) for each in (first, second)]
    store.notices.add(found)
    settle(store, first.id, attempt(Verdict.DELIVERED))
    clock.advance(8 * DAY)
    assert upkeep.prune() == 1
    assert [topic.id for topic in store.notices.due(clock.now(), 9)] == [second.id]
    settle(store, second.id, attempt(Verdict.DELIVERED)._replace(at=clock.now()))
    clock.advance(8 * DAY)
    assert upkeep.prune() == 1
    assert (rows(store, "notices"), rows(store, "noticed")) == (0, 0)


def test_pruning_changes_no_total(store: SqliteStore, upkeep: Upkeep, clock: HandClock) -> None:
    for _ in range(3):
        end(store, webhook(), Verdict.DELIVERED)
    before = store.panel.counts()
    clock.advance(8 * DAY)
    assert upkeep.prune() == 3
    assert store.panel.counts() == before


def test_a_replayed_one_counts_from_its_second_end(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock
) -> None:
    end(store, first := webhook(), Verdict.DELIVERED)
    clock.advance(6 * DAY)
    sum(store.history.replay(Selection(state=State.DELIVERED)))
    clock.advance(2 * DAY)
    assert upkeep.prune() == 0
    settle(store, first.id, attempt(Verdict.DELIVERED, at=NOW + 8 * DAY))
    clock.advance(6 * DAY)
    assert upkeep.prune() == 0
    clock.advance(2 * DAY)
    assert upkeep.prune() == 1


def test_a_dead_one_that_is_dropped_goes_with_the_dropped(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock
) -> None:
    end(store, webhook(), Verdict.DEAD)
    sum(store.history.drop(Selection(state=State.DEAD)))
    clock.advance(7 * DAY + 1)
    assert upkeep.prune() == 1


def test_pruning_goes_in_small_steps_and_lets_the_log_be_shortened_between(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "PRUNE_STEP", 10)
    put_all(store, [webhook() for _ in range(35)])
    sum(store.history.drop(Selection()))
    clock.advance(8 * DAY)
    left: list[int] = []
    assert upkeep.prune(lambda: left.append(rows(store, "webhooks"))) == 35
    assert left == [25, 15, 5, 0]


def test_a_step_holds_few_large_bodies_but_always_one(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "PRUNE_BYTES", 1000)
    put_all(store, [webhook(body=b"x" * size) for size in (400, 400, 400, 5000, 5000)])
    sum(store.history.drop(Selection()))
    clock.advance(8 * DAY)
    left: list[int] = []
    assert upkeep.prune(lambda: left.append(rows(store, "webhooks"))) == 5
    assert left == [3, 2, 1, 0]


def test_a_clock_set_far_forward_makes_nothing_old(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock
) -> None:
    end(store, webhook(), Verdict.DELIVERED)
    clock.adjust(1000 * DAY)
    assert upkeep.prune() == 0
    clock.advance(7 * DAY + 1)
    assert upkeep.prune() == 1


def test_a_clock_set_back_makes_nothing_old_either(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock
) -> None:
    end(store, webhook(), Verdict.DELIVERED)
    clock.adjust(-DAY)
    clock.advance(7 * DAY + 1)
    assert upkeep.prune() == 0
    clock.advance(DAY)
    assert upkeep.prune() == 1


def test_no_position_is_given_twice_after_everything_was_pruned(
    tmp_path: Path, clock: HandClock
) -> None:
    positions: list[int] = []
    for _ in range(3):
        store = SqliteStore(tmp_path, clock=clock)
        put_all(store, [webhook(), webhook()])
        positions += [place.position for place in store.places_after(0, 10)]
        sum(store.history.drop(Selection()))
        clock.advance(8 * DAY)
        upkeep = Upkeep(store, keep_delivered=7 * DAY, keep_dead=90 * DAY, clock=clock)
        clock.advance(8 * DAY)
        assert upkeep.prune() == 2
        assert rows(store, "webhooks") == 0
        store.close()
    assert positions == sorted(set(positions))
    assert len(positions) == 6


def test_what_was_pruned_while_it_was_on_its_way_is_simply_gone(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock
) -> None:
    put(store, first := webhook())
    in_flight = loaded(store, first.id)
    sum(store.history.drop(Selection()))
    clock.advance(8 * DAY)
    assert upkeep.prune() == 1
    store.settle(in_flight, attempt(Verdict.DELIVERED))
    assert store.panel.counts()[:4] == (1, 0, 0, 0)
    assert rows(store, "attempts") == 0


# --- the log -------------------------------------------------------------------------------------


def log_size(store: SqliteStore) -> int:
    return store.path.with_name("spigot.db-wal").stat().st_size


def test_without_readers_the_log_starts_over_once_it_is_long(
    store: SqliteStore, upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "LOG_FRAMES", 50)
    with contextlib.closing(database.connect(store.path)) as db:
        largest = 0
        for _ in range(30):
            put_all(store, [webhook(body=os.urandom(4000)) for _ in range(20)])
            upkeep.checkpoint(db)
            largest = max(largest, log_size(store))
    assert largest < 200 * 4096 < 30 * 20 * 4000


def put_many(store: SqliteStore) -> None:
    for _ in range(40):
        put_all(store, [webhook(body=os.urandom(8000)) for _ in range(16)])


def checkpoint_until(done: threading.Event, store: SqliteStore, upkeep: Upkeep) -> None:
    with contextlib.closing(database.connect(store.path)) as db:
        while not done.is_set():
            upkeep.checkpoint(db)


def read_until(done: threading.Event, store: SqliteStore) -> None:
    position = 0
    while not done.is_set():
        for place in store.places_after(position, 50):
            assert store.load(place.position) is not None
            position = place.position


def report_until(done: threading.Event, directory: Path) -> None:
    """Write as another process does."""
    with contextlib.closing(SqliteStore(directory)) as other:
        while not done.is_set():
            other.panel.set_report({"by": "another process"})


def test_checkpoints_beside_many_puts_keep_the_log_short_and_fail_nobody(
    store: SqliteStore, upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "LOG_FRAMES", 200)
    done = threading.Event()
    with ThreadPoolExecutor() as pool:
        others = [
            pool.submit(checkpoint_until, done, store, upkeep),
            pool.submit(read_until, done, store),
            pool.submit(report_until, done, store.path.parent),
        ]
        takers = [pool.submit(put_many, store) for _ in range(4)]
        try:
            for taker in takers:
                taker.result(PATIENCE)
        finally:
            done.set()
        for other in others:
            other.result(PATIENCE)
    assert store.panel.counts()[:2] == (2560, 2560)
    assert log_size(store) < 2560 * 8000 / 2
    store.close()
    with contextlib.closing(sqlite3.connect(store.path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM waiting").fetchone() == (2560,)


# --- the thread ----------------------------------------------------------------------------------


def test_upkeep_runs_beside_a_store_and_ends_when_told(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "CHECKPOINT_EVERY", 0.001)
    end(store, webhook(body=os.urandom(100_000)), Verdict.DELIVERED)
    pruned = threading.Event()
    original = upkeep._count_free

    def counted(db: sqlite3.Connection) -> None:
        original(db)
        if store.room.reusable > 50_000:
            pruned.set()

    monkeypatch.setattr(upkeep, "_count_free", counted)
    clock.advance(8 * DAY)
    upkeep.start()
    deadline = time.monotonic() + PATIENCE
    while not pruned.wait(0.01) and time.monotonic() < deadline:
        clock.advance(upkeep_module.PRUNE_EVERY)
    upkeep.stop()
    assert states(store) == {}
    assert (store.path.parent / "reserve").exists()


def test_upkeep_that_fails_is_tried_again(
    store: SqliteStore,
    upkeep: Upkeep,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(upkeep_module, "CHECKPOINT_EVERY", 0.001)
    failing = [
        sqlite3.OperationalError("disk I/O error"), OSError("gone"), RuntimeError("what"),
    ]  # fmt: skip
    went_well = threading.Event()

    def keep_reserve() -> None:
        if failing:
            raise failing.pop()
        went_well.set()

    monkeypatch.setattr(store.room, "keep_reserve", keep_reserve)
    upkeep.start()
    assert went_well.wait(PATIENCE)
    upkeep.stop()
    assert caplog.text.count("will be tried again") == 3


# --- what was packed together ---------------------------------------------------------------------


def test_a_frame_stays_until_the_last_webhook_in_it_is_pruned(
    store: SqliteStore, upkeep: Upkeep, clock: HandClock
) -> None:
    first, second, third = put_all(store, [webhook(), webhook(), webhook()])
    assert rows(store, "contents") == 1
    settle(store, first.id, attempt(Verdict.DELIVERED, at=clock.now()))
    settle(store, second.id, attempt(Verdict.DELIVERED, at=clock.now()))
    clock.advance(8 * 86400.0)
    assert upkeep.prune() == 2
    assert rows(store, "contents") == 1
    assert store.history.show(third.id)[0].body == webhook().body
    settle(store, third.id, attempt(Verdict.DELIVERED, at=clock.now()))
    clock.advance(8 * 86400.0)
    assert upkeep.prune() == 1
    assert rows(store, "contents") == 0
