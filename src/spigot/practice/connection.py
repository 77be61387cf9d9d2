"""One connection to a practice Jenkins: HTTP/1.1 on the socket, and all the ways to let it down."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, cast

import httptools

from spigot.practice.http import Answer, Headers, Request, read, wire
from spigot.practice.pages import AT_WORK, Phase

if TYPE_CHECKING:
    from spigot.practice.faults import Fault
    from spigot.practice.site import Site
    from spigot.practice.visits import Entry

_LINGER_ZERO = struct.pack("ii", 1, 0)
_UNREADABLE = Answer(400, b"Bad Request")


class Job:
    """A request on its way to its answer."""

    __slots__ = ("close", "entry", "fault", "headers", "request", "target")

    def __init__(self, request: Request, target: bytes, headers: Headers, *, close: bool) -> None:
        self.request = request
        self.target = target
        self.headers = headers
        self.close = close
        self.entry: Entry | None = None
        self.fault: Fault | None = None


class Connection(asyncio.Protocol):
    """Reads requests and answers each as the site says, one after the other.

    Args:
        site: What answers, and where visits are recorded.
        loop: The loop it runs on.
        peers: Holds this connection as long as it is open.
    """

    def __init__(self, site: Site, loop: asyncio.AbstractEventLoop, peers: set[Connection]) -> None:
        self._site = site
        self._loop = loop
        self._peers = peers
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Job] = deque()
        self._busy = False  # a request waits for its answer
        self._over = False  # nothing more is read or answered
        self._new_request()

    def _new_request(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Welcome a client, or turn away one that came while the port was being closed."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but class
        self._peers.add(self)
        if self._site.phase is Phase.DOWN:
            self.reset()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the client; Jenkins goes on with what it has already read."""
        self._peers.discard(self)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._over:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # other protocols are not spoken here: the request is answered, then all is over
        except httptools.HttpParserError:
            if not self._over:
                self._over = True
                self._transport.write(wire(_UNREADABLE, head=False, close=True))
                self._transport.close()

    def reset(self) -> None:
        """Reset the connection: the client gets RST, and no answer any more."""
        self._over = True
        if not self._transport.is_closing():
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header line; trailers are left out."""
        if not self._in_body:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Let a client go on that asks before it sends a body."""
        self._in_body = True
        for name, _ in self._headers:
            if name.lower() == b"expect" and self._site.phase is not Phase.HANGING:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer the request, or let it wait for the one before it."""
        if self._over:
            return
        parser, headers, target = self._parser, tuple(self._headers), self._target
        keep_alive = parser.should_keep_alive() and parser.get_http_version() == "1.1"
        close = not keep_alive or parser.should_upgrade()
        method = parser.get_method().decode("latin-1")
        request = read(method, target, headers, b"".join(self._body), self._site.context)
        self._new_request()
        job = Job(request, target, headers, close=close)
        if self._busy:
            self._waiting.append(job)
        else:
            self._begin(job)

    def _begin(self, job: Job) -> None:
        self._busy = True
        site, request = self._site, job.request
        if site.control is not None and (answer := site.control(request)) is not None:
            self._send(job, answer)
            return
        job.entry = site.arrived(request, job.target, job.headers)
        job.fault = fault = site.faults.meet(request.path)
        delay = (site.delay if job.entry.hook else 0.0) + (fault.delay if fault else 0.0)
        if delay > 0:
            self._loop.call_later(delay, self._work, job)
        else:
            self._work(job)

    def _work(self, job: Job) -> None:
        """Answer once Jenkins is done with it: later under strain, else at once."""
        assert job.entry is not None
        reaches = job.entry.hook and not (job.fault is not None and job.fault.intercepts)
        load = self._site.load if reaches and self._site.phase in AT_WORK else None
        if load is None or self._over:
            self._answer(job)
        else:
            load.begin(partial(self._answer, job))

    def _answer(self, job: Job) -> None:
        fault = job.fault
        if self._over:
            return
        if fault is not None and fault.reset:
            self.reset()
        elif self._site.phase is not Phase.HANGING and not (fault is not None and fault.hang):
            assert job.entry is not None
            own = fault.answer if fault is not None else None
            self._send(job, self._site.answer(job.entry, own))

    def _send(self, job: Job, answer: Answer) -> None:
        data = wire(answer, head=job.request.method == "HEAD", close=job.close)
        if job.fault is not None and job.fault.dribble > 0:
            self._dribble(job, data)
            return
        if not self._transport.is_closing():
            self._transport.write(data)
        self._finish(job)

    def _dribble(self, job: Job, data: bytes) -> None:
        if self._over or self._transport.is_closing():
            return
        assert job.fault is not None
        self._transport.write(data[:1])
        if len(data) > 1:
            self._loop.call_later(job.fault.dribble, self._dribble, job, data[1:])
        else:
            self._finish(job)

    def _finish(self, job: Job) -> None:
        self._busy = False
        if job.close:
            self._over = True
            self._transport.close()
        elif self._waiting:
            self._busy = True
            self._loop.call_soon(self._begin, self._waiting.popleft())
