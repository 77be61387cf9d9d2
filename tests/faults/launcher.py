"""Runs ``spigot serve`` with faults: ``python -m faults.launcher FAULTS``, an object as JSON.

Spigot has no places in it where a fault can be switched on. Here its functions are replaced before
it starts, so that the process kills itself at a named point, its clock jumps, or its store refuses
to write. What is replaced is looked up by name: a point that does not exist any more fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from spigot import app, drain, steady
from spigot.stores import database, upkeep, writer
from spigot.stores import sqlite as sqlite_store
from spigot.web import edge

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence


class Faults(NamedTuple):
    """What shall go wrong in one life of a gateway.

    Attributes:
        point: Where it kills itself, one of `POINTS`; empty for nowhere.
        nth: At which passing of that point.
        after: Seconds after reaching it, for what takes time.
        clock: When its clock jumps, seconds of its life, and by how much from the true time.
        readonly: From when to when its store refuses to write, seconds of its life.
        prune_every: Seconds between two prunings.
        log_frames: Pages in the write-ahead log from which it starts over.
        broken: Which promise it breaks, one of `BREAKAGES` in ``breakages.py``.
    """

    point: str = ""
    nth: int = 1
    after: float = 0.0
    clock: Sequence[Sequence[float]] = ()
    readonly: Sequence[float] = ()
    prune_every: float = 1.0
    log_frames: int = 2000
    broken: str = ""


def die() -> None:
    """End at once, as kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


class Trap:
    """Snaps at the nth passing.

    Args:
        faults: Says which.
    """

    def __init__(self, faults: Faults) -> None:
        self._left = faults.nth
        self._after = faults.after
        self._lock = threading.Lock()

    def passes(self) -> bool:
        """Tell whether this is the one."""
        with self._lock:
            self._left -= 1
            return self._left == 0

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Kill on the way in."""

        def trapped(*arguments: Any, **options: Any) -> Any:
            if self.passes():
                die()
            return function(*arguments, **options)

        return trapped

    def behind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Kill on the way out."""

        def trapped(*arguments: Any, **options: Any) -> Any:
            snaps = self.passes()
            result = function(*arguments, **options)
            if snaps:
                die()
            return result

        return trapped

    def within(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Kill while it runs, or soon after."""

        def trapped(*arguments: Any, **options: Any) -> Any:
            if self.passes():
                threading.Timer(self._after, die).start()
            return function(*arguments, **options)

        return trapped


def _batch(trap: Trap, name: str, *, commit: bool) -> None:
    """Kill in the middle of the nth commit that holds a certain operation, or right after it.

    Args:
        trap: Says which.
        name: The operation's module and name.
        commit: Kill right after the commit.
    """
    plain = writer._run_batch
    module, _, function = name.partition(" ")

    def is_meant(task: Any) -> bool:
        return bool(
            task.operation.__name__ == function
            and task.operation.__module__ == f"spigot.stores.{module}"
        )

    def run(db: sqlite3.Connection, batch: list[Any]) -> list[Any]:
        if not any(map(is_meant, batch)) or not trap.passes():
            return plain(db, batch)
        if commit:
            plain(db, batch)
        else:
            db.execute("BEGIN IMMEDIATE")
            for task in batch:
                task.operation(db, [task.item])
        die()
        raise AssertionError

    writer._run_batch = run


def _statements(trap: Trap) -> None:
    """Kill between two statements of a migration."""
    plain = database._statements

    def statements(script: str) -> Any:
        migrates = script.lstrip().startswith("-- Version")
        for statement in plain(script):
            yield statement
            if migrates and trap.passes():
                die()

    database._statements = statements


def _replace(
    owner: Any, name: str, how: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    setattr(owner, name, how(getattr(owner, name)))


POINTS: dict[str, Callable[[Trap], None]] = {
    "intake: inserted, not committed": lambda t: _batch(t, "sqlite _put", commit=False),
    "intake: committed, not answered": lambda t: _batch(t, "sqlite _put", commit=True),
    "intake: some answered": lambda t: _replace(edge.Edge, "_give_answers", t.behind),
    "intake: a part committed, not the whole": lambda t: _batch(t, "parts _add", commit=True),
    "delivery: loaded, not sent": lambda t: _replace(steady.Steady, "load", t.behind),
    "delivery: answered, not settled": lambda t: _replace(steady.Steady, "settle", t.before),
    "delivery: settling, not committed": lambda t: _batch(t, "settlements settle", commit=False),
    "delivery: settled": lambda t: _replace(steady.Steady, "settle", t.behind),
    "recall: not committed": lambda t: _batch(t, "recalls recall", commit=False),
    "recall: committed": lambda t: _batch(t, "recalls recall", commit=True),
    "checkpoint": lambda t: _replace(upkeep.Upkeep, "checkpoint", t.within),
    "prune: not committed": lambda t: _batch(t, "upkeep _prune", commit=False),
    "prune: committed": lambda t: _batch(t, "upkeep _prune", commit=True),
    "migration": _statements,
    "start: store opened": lambda t: _replace(sqlite_store.SqliteStore, "__init__", t.behind),
    "start: listening": lambda t: _replace(app.Gateway, "start", t.before),
    "start: drain begins": lambda t: _replace(drain.Drain, "start", t.behind),
    "shutdown: begins": lambda t: _replace(app.Gateway, "stop", t.before),
    "shutdown: drain stopped": lambda t: _replace(drain.Drain, "stop", t.behind),
    "shutdown: store closing": lambda t: _replace(sqlite_store.SqliteStore, "close", t.before),
    "shutdown: store closed": lambda t: _replace(sqlite_store.SqliteStore, "close", t.behind),
}
"""Where a gateway can kill itself."""


def jump(jumps: Sequence[Sequence[float]], began: float) -> None:
    """Let the clock of this process jump."""
    true = time.time

    def moved() -> float:
        age = time.monotonic() - began
        return true() + next((by for at, by in reversed(jumps) if age >= at), 0.0)

    time.time = moved


def refuse_writes(since: float, until: float) -> None:
    """Let the store's writing connection refuse to write for a time."""
    plain = sqlite_store.SqliteStore.__init__

    def opened(self: Any, *arguments: Any, **options: Any) -> None:
        plain(self, *arguments, **options)

        def later(seconds: float, *, on: bool) -> None:
            def switch() -> None:
                with contextlib.suppress(Exception):
                    self.writer.between(lambda db: db.execute(f"PRAGMA query_only = {on:d}"))

            timer = threading.Timer(seconds, switch)
            timer.daemon = True
            timer.start()

        later(since, on=True)
        later(until, on=False)

    sqlite_store.SqliteStore.__init__ = opened  # type: ignore[method-assign]


def arm(faults: Faults) -> None:
    """Put faults in force in this process."""
    upkeep.PRUNE_EVERY = faults.prune_every
    upkeep.LOG_FRAMES = faults.log_frames
    if faults.point:
        POINTS[faults.point](Trap(faults))
    if faults.clock:
        jump(faults.clock, time.monotonic())
    if faults.readonly:
        refuse_writes(*faults.readonly)
    if faults.broken:
        from faults.breakages import BREAKAGES

        BREAKAGES[faults.broken]()


def main() -> None:
    """Serve with faults."""
    arm(Faults(**json.loads(sys.argv[1])))
    from spigot.cli import main as serve

    sys.argv[1:] = ["serve"]
    serve(prog_name="spigot")


if __name__ == "__main__":
    main()
