"""What a store still holds, opened as a gateway opens it after whatever happened to its files."""

from __future__ import annotations

import functools
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from spigot.stores.content import read, unpack
from spigot.stores.parts import message
from spigot.stores.sqlite import SqliteStore
from spigot.webhook import State

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.webhook import Headers


class Kept(NamedTuple):
    """A webhook that is there.

    Attributes:
        state: Where it stands.
        headers: As they came.
        body: As it came.
    """

    state: State
    headers: Headers
    body: bytes


class Salvage(NamedTuple):
    """What is there.

    Attributes:
        webhooks: By id, in the order of their positions.
        delivered: How many were ever delivered, by the store's own count.
        faults: What does not fit together inside the store, in words.
    """

    webhooks: dict[str, Kept]
    delivered: int
    faults: list[str]


def salvage(directory: Path) -> Salvage:
    """Open a data directory, and return what is in it.

    Raises:
        StoreError: It cannot be opened.
        LookupError: Parts of a webhook are missing.
    """
    with closing(SqliteStore(directory)) as store:
        rows = store._asked.read(
            "SELECT w.id, coalesce(e.state, 'waiting'), c.frame, w.start, w.end FROM webhooks w "
            "LEFT JOIN ended e USING (serial) JOIN contents c ON c.serial = w.content "
            "ORDER BY w.serial"
        )
        webhooks = {
            id_: Kept(State(state), *_message(store, frame, start, end))
            for id_, state, frame, start, end in rows
        }
        ((delivered, counted),) = store._asked.read("SELECT delivered, waiting FROM totals")
        waiting = [store.load(place.position) for place in store.places_after(0, 1_000_000)]
        faults = [f"integrity check: {line}" for (line,) in store._asked.read(_CHECK)]
    ids = [loaded.webhook.id for loaded in waiting if loaded]
    if ids != [id_ for id_, kept in webhooks.items() if kept.state is State.WAITING]:
        faults.append("what waits is not what did not end, in its order")
    if len(ids) != counted:
        faults.append(f"{len(ids)} wait, {counted} were counted")
    return Salvage(webhooks, delivered, faults)


_CHECK = "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'"


def _message(store: SqliteStore, frame: bytes | int, start: int, end: int) -> tuple[Headers, bytes]:
    """Return headers and body; what many images have in common is unpacked once."""
    if isinstance(frame, int):
        return message(store._asked, frame, start, end)
    return read(_unpacked(frame), start, end)


_unpacked = functools.lru_cache(maxsize=1024)(unpack)
