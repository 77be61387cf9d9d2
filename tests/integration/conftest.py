"""Fixtures of the tests of the commands."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from spigot.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration but a data directory of the test's own."""
    for name in list(os.environ):
        if name.startswith("SPIGOT_") or name in ("TARGET_URL", "LOG_LEVEL"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SPIGOT_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store in that directory."""
    with closing(SqliteStore(tmp_path / "data")) as store:
        yield store
