"""What a gateway does to its database on the side: checkpoints, pruning, the reserve, an index.

All of it in steps small enough that no intake waits for them noticeably.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from typing import TYPE_CHECKING

from spigot.stores import database
from spigot.stores.writer import BATCH_ITEMS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from spigot.ports import Clock
    from spigot.stores.sqlite import SqliteStore

CHECKPOINT_EVERY = 0.05
"""Seconds between two checkpoints: the less one has to sync, the less a commit waits beside it."""

LOG_FRAMES = 2000
"""Pages in the write-ahead log (8 MiB) from which it shall start over."""

PRUNE_EVERY = 60.0
"""Seconds between two looks for what is old enough to go."""

PRUNE_STEP = 100
"""Webhooks that one transaction removes."""

PRUNE_BYTES = 4 * 1024 * 1024
"""Bytes of content from which a step is full, whatever its count."""

_log = logging.getLogger(__name__)


class Upkeep:
    """Runs on a thread of its own beside a gateway.

    Args:
        store: The open store.
        keep_delivered: Seconds that delivered and dropped webhooks stay.
        keep_dead: Seconds that dead ones stay.
        clock: Tells the time.
    """

    def __init__(
        self, store: SqliteStore, *, keep_delivered: float, keep_dead: float, clock: Clock
    ) -> None:
        self._store = store
        self.keep(keep_delivered, keep_dead)
        self._clock = clock
        # A clock set forward must not make the whole history old: time passes as it is measured.
        self._start = clock.now() - clock.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spigot-upkeep", daemon=True)

    def keep(self, delivered: float, dead: float) -> None:
        """Set for how many seconds delivered (and dropped), and dead ones stay."""
        self._keep = {"ended_done": delivered, "ended_dead": dead}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the step in hand and end."""
        self._stop.set()
        self._thread.join()

    def checkpoint(self, db: sqlite3.Connection) -> None:
        """Copy what is committed from the log into the database, without stopping intake.

        The bulk is copied and synced here, beside the writer. Since the writer goes on meanwhile,
        the log would never start over; so when it has grown long, the writer itself copies the
        few pages that came since, and its next commit begins the log anew.
        """
        _, frames, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if frames > LOG_FRAMES:
            self._store.writer.between(
                lambda writer: writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            )

    def prune(self, between: Callable[[], None] = lambda: None) -> int:
        """Remove what is older than it has to be kept; return how many. Waiting ones stay.

        Args:
            between: Called after each step, so that the log is kept short meanwhile.
        """
        now = min(self._clock.now(), self._start + self._clock.monotonic())
        removed = 0
        for index, keep in self._keep.items():
            while not self._stop.is_set():
                step = self._store.writer.call(_prune, (index, now - keep))
                removed += step
                if not step:
                    break
                between()
        return removed

    def _run(self) -> None:
        with contextlib.ExitStack() as stack:
            db: sqlite3.Connection | None = None
            indexed = tidied = False
            next_prune = self._clock.monotonic() + PRUNE_EVERY
            while not self._stop.wait(CHECKPOINT_EVERY):
                try:
                    if db is None:
                        db = database.connect(self._store.path, cache_kib=256)
                        stack.callback(db.close)
                    self.checkpoint(db)
                    if not indexed:
                        while self._store.index_deliveries() and not self._stop.is_set():
                            self.checkpoint(db)
                        indexed = True
                    if not tidied:
                        self._store.parts.drop_strays()
                        tidied = True
                    self._count_free(db)
                    self._store.room.keep_reserve()
                    if self._clock.monotonic() >= next_prune:
                        next_prune = self._clock.monotonic() + PRUNE_EVERY
                        self.prune(functools.partial(self.checkpoint, db))
                except Exception as error:  # noqa: BLE001 - without upkeep the log fills the disk
                    _log.warning("Upkeep of the store failed and will be tried again: %s", error)

    def _count_free(self, db: sqlite3.Connection) -> None:
        (pages,) = db.execute("PRAGMA freelist_count").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
        self._store.room.reusable = pages * size


def _prune(db: sqlite3.Connection, steps: list[tuple[str, float]]) -> list[int]:
    results = []
    for index, before in steps:
        dead = index == "ended_dead"
        rows = db.execute(
            f"SELECT e.serial, coalesce(w.size, 0), w.content FROM ended e INDEXED BY {index} "
            "LEFT JOIN webhooks w ON w.serial = e.serial "
            f"WHERE e.state {'=' if dead else '<>'} 'dead' AND e.at < ? ORDER BY e.at LIMIT ?",
            (before, PRUNE_STEP),
        ).fetchall()
        size = 0
        serials: list[tuple[int]] = []
        contents: set[int] = set()
        for serial, bytes_, content in rows:
            if serials and size + bytes_ > PRUNE_BYTES:
                break
            serials.append((serial,))
            contents.add(content)
            size += bytes_
        for table in ("attempts", "webhooks", "ended"):
            db.executemany(f"DELETE FROM {table} WHERE serial = ?", serials)
        # What one commit packed together goes with the last webhook of it.
        db.executemany(
            "DELETE FROM contents WHERE serial = ?1 AND NOT EXISTS (SELECT 1 FROM webhooks "
            "WHERE serial >= ?1 AND serial < ?1 + ?2 AND content = ?1)",
            [(content, BATCH_ITEMS) for content in contents],
        )
        results.append(len(serials))
    return results
