"""Every test here runs on every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.stores.memory import MemoryStore
from spigot.stores.sqlite import SqliteStore
from support.stores import HandClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spigot.ports import Store


@pytest.fixture
def clock() -> HandClock:
    """The clock that the store goes by."""
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    """An empty store."""
    store: Store = (
        MemoryStore(clock)
        if request.param == "memory"
        else SqliteStore(tmp_path / "data", clock=clock)
    )
    yield store
    store.close()


@pytest.fixture
def other(store: Store, tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    """The same store as another process sees it; one in memory has only its own."""
    if isinstance(store, MemoryStore):
        yield store
        return
    other = SqliteStore(tmp_path / "data", clock=clock)
    yield other
    other.close()
