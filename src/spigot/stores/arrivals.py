"""Webhooks on their way in: stored in batches, each delivery id once while it waits."""

from __future__ import annotations

import contextlib
import sqlite3
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from spigot.stores.content import PIECE_BYTES, Piece, pack
from spigot.stores.database import insert_rows, run_script
from spigot.webhook import Receipt, Webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spigot.stores.parts import InParts

_COLUMNS = 16
"""Of the view `arrivals`; see ``arrivals.sql``, where all the rest happens."""


_FORGET = (
    "DELETE FROM contents WHERE serial > (SELECT position FROM totals) - ? AND NOT EXISTS "
    "(SELECT 1 FROM webhooks w WHERE w.serial >= contents.serial AND w.content = contents.serial)"
)
"""Takes out the frames of the last commit that hold duplicates only."""


_INDEX_STEP = 10_000
"""Waiting webhooks that are indexed at a time: for 50 ms at most nobody is served meanwhile."""

_INDEX = (
    "REPLACE INTO deliveries SELECT delivery, position FROM waiting WHERE position > ? "
    "AND position <= ? AND delivery IS NOT NULL ORDER BY delivery, position"
)
"""Sorted, for so the index grows at one place after the other."""


class Arrival(NamedTuple):
    """A webhook ready to be written.

    Attributes:
        webhook: What came.
        key: As `delivery_key` makes it.
        piece: Its content, if it was packed alone because it is large.
    """

    webhook: Webhook
    key: int | None
    piece: Piece | InParts | None


def delivery_key(webhook: Webhook) -> int | None:
    """Return a 64-bit digest of hook, path and delivery id; None where there is no id."""
    if webhook.delivery is None:
        return None
    name = f"{webhook.hook}\n{webhook.path}\n{webhook.delivery}"
    digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


class Arrivals:
    """Stores webhooks on one connection; ``arrivals.sql`` says how.

    Args:
        db: The connection that writes, outside of any transaction.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._duplicates: dict[int, str] = {}
        db.create_function("note_duplicate", 2, self._note_duplicate)
        run_script(db, "arrivals.sql")

    def index(self) -> bool:
        """Index the next deliveries that waited before this connection was made.

        Else the first `put` would, and with a million of them it would take seconds.

        Returns:
            Whether there are more.
        """
        (known,) = self._db.execute("SELECT position FROM known").fetchone()
        (until,) = self._db.execute(
            "SELECT max(position) FROM "
            "(SELECT position FROM waiting WHERE position > ? ORDER BY position LIMIT ?)",
            (known, _INDEX_STEP),
        ).fetchone()
        if until is None:
            return False
        self._db.execute(_INDEX, (known, until))
        self._db.execute("UPDATE known SET position = ?", (until,))
        return True

    def put(self, items: list[Arrival]) -> list[Receipt]:
        """Store each item that is no duplicate of a waiting one, in order, by one statement.

        Each step of a statement lets go of the interpreter lock and has to win it back from busy
        threads. This is one step, the commit and its sync included.
        """
        self._duplicates.clear()
        self._db.execute(insert_rows("arrivals", _COLUMNS, len(items)), _rows(items))
        receipts = [Receipt(item.webhook.id, duplicate=False) for item in items]
        for number, first in self._duplicates.items():
            receipts[number] = Receipt(first, duplicate=True)
        if self._duplicates:
            # Those that are no duplicates are safe by now, whatever becomes of this.
            with contextlib.suppress(sqlite3.Error):
                self._db.execute(_FORGET, (len(items),))
        return receipts

    def _note_duplicate(self, number: int, first: str) -> int:
        self._duplicates[number] = first
        return number


def _rows(items: list[Arrival]) -> list[object]:
    rows: list[object] = []
    number = 0
    for group in _pieces(items):
        frame: bytes | int | None
        frame, ends = group[0].piece or pack(
            (arrival.webhook.headers, arrival.webhook.body) for arrival in group
        )
        start = 0
        for (webhook, key, _), end in zip(group, ends, strict=True):
            (id_, received_at, method, path, query, _, body) = webhook[:7]
            (hook, provider, event, delivery, lane) = webhook[7:]
            rows += (
                number, id_, received_at, method, path, query, hook, provider, event, delivery,
                lane, len(body), frame, start, end, key,
            )  # fmt: skip
            number += 1
            start, frame = end, None
    return rows


def _pieces(items: list[Arrival]) -> Iterator[list[Arrival]]:
    """Split a batch into what is packed together."""
    group: list[Arrival] = []
    size = 0
    for item in items:
        if group and (size > PIECE_BYTES or item.piece or group[0].piece):
            yield group
            group, size = [], 0
        group.append(item)
        size += len(item.webhook.body)
    if group:
        yield group
