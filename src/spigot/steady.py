"""The queue as the drain uses it: what the store cannot do now is tried until it can."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from spigot.errors import StoreError
from spigot.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.ports import Loaded, Queue
    from spigot.webhook import Attempt

Result = TypeVar("Result")

RETRY_SECONDS = 1.0
"""Seconds between two tries at what the store could not do."""

_log = Log(__name__)


class Steady:
    """Loads and settles on a store, however long it needs; safe for many threads.

    An attempt that was made must be recorded: nobody may make another one meanwhile. So whoever
    hands out work looks at `halted` first.

    Args:
        store: The queue.
    """

    def __init__(self, store: Queue) -> None:
        self._store = store
        self._halted = ""
        self.stopping = False
        """Set it when all ends: a store that is being closed is no news."""

    @property
    def halted(self) -> str:
        """What the store could not do when it was last asked; empty if it could."""
        return self._halted

    def load(self, position: int) -> Loaded | None:
        """Return what waits at a position, as `ports.Queue.load` does."""
        return self._insist(lambda: self._store.load(position))

    def settle(self, loaded: Loaded, attempt: Attempt) -> None:
        """Record an attempt and carry it out, as `ports.Queue.settle` does."""
        self._insist(lambda: self._store.settle(loaded, attempt))

    def _insist(self, work: Callable[[], Result]) -> Result:
        while True:
            try:
                result = work()
            except StoreError as error:
                if not self._halted and not self.stopping:
                    _log.error("The store fails: no attempt is made until it works", exc=error)
                self._halted = str(error)
                time.sleep(RETRY_SECONDS)
            else:
                self._halted = ""
                return result
