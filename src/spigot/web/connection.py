"""One connection of a sender: its requests are handed on and answered one after the other."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from spigot.errors import Refused, StoreError
from spigot.log import Log
from spigot.web import answers
from spigot.web.limits import HUGE, LARGE, LINGER_SECONDS, PART_SECONDS
from spigot.web.questions import is_question
from spigot.web.request import Request, RequestReader
from spigot.web.turns import GULP

if TYPE_CHECKING:
    from spigot.ports import Passed
    from spigot.web.edge import Edge
    from spigot.webhook import Receipt

FRESH_SECONDS = 1.0
"""So long a new connection may wait for its first request although all stops: one is under way."""

_log = Log(__name__)


class Connection(asyncio.Protocol):
    """One connection of a sender.

    Args:
        edge: What it shares with the others.

    Attributes:
        peer: The address at the other end; empty if it has none.
    """

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._transport: asyncio.Transport
        self._reader = RequestReader(edge, self)
        self._queue: deque[Request | Refused] = deque()
        self._busy = False
        self._paused = False
        self._full = False
        self._waits = False
        self._ended = False
        self._refused = False
        self._served = False
        self._since = 0.0
        self._current: Request | None = None
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or say that there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._since = time.monotonic()
        self.peer = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._edge.enter(self):
            if self._edge.is_flooded:
                self.abort()
            else:
                self._refuse(answers.crowded())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget what waits its turn; what was handed to the store stays there."""
        self._edge.leave(self)
        self._ended = True
        self._reader.forget()
        # But for what is in hand: it takes memory, and counts, until the store has it.
        for waiting in self._queue:
            if isinstance(waiting, Request):
                self._give_back(waiting)
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        """Read on, and wait for a turn if it was much; what is found comes to `complete`."""
        if not (self._ended or self._refused):
            try:
                self._reader.feed(data)
            except Refused as refused:
                self._refuse(refused)
        if len(data) >= GULP:
            self._waits = True
            self._pause()
            self._edge.turns.wait(self, None if self._ended or self._refused else self._reader.left)

    def turn(self) -> None:
        """Read on: it is this connection's turn."""
        self._waits = False
        self._resume()

    def eof_received(self) -> bool:
        """Keep the sending half open while an answer is due."""
        self._ended = True
        return self._busy

    @property
    def since(self) -> float:
        """When something happened last that gives the sender its time anew, a tick."""
        return max(self._since, self._reader.since)

    @property
    def is_idle(self) -> bool:
        """Whether it is open and no request is being read or answered."""
        done = self._ended or self._refused or self._transport.is_closing()
        return not (self._busy or self._reader.begun or done)

    def pause_writing(self) -> None:
        """Read no more from a sender that does not read its answers, or they fill the memory."""
        self._full = True
        self._pause()

    def resume_writing(self) -> None:
        """Read on."""
        self._full = False
        self._resume()

    def asked(self) -> None:
        """Tell a sender that asks to send its body, if it is its turn."""
        if not self._busy:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def complete(self, request: Request) -> None:
        """Take a complete request; it is worked on in its turn."""
        self._queue.append(request)
        self._ended = self._ended or not request.keep_alive
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

    def close(self) -> None:
        """Close; what was written is still sent."""
        self._transport.close()

    def close_if_unused(self, now: float) -> None:
        """Close, unless it is new: then its first request may be on its way already."""
        if self.is_idle and (self._served or now - self._since >= FRESH_SECONDS):
            self._part()

    def close_if_late(self, now: float) -> None:
        """Close if nothing happened, or a request was not complete, for too long."""
        limits, reader = self._edge.limits, self._reader
        patience = limits.idle_timeout
        if reader.begun:
            patience = limits.body_timeout if reader.head_is_read else limits.header_timeout
        if not self._busy and now - self.since > patience:
            if reader.begun and not self._refused:
                what = "body" if reader.head_is_read else "headers"
                self._refuse(answers.slow(what, patience))
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
            elif is_question(request):
                self._pause()
                self._edge.questions.ask(
                    request, lambda result: self._edge.soon(lambda: self._question_answered(result))
                )
            elif len(request.body) >= LARGE:
                self._pause()
                huge = len(request.body) >= HUGE
                thread = self._edge.huge if huge else self._edge.large
                thread.submit(self._keep_large, request)
            elif refused := self._keep(request):
                self._answer_error(refused)

    def _question_answered(self, result: Passed | Exception) -> None:
        """Pass on what Jenkins answered, or say why it did not."""
        if isinstance(result, Refused):
            self._answer_error(result)
        elif isinstance(result, Exception):
            _log.error("A question was not passed on for a fault in Spigot", exc=result)
            self._answer_error(answers.fault())
        else:
            self._edge.meters.received["question"] += 1
            self._write(*answers.passed_on(result))
        self._next()

    def _keep(self, request: Request) -> Refused | None:
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

    def _keep_large(self, request: Request) -> None:
        """Do for a large body, on another thread, what is done at once for a small one."""
        if refused := self._keep(request):
            self._edge.soon(lambda: self._refuse_large(refused))

    def _refuse_large(self, refused: Refused) -> None:
        self._answer_error(refused)
        self._next()

    def _pause(self) -> None:
        """Read no more for now: what is complete has to be answered first."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        """Read on, unless there is a reason not to."""
        reason = self._busy or self._full or self._waits or self._transport.is_closing()
        if self._paused and not reason:
            self._paused = False
            self._transport.resume_reading()

    def _refuse(self, refused: Refused) -> None:
        """Answer what cannot be read on, after the requests before it, and close."""
        if self._ended or self._refused:
            return
        self._refused = True
        self._reader.forget()
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
        self._served = True
        self._since = time.monotonic()
        if request is not None:
            self._give_back(request)
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
        if self._refused or (not keep and self._edge.stopping):
            self._part()
        elif not keep:
            self._transport.close()

    def _part(self) -> None:
        """Close although the sender may still send.

        Closing at once would reset the connection then, and take with it what was answered but not
        yet read (RFC 9112, section 9.6).
        """
        self._ended = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        elif not self._refused:
            self._transport.close()
            return
        seconds = LINGER_SECONDS if self._refused else PART_SECONDS
        asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def _give_back(self, request: Request) -> None:
        """Give back what a request took: its memory, and its place among those in progress."""
        self._edge.held -= len(request.body)
        if request.admitted is not None:
            self._edge.requests -= 1
