"""A bare server that answers 200 at once: Jenkins as fast as it could be.

``python -m bench.target PORT`` runs it. It answers everything as a ready Jenkins would be seen to,
and keeps when each delivery id came, once its request was read whole; ``GET /bench/count`` and
``GET /bench/arrived`` tell.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import httptools
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD = b"HTTP/1.1 200 OK\r\nX-Jenkins: 2.541\r\nX-Jenkins-Session: 5e551011\r\n"
_TAKEN = _HEAD + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK"


class Count(NamedTuple):
    """How many webhooks came, and when the first and the last of them: UNIX seconds, or 0."""

    number: int
    first: float
    last: float


def count(port: int) -> Count:
    """Ask a target how many webhooks it took."""
    return Count(*_get(port, "/bench/count"))


def arrived(port: int) -> dict[str, float]:
    """Ask a target when each delivery came first, UNIX seconds."""
    times: dict[str, float] = _get(port, "/bench/arrived")
    return times


def forget(port: int) -> None:
    """Have a target count from zero."""
    _get(port, "/bench/forget")


def _get(port: int, path: str) -> Any:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())


class Record:
    """What came so far."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self.number = 0
        self.first = self.last = 0.0

    def took(self, delivery: str) -> None:
        """Count a webhook."""
        self.last = time.time()
        if not self.number:
            self.first = self.last
        self.number += 1
        self.arrived.setdefault(delivery, self.last)

    def tell(self, url: str) -> bytes:
        """Answer a question, as JSON."""
        if url == "/bench/forget":
            self.__init__()  # type: ignore[misc]
        told: object = (self.number, self.first, self.last)
        return json.dumps(self.arrived if url == "/bench/arrived" else told).encode()


class Connection(asyncio.Protocol):
    """Reads requests, and answers each once it is whole."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._write: Callable[[bytes], None]
        self._parser = httptools.HttpRequestParser(self)
        self._url, self._delivery = b"", ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way back."""
        self._write = cast("asyncio.Transport", transport).write

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Take the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Look for the delivery id."""
        if name.lower() == b"x-github-delivery":
            self._delivery = value.decode("latin-1")

    def on_message_complete(self) -> None:
        """Answer."""
        url, delivery = self._url, self._delivery
        self._url, self._delivery = b"", ""
        if url.startswith(b"/bench/"):
            body = self._record.tell(url.decode("ascii"))
            self._write(_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            return
        if delivery:
            self._record.took(delivery)
        self._write(_TAKEN)


async def main(port: int) -> None:
    """Serve until it is killed."""
    record = Record()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(record), "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
