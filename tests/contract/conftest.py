"""Every test here runs on every store, but for what SQS cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.sqs_cannot import CANNOT
from spigot.aws import letters
from spigot.stores.memory import MemoryStore
from spigot.stores.sqlite import SqliteStore
from support.sqs import Made, SqsStore
from support.stores import HandClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spigot.ports import Store


@pytest.fixture
def clock() -> HandClock:
    """The clock that the store goes by."""
    return HandClock()


@pytest.fixture(params=["memory", "sqlite", "sqs"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    """An empty store."""
    store: Store
    if request.param == "memory":
        store = MemoryStore(clock)
    elif request.param == "sqlite":
        store = SqliteStore(tmp_path / "data", clock=clock)
    else:
        if why := CANNOT.get(request.function.__name__):
            pytest.skip(f"SQS: {why}")
        request.getfixturevalue("emulator")
        # It has one server: nothing is gained by asking it for a second.
        request.getfixturevalue("monkeypatch").setattr(letters, "LONG_POLL", 0)
        store = SqsStore(Made(), clock)
    yield store
    store.close()


@pytest.fixture
def other(store: Store, tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    """The same store as another process sees it; one in memory has only its own."""
    if isinstance(store, MemoryStore):
        yield store
        return
    other: Store = (
        SqsStore(store.made, clock)
        if isinstance(store, SqsStore)
        else SqliteStore(tmp_path / "data", clock=clock)
    )
    yield other
    other.close()
