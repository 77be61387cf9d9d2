"""The attempts that run now, and whether there is a place for another. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ASK_SECONDS = 1.0
"""Seconds after which an attempt without an answer is a reason to ask the probe."""

QUICK_SECONDS = 1.0
"""For so long no attempt is slow, whatever its path is used to."""

SLOW_MOST = 4
"""How many times the usual number of attempts there are at most, slow ones included."""

SLOW_OF_PATH = 3
"""How many slow attempts of one path fill no place: a path that hangs must not take them all."""


class Slots:
    """Who is on the way. Not safe for threads: its owner has a lock.

    Args:
        most: How many attempts run at once, slow ones aside.
    """

    def __init__(self, most: int) -> None:
        self.most = most * SLOW_MOST
        """How many attempts run at once, slow ones included."""
        self._running: dict[int, tuple[float, str]] = {}  # position: begun at, path

    def __len__(self) -> int:
        """Return how many attempts run."""
        return len(self._running)

    def take(self, position: int, path: str, tick: float) -> None:
        """An attempt begins."""
        self._running[position] = (tick, path)

    def leave(self, position: int) -> None:
        """An attempt has ended."""
        self._running.pop(position, None)

    def full(
        self, window: int, tick: float, slow_after: Callable[[str], float] | None
    ) -> set[str] | None:
        """Return the paths that may have no further attempt now; None if no path may.

        One that takes far longer than its path does otherwise, that hangs perhaps, fills no place:
        three of a path, and in all six, or as many as the window is wide.

        Args:
            window: How many attempts may run at once.
            tick: Now.
            slow_after: Tells for a path after how many seconds an attempt is slow, not before
                `QUICK_SECONDS`; None if slow ones fill places too, because nobody knows whether
                Jenkins is there.
        """
        if self._all_are_quick(tick):  # the usual case, and asked for each webhook
            return set() if len(self._running) < min(window, self.most) else None
        paths: Counter[str] = Counter()
        slow: Counter[str] = Counter()
        for began, path in self._running.values():
            paths[path] += 1
            slow[path] += slow_after is not None and tick - began >= slow_after(path)
        spare = min(slow.total(), max(window, 2 * SLOW_OF_PATH))
        if len(self._running) - spare >= window or len(self._running) >= self.most:
            return None
        return {
            path
            for path, number in paths.items()
            if number >= window + min(slow[path], SLOW_OF_PATH)
        }

    def _all_are_quick(self, tick: float) -> bool:
        """Tell whether even the attempt that began first is young."""
        first = next(iter(self._running.values()), None)
        return first is None or tick - first[0] < QUICK_SECONDS

    def slowed_since(self, before: float, tick: float) -> bool:
        """Tell whether an attempt came to be `ASK_SECONDS` old between two ticks."""
        return any(before < began + ASK_SECONDS <= tick for began, _ in self._running.values())
