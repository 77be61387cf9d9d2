"""Delivered webhooks that wait once more, because a restart may have made Jenkins forget them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spigot.stores.database import marks
from spigot.webhook import Place

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from spigot.stores.reader import Reader

MOST = 5
"""How often a webhook is recalled: one that makes Jenkins crash would do so for ever."""

STEP = 500
"""How many one transaction lets wait again, so that intake never waits."""

_DELIVERED = (
    "SELECT w.serial, w.path, w.query FROM ended e INDEXED BY ended_done "
    "JOIN webhooks w ON w.serial = e.serial WHERE e.state <> 'dead' AND e.state = 'delivered' "
    "AND e.status BETWEEN 200 AND 299 AND e.at BETWEEN ? AND ? "
    "AND (SELECT count(*) FROM attempts a WHERE a.serial = w.serial AND a.verdict = 'delivered') "
    "<= ? ORDER BY w.serial"
)
"""Those that Jenkins took; what it ignored, it ignores again. (`dead` is out for the index.)"""


def delivered(
    reader: Reader, since: float, until: float, chosen: Callable[[str, str], bool]
) -> list[int]:
    """Return the serials of the chosen ones that were delivered in a time, in order."""
    rows = reader.read(_DELIVERED, (since, until, MOST))
    return [serial for serial, path, query in rows if chosen(path, query)]


def recall(db: sqlite3.Connection, steps: list[list[int]]) -> list[list[Place]]:
    """Let ended webhooks wait again at their first positions, where nobody else can wait."""
    results = []
    for serials in steps:
        these = marks(serials)
        db.execute(
            "INSERT INTO waiting SELECT w.serial, w.serial, e.delivery, w.lane, w.path, 0, 0, 0, 1 "
            "FROM ended e JOIN webhooks w ON w.serial = e.serial "
            f"WHERE e.serial IN ({these}) AND e.state = 'delivered'",
            serials,
        )
        places = db.execute(
            "SELECT position, lane, path, due_at, delay, attempts, recalled FROM waiting "
            f"WHERE position IN ({these}) AND recalled ORDER BY position",
            serials,
        ).fetchall()
        db.execute(f"DELETE FROM ended WHERE state = 'delivered' AND serial IN ({these})", serials)
        # A redelivery that waits already, later in the lane, stays the one that counts.
        db.execute(
            "INSERT OR IGNORE INTO deliveries SELECT delivery, position FROM waiting "
            f"WHERE position IN ({these}) AND delivery IS NOT NULL",
            serials,
        )
        db.execute("UPDATE totals SET waiting = waiting + ?", (len(places),))
        results.append([Place._make((*row[:6], True)) for row in places])
    return results
