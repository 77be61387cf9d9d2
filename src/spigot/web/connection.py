"""One connection of a sender: requests are read, checked, and answered one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, cast

import httptools

from spigot.errors import Refused, StoreError
from spigot.log import Log
from spigot.web import answers
from spigot.web.head import check_head, without_upgrade
from spigot.web.limits import IDLE_SECONDS, LARGE, LINGER_SECONDS, SEND_SECONDS

if TYPE_CHECKING:
    from spigot.intake import Admitted
    from spigot.providers import Fields
    from spigot.web.edge import Edge
    from spigot.webhook import Headers, Receipt

_log = Log(__name__)


class _Request(NamedTuple):
    admitted: Admitted | None
    headers: Headers
    fields: Fields
    body: bytes
    keep_alive: bool


class Connection(asyncio.Protocol):
    """One connection of a sender.

    Args:
        edge: What it shares with the others.
    """

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[_Request | Refused] = deque()
        self._busy = False
        self._paused = False
        self._full = False
        self._ended = False
        self._refused = False
        self._since = 0.0
        self._held = 0
        self._chunk = 0
        self._current: _Request | None = None
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._since = time.monotonic()
        self._edge.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget what waits its turn; what was handed to the store stays there."""
        self._edge.connections.discard(self)
        self._ended = True
        self._queue.clear()
        # The body in hand takes memory until the store has it.
        self._release(self._held - (len(self._current.body) if self._current else 0))

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what it finds comes back through the ``on_…`` methods."""
        if self._ended or self._refused:
            return
        self._unread += len(data)
        self._chunk = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            if not isinstance(cause, Refused):
                cause = answers.unreadable()
            self._refuse(cause)
        if self._unread > answers.HEADER_BYTES:
            self._refuse(answers.too_long_head())

    def eof_received(self) -> bool:
        """Keep the sending half open while an answer is due."""
        self._ended = True
        return self._busy

    def pause_writing(self) -> None:
        """Read no more from a sender that does not read its answers, or they fill the memory."""
        self._full = True
        self._pause()

    def resume_writing(self) -> None:
        """Read on, unless a request has to be answered first."""
        self._full = False
        if not self._busy:
            self._resume()

    def on_message_begin(self) -> None:
        """A request starts."""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._fields: Fields = {}
        self._unread = 0
        self._head_is_read = False
        self._admitted: Admitted | None = None
        self._body: bytes | bytearray = b""

    def on_url(self, url: bytes) -> None:
        """Part of the target."""
        if not (self._target or self._busy):
            self._since = time.monotonic()  # the time to be complete begins with the request
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line. A trailer is none: it comes too late to be trusted (RFC 9110, 6.5.1)."""
        if not self._head_is_read:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """All headers are there: refuse now what need not be read."""
        self._head_is_read = True
        if self._asks_upgrade():
            return
        if self._unread + self._chunk > answers.HEADER_BYTES:
            # Only now it is worth counting: what was fed holds other requests or a body, perhaps.
            lines = sum(len(name) + len(value) + 4 for name, value in self._headers)
            if len(self._target) + lines > answers.HEADER_BYTES:
                raise answers.too_long_head()
        self._unread = 0
        self._fields = fields = dict(reversed(self._headers))
        check_head(self._parser.get_http_version(), self._headers, fields)
        method = self._parser.get_method().decode("latin-1")
        if self._target.partition(b"?")[0] == b"/healthz" and method == "GET":
            return
        self._admitted = self._edge.intake.admit(method, self._target)
        self._check_size(int(fields.get(b"content-length", b"0")))
        if fields.get(b"expect", b"").lower() == b"100-continue" and not self._busy:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._unread = 0
        if isinstance(self._body, bytearray):
            self._body += body
        else:
            # A list of pieces would let a sender of tiny chunks take forty times the memory.
            self._body = bytearray(self._body + body) if self._body else body
        edge = self._edge
        edge.held += len(body)
        self._held += len(body)
        self._check_size(len(self._body))
        if edge.held > edge.memory:
            raise answers.no_room("Too many webhooks are on their way to the disk at once.")

    def on_message_complete(self) -> None:
        """A request is complete."""
        if self._asks_upgrade():
            return
        headers, body = tuple(self._headers), bytes(self._body)
        keep_alive = self._parser.should_keep_alive()
        self._queue.append(_Request(self._admitted, headers, self._fields, body, keep_alive))
        self.on_message_begin()
        self._ended = self._ended or not keep_alive
        if self._busy:
            self._pause()
        else:
            self._next()

    def stored(self, result: Receipt | Exception) -> None:
        """Answer the request in hand: its webhook is on disk, or could not be stored."""
        if isinstance(result, Exception):
            # The cause may name paths of this machine: it is for the log, not for the provider.
            _log.error("A webhook could not be stored and was refused", exc=result)
            self._answer_error(answers.no_room("The webhook could not be stored."))
        elif result.duplicate:
            self._answer(200, {"status": "duplicate", "id": result.id}, "duplicate")
        else:
            self._edge.meters.received["stored"] += 1
            self._write(answers.STORED, answers.stored(result.id))
        self._next()

    def close_if_idle(self) -> None:
        """Close, unless a request is being read or answered."""
        if not self._busy and not self._headers and not self._transport.is_closing():
            self._transport.close()

    def close_if_late(self, now: float) -> None:
        """Close if nothing happened, or a request was not complete, for too long."""
        patience = SEND_SECONDS if self._target else IDLE_SECONDS
        if not self._busy and now - self._since > patience:
            if self._target and not self._refused:
                self._refuse(answers.slow(SEND_SECONDS))
            else:
                self.abort()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _next(self) -> None:
        """Work on the requests that are complete, one after the other."""
        while self._queue and not self._busy:
            self._busy = True
            request = self._queue.popleft()
            if isinstance(request, Refused):
                self._answer_error(request)
                continue
            self._current = request
            if request.admitted is None:
                healthy = self._edge.healthy()
                content: dict[str, object] = {"status": "ok" if healthy else "full"}
                self._answer(200 if healthy else 503, content, "health")
            elif len(request.body) >= LARGE:
                self._pause()
                loop = asyncio.get_running_loop()
                loop.run_in_executor(None, self._keep_large, request, loop)
            elif refused := self._keep(request):
                self._answer_error(refused)

    def _keep(self, request: _Request) -> Refused | None:
        """Read a webhook and hand it to the store; return why not, if so. For any thread."""
        edge = self._edge
        began = time.perf_counter()
        assert request.admitted is not None
        try:
            edge.check_room(len(request.body))
            webhook = edge.intake.webhook(
                request.admitted, request.headers, request.fields, request.body
            )
            edge.keep(self, webhook, began)
        except Refused as refused:
            return refused
        except StoreError as error:
            _log.warning("There is no room for a webhook", exc=error)
            return answers.no_room("There is no room for it now.")
        except Exception as error:  # noqa: BLE001 - it must not hold up other senders
            _log.error("A webhook was refused because of a fault in Spigot", exc=error)
            return answers.fault()
        return None

    def _keep_large(self, request: _Request, loop: asyncio.AbstractEventLoop) -> None:
        """Do for a large body, on another thread, what is done at once for a small one."""
        if refused := self._keep(request):
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens
                loop.call_soon_threadsafe(self._refuse_large, refused)

    def _refuse_large(self, refused: Refused) -> None:
        self._answer_error(refused)
        self._next()

    def _asks_upgrade(self) -> bool:
        """Tell whether the parser will stop after this head; CONNECT has no path and is refused."""
        return self._parser.should_upgrade() and self._parser.get_method() != b"CONNECT"

    def _feed(self, data: bytes) -> None:
        """Feed the parser; a request that asks for HTTP/2 or the like is fed again without that."""
        rest: bytes | memoryview = data
        while rest:  # as many as fit may ask at once: no recursion, and no copies of the rest
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]
            else:
                break
            head = without_upgrade(self._parser, self._target, self._headers)
            self._chunk += len(head)
            self._parser = httptools.HttpRequestParser(self)
            self._parser.feed_data(head)  # not where it was caught: that would hide why it refuses

    def _pause(self) -> None:
        """Read no more for now: what is complete has to be answered first."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._full and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _check_size(self, size: int) -> None:
        if size > self._edge.max_body:
            raise answers.too_large(self._edge.max_body)

    def _refuse(self, refused: Refused) -> None:
        """Answer what cannot be read on, after the requests before it, and close."""
        if self._ended or self._refused:
            return
        self._refused = True
        self._release(len(self._body))
        self._body = b""
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
        self._write(*answers.answer(status, content, headers))

    def _write(self, head: bytes, body: bytes) -> None:
        """Send an answer, and close if it is the last."""
        request, self._current = self._current, None
        self._busy = False
        self._since = time.monotonic()
        if request is not None:
            self._release(len(request.body))
        if self._transport.is_closing():
            return
        more = bool(self._queue)
        keep = request is not None and request.keep_alive and not self._edge.stopping
        keep = (keep and not self._ended) or more
        end = b"\r\n" if keep else b"connection: close\r\n\r\n"
        self._transport.write(head + end + body)
        if more:
            return
        self._resume()
        if self._refused and self._transport.can_write_eof():
            # Closing at once would reset the connection under a sender that still sends, and the
            # answer with it (RFC 9112, section 9.6).
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.abort)
        elif not keep:
            self._transport.close()

    def _release(self, size: int) -> None:
        size = min(size, self._held)
        self._held -= size
        self._edge.held -= size
