"""Drains SQS with the drain of the one-machine deployment: takes in hand what it may deliver."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from spigot.errors import StoreError
from spigot.log import Log
from spigot.sight import State

if TYPE_CHECKING:
    from spigot.drain import Drain
    from spigot.guard import Guard
    from spigot.stores.sqs import SqsQueue

IDLE_SECONDS = 0.2
"""Seconds between two looks while nothing flows, and between two tries at a queue that fails."""

STOP_SECONDS = 65.0
"""What attempts under way have to end: Jenkins' time to answer, and some for SQS."""

_log = Log(__name__)


class Pump:
    """Receives while webhooks flow, and gives everything back while they do not.

    Args:
        queue: The queue.
        drain: Delivers what is in hand.
        guard: Knows whether Jenkins is ready.
    """

    def __init__(self, queue: SqsQueue, drain: Drain, guard: Guard) -> None:
        self._queue = queue
        self._drain = drain
        self._guard = guard
        self._stop = threading.Event()
        queue.on_arrival = drain.arrived

    def stop(self) -> None:
        """Have `run` return soon; from any thread or a signal handler."""
        self._stop.set()

    def run(self, *, until_empty: bool = False, end: float = float("inf")) -> None:
        """Drain until told to stop.

        Args:
            until_empty: Return once the queue is empty, or Jenkins or the valve lets nothing flow.
            end: Return then, a tick of the monotonic clock.
        """
        self._guard.ask()  # ready has to be seen twice
        if self._guard.ask().state is State.NOT_READY and until_empty:
            _log.info("Jenkins is not ready: nothing was taken from the queue",
                      evidence=self._guard.readiness.evidence)  # fmt: skip
            return
        if not until_empty:
            self._guard.start()
        self._drain.start()
        try:
            while not self._stop.is_set() and time.monotonic() < end:
                if not self._step() and until_empty:
                    break
        finally:
            self._guard.stop()
            patience = min(STOP_SECONDS, max(1.0, end - time.monotonic()))
            if not self._drain.stop(patience):
                _log.warning("Attempts still ran and were left; SQS hands their webhooks out again",
                             attempts=self._drain.running)  # fmt: skip
            self._queue.give_back()

    def _step(self) -> bool:
        """Receive, or give back; return whether there may be more to do."""
        try:
            self._queue.renew()
            if self._drain.flowing:
                return bool(self._queue.receive()) or self._wait_for_hand()
        except StoreError as error:
            _log.error("The queue could not be asked; trying again", exc=error)
            self._stop.wait(IDLE_SECONDS)
            return True
        if not self._drain.running:
            self._queue.give_back()
        known = self._guard.readiness
        beginning = known.state is not State.NOT_READY and not self._queue.in_hand
        self._stop.wait(IDLE_SECONDS)
        return self._drain.flowing or (beginning and self._drain.resting is None)

    def _wait_for_hand(self) -> bool:
        """Wait while what is in hand is on its way; return whether there was any."""
        if not self._queue.in_hand:
            return False
        self._stop.wait(0.01)
        return True
