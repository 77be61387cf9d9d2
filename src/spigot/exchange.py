"""One request and its answer over an open connection: as much of HTTP/1.1 as a sender needs.

The standard library's client takes 80 µs for it, most of them in the parser for e-mail that reads
an answer's headers; this takes 10. What is sent is as it is given, and nothing is added.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spigot.timed import TimedSocket

READ_BYTES = 64 * 1024
"""What is read of an answer's body; a connection with more to come is not used again."""

HEAD_BYTES = 64 * 1024
"""How long an answer's head may be."""

HEAD_LINES = 100
"""How many lines it may have."""

TOGETHER = 64 * 1024
"""A body up to this size leaves together with its head."""

_BEGIN = b"HTTP/1."
_STATUS = re.compile(rb"HTTP/1\.(\d) (\d{3})(?: (.*))?")
_HEAD_END = re.compile(rb"\n\r?\n")
_CHUNK = re.compile(rb"\s*([0-9a-fA-F]{1,15})\s*(?:;.*)?")
_UNFIT = re.compile(rb"[\r\n\x00]")
_UNFIT_TARGET = re.compile(r"[\x00-\x20\x7f]")
_WITHOUT_BODY = (204, 304)


class Answer(NamedTuple):
    """What came back.

    Attributes:
        status: The HTTP status.
        reason: What follows it.
        headers: Header lines in their order, names in lower case, folded values in one line.
        body: As much of the body as was read.
        broken: What kept the rest away; None if there is none, or if it was left unread.
        reusable: Whether the connection can be used again.
    """

    status: int
    reason: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    broken: OSError | ValueError | None
    reusable: bool

    def get(self, name: bytes) -> str:
        """Return the first value of a header; empty without."""
        return next((value for key, value in self.headers if key == name), b"").decode("latin-1")


def exchange(
    sock: TimedSocket,
    method: str,
    target: str,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
) -> Answer:
    """Send a request, and read what is answered.

    Args:
        sock: The connection; its time was given.
        method: The method.
        target: The request target.
        headers: All lines, ``Host`` first; only ``Content-Length`` is added.
        body: The body.

    Raises:
        OSError: There was no answer: the connection broke, or (TimeoutError) the time is over.
        ValueError: What came is no HTTP, or what was to be sent would be none.
    """
    head = _head(method, target, headers, body)
    # A server that has heard enough answers and closes: its answer counts, not our send.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if len(body) <= TOGETHER:
            sock.sendall(head + body)
        else:
            sock.sendall(head)
            sock.sendall(body)
    return _Reader(sock).answer(method)


def _head(method: str, target: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    if _UNFIT_TARGET.search(target):
        raise ValueError("a request target that would break out of its line")
    lines = [name + b": " + value for name, value in headers]
    if body or method != "GET":
        lines.append(b"Content-Length: %d" % len(body))
    if any(map(_UNFIT.search, lines)):
        raise ValueError("a header that would break out of its line")
    return b"\r\n".join([f"{method} {target} HTTP/1.1".encode("ascii"), *lines, b"", b""])


class _Reader:
    """Reads one answer (RFC 9112); of what is wrong in it only the status matters."""

    def __init__(self, sock: TimedSocket) -> None:
        self._sock = sock
        self._data = b""  # was read and not yet used

    def answer(self, method: str) -> Answer:
        """Read it, the interim ``100 Continue`` before it too."""
        version, status, reason, headers = self._head()
        while status == 100:
            version, status, reason, headers = self._head()
        fields = dict(reversed(headers))
        body = bytearray()
        broken: OSError | ValueError | None = None
        whole = False
        try:
            if method == "HEAD" or status < 200 or status in _WITHOUT_BODY:
                whole = True
            else:
                whole = self._body(fields, body)
        except (OSError, ValueError) as error:
            broken = error
        stays = version > 0 and b"close" not in fields.get(b"connection", b"").lower()
        # After an interim answer the real one follows, and must not be taken for the next.
        reusable = stays and whole and status >= 200 and not self._data
        return Answer(status, reason, headers, bytes(body), broken, reusable)

    def _head(self) -> tuple[int, int, str, list[tuple[bytes, bytes]]]:
        """Return version (the 1 of 1.1), status, reason and headers."""
        while (end := _HEAD_END.search(self._data)) is None:
            if b"\n" in self._data and not self._data.startswith(_BEGIN):
                raise ValueError("no HTTP")
            if len(self._data) > HEAD_BYTES:
                raise ValueError("too long a head")
            if not self._more():
                break
        if not self._data:
            raise ConnectionError("closed without an answer")
        # One that was closed amid its headers has a status all the same.
        head = self._data if end is None else self._data[: end.start()]
        self._data = b"" if end is None else self._data[end.end() :]
        first, *lines = head.replace(b"\r\n", b"\n").removesuffix(b"\r").split(b"\n")
        found = _STATUS.fullmatch(first)
        if found is None or (end is None and not lines):
            raise ValueError("no status")
        if len(lines) > HEAD_LINES or len(head) > HEAD_BYTES:
            raise ValueError("too long a head")
        version, status, reason = found.groups(b"")
        return int(version), int(status), reason.decode("latin-1").strip(), _headers(lines)

    def _body(self, fields: dict[bytes, bytes], body: bytearray) -> bool:
        """Read a body as its head says, and tell whether that is all of it and its end is known."""
        if coding := fields.get(b"transfer-encoding"):
            if coding.lower() == b"chunked":
                return self._chunks(body)
        elif (length := fields.get(b"content-length", b"")).isdigit():
            most = min(int(length), READ_BYTES)
            self._take(most, body)
            return most == int(length)
        while len(body) + len(self._data) < READ_BYTES and self._more():
            pass
        body += self._data[:READ_BYTES]
        return False

    def _chunks(self, body: bytearray) -> bool:
        while True:
            found = _CHUNK.fullmatch(self._line())
            if found is None:
                raise ValueError("no size of a chunk")
            size = int(found[1], 16)
            if not size:
                while self._line():  # trailers
                    pass
                return True
            most = min(size, READ_BYTES - len(body))
            self._take(most, body)
            if most < size:
                return False
            if self._line():
                raise ValueError("a chunk longer than it says")

    def _take(self, size: int, body: bytearray) -> None:
        """Move so many bytes to the body."""
        end = len(body) + size
        while True:
            taken = self._data[: end - len(body)]
            body += taken
            self._data = self._data[len(taken) :]
            if len(body) == end:
                return
            if not self._more():
                raise ConnectionError("closed in the middle of the answer")

    def _line(self) -> bytes:
        while b"\n" not in self._data:
            if len(self._data) > HEAD_BYTES:
                raise ValueError("too long a line")
            if not self._more():
                raise ConnectionError("closed in the middle of the answer")
        line, _, self._data = self._data.partition(b"\n")
        return line.removesuffix(b"\r")

    def _more(self) -> bool:
        """Read on; tell whether there was more."""
        data = self._sock.recv(READ_BYTES)
        self._data += data
        return bool(data)


def _headers(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if line[:1] in (b" ", b"\t") and headers:  # folded (RFC 9112, section 5.2)
            name, before = headers.pop()
            headers.append((name, before + b" " + line.strip(b" \t")))
        elif colon:
            headers.append((name.strip(b" \t").lower(), value.strip(b" \t")))
    return headers
