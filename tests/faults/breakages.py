"""Promises broken on purpose, for a trial of the checker: each replaces a part of Spigot."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from spigot import lines, steady
from spigot.stores import database, upkeep, writer
from spigot.stores import sqlite as sqlite_store
from spigot.webhook import Attempt, Decision, Happened, Outcome, Receipt, Verdict

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

SLOW_COMMIT = 0.05
"""Seconds that a commit takes where the answer does not wait for it."""


def answer_before_commit() -> None:
    """Answer first, commit then."""
    put, run = sqlite_store.SqliteStore.put, writer._run_batch

    def answer(self: Any, webhook: Any, done: Callable[[Any], None]) -> None:
        done(Receipt(webhook.id, duplicate=False))
        put(self, webhook, lambda _: None)

    def slowly(db: sqlite3.Connection, batch: list[Any]) -> list[Any]:
        time.sleep(SLOW_COMMIT)
        return run(db, batch)

    sqlite_store.SqliteStore.put = answer  # type: ignore[method-assign]
    writer._run_batch = slowly


def never_sync() -> None:
    """Let SQLite leave it to the system when what was committed reaches the disk."""
    connect = database.connect

    def without(*arguments: Any, **options: Any) -> sqlite3.Connection:
        db = connect(*arguments, **options)
        db.execute("PRAGMA synchronous = OFF")
        return db

    database.connect = without


def settle_before_answer() -> None:
    """Record a webhook as delivered, then send it."""
    load = steady.Steady.load

    def load_and_settle(self: Any, position: int) -> Any:
        loaded = load(self, position)
        if loaded is not None:
            taken = Outcome(Happened.ANSWERED, 200)
            attempt = Attempt(time.time(), 0.0, taken, Decision(Verdict.DELIVERED, "200"))
            self._store.settle(loaded, attempt)
        return loaded

    steady.Steady.load = load_and_settle  # type: ignore[method-assign]
    steady.Steady.settle = lambda *_: None  # type: ignore[method-assign]


def prune_waiting() -> None:
    """Prune whatever is older than the newest that has ended, waiting or not."""
    prune = upkeep._prune

    def all_of_it(db: sqlite3.Connection, steps: list[Any]) -> list[int]:
        db.execute("DELETE FROM waiting WHERE serial < (SELECT max(serial) FROM ended)")
        db.execute("UPDATE totals SET waiting = (SELECT count(*) FROM waiting)")
        return prune(db, steps)

    upkeep._prune = all_of_it


def retry_at_the_end() -> None:
    """Put a webhook that is to be tried again behind all others of its lane."""

    def again(self: Any, job: lines.Job, due: float, tick: float) -> None:
        line = self._lanes[job.lane]
        line.positions.append(line.positions.pop(line.head))
        line.dues[job.position] = due
        self._alarm(due, "lane", job.lane)
        self._come_back(job, line, tick)

    lines.Lines.again = again  # type: ignore[method-assign]


BREAKAGES: dict[str, Callable[[], None]] = {
    "answer before commit": answer_before_commit,
    "synchronous=OFF": never_sync,
    "settle before the answer": settle_before_answer,
    "prune of waiting ones": prune_waiting,
    "retried at the end of its lane": retry_at_the_end,
}
"""What each is called."""
