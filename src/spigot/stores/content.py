"""Headers and bodies, compressed: those of one commit together.

Webhooks that come at the same time resemble each other: together they take a third of the room
and of the time that they would take one by one. ``zstd -d`` shows a piece as it is: messages like
those of HTTP, each the header lines, an empty line, the body.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spigot.webhook import Headers

PIECE_BYTES = 128 * 1024
"""From this size on a piece is full: reading one webhook must not mean unpacking a hundred."""

_LEVEL = 1
"""Higher levels take longer and gain little on JSON."""

_local = threading.local()


class Recent:
    """The pieces unpacked last: what waits together is mostly delivered one after the other.

    Args:
        fetch: Returns the frame of a piece by its number.
        most: How many pieces are kept; each of them is a few times `PIECE_BYTES` at most.
    """

    def __init__(self, fetch: Callable[[int], bytes], *, most: int = 16) -> None:
        self._fetch = fetch
        self._most = most
        self._pieces: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def messages(self, number: int) -> bytes:
        """Return the unpacked messages of a piece."""
        with self._lock:
            messages = self._pieces.get(number)
        if messages is None:
            messages = unpack(self._fetch(number))
        if len(messages) <= 4 * PIECE_BYTES:
            with self._lock:
                self._pieces[number] = messages
                self._pieces.move_to_end(number)
                while len(self._pieces) > self._most:
                    self._pieces.popitem(last=False)
        return messages


class Piece(NamedTuple):
    """Some webhooks' headers and bodies in one zstd frame.

    Attributes:
        frame: The frame.
        ends: Where in the unpacked frame each message ends; the next begins there.
    """

    frame: bytes
    ends: list[int]


def pack(messages: Iterable[tuple[Headers, bytes]]) -> Piece:
    """Pack headers and bodies; other threads run meanwhile."""
    compressor: zstd.ZstdCompressor | None = getattr(_local, "compressor", None)
    if compressor is None:
        compressor = _local.compressor = zstd.ZstdCompressor(_LEVEL)
    texts: list[bytes] = []
    ends: list[int] = []
    end = 0
    for headers, body in messages:
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        head = b"".join(lines) + b"\r\n"
        texts += (head, body)
        end += len(head) + len(body)
        ends.append(end)
    return Piece(compressor.compress(b"".join(texts), mode=compressor.FLUSH_FRAME), ends)


def unpack(frame: bytes) -> bytes:
    """Return the messages of a frame, one after the other."""
    return zstd.decompress(frame)


def read(messages: bytes, start: int, end: int) -> tuple[Headers, bytes]:
    """Return the headers and the body of the message from `start` to `end`, to the byte."""
    message = messages[start:end]
    if message.startswith(b"\r\n"):  # no headers at all
        return (), message[2:]
    head, _, body = message.partition(b"\r\n\r\n")
    lines = (line.partition(b": ") for line in head.split(b"\r\n"))
    return tuple((name, value) for name, _, value in lines), body
