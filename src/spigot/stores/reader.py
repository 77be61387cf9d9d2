"""A connection that only reads; the writer goes on meanwhile."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from spigot.errors import StoreError
from spigot.stores import database

if TYPE_CHECKING:
    from pathlib import Path

Row = tuple[Any, ...]


class Reader:
    """Runs one query after the other, for any thread.

    Args:
        path: The database.

    Raises:
        StoreError: It cannot be opened or read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._db = database.connect(path)
        except sqlite3.Error as error:
            raise StoreError(database.explain(error, path)) from error

    def read(self, sql: str, values: tuple[object, ...] | list[Any] = ()) -> list[Row]:
        """Run a query and return all its rows."""
        try:
            with self._lock:
                return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(database.explain(error, self._path)) from error

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()
