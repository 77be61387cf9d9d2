"""Headers and bodies, compressed: those of one commit together.

Webhooks that come at the same time resemble each other: together they take a third of the room
and of the time that they would take one by one. ``zstd -d`` shows a piece as it is: messages like
those of HTTP, each the header lines, an empty line, the body.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from spigot.webhook import Headers

PIECE_BYTES = 128 * 1024
"""From this size on a piece is full: reading one webhook must not mean unpacking a hundred."""

PART_BYTES = 1024 * 1024
"""A frame that is larger is kept in parts of about this size."""

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
        head = _head(headers)
        texts += (head, body)
        end += len(head) + len(body)
        ends.append(end)
    return Piece(compressor.compress(b"".join(texts), mode=compressor.FLUSH_FRAME), ends)


def pack_large(headers: Headers, body: bytes) -> tuple[Iterator[bytes], int]:
    """Pack one large message in steps, so that there is no copy of the whole.

    Returns:
        The parts of its frame, of about `PART_BYTES` each, and its size unpacked.
    """
    head = _head(headers)
    size = len(head) + len(body)

    def parts() -> Iterator[bytes]:
        compressor = zstd.ZstdCompressor(_LEVEL)
        compressor.set_pledged_input_size(size)
        part = compressor.compress(head)
        view = memoryview(body)
        for start in range(0, len(body), PART_BYTES):
            part += compressor.compress(view[start : start + PART_BYTES])
            if len(part) >= PART_BYTES:
                yield part
                part = b""
        yield part + compressor.flush(mode=compressor.FLUSH_FRAME)

    return parts(), size


def unpack(frame: bytes) -> bytes:
    """Return the messages of a frame, one after the other."""
    return zstd.decompress(frame)


def read(messages: bytes, start: int, end: int) -> tuple[Headers, bytes]:
    """Return the headers and the body of the message from `start` to `end`, to the byte."""
    message = messages[start:end]
    if message.startswith(b"\r\n"):  # no headers at all
        return (), message[2:]
    head, _, body = message.partition(b"\r\n\r\n")
    return _headers(head), body


def read_parts(parts: Iterable[bytes]) -> tuple[Headers, bytes]:
    """Return the headers and the body of the only message of a frame that comes in parts.

    Raises:
        LookupError: Parts are missing.
    """
    decompressor = zstd.ZstdDecompressor()
    text, body = b"\r\n", None
    for part in parts:
        text += decompressor.decompress(part)
        if body is None and b"\r\n\r\n" in text:
            head, _, text = text.partition(b"\r\n\r\n")
            body = BytesIO()
        if body is not None:
            body.write(text)
            text = b""
    if body is None or not decompressor.eof:
        raise LookupError("parts of a frame are missing")
    return _headers(head[2:]), body.getvalue()


def _headers(head: bytes) -> Headers:
    if not head:
        return ()
    lines = (line.partition(b": ") for line in head.split(b"\r\n"))
    return tuple((name, value) for name, _, value in lines)


def _head(headers: Headers) -> bytes:
    return b"".join([name + b": " + value + b"\r\n" for name, value in headers]) + b"\r\n"
