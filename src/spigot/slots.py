"""The attempts that run now, and whether there is a place for another. Pure."""

from __future__ import annotations

from collections import Counter

SLOW = 1.0
"""Seconds after which an attempt, one that hangs perhaps, fills no place any more."""

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

    def full(self, window: int, tick: float, *, all_count: bool = False) -> set[str] | None:
        """Return the paths that may have no further attempt now; None if no path may.

        Args:
            window: How many attempts may run at once.
            tick: Now.
            all_count: Slow attempts fill places too: nobody knows whether Jenkins is there.
        """
        late = tick - SLOW
        fresh = sum(all_count or began > late for began, _ in self._running.values())
        if fresh >= window or len(self._running) >= self.most:
            return None
        paths = Counter(path for _, path in self._running.values())
        slow = Counter(path for began, path in self._running.values() if began <= late)
        return {
            path
            for path, number in paths.items()
            if number >= window + min(slow[path], SLOW_OF_PATH)
        }

    def slowed_since(self, before: float, tick: float) -> bool:
        """Tell whether an attempt became slow between two ticks."""
        return any(before < began + SLOW <= tick for began, _ in self._running.values())
