"""The one thread that writes: many waiting requests, one commit, one sync.

Whoever wants something written hands over an operation and an item. The thread takes all that has
gathered while it was busy, runs it as one transaction, and tells each when the commit is on disk.
Under load a commit so serves many; a single request waits for nobody.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from spigot.errors import StoreError
from spigot.stores.database import is_busy, is_full, transaction

Item = TypeVar("Item")
Result = TypeVar("Result")
Operation = Callable[[sqlite3.Connection, list[Item]], list[Result]]
"""Writes a list of items inside a transaction and returns a result for each, in order."""

Done = Callable[[Any], None]


class _Task(NamedTuple):
    operation: Callable[..., Any]
    item: Any
    done: Done
    size: int
    vital: bool
    whole: bool


BATCH_BYTES = 1024 * 1024
"""What one commit carries at most; something larger gets a commit of its own."""

BATCH_ITEMS = 64
"""How many items one commit carries at most; beyond that, little is gained by waiting."""

_log = logging.getLogger(__name__)


class Writer:
    """Owns the connection that writes, and the thread that uses it.

    Whatever an operation does, its callers hear of it and the thread goes on: nobody waits in vain.

    Args:
        connect: Opens the connection, anew if it became unusable; called on the thread.
        explain: Turns an error into a sentence for a person.
        on_full: Called when the disk is full; makes room if it can and says whether it did.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        explain: Callable[[BaseException], str],
        on_full: Callable[[], bool],
    ) -> None:
        self._connect = connect
        self._explain = explain
        self._on_full = on_full
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._held: _Task | None = None
        self._after_commit: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="spigot-writer", daemon=True)
        self._lock = threading.Lock()
        self._closed = False
        self._db: sqlite3.Connection | None = None

    def after_commit(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on the thread, after each commit; it must only wake somebody."""
        self._after_commit.append(listener)

    def submit(
        self,
        operation: Operation[Item, Result],
        item: Item,
        done: Callable[[Result | Exception], None],
        *,
        size: int = 0,
        vital: bool = False,
        whole: bool = False,
    ) -> None:
        """Have `operation` write `item`; `done` hears the result once it is on disk, or the error.

        Args:
            operation: Items of the same operation in a batch reach it together, in order.
            item: What to write.
            done: Called on the writer's thread; must be quick and must not raise.
            size: About how many bytes it writes.
            vital: On a full disk, worth the reserve.
            whole: The operation is one statement whatever the number of items, so that it needs no
                transaction around it if nothing else shares the commit.
        """
        with self._lock:  # nothing may follow the mark that `close` puts behind the last task
            closed = self._closed
            if not closed:
                if self._thread.ident is None:
                    self._thread.start()
                self._tasks.put(_Task(operation, item, done, size, vital, whole))
        if closed:
            done(StoreError("The store is closed."))

    def call(
        self,
        operation: Operation[Item, Result],
        item: Item,
        *,
        size: int = 0,
        vital: bool = False,
        whole: bool = False,
    ) -> Result:
        """Write `item` as `submit` does, and return the result once it is on disk.

        Raises:
            StoreError: It was not written.
        """
        ready = threading.Lock()  # an Event is a lock and more, at ten times the price
        ready.acquire()
        answer: list[Any] = []

        def done(result: Result | Exception) -> None:
            answer.append(result)
            ready.release()

        self.submit(operation, item, done, size=size, vital=vital, whole=whole)
        ready.acquire()
        if isinstance(answer[0], Exception):
            raise answer[0]
        result: Result = answer[0]
        return result

    def between(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Run `work` on the thread's connection between two commits, and wait for it."""
        self.call(_Between(), work)  # type: ignore[arg-type] # one item, outside a transaction

    def close(self) -> None:
        """Write what was handed over, then end the thread and close its connection."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._tasks.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while batch := self._gather():
            self._write(batch)
            del batch  # bodies may be large, and the next may be long in coming
        self._disconnect()

    def _gather(self) -> list[_Task]:
        """Wait for work, then return all that may share a commit; empty at the end."""
        task = self._held or self._tasks.get()
        self._held = None
        if task is None:
            return []
        batch = [task]
        size = BATCH_BYTES if isinstance(task.operation, _Between) else task.size
        while size < BATCH_BYTES and len(batch) < BATCH_ITEMS:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                break
            if task is None:
                self._tasks.put(None)  # what is in hand is written first
                break
            size += task.size
            if size > BATCH_BYTES or isinstance(task.operation, _Between):
                self._held = task
                break
            batch.append(task)
        return batch

    def _write(self, batch: list[_Task]) -> None:
        """Carry out a batch and tell each of its callers once; never raises."""
        try:
            results = self._commit(batch)
        except BaseException as error:  # noqa: BLE001 - whatever it was, each caller hears of it
            if self._db is not None and self._db.in_transaction:
                self._disconnect()  # it could not even roll back
            # Waiting for a lock once for each item could take hours.
            if len(batch) > 1 and not is_busy(error):
                # One bad item must not fail the others: each gets a commit of its own.
                for task in batch:
                    self._write([task])
                return
            results = [self._failure(error)] * len(batch)
        for task, result in zip(batch, results, strict=True):
            _safely(task.done, result)
        if not isinstance(batch[0].operation, _Between):
            for listener in self._after_commit:
                _safely(listener)

    def _commit(self, batch: list[_Task]) -> list[Any]:
        if self._db is None:
            self._db = self._connect()
        db, first = self._db, batch[0]
        if isinstance(first.operation, _Between):
            return [first.operation(db, first.item)]
        try:
            return _run_batch(db, batch)
        except sqlite3.Error as error:
            vital = all(task.vital for task in batch)
            if not (is_full(error) and vital and self._on_full()):
                raise
            _log.warning("The disk is full: the reserve was given up so that settling goes on.")
            return _run_batch(db, batch)

    def _failure(self, error: BaseException) -> StoreError:
        if isinstance(error, StoreError):
            return error
        if not isinstance(error, sqlite3.Error):
            _log.error("Writing failed inside Spigot", exc_info=error)
        failure = StoreError(self._explain(error))
        failure.__cause__ = error
        return failure

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()


class _Between:
    """Marks work that runs between two transactions."""

    def __call__(
        self, db: sqlite3.Connection, work: Callable[[sqlite3.Connection], object]
    ) -> None:
        work(db)


def _run_batch(db: sqlite3.Connection, batch: list[_Task]) -> list[Any]:
    groups: dict[Callable[..., Any], list[int]] = {}
    for index, task in enumerate(batch):
        groups.setdefault(task.operation, []).append(index)
    results: list[Any] = [None] * len(batch)
    whole = batch[0].whole and len(groups) == 1
    with contextlib.nullcontext() if whole else transaction(db):
        for operation, indexes in groups.items():
            answers = operation(db, [batch[index].item for index in indexes])
            for index, answer in zip(indexes, answers, strict=True):
                results[index] = answer
    return results


def _safely(function: Callable[..., None], *arguments: object) -> None:
    """Call somebody who must not raise; if it does, that is logged and nobody else suffers."""
    try:
        function(*arguments)
    except BaseException as error:  # noqa: BLE001 - the thread must go on
        _log.error("A listener of the store failed", exc_info=error)
