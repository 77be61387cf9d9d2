"""How many webhooks go to Jenkins at once, and how fast. Pure.

A Jenkins that has just come back is asked for one thing at a time; then for one more with each
round of good and quick answers, and for half as many after a bad one: additive increase,
multiplicative decrease, as TCP does (RFC 5681). Quick is what is not twice as slow as this path
answers at its best: where answers have doubled, more at once brings little and the limit is near.
"""

from __future__ import annotations

from statistics import median

ROUND = 4
"""How many answers a round has at least: fewer say nothing about how quick Jenkins is."""

SLOWER = 2.0
"""From so many times the best time on, the window grows no more."""

TOO_SLOW = 2.5
"""From so many times the best time on, the window shrinks."""

NOISE_SECONDS = 0.005
"""An answer that takes so much longer than the best is as quick: it may be our own jitter."""

PATHS = 256
"""For how many paths the best time is remembered."""

QUEUE_GAP = 1.0
"""Seconds between two webhooks while Jenkins' build queue is long."""

_CATCH_UP = 0.05


class Pace:
    """Says how many may be on their way at once, and when the next may go. Not safe for threads.

    Args:
        most: The widest window.
        rate: Webhooks a second at most; 0 for no limit.
    """

    def __init__(self, most: int, rate: int = 0) -> None:
        self.most = most
        """The widest window."""
        self._gap = 1.0 / rate if rate else 0.0
        self._window = 1
        self._best: dict[str, float] = {}
        self._round: list[tuple[str, float]] = []
        self._forgiven = 0
        self._next = float("-inf")
        self.queue_is_long = False
        """Set it while too many builds wait at Jenkins: then one webhook a second goes."""

    @property
    def window(self) -> int:
        """How many may be on their way at once."""
        return 1 if self.queue_is_long else self._window

    @property
    def next_tick(self) -> float:
        """When the next may go, a tick; in the past if it may go at once."""
        return self._next

    def begin_gently(self) -> None:
        """Begin with one at a time: Jenkins has just come back."""
        self._window = 1
        self._forgiven = 0
        self._round.clear()
        self._best.clear()

    def went(self, tick: float) -> None:
        """Hear that one goes now."""
        gap = max(self._gap, QUEUE_GAP) if self.queue_is_long else self._gap
        if gap:
            # Who came a little late catches up, so that the average is the rate.
            self._next = max(self._next, tick - min(gap, _CATCH_UP)) + gap

    def answered_well(self, path: str, took: float) -> None:
        """Hear that Jenkins answered.

        Args:
            path: The path at Jenkins; each has its own idea of quick.
            took: Seconds from sending to the answer.
        """
        self._forgiven = max(0, self._forgiven - 1)
        self._round.append((path, took))
        if len(self._round) >= max(ROUND, self._window):
            slowness = self._slowness()
            self._round.clear()
            if slowness < SLOWER:
                self._window = min(self.most, self._window + 1)
            elif slowness >= TOO_SLOW:
                self._window = max(1, self._window * 3 // 4)

    def answered_badly(self) -> None:
        """Hear of an error of Jenkins, a broken connection, or a request to wait.

        What was sent before the window shrank does not make it shrink again.
        """
        if self._forgiven:
            self._forgiven -= 1
            return
        self._forgiven = self._window - 1
        self._window = max(1, self._window // 2)
        self._round.clear()

    def _slowness(self) -> float:
        """Return how many times as long as at best the answers of this round took."""
        by_path: dict[str, list[float]] = {}
        for path, took in self._round:
            by_path.setdefault(path, []).append(took)
        if len(self._best) + len(by_path) > PATHS:
            self._best.clear()
        for path, times in by_path.items():
            usual = median(times)
            if self._window == 1 and len(times) >= ROUND:
                # With one at a time the load is not ours: so quick is Jenkins by itself now. What
                # was late by chance must not make it look slower than it is.
                self._best[path] = sorted(times)[len(times) // 4]
            else:
                self._best[path] = min(self._best.get(path, usual), usual)
        return median(
            took / self._best[path] if took - self._best[path] >= NOISE_SECONDS else 1.0
            for path, took in self._round
        )
