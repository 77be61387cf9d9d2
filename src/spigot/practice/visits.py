"""What came to a practice Jenkins, and what became of it across its restarts."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.practice.http import Headers, Request


class Visit(NamedTuple):
    """One request that reached a practice Jenkins in whole.

    Attributes:
        at: When it was complete, UNIX seconds.
        method: As received.
        target: The request target as received, with context path and query.
        headers: The header lines as received: names in their spelling, all in their order.
        body: The body, free of transfer coding.
        status: What was answered; 0 if nothing was, or not yet.
    """

    at: float
    method: str
    target: bytes
    headers: Headers
    body: bytes
    status: int


class Counts(NamedTuple):
    """Totals since the start or the last `Visits.clear`, whatever is kept.

    Attributes:
        requests: All requests.
        taken: Webhooks that Jenkins answered as taken, those it then forgot included.
    """

    requests: int
    taken: int


class Entry:
    """A visit's place in the record; its answer is filled in when it is given."""

    __slots__ = ("at", "boot", "due", "headers", "hook", "request", "status", "taken", "target")

    def __init__(
        self, at: float, request: Request, target: bytes, headers: Headers, *, hook: bool
    ) -> None:
        self.at = at
        self.request = request
        self.target = target
        self.headers = headers
        self.hook = hook
        self.status = 0
        self.taken = False
        self.due = math.inf
        self.boot = 0

    @property
    def visit(self) -> Visit:
        """The visit as it stands."""
        request = self.request
        return Visit(self.at, request.method, self.target, self.headers, request.body, self.status)


class Visits:
    """The record of visits; safe to use from any thread.

    A webhook once taken waits in memory until it is due; if Jenkins ends its life before that, it
    is forgotten (``SCMEvent``'s pool dies with the process). Times are compared, nothing runs.

    Args:
        keep: How many visits to keep, the newest; None for all, 0 for counting only.
        clock: Tells UNIX seconds.
    """

    def __init__(self, keep: int | None = None, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._entries: deque[Entry] = deque(maxlen=keep)
        self._lock = threading.Lock()
        self._taken_more = threading.Condition(self._lock)
        self._waiters = 0
        self._requests = 0
        self._taken = 0
        self._ends: list[float] = []  # when each past boot forgot what was pending

    def arrived(self, entry: Entry) -> None:
        """Record a visit, before it is answered."""
        with self._lock:
            self._requests += 1
            self._entries.append(entry)

    def took(self, entry: Entry, delay: float) -> None:
        """Record that Jenkins took a webhook.

        Args:
            entry: Its place in the record.
            delay: Seconds until Jenkins acts on it; infinite if it never will.
        """
        with self._lock:
            entry.taken = True
            entry.due = self.clock() + delay
            entry.boot = len(self._ends)
            self._taken += 1
            if self._waiters:
                self._taken_more.notify_all()

    def end_boot(self) -> None:
        """Forget all webhooks that were taken and are not yet due."""
        with self._lock:
            self._ends.append(self.clock())

    def wait_for(self, taken: int, timeout: float) -> bool:
        """Wait until so many webhooks were taken in all; False if the timeout, seconds, is over."""
        with self._lock:
            self._waiters += 1
            try:
                return self._taken_more.wait_for(lambda: self._taken >= taken, timeout)
            finally:
                self._waiters -= 1

    def clear(self) -> None:
        """Drop every visit and count from zero."""
        with self._lock:
            self._entries.clear()
            self._requests = self._taken = 0

    @property
    def counts(self) -> Counts:
        """The totals."""
        with self._lock:
            return Counts(self._requests, self._taken)

    @property
    def all(self) -> list[Visit]:
        """Every kept visit, in the order of arrival."""
        return self._select(lambda _: True)

    @property
    def hooks(self) -> list[Visit]:
        """The kept visits to hook paths that were more than probes."""
        return self._select(lambda entry: entry.hook)

    @property
    def taken(self) -> list[Visit]:
        """The kept webhooks that Jenkins took: acted on, pending or forgotten."""
        return self._select(lambda entry: entry.taken)

    @property
    def acted_on(self) -> list[Visit]:
        """The kept webhooks that Jenkins acted on by now."""
        now = self.clock()
        return self._select(lambda e: e.taken and e.due <= min(now, self._end(e)))

    @property
    def forgotten(self) -> list[Visit]:
        """The kept webhooks that Jenkins took and will never act on."""
        return self._select(lambda e: e.taken and (e.due == math.inf or e.due > self._end(e)))

    def _end(self, entry: Entry) -> float:
        return self._ends[entry.boot] if entry.boot < len(self._ends) else math.inf

    def _select(self, wanted: Callable[[Entry], bool]) -> list[Visit]:
        with self._lock:
            return [entry.visit for entry in self._entries if wanted(entry)]
