"""Webhooks on their way in: stored in batches, each delivery id once while it waits."""

from __future__ import annotations

import functools
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from spigot.stores.content import PIECE_BYTES, Piece, pack
from spigot.webhook import Receipt, Webhook

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from spigot.ports import Loaded


ROWS = 48
"""Rows that one statement inserts at most; a prepared statement is kept for each number of rows."""


class Arrival(NamedTuple):
    """A webhook ready to be written.

    Attributes:
        webhook: What came.
        key: As `delivery_key` makes it.
        piece: Its content, if it was packed alone because it is large.
    """

    webhook: Webhook
    key: int | None
    piece: Piece | None


def delivery_key(webhook: Webhook) -> int | None:
    """Return a 64-bit digest of hook, path and delivery id; None where there is no id."""
    if webhook.delivery is None:
        return None
    name = f"{webhook.hook}\n{webhook.path}\n{webhook.delivery}"
    digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


class Arrivals:
    """Stores webhooks, and knows in memory which delivery ids wait.

    A random delivery id has no place of its own on disk: an index over them would touch another
    page for each webhook and double what is synced. So the index lies in the connection's
    temporary (in-memory) database, where it commits and rolls back together with the rows, and so
    does `known`, the newest position that it takes into account. A hit is held against the rows
    themselves before it is believed. If a replay makes one delivery wait twice, the later counts.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        db.execute("CREATE TEMP TABLE delivery (key INTEGER PRIMARY KEY, position INTEGER)")
        db.execute("CREATE TEMP TABLE known AS SELECT 0 AS position")

    def put(self, db: sqlite3.Connection, items: list[Arrival]) -> list[Receipt]:
        """Store each item that is no duplicate of a waiting one, in order."""
        last, has_dead = self._learn(db)
        places = range(last + 1, last + 1 + len(items))
        keyed = [
            value
            for item, position in zip(items, places, strict=True)
            if item.key is not None
            for value in (item.key, position)
        ]
        new = _insert(db, "INSERT OR IGNORE INTO temp.delivery", 2, keyed, " RETURNING position")
        accepted = {position for (position,) in new}
        fresh: list[tuple[int, Arrival]] = []
        suspects: list[tuple[int, Arrival]] = []
        for position, item in zip(places, items, strict=True):
            (fresh if item.key is None or position in accepted else suspects).append(
                (position, item)
            )
        _store(db, fresh)
        receipts = {position: Receipt(item.webhook.id, duplicate=False) for position, item in fresh}
        for position, item in suspects:
            receipts[position] = self._check(db, position, item)
        stored = sum(not receipt.duplicate for receipt in receipts.values())
        db.execute(
            "UPDATE totals SET position = ?, stored = stored + ?, waiting = waiting + ?",
            (places[-1], stored, stored),
        )
        db.execute("UPDATE temp.known SET position = ?", (places[-1],))
        if has_dead:
            _resolve(
                db,
                [
                    item
                    for position, item in zip(places, items, strict=True)
                    if item.key is not None and not receipts[position].duplicate
                ],
            )
        return [receipts[position] for position in places]

    def forget(self, db: sqlite3.Connection, settled: list[Loaded]) -> None:
        """Let go of the delivery ids of webhooks that wait no longer."""
        db.executemany(
            "DELETE FROM temp.delivery WHERE key = ? AND position = ?",
            [
                (delivery_key(webhook), place.position)
                for webhook, place in settled
                if webhook.delivery is not None
            ],
        )

    def _check(self, db: sqlite3.Connection, position: int, item: Arrival) -> Receipt:
        """Store an item whose key is known, unless the very same delivery really waits."""
        webhook = item.webhook
        first = db.execute(
            "SELECT w.id FROM temp.delivery d JOIN waiting q ON q.position = d.position "
            "JOIN webhooks w ON w.serial = q.serial "
            "WHERE d.key = ? AND w.delivery = ? AND w.path = ? AND w.hook = ?",
            (item.key, webhook.delivery, webhook.path, webhook.hook),
        ).fetchone()
        if first:
            return Receipt(first[0], duplicate=True)
        db.execute("REPLACE INTO temp.delivery VALUES (?, ?)", (item.key, position))
        _store(db, [(position, item)])
        return Receipt(webhook.id, duplicate=False)

    def _learn(self, db: sqlite3.Connection) -> tuple[int, bool]:
        """Take in what waits but did not come through here: a replay; at first, everything.

        Returns:
            The newest position given, and whether there are dead letters.
        """
        last, known, has_dead = db.execute(
            "SELECT totals.position, known.position, "
            "EXISTS (SELECT 1 FROM ended WHERE state = 'dead') FROM totals, temp.known"
        ).fetchone()
        if last > known:
            db.execute(
                "REPLACE INTO temp.delivery SELECT delivery, position FROM waiting "
                "WHERE position > ? AND delivery IS NOT NULL ORDER BY delivery, position",
                (known,),
            )
        return last, bool(has_dead)


def _resolve(db: sqlite3.Connection, items: list[Arrival]) -> None:
    """Mark older dead letters of the same delivery as resolved by the new one."""
    db.executemany(
        "UPDATE ended SET resolved_by = ? "
        "WHERE delivery = ? AND state = 'dead' AND resolved_by IS NULL",
        [(item.webhook.id, item.key) for item in items],
    )


def _store(db: sqlite3.Connection, items: list[tuple[int, Arrival]]) -> None:
    """Write webhooks; a trigger of the schema makes each of them wait."""
    contents: list[object] = []
    webhooks: list[object] = []
    for group in _pieces(items):
        first = group[0][0]
        piece = group[0][1].piece or pack(
            (arrival.webhook.headers, arrival.webhook.body) for _, arrival in group
        )
        contents += (first, piece.frame)
        start = 0
        for (position, (webhook, key, _)), end in zip(group, piece.ends, strict=True):
            (id_, received_at, method, path, query, _, body) = webhook[:7]
            (hook, provider, event, delivery, lane) = webhook[7:]
            webhooks += (
                position, id_, received_at, method, path, query, hook, provider, event, delivery,
                lane, len(body), first, start, end, key,
            )  # fmt: skip
            start = end
    _insert(db, "INSERT INTO contents", 2, contents)
    _insert(db, "INSERT INTO webhooks", 16, webhooks)


def _pieces(items: list[tuple[int, Arrival]]) -> Iterator[list[tuple[int, Arrival]]]:
    """Split a batch into what is packed together."""
    group: list[tuple[int, Arrival]] = []
    size = 0
    for item in items:
        arrival = item[1]
        if group and (size > PIECE_BYTES or arrival.piece or group[0][1].piece):
            yield group
            group, size = [], 0
        group.append(item)
        size += len(arrival.webhook.body)
    if group:
        yield group


@functools.cache
def _values(columns: int, rows: int) -> str:
    row = f"({','.join('?' * columns)})"
    return f" VALUES {','.join([row] * rows)}"


def _insert(
    db: sqlite3.Connection,
    into: str,
    columns: int,
    values: list[object] | list[int],
    tail: str = "",
) -> list[tuple[int]]:
    """Insert rows of `columns` values each by few statements.

    Each statement lets go of the interpreter lock and has to win it back from busy threads, so
    a commit of 24 rows runs one statement, not 24.
    """
    returned: list[tuple[int]] = []
    for start in range(0, len(values), columns * ROWS):
        part = values[start : start + columns * ROWS]
        rows = len(part) // columns
        returned += db.execute(into + _values(columns, rows) + tail, part).fetchall()
    return returned
