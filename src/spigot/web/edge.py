"""The public listener: HTTP/1.1 in, one answer for each request, nothing else.

A general web server would spend three times as much on a request as all the rest of Spigot, and
neither limits headers nor gives up on a slow sender. So this is a protocol of our own on the parser
of Node.js (llhttp, through httptools), which rejects what RFC 9112 calls invalid framing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, cast

import httptools

from spigot.errors import NoRoom, Refused, SpigotError
from spigot.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.intake import Admitted, Intake
    from spigot.meters import Meters
    from spigot.webhook import Receipt, Webhook

HEADER_BYTES = 32 * 1024
"""Request line and headers together; Jenkins itself takes 8 KiB of headers."""

LARGE = 256 * 1024
"""Bodies from this size on are read on a thread of their own: the others do not wait for them."""

SEND_SECONDS = 60.0
"""A request must be complete within this time, and an idle connection is closed after it."""

LINGER_SECONDS = 2.0
"""How long a refused sender may go on sending before its connection is cut."""

RETRY_SECONDS = 30
"""The ``Retry-After`` of a 503."""

_STORED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 57\r\n"
"""The head of the usual answer: a ULID has 26 characters, so its length never changes."""

_log = Log(__name__)


class _Request(NamedTuple):
    admitted: Admitted | None
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    keep_alive: bool


class Edge:
    """What all connections share: the intake, the store, the limits and the counts.

    Args:
        intake: Reads requests.
        put: Keeps a webhook and calls back, from any thread, as `ports.Queue.put` does.
        check_room: Raises `NoRoom` if so many bytes more cannot be kept.
        max_body: Bytes of the largest body.
        memory: Bytes that bodies may take before they are on disk, all together.
        meters: Counts.
    """

    def __init__(
        self,
        intake: Intake,
        put: Callable[[Webhook, Callable[[Receipt | Exception], None]], None],
        check_room: Callable[[int], None],
        *,
        max_body: int,
        memory: int,
        meters: Meters,
    ) -> None:
        self.intake = intake
        self.put = put
        self.check_room = check_room
        self.max_body = max_body
        self.memory = memory
        self.meters = meters
        self.held = 0
        self.connections: set[Connection] = set()
        self.stopping = False
        self._answers: deque[tuple[Connection, float, Receipt | Exception]] = deque()
        self._loop = asyncio.get_running_loop()
        self._sweeper = self._loop.call_later(1.0, self._sweep)

    def connection(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self)

    def healthy(self) -> bool:
        """Tell whether webhooks can be stored now."""
        try:
            self.check_room(0)
        except SpigotError:
            return False
        return self.held < self.memory and not self.stopping

    def keep(self, connection: Connection, webhook: Webhook, began: float) -> None:
        """Have a webhook stored; the connection hears of it on the loop."""

        def done(result: Receipt | Exception) -> None:
            # From the store's thread: one wake-up of the loop serves a whole commit.
            self._answers.append((connection, began, result))
            if len(self._answers) == 1:
                with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens
                    self._loop.call_soon_threadsafe(self._give_answers)

        self.put(webhook, done)

    async def stop(self, patience: float) -> None:
        """Let requests under way be answered, then close all connections.

        Args:
            patience: Seconds to wait at most.
        """
        self.stopping = True
        end = time.monotonic() + patience
        while time.monotonic() < end:
            for connection in list(self.connections):
                connection.close_if_idle()
            if not self.connections:
                break
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.abort()
        self._sweeper.cancel()

    def _give_answers(self) -> None:
        answers = self._answers
        while answers:
            connection, began, result = answers.popleft()
            self.meters.intake.add(time.perf_counter() - began)
            connection.stored(result)

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in list(self.connections):
            connection.close_if_late(now)
        self._sweeper = self._loop.call_later(1.0, self._sweep)


class Connection(asyncio.Protocol):
    """One connection of a sender. Requests on it are answered one after the other."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[_Request | Refused] = deque()
        self._busy = False
        self._refused = False
        self._since = 0.0
        self._held = 0
        self._current: _Request | None = None
        self.on_message_begin()

    # --- asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._since = time.monotonic()
        self._edge.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget what is not complete; what was handed to the store stays there."""
        self._edge.connections.discard(self)
        self._release(self._held)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what it finds comes back through the ``on_…`` methods."""
        if self._refused:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(Refused(400, "Spigot speaks plain HTTP/1.1 only.", reason="upgrade"))
        except httptools.HttpParserError as error:
            cause = error.__context__
            if not isinstance(cause, Refused):
                cause = Refused(
                    400,
                    "This is not a readable HTTP/1.1 request. Is something else than a webhook "
                    "sender connected, or TLS sent to the plain port?",
                    reason="framing",
                )
            self._refuse(cause)
        if self._head_bytes > HEADER_BYTES:
            self._refuse(_too_long_head())

    def eof_received(self) -> bool:
        """Keep the sending half open while an answer is due."""
        return self._busy

    # --- httptools ---------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request starts."""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._admitted: Admitted | None = None
        self._body: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Part of the target."""
        self._target += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line."""
        self._headers.append((name.lower(), value))
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > HEADER_BYTES:
            raise _too_long_head()

    def on_headers_complete(self) -> None:
        """All headers are there: refuse now what need not be read."""
        method = self._parser.get_method().decode("latin-1")
        if self._target == b"/healthz" and method == "GET":
            return
        self._admitted = self._edge.intake.admit(method, self._target)
        expects = False
        for name, value in self._headers:
            if name == b"content-length":
                self._check_size(int(value))
            elif name == b"expect":
                expects = value.lower() == b"100-continue"
        if expects and not self._busy:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._size += len(body)
        self._check_size(self._size)
        edge = self._edge
        edge.held += len(body)
        self._held += len(body)
        if edge.held > edge.memory:
            raise _no_room("Too many webhooks are on their way to the disk at once.")
        self._body.append(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._queue.append(
            _Request(self._admitted, tuple(self._headers), body, self._parser.should_keep_alive())
        )
        self.on_message_begin()
        if not self._busy:
            self._next()

    # --- answers -----------------------------------------------------------------------------

    def stored(self, result: Receipt | Exception) -> None:
        """Answer the request in hand: its webhook is on disk, or could not be stored."""
        if isinstance(result, Exception):
            # The cause may name paths of this machine: it is for the log, not for the provider.
            _log.error("A webhook could not be stored and was refused", exc=result)
            self._answer_error(_no_room("The webhook could not be stored."))
        elif result.duplicate:
            self._answer(200, {"status": "duplicate", "id": result.id}, "duplicate")
        else:
            self._edge.meters.received["stored"] += 1
            self._write(_STORED, b'{"status": "stored", "id": "%b"}\n' % result.id.encode())

    def close_if_idle(self) -> None:
        """Close, unless a request is being read or answered."""
        if not self._busy and not self._headers and not self._transport.is_closing():
            self._transport.close()

    def close_if_late(self, now: float) -> None:
        """Close if nothing happened, or a request was not complete, for too long."""
        if not self._busy and now - self._since > SEND_SECONDS:
            if self._target and not self._refused:
                error = f"The request was not complete within {SEND_SECONDS:.0f} seconds."
                self._refuse(Refused(408, error, reason="slow"))
            else:
                self.abort()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _next(self) -> None:
        """Work on the next request that is complete."""
        self._busy = True
        request = self._queue.popleft()
        if isinstance(request, Refused):
            self._answer_error(request)
            return
        self._current = request
        edge = self._edge
        if request.admitted is None:
            healthy = edge.healthy()
            self._answer(200 if healthy else 503, {"status": "ok" if healthy else "full"}, "health")
            return
        began = time.perf_counter()
        if len(request.body) >= LARGE:
            self._transport.pause_reading()
            asyncio.get_running_loop().run_in_executor(None, self._keep_large, request, began)
            return
        try:
            edge.check_room(len(request.body))
            webhook = edge.intake.webhook(request.admitted, request.headers, request.body)
        except Refused as refused:
            self._answer_error(refused)
        except NoRoom as error:
            self._answer_error(_no_room(str(error)))
        else:
            edge.keep(self, webhook, began)

    def _keep_large(self, request: _Request, began: float) -> None:
        """Do for a large body, on another thread, what `_next` does for a small one."""
        edge = self._edge
        loop = edge._loop  # noqa: SLF001 - one module
        assert request.admitted is not None
        try:
            edge.check_room(len(request.body))
            webhook = edge.intake.webhook(request.admitted, request.headers, request.body)
        except Refused as refused:
            loop.call_soon_threadsafe(self._answer_error, refused)
        except NoRoom as error:
            loop.call_soon_threadsafe(self._answer_error, _no_room(str(error)))
        else:
            edge.keep(self, webhook, began)

    def _check_size(self, size: int) -> None:
        if size > self._edge.max_body:
            raise Refused(
                413,
                f"The body is larger than {self._edge.max_body} bytes. If the provider may send "
                "such bodies, raise max_body (SPIGOT_MAX_BODY).",
                reason="too_large",
            )

    def _refuse(self, refused: Refused) -> None:
        """Answer what cannot be read on, after the requests before it, and close."""
        if self._refused:
            return
        self._refused = True
        self._queue.append(refused)
        if not self._busy:
            self._next()

    def _answer_error(self, refused: Refused) -> None:
        _log.info("Request refused", status=refused.status, reason=refused.reason)
        self._answer(
            refused.status,
            {"status": "refused", "error": refused.error},
            refused.reason,
            refused.headers,
        )

    def _answer(
        self,
        status: int,
        content: dict[str, object],
        counted: str,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._edge.meters.received[counted] += 1
        body = json.dumps(content).encode() + b"\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{lines}"
        )
        self._write(head.encode("latin-1"), body)

    def _write(self, head: bytes, body: bytes) -> None:
        """Send an answer, then go on with the next request, or close."""
        request, self._current = self._current, None
        self._busy = False
        self._since = time.monotonic()
        if request is not None:
            self._release(len(request.body))
        if self._transport.is_closing():
            return
        keep = (request is not None and request.keep_alive and not self._edge.stopping) or bool(
            self._queue
        )
        end = b"\r\n" if keep else b"connection: close\r\n\r\n"
        self._transport.write(head + end + body)
        if self._queue:
            self._next()
        elif self._refused and self._transport.can_write_eof():
            # Closing at once would reset the connection under a sender that still sends, and the
            # answer with it (RFC 9112, section 9.6).
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.abort)
        elif not keep:
            self._transport.close()
        elif request is not None and len(request.body) >= LARGE:
            self._transport.resume_reading()

    def _release(self, size: int) -> None:
        size = min(size, self._held)
        self._held -= size
        self._edge.held -= size


def _no_room(error: str) -> Refused:
    return Refused(
        503,
        f"{error} Send it again later.",
        reason="no_room",
        headers=(("Retry-After", str(RETRY_SECONDS)),),
    )


def _too_long_head() -> Refused:
    return Refused(
        431,
        f"The request line and headers are larger than {HEADER_BYTES} bytes. Remove headers that a "
        "proxy adds.",
        reason="headers",
    )
