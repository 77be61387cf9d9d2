from __future__ import annotations

import queue
import sqlite3
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from spigot.errors import StoreError
from spigot.stores import database
from spigot.stores.writer import BATCH_BYTES, BATCH_ITEMS, Writer
from support.stores import PATIENCE, busy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Bench:
    """A writer on a table of its own, that can be stopped between two batches."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commits = 0
        self.opened = 0
        self.room: list[int] = []
        self.statements: list[str] = []
        self.open: Callable[[], sqlite3.Connection] = self._open
        self.writer = Writer(
            lambda: self.open(), explain=lambda error: f"explained: {error}", on_full=self._on_full
        )
        self.writer.after_commit(self._count)
        self.batches: list[list[Any]] = []

    def _open(self) -> sqlite3.Connection:
        self.opened += 1
        db = database.connect(self.path)
        db.execute("CREATE TABLE IF NOT EXISTS words (word TEXT UNIQUE)")
        db.execute("PRAGMA busy_timeout = 0")
        db.set_trace_callback(self.statements.append)
        return db

    def _on_full(self) -> bool:
        """Make room by as many pages as a test laid aside."""
        if not self.room:
            return False
        assert self.writer._db is not None
        self.writer._db.execute(f"PRAGMA max_page_count = {self.room.pop()}")
        return True

    def _count(self) -> None:
        self.commits += 1

    def add(self, db: sqlite3.Connection, words: list[str]) -> list[str]:
        self.batches.append(words)
        db.executemany("INSERT INTO words VALUES (?)", [(word,) for word in words])
        return words

    def submit(self, word: Any, **how: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.writer.submit(self.add, word, future.set_result, **how)
        return future

    def together(self, *items: Any, size: int = 0, vital: bool = False) -> list[Any]:
        """Submit items while the writer is busy, so that they gather; return the results."""
        with busy(self.writer):
            self.commits = 0
            self.batches.clear()
            futures = [self.submit(item, size=size, vital=vital) for item in items]
        return [future.result(PATIENCE) for future in futures]

    def words(self) -> list[str]:
        db = sqlite3.connect(self.path)
        try:
            return [word for (word,) in db.execute("SELECT word FROM words ORDER BY rowid")]
        finally:
            db.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "words.db")
    yield bench
    bench.writer.close()


# --- sharing -------------------------------------------------------------------------------------


def test_a_result_is_told_once_it_is_on_disk(bench: Bench) -> None:
    seen: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    bench.writer.submit(bench.add, "a", lambda _: seen.put(bench.words()))
    assert seen.get(timeout=PATIENCE) == ["a"]
    assert bench.writer.call(bench.add, "b") == "b"
    assert bench.words() == ["a", "b"]


def test_what_gathered_while_the_writer_was_busy_shares_a_commit(bench: Bench) -> None:
    words = [str(number) for number in range(BATCH_ITEMS)]
    bench.writer.call(bench.add, "warm")
    bench.statements.clear()
    assert bench.together(*words) == words
    assert bench.batches == [words]
    assert bench.statements.count("COMMIT") == 1
    assert bench.words() == ["warm", *words]


def test_a_commit_carries_at_most_so_many_items_and_bytes(bench: Bench) -> None:
    words = [str(number) for number in range(BATCH_ITEMS + 10)]
    bench.together(*words)
    assert [len(batch) for batch in bench.batches] == [BATCH_ITEMS, 10]
    bench.together(*"abcdefghij", size=BATCH_BYTES // 4)
    assert bench.batches == [list("abcd"), list("efgh"), list("ij")]


def test_large_items_get_a_commit_of_their_own(bench: Bench) -> None:
    with busy(bench.writer):
        futures = [
            bench.submit(word, size=BATCH_BYTES * 2 if word.isupper() else 10)
            for word in "abCdEFgh"
        ]
    for future in futures:
        future.result(PATIENCE)
    assert bench.batches == [["a", "b"], ["C"], ["d"], ["E"], ["F"], ["g", "h"]]


def test_different_operations_share_a_commit(bench: Bench) -> None:
    def count(db: sqlite3.Connection, items: list[int]) -> list[int]:
        (found,) = db.execute("SELECT count(*) FROM words").fetchone()
        return [found + item for item in items]

    counted: Future[Any] = Future()
    with busy(bench.writer):
        bench.commits = 0
        futures = [bench.submit("a")]
        bench.writer.submit(count, 1000, counted.set_result)
        futures.append(bench.submit("b"))
    assert counted.result(PATIENCE) == 1002
    assert [future.result(PATIENCE) for future in futures] == ["a", "b"]
    assert bench.batches == [["a", "b"]]
    bench.writer.close()
    assert bench.commits == 1


def test_work_between_commits_runs_outside_a_transaction(bench: Bench) -> None:
    inside: list[bool] = []
    bench.writer.between(lambda db: inside.append(db.in_transaction))
    assert inside == [False]


# --- failing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["a", "\ud800", object()], ids=["twice", "surrogate", "no text"])
def test_one_bad_item_does_not_fail_the_others(bench: Bench, bad: Any) -> None:
    results = bench.together("a", "b", bad, "c")
    assert results[:2] == ["a", "b"]
    assert results[3] == "c"
    assert isinstance(results[2], StoreError)
    assert str(results[2]).startswith("explained: ")
    assert bench.words() == ["a", "b", "c"]


@pytest.mark.parametrize("error", [ValueError, MemoryError, SystemExit, KeyboardInterrupt])
def test_whatever_an_operation_raises_the_caller_hears_of_it(
    bench: Bench, error: type[BaseException]
) -> None:
    def fail(db: sqlite3.Connection, items: list[str]) -> list[str]:
        bench.add(db, items)
        raise error("boom")

    with pytest.raises(StoreError, match="explained: boom"):
        bench.writer.call(fail, "a")
    assert bench.writer.call(bench.add, "b") == "b"
    assert bench.words() == ["b"]
    assert bench.opened == 1


def test_an_operation_that_forgets_a_result_fails_and_changes_nothing(bench: Bench) -> None:
    def forgets(db: sqlite3.Connection, items: list[str]) -> list[str]:
        return bench.add(db, items)[1:]

    with pytest.raises(StoreError):
        bench.writer.call(forgets, "a")
    bench.writer.call(bench.add, "b")
    assert bench.words() == ["b"]


def test_an_error_of_the_store_is_passed_on_as_it_is(bench: Bench) -> None:
    def fail(_: sqlite3.Connection, __: list[str]) -> list[str]:
        raise StoreError("Not today.")

    with pytest.raises(StoreError, match=r"^Not today"):
        bench.writer.call(fail, "a")


@pytest.mark.parametrize("error", [sqlite3.OperationalError, KeyError, SystemExit])
def test_work_between_commits_that_raises_fails_its_caller_only(
    bench: Bench, error: type[BaseException]
) -> None:
    def fail(_: sqlite3.Connection) -> None:
        raise error("boom")

    with pytest.raises(StoreError, match="boom"):
        bench.writer.between(fail)
    assert bench.writer.call(bench.add, "a") == "a"


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_a_caller_that_raises_when_told_harms_nobody(
    bench: Bench, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    def told(_: object) -> None:
        raise error("boom")

    bench.writer.call(bench.add, "a")
    bench.writer.submit(bench.add, "b", told)
    assert bench.writer.call(bench.add, "c") == "c"
    assert bench.words() == ["a", "b", "c"]
    assert "A listener of the store failed" in caplog.text


def test_a_listener_that_raises_harms_nobody(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[int] = []

    def listen() -> None:
        raise RuntimeError("boom")

    bench.writer.after_commit(listen)
    bench.writer.after_commit(lambda: heard.append(1))
    bench.writer.call(bench.add, "a")
    bench.writer.call(bench.add, "b")
    bench.writer.close()
    assert heard == [1, 1]
    assert "A listener of the store failed" in caplog.text


def test_a_database_that_cannot_be_opened_is_tried_again(bench: Bench) -> None:
    works = bench.open

    def fail() -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open")

    bench.open = fail
    for word in "ab":
        with pytest.raises(StoreError, match="explained: unable to open"):
            bench.writer.call(bench.add, word)
    bench.open = works
    assert bench.writer.call(bench.add, "c") == "c"
    assert bench.words() == ["c"]


class _Stubborn(sqlite3.Connection):
    """A connection that cannot roll back, as after a failing disk."""

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        if sql == "ROLLBACK":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *arguments)


def test_a_connection_that_cannot_roll_back_is_opened_anew(bench: Bench) -> None:
    works = bench.open

    def open_() -> sqlite3.Connection:
        bench.opened += 1
        return sqlite3.connect(
            bench.path, isolation_level=None, check_same_thread=False, factory=_Stubborn
        )

    bench.writer.call(bench.add, "a")
    bench.writer.between(lambda _: bench.writer._disconnect())
    bench.open, bench.opened = open_, 0
    with pytest.raises(StoreError, match="UNIQUE"):
        bench.writer.call(bench.add, "a")
    bench.open = works
    assert bench.writer.call(bench.add, "b") == "b"
    assert bench.opened == 2
    assert bench.words() == ["a", "b"]


def test_a_lock_that_another_process_keeps_is_waited_for_once_only(bench: Bench) -> None:
    bench.writer.call(bench.add, "warm")
    other = sqlite3.connect(bench.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    bench.statements.clear()
    results = bench.together(*"abc")
    assert [type(result) for result in results] == [StoreError] * 3
    assert bench.statements.count("BEGIN IMMEDIATE") == 1
    other.execute("ROLLBACK")
    other.close()
    assert bench.together(*"abc") == ["a", "b", "c"]


# --- a full disk ---------------------------------------------------------------------------------


def fill(bench: Bench) -> str:
    """Let the database grow no more; return something that does not fit."""
    bench.writer.call(bench.add, "warm")
    bench.writer.between(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())
    return "x" * 50_000


def test_on_a_full_disk_a_plain_write_fails_and_leaves_the_reserve(bench: Bench) -> None:
    large = fill(bench)
    bench.room = [1000]
    with pytest.raises(StoreError, match="full"):
        bench.writer.call(bench.add, large)
    assert bench.room == [1000]
    assert bench.words() == ["warm"]


def test_on_a_full_disk_a_vital_write_gets_the_reserve(bench: Bench) -> None:
    large = fill(bench)
    bench.room = [1000]
    assert bench.writer.call(bench.add, large, vital=True) == large
    assert bench.room == []
    assert bench.words() == ["warm", large]


def test_on_a_full_disk_without_a_reserve_a_vital_write_fails_too(bench: Bench) -> None:
    large = fill(bench)
    with pytest.raises(StoreError, match="full"):
        bench.writer.call(bench.add, large, vital=True)
    bench.room = [2]  # a reserve that is not enough
    with pytest.raises(StoreError, match="full"):
        bench.writer.call(bench.add, large, vital=True)
    assert bench.writer.call(bench.add, "small") == "small"


def test_what_fits_on_a_full_disk_is_written_beside_what_does_not(bench: Bench) -> None:
    large = fill(bench)
    results = bench.together("a", large, "b")
    assert results[::2] == ["a", "b"]
    assert isinstance(results[1], StoreError)


# --- the end -------------------------------------------------------------------------------------


def test_closing_writes_what_was_handed_over(bench: Bench) -> None:
    futures = [bench.submit(str(number)) for number in range(1000)]
    bench.writer.close()
    assert all(future.done() for future in futures)
    assert len(bench.words()) == 1000


def test_after_closing_everything_is_refused_at_once(bench: Bench) -> None:
    bench.writer.close()
    bench.writer.close()
    assert isinstance(bench.submit("a").result(0), StoreError)
    with pytest.raises(StoreError, match="closed"):
        bench.writer.call(bench.add, "b")
    with pytest.raises(StoreError, match="closed"):
        bench.writer.between(lambda _: None)


def test_whoever_writes_while_it_is_closed_hears_one_answer(bench: Bench) -> None:
    bench.writer.call(bench.add, "warm")
    started = threading.Barrier(9)
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def write(name: int) -> None:
        started.wait()
        for number in range(200):
            bench.writer.submit(bench.add, f"{name}-{number}", answers.put)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    started.wait()
    bench.writer.close()
    for thread in threads:
        thread.join()
    told = [answers.get_nowait() for _ in range(8 * 200)]
    assert answers.empty()
    assert len(bench.words()) == 1 + sum(isinstance(answer, str) for answer in told)
