"""Drains SQS with the drain of the one-machine deployment: takes in hand what it may deliver."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from spigot.errors import StoreError
from spigot.log import Log
from spigot.sight import State

if TYPE_CHECKING:
    from spigot.aws.boots import Boots
    from spigot.drain import Drain
    from spigot.guard import Guard
    from spigot.readiness import Readiness
    from spigot.stores.sqs import SqsQueue

IDLE_SECONDS = 0.2
"""Seconds between two looks while nothing flows."""

RETRY_SECONDS = 1.0
"""Seconds between two tries at a queue that fails."""

HALTED_SECONDS = 5.0
"""Seconds that a queue which fails has to work again in when all stops."""

TELL_SECONDS = 60.0
"""Seconds between two words to others on how Jenkins is, if nothing changes."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 0.2
"""Seconds between two receives while nothing comes but something is in hand: each receive costs."""

_log = Log(__name__)


class Pump:
    """Receives while webhooks flow, and gives everything back while they do not.

    Args:
        queue: The queue.
        drain: Delivers what is in hand.
        guard: Knows whether Jenkins is ready.
        boots: Knows for how long Jenkins has been there, and tells others how it is.
        patience: Seconds that attempts under way have to end in when all stops.
    """

    def __init__(
        self, queue: SqsQueue, drain: Drain, guard: Guard, boots: Boots, *, patience: float
    ) -> None:
        self._queue = queue
        self._drain = drain
        self._guard = guard
        self._boots = boots
        self._patience = patience
        self._pause = SHORTEST_PAUSE
        self._stop = threading.Event()
        self._failing: bool | None = None
        self._told: State | None = None
        self._tell_at = float("-inf")
        queue.on_arrival = drain.arrived
        queue.held_for = self._held_for

    def stop(self) -> None:
        """Have `run` return soon; from any thread or a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Drain until told to stop, whatever Jenkins, the valve and the queue do meanwhile.

        Raises:
            StoreError: The queue refused the very first time that it was asked.
        """
        self._look_at_jenkins()
        self._guard.start()
        self._drain.start()
        try:
            while not self._stop.is_set():
                self._insist()
                self._tell(self._guard.readiness)
        finally:
            self._end()

    def empty(self, end: float) -> None:
        """Drain until the queue is empty, or Jenkins or the valve lets nothing flow.

        Args:
            end: Receive nothing after it, a tick of the monotonic clock.

        Raises:
            StoreError: The queue refused something.
        """
        known = self._look_at_jenkins()
        if known.state is State.NOT_READY:
            _log.info("Jenkins is not ready: nothing was taken from the queue",
                      evidence=known.evidence)  # fmt: skip
            self._tell(known)
            return
        self._drain.start()
        try:
            while self._step() and time.monotonic() < end:
                pass
        finally:
            self._end()
            self._tell(self._guard.readiness)
        if self._drain.halted:
            raise StoreError(self._drain.halted)

    def look(self) -> None:
        """Look at Jenkins and tell how it is; receive nothing."""
        self._tell(self._look_at_jenkins())

    def _look_at_jenkins(self) -> Readiness:
        self._guard.ask()  # ready has to be seen twice
        known = self._guard.ask()
        if known.state is State.READY:
            self._guard.there_for(self._boots.seen_for(known.session, time.time()))
        return known

    def _tell(self, known: Readiness) -> None:
        """Tell how Jenkins is where it has changed, and now and then."""
        if known.state is not self._told or time.monotonic() >= self._tell_at:
            self._told, self._tell_at = known.state, time.monotonic() + TELL_SECONDS
            self._boots.tell(known, time.time())

    def _insist(self) -> None:
        """Make a step; say once that the queue fails, and once that it works again."""
        try:
            self._step()
        except StoreError as error:
            if self._failing is None:
                raise
            if not self._failing:
                _log.error("The queue fails: nothing is delivered until it works", exc=error)
            self._failing = True
            self._stop.wait(RETRY_SECONDS)

    def _step(self) -> bool:
        """Receive, or give back; return whether there may be more to do."""
        self._queue.renew()
        if self._drain.flowing:
            # What is in hand keeps its lane from being handed out: only what was received with
            # nothing in hand tells that there is nothing more.
            held = self._queue.in_hand
            came = self._queue.receive()
            if self._failing:
                _log.info("The queue works again")
            self._failing = False
            if came:
                self._pause = SHORTEST_PAUSE
            elif held:
                self._stop.wait(self._pause)
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return came > 0 or held > 0
        begins = not self._queue.in_hand and self._guard.readiness.state is not State.NOT_READY
        self._queue.give_back()
        self._stop.wait(IDLE_SECONDS)
        return self._drain.flowing or (begins and self._drain.resting is None)

    def _end(self) -> None:
        self._guard.stop()
        halted = bool(self._drain.halted)  # then attempts wait for the queue, not for Jenkins
        if not self._drain.stop(min(self._patience, HALTED_SECONDS) if halted else self._patience):
            _log.warning("Attempts still ran and were left; SQS hands their webhooks out again",
                         attempts=self._drain.running)  # fmt: skip
        self._queue.give_back()

    def _held_for(self, path: str) -> float:
        hold = self._drain.holds.get(path)
        return max(0.0, hold.until - time.monotonic()) if hold else 0.0
