"""Makes a store one of an earlier schema version, as an older Spigot left it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_UNDO = {
    # Version 1 knew no recall: what waits for one waits like all others.
    2: ("ALTER TABLE waiting DROP COLUMN recalled",),
    3: ("DROP TRIGGER contents_gone", "DROP INDEX contents_in_parts", "DROP TABLE parts"),
    4: (
        "DROP TRIGGER webhook_pruned", "DROP TRIGGER noticed_gone", "DROP TRIGGER notice_gone",
        "DROP TABLE noticed", "DROP TABLE notices",
    ),
}  # fmt: skip
"""What takes back each version's step, with what only that version can hold."""


def downgrade(path: Path, version: int) -> int:
    """Take a database back to a schema version, and return the version that it has then.

    It stays at version 3 while it holds frames in parts, which earlier ones cannot.

    Args:
        path: The database; nobody serves it.
        version: 1 or later.

    Raises:
        KeyError: It has a version that nothing here takes back.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        (now,) = db.execute("PRAGMA user_version").fetchone()
        while now > version and not (now == 3 and _has_parts(db)):
            for statement in _UNDO[now]:
                db.execute(statement)
            now -= 1
        db.execute(f"PRAGMA user_version = {now}")
        db.execute("COMMIT")
        return int(now)


def _has_parts(db: sqlite3.Connection) -> bool:
    (found,) = db.execute("SELECT EXISTS (SELECT 1 FROM parts)").fetchone()
    return bool(found)
