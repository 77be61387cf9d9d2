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
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from spigot.errors import SpigotError
from spigot.log import Log
from spigot.web import answers
from spigot.web.connection import Connection
from spigot.web.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.intake import Intake
    from spigot.meters import Meters
    from spigot.web.access import Access
    from spigot.web.limits import Limits
    from spigot.web.questions import Questions
    from spigot.webhook import Receipt, Webhook

LOOK_AGAIN = 0.05
"""Seconds between two looks for idle connections while there are too many."""

REFUSING = 256
"""So many connections more than there may be are told that there are too many; others are cut."""

_log = Log(__name__)


class Edge:
    """What all connections share: the intake, the store, the limits and the counts.

    Args:
        intake: Reads requests.
        put: Keeps a webhook and calls back, from any thread, as `ports.Queue.put` does.
        check_room: Raises `NoRoom` if so many bytes more cannot be kept.
        access: Who may send.
        limits: What is put up with.
        questions: Passes on what only Jenkins can answer.
        meters: Counts.

    Attributes:
        held: Bytes of bodies in memory, from the first one read until the store has them.
        requests: Requests that are being read or stored.
        connections: All connections.
        handshakes: Those that are still making their TLS handshake; they count as well.
        large: The thread that takes large bodies to the store, one after the other.
        huge: The one for the largest, so that the others do not wait for them.
        turns: When who sends much is read from.

    `intake`, `access` and `limits` may be replaced at any time: new requests go by the new ones.
    """

    def __init__(
        self,
        intake: Intake,
        put: Callable[[Webhook, Callable[[Receipt | Exception], None]], None],
        check_room: Callable[[int], None],
        *,
        access: Access,
        limits: Limits,
        questions: Questions,
        meters: Meters,
    ) -> None:
        self.intake = intake
        self.put = put
        self.check_room = check_room
        self.access = access
        self.limits = limits
        self.questions = questions
        self.meters = meters
        self.held = 0
        self.requests = 0
        self.connections: set[Connection] = set()
        self.handshakes: set[Connection] = set()
        self._idle: deque[Connection] = deque()  # of a look at all; they may have changed since
        self._looked = float("-inf")
        self.stopping = False
        self._failed = float("-inf")  # when the store failed last, unless it has worked since
        self._answers: deque[tuple[Connection, float, Receipt | Exception]] = deque()
        self._loop = asyncio.get_running_loop()
        self.large = ThreadPoolExecutor(1, "spigot-large")
        self.huge = ThreadPoolExecutor(1, "spigot-huge")
        self.turns = Turns(self._loop)
        self._sweeper = self._loop.call_later(1.0, self._sweep)

    def connection(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self)

    @property
    def is_flooded(self) -> bool:
        """Whether there are so many connections that not even a refusal can be given."""
        return self._number > self.limits.max_connections + REFUSING

    def greet(self, connection: Connection) -> bool:
        """Count a connection whose TLS handshake begins.

        Returns:
            Whether it may go on, and be told then if it is one too many; if not, it has to be cut.
        """
        if self._number >= self.limits.max_connections + REFUSING:
            return False
        self.handshakes.add(connection)
        return True

    def enter(self, connection: Connection) -> bool:
        """Take a new connection in; for one too many, the one idle for longest is closed.

        Returns:
            Whether there is a place for it; if not, it has to be refused, and counts until then.
        """
        self.handshakes.discard(connection)
        self.connections.add(connection)
        if self._number <= self.limits.max_connections:
            return True
        longest = self._idle_for_longest(connection)
        if longest is not None:
            longest.close()
        return longest is not None

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self.connections.discard(connection)

    def soon(self, work: Callable[[], None]) -> None:
        """Have something done on the loop; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens
            self._loop.call_soon_threadsafe(work)

    def healthy(self) -> bool:
        """Tell whether webhooks can be stored now."""
        try:
            self.check_room(0)
        except SpigotError:
            return False
        works = time.monotonic() - self._failed >= answers.RETRY_SECONDS
        return works and self.held < self.limits.memory and not self.stopping

    def keep(self, connection: Connection, webhook: Webhook, began: float) -> None:
        """Have a webhook stored; the connection hears of it on the loop."""

        def done(result: Receipt | Exception) -> None:
            # From the store's thread: one wake-up of the loop serves a whole commit.
            self._answers.append((connection, began, result))
            if len(self._answers) == 1:
                self.soon(self._give_answers)

        self.put(webhook, done)

    async def stop(self, patience: float) -> None:
        """Let requests under way be answered, then close all connections.

        Args:
            patience: Seconds to wait at most.
        """
        self.stopping = True
        end = time.monotonic() + patience
        while time.monotonic() < end:
            await asyncio.sleep(0.01)  # what is there already is read first, and answered
            for connection in list(self.connections):
                connection.close_if_unused(time.monotonic())
            if not self._number:
                break
        for connection in list(self.connections):
            connection.abort()
        self._sweeper.cancel()
        self.large.shutdown(wait=False)
        self.huge.shutdown(wait=False)
        self.questions.close()

    @property
    def _number(self) -> int:
        return len(self.connections) + len(self.handshakes)

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

    def _idle_for_longest(self, new: Connection) -> Connection | None:
        """Return the connection idle for longest, but for the new one; None if none is.

        One look at all serves many that ask, and while there is room nobody pays for it.
        """
        now = time.monotonic()
        if not self._idle and now - self._looked >= LOOK_AGAIN:
            self._looked = now
            idle = [one for one in self.connections if one.is_idle and one is not new]
            self._idle.extend(sorted(idle, key=lambda one: one.since))
        while self._idle:
            if (longest := self._idle.popleft()).is_idle:
                return longest
        return None

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in list(self.connections):
            connection.close_if_late(now)
        self._sweeper = self._loop.call_later(1.0, self._sweep)
