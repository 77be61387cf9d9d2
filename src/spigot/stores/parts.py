"""Large frames in parts: each has a commit of its own, and small webhooks are stored in between.

A commit of 25 MiB takes a fifth of a second, in which everybody else would wait, and the database
needs twice as much memory for it.
"""

from __future__ import annotations

import os
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

from spigot.stores.content import Piece, pack_large, read, read_parts, unpack

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from spigot.stores.reader import Reader
    from spigot.stores.writer import Writer
    from spigot.webhook import Headers

_NUMBERS = 65536
"""How many numbers the parts of one frame have for themselves."""

_STRAYS = f"""
WITH RECURSIVE firsts (first) AS (
    SELECT min(number) FROM parts
    UNION ALL
    SELECT (SELECT min(number) FROM parts WHERE number >= first + {_NUMBERS}) FROM firsts
        WHERE first IS NOT NULL
)
SELECT first FROM firsts WHERE first IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM contents WHERE typeof(frame) = 'integer' AND frame = first)
"""


class InParts(NamedTuple):
    """One webhook's headers and body in a frame that is kept in parts.

    Attributes:
        first: The number of the first part.
        ends: As a `Piece` has them.
    """

    first: int
    ends: list[int]


class Parts:
    """Writes frames in parts; safe for many threads.

    Args:
        writer: Whose commits they go by.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._open: set[int] = set()

    def keep(self, headers: Headers, body: bytes) -> Piece | InParts:
        """Pack a large message and put it on disk, in parts where one is not enough.

        Whoever calls waits, and has to say `kept` or `drop` of what is in parts once it is known
        what became of the webhook.

        Raises:
            StoreError: It was not written, and nothing is left of it.
        """
        frame, size = pack_large(headers, body)
        first, second = next(frame), next(frame, None)
        if second is None:
            return Piece(first, [size])
        number = int.from_bytes(os.urandom(5)) * _NUMBERS
        self._open.add(number)
        try:
            for part in enumerate(chain((first, second), frame), number):
                self._writer.call(_add, part, size=len(part[1]))
        except BaseException:
            self.drop(number)
            raise
        return InParts(number, [size])

    def kept(self, first: int) -> None:
        """Hear that a webhook was stored that has these parts, or that it was a duplicate."""
        self._open.discard(first)

    def drop(self, first: int) -> None:
        """Remove the parts of a webhook that was not stored."""
        self._open.discard(first)
        self._writer.submit(_drop, first, lambda _: None)  # what fails, `drop_strays` does one day

    def drop_strays(self) -> int:
        """Remove parts that belong to nothing: a crash came before their webhook was stored.

        Returns:
            Of how many webhooks.
        """
        return self._writer.call(self._drop_strays, None)

    def _drop_strays(self, db: sqlite3.Connection, calls: list[None]) -> list[int]:
        strays = [first for (first,) in db.execute(_STRAYS) if first not in self._open]
        _drop(db, strays)
        return [len(strays)] * len(calls)


def message(reader: Reader, frame: bytes | int, start: int, end: int) -> tuple[Headers, bytes]:
    """Return the headers and the body of a message of a frame, or of one that is in parts.

    Raises:
        LookupError: It was pruned meanwhile.
    """
    if isinstance(frame, int):
        return read_parts(_parts(reader, frame))
    return read(unpack(frame), start, end)


def _parts(reader: Reader, first: int) -> Iterator[bytes]:
    for number in count(first):
        rows = reader.read("SELECT bytes FROM parts WHERE number = ?", (number,))
        if not rows:
            return
        yield rows[0][0]


def _add(db: sqlite3.Connection, parts: list[tuple[int, bytes]]) -> list[None]:
    db.executemany("INSERT INTO parts VALUES (?, ?)", parts)
    return [None] * len(parts)


def _drop(db: sqlite3.Connection, firsts: list[int]) -> list[None]:
    ranges = [(first, first + _NUMBERS) for first in firsts]
    db.executemany("DELETE FROM parts WHERE number >= ? AND number < ?", ranges)
    return [None] * len(firsts)
