from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from spigot.errors import StoreError
from spigot.stores import database
from spigot.stores.database import ServeLock, prepare
from spigot.stores.history import Selection
from spigot.stores.sqlite import SqliteStore
from spigot.webhook import Place, Verdict
from support.stores import HandClock, attempt, end, loaded, put, settle, waiting, webhook

if TYPE_CHECKING:
    from pathlib import Path


def refused(directory: Path, *, create: bool = True) -> str:
    with pytest.raises(StoreError) as caught:
        SqliteStore(directory, create=create)
    message = str(caught.value)
    assert "\n" not in message
    return message


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


# --- what is not ours stays as it is -------------------------------------------------------------


@pytest.mark.parametrize("content", [b"xy", b"not a database", b"SQLite", b"\xff" * 10_000])
def test_a_file_that_is_no_database_is_refused_and_stays_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "spigot.db").write_bytes(content)
    before = contents(tmp_path)
    message = refused(tmp_path)
    assert f"{tmp_path}/spigot.db is not an SQLite database" in message
    assert "nothing was written" in message
    assert contents(tmp_path) == before


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_another_programs_database_is_refused_and_stays_as_it_is(tmp_path: Path, mode: str) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "spigot.db")) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")
        db.execute("CREATE TABLE other (x)")
    before = contents(tmp_path)
    message = refused(tmp_path)
    assert "is an SQLite database, but not Spigot's" in message
    assert contents(tmp_path) == before


def test_another_programs_database_that_crashed_keeps_its_log(tmp_path: Path) -> None:
    running, crashed = tmp_path / "running", tmp_path / "crashed"
    running.mkdir()
    with contextlib.closing(sqlite3.connect(running / "spigot.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE other (x)")
        shutil.copytree(running, crashed)
    (crashed / "spigot.db-shm").unlink()
    before = contents(crashed)
    assert len(before["spigot.db-wal"]) > 0
    assert "not Spigot's" in refused(crashed)
    after = contents(crashed)
    after.pop("spigot.db-shm")
    assert after == before


def test_a_newer_spigots_database_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    SqliteStore(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "spigot.db")) as db:
        db.execute("PRAGMA user_version = 99")
    before = contents(tmp_path)
    message = refused(tmp_path)
    assert "written by a newer Spigot (schema 99; this one knows 4)" in message
    assert "Upgrade Spigot" in message
    assert contents(tmp_path) == before


def test_what_an_older_spigot_wrote_is_carried_over(tmp_path: Path) -> None:
    first = resources.files("spigot.stores").joinpath("schema/0001.sql").read_text()
    with contextlib.closing(sqlite3.connect(tmp_path / "spigot.db")) as db:
        db.executescript(first)
        db.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        db.execute("INSERT INTO waiting VALUES (7, 7, NULL, 'lane', '/path', 0, 0, 2)")
        db.commit()
    store = SqliteStore(tmp_path)
    assert store.places_after(0, 9) == [Place(7, "lane", "/path", 0.0, 0.0, 2, recalled=False)]
    store.close()


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    SqliteStore(tmp_path).close()
    file = tmp_path / "spigot.db"
    content = file.read_bytes()
    file.write_bytes(content[:100] + b"\x55" * 3996 + content[4096:])
    before = contents(tmp_path)
    assert "is damaged" in refused(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("page", [b"", bytes(4096), bytes(512) + b"\x0d" * 3584])
@pytest.mark.parametrize("log", [None, b"", b"\x0d" * 600])
def test_a_database_that_a_power_cut_left_half_made_is_made_anew(
    tmp_path: Path, page: bytes, log: bytes | None
) -> None:
    # A journal of SQLite's, synced, that says: there were no pages before.
    head = bytes.fromhex("d9d505f920a163d7 00000000 5d64645f 00000000 00000200 00001000")
    (tmp_path / "spigot.db-journal").write_bytes(head.ljust(512, b"\0"))
    (tmp_path / "spigot.db").write_bytes(page)
    if log is not None:
        (tmp_path / "spigot.db-wal").write_bytes(log)
    store = SqliteStore(tmp_path)
    put(store, webhook())
    store.close()
    assert sorted(contents(tmp_path)) == ["spigot.db"]


def test_another_programs_database_whose_change_a_power_cut_broke_off_is_left_to_it(
    tmp_path: Path,
) -> None:
    running, crashed = tmp_path / "running", tmp_path / "crashed"
    running.mkdir()
    with contextlib.closing(sqlite3.connect(running / "spigot.db", isolation_level=None)) as db:
        db.execute("CREATE TABLE other (x)")
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN")
        for number in range(50):
            db.execute("INSERT INTO other VALUES (zeroblob(3000 + ?))", (number,))
        shutil.copytree(running, crashed)
    before = contents(crashed)
    assert before["spigot.db-journal"].startswith(bytes.fromhex("d9d505f920a163d7"))
    assert "not Spigot's" in refused(crashed)
    assert contents(crashed) == before


# --- directories ---------------------------------------------------------------------------------


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = refused(tmp_path / "file" / "data")
    assert message == f"Cannot use the data directory {tmp_path}/file/data: Not a directory."
    assert "Cannot use the data directory" in refused(tmp_path / "file")


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spigot.db").mkdir()
    assert f"Cannot use {tmp_path}/spigot.db" in refused(tmp_path)


def test_without_leave_to_create_nothing_is_made(tmp_path: Path) -> None:
    message = refused(tmp_path / "data", create=False)
    assert "There is no Spigot store in" in message
    assert "--data" in message
    assert list(tmp_path.iterdir()) == []


def test_only_its_owner_can_read_a_store(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "data"
    SqliteStore(directory).close()
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "spigot.db").stat().st_mode & 0o777 == 0o600


def test_a_directory_with_odd_characters_in_its_name_is_used(tmp_path: Path) -> None:
    directory = tmp_path / "a?mode=ro&b#c%41 ü"
    for _ in range(2):
        store = SqliteStore(directory)
        put(store, webhook())
        store.close()
    assert [path.name for path in tmp_path.iterdir()] == [directory.name]


def test_many_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    for number in range(10):
        failures: list[Exception] = []

        def open_(directory: Path, failures: list[Exception]) -> None:
            try:
                SqliteStore(directory).close()
            except StoreError as error:
                failures.append(error)

        threads = [
            threading.Thread(target=open_, args=(tmp_path / str(number), failures))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


# --- connections ---------------------------------------------------------------------------------


def test_a_commit_is_synced_before_it_counts(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    found: list[object] = []
    store.writer.between(
        lambda db: found.extend(
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "journal_mode", "temp_store", "wal_autocheckpoint")
        )
    )
    store.close()
    assert found == [2, "wal", 2, 0]


def test_a_failed_block_leaves_nothing_behind(tmp_path: Path) -> None:
    path = prepare(tmp_path, create=True)
    with contextlib.closing(database.connect(path)) as db:
        with pytest.raises(KeyboardInterrupt), database.transaction(db):  # noqa: PT012 - its block
            db.execute("UPDATE totals SET position = 7")
            raise KeyboardInterrupt
        assert not db.in_transaction
        assert db.execute("SELECT position FROM totals").fetchone() == (0,)


def test_an_error_of_any_kind_is_one_sentence_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "spigot.db"
    failures = {
        sqlite3.SQLITE_FULL: "Free some disk space",
        sqlite3.SQLITE_BUSY: "another process has been writing",
        sqlite3.SQLITE_CORRUPT: "restore a backup",
        sqlite3.SQLITE_NOTADB: "Move it away",
        sqlite3.SQLITE_CANTOPEN: "writable directory on a local disk",
    }
    for code, advice in failures.items():
        error = sqlite3.OperationalError("it failed")
        error.sqlite_errorcode = code
        message = database.explain(error, path)
        assert advice in message
        assert str(path) in message
    assert "fault of Spigot" in database.explain(KeyError("x"), path)


@pytest.mark.parametrize(
    ("code", "full"),
    [
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_IOERR_SHMSIZE, True),
        (sqlite3.SQLITE_IOERR_FSYNC, False),
        (sqlite3.SQLITE_BUSY, False),
    ],
)
def test_a_used_up_quota_counts_as_a_full_disk(code: int, full: bool) -> None:
    error = sqlite3.OperationalError()
    error.sqlite_errorcode = code
    assert database.is_full(error) is full
    assert not database.is_full(OSError())


# --- across close and open -----------------------------------------------------------------------


def test_everything_outlives_a_close(tmp_path: Path) -> None:
    clock = HandClock()
    store = SqliteStore(tmp_path, clock=clock)
    done, dead, slept = webhook(delivery="d-1"), webhook(), webhook(delivery="d-3", body=b"x")
    end(store, done, Verdict.DELIVERED)
    end(store, dead, Verdict.DEAD)
    put(store, slept)
    settle(store, slept.id, attempt(Verdict.AGAIN, delay=60.0, counted=True))
    store.panel.set_valve(on=False, reason="upgrade")
    store.panel.set_report({"jenkins": "ready"})

    def all_of(store: SqliteStore) -> list[object]:
        return [
            store.history.entries(Selection()),
            store.history.show(slept.id),
            waiting(store),
            store.panel.counts(),
            store.panel.valve(),
            store.panel.report(),
            store.signs(),
        ]

    before = all_of(store)
    store.close()
    store = SqliteStore(tmp_path, clock=clock)
    assert all_of(store) == before
    assert put(store, webhook(delivery="d-3")) == (slept.id, True)
    assert not put(store, webhook(delivery="d-1")).duplicate
    store.close()


def test_a_closed_store_says_so_and_can_be_closed_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    put(store, first := webhook())
    found = loaded(store, first.id)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        put(store, webhook())
    with pytest.raises(StoreError, match="closed"):
        store.settle(found, attempt(Verdict.DELIVERED))
    with pytest.raises(StoreError):
        store.load(1)
    with pytest.raises(StoreError):
        store.changed()


# --- one gateway a directory ---------------------------------------------------------------------


def test_a_second_gateway_is_refused_and_hears_of_the_first(tmp_path: Path) -> None:
    first, second = ServeLock(tmp_path), ServeLock(tmp_path)
    assert not second.held()
    first.take()
    assert first.held()
    assert second.held()
    with pytest.raises(StoreError) as caught:
        second.take(patience=0.0)
    assert f"Another `spigot serve` (process {os.getpid()}) already uses {tmp_path}" in str(
        caught.value
    )
    first.release()
    assert not second.held()
    second.take(patience=0.0)
    second.release()


def test_a_killed_gateway_leaves_no_lock(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from spigot.stores.database import ServeLock\n"
        "ServeLock(pathlib.Path(sys.argv[1])).take()\n"
        "print('taken', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        lock = ServeLock(tmp_path)
        with pytest.raises(StoreError, match=f"process {holder.pid}"):
            lock.take(patience=0.0)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    lock.take(patience=0.0)
    lock.release()


def test_a_lock_in_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Cannot use the data directory"):
        ServeLock(tmp_path / "gone").take(patience=0.0)
    assert not ServeLock(tmp_path / "gone").held()
