"""A store taken back to an earlier schema version is what that version made, and can go on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from spigot.stores import database
from spigot.stores.sqlite import SqliteStore
from support.commands import put
from support.downgrade import downgrade

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = database._scripts()
NEWEST = max(SCRIPTS)


def schema(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {"".join(sql.split()) for (sql,) in rows}


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_it_is_what_that_version_made(version: int, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as db:
        for number in range(1, version + 1):
            db.executescript(SCRIPTS[number])
    path = database.prepare(tmp_path / "new", create=True)
    assert downgrade(path, version) == version
    assert schema(path) == schema(old)


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_it_can_go_on_with_what_it_holds(version: int, tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        put(store)
    downgrade(tmp_path / "spigot.db", version)
    with closing(SqliteStore(tmp_path)) as store:
        put(store, 2)
        assert store.panel.counts().waiting == 2
    fresh = database.prepare(tmp_path / "fresh", create=True)
    assert schema(tmp_path / "spigot.db") == schema(fresh)


def test_it_keeps_what_earlier_versions_cannot_hold(tmp_path: Path) -> None:
    path = database.prepare(tmp_path, create=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO parts VALUES (65536, x'00')")
    assert downgrade(path, 1) == 3
