"""The public listener: HTTP/1.1 in, one answer for each request, nothing else.

A general web server would spend three times as much on a request as all the rest of Spigot, and
neither limits headers nor gives up on a slow sender. So this is a protocol of our own on the parser
of Node.js (llhttp, through httptools), which rejects what RFC 9112 calls invalid framing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING

from spigot.errors import SpigotError
from spigot.log import Log
from spigot.web import answers
from spigot.web.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.intake import Intake
    from spigot.meters import Meters
    from spigot.webhook import Receipt, Webhook

_log = Log(__name__)


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
        self._failed = float("-inf")  # when the store failed last, unless it has worked since
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
        works = time.monotonic() - self._failed >= answers.RETRY_SECONDS
        return works and self.held < self.memory and not self.stopping

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
        while self._answers:
            connection, began, result = self._answers.popleft()
            self.meters.intake.add(time.perf_counter() - began)
            failed = isinstance(result, Exception)
            self._failed = time.monotonic() if failed else float("-inf")
            try:
                connection.stored(result)
            except Exception as error:  # noqa: BLE001 - the answers behind it must not be stuck
                _log.error("An answer could not be given because of a fault in Spigot", exc=error)
                connection.abort()

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in list(self.connections):
            connection.close_if_late(now)
        self._sweeper = self._loop.call_later(1.0, self._sweep)
