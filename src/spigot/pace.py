"""How many webhooks go to Jenkins at once, and how fast. Pure.

A Jenkins that has just come back is asked for one thing at a time; then for one more with each
round of good and quick answers, and for half as many after a bad one: additive increase,
multiplicative decrease, as TCP does (RFC 5681). Quick is what is not twice as slow as this path
answers at its best: where answers have doubled, more at once brings little and the limit is near.
"""

from __future__ import annotations

from collections import Counter

from spigot.slots import QUICK_SECONDS

ROUND = 32
"""After so many good answers the window is looked at; so many make a path's usual time."""

KNOWN = 8
"""How many answers of a path it takes to know how quick it is."""

OUTLIER = 5.0
"""An answer counts as no slower than so many times the best: one that hung says little."""

SLOW_SECONDS = 3.0
"""From when on an attempt is slow where nothing is known of its path."""

SLOWER = 1.8
"""From so many times the best time on, the window grows no more: soon answers have doubled."""

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
        self.set_rate(rate)
        self._window = 1
        self._speeds: dict[str, _Speed] = {}
        self._overall = _Speed()  # for paths that are not known yet
        self._round: Counter[str] = Counter()  # answers, by path
        self._forgiven = 0
        self._next = float("-inf")
        self.queue_is_long = False
        """Set it while too many builds wait at Jenkins: then one webhook a second goes."""

    def set_rate(self, rate: int) -> None:
        """Set how many may go in a second at most; 0 for no limit."""
        self._gap = 1.0 / rate if rate else 0.0

    @property
    def window(self) -> int:
        """How many may be on their way at once."""
        return 1 if self.queue_is_long else self._window

    @property
    def _between(self) -> float:
        """Seconds from one to the next."""
        return max(self._gap, QUEUE_GAP) if self.queue_is_long else self._gap

    @property
    def next_tick(self) -> float:
        """When the next may go, a tick; in the past if it may go at once."""
        return self._next

    def begin_gently(self) -> None:
        """Begin with one at a time: Jenkins has just come back."""
        self._window = 1
        self._forgiven = 0
        self._round.clear()
        self._speeds.clear()
        self._overall = _Speed()

    def went(self, tick: float) -> None:
        """Hear that one goes now."""
        if gap := self._between:
            # Who came a little late catches up, so that the average is the rate.
            self._next = max(self._next, tick - min(gap, _CATCH_UP)) + gap

    def stayed(self) -> None:
        """Hear that the one that went last did not go after all."""
        self._next -= self._between

    def answered_well(self, path: str, took: float) -> None:
        """Hear that Jenkins answered.

        Args:
            path: The path at Jenkins; each has its own idea of quick.
            took: Seconds from sending to the answer.
        """
        self._forgiven = max(0, self._forgiven - 1)
        if path not in self._speeds and len(self._speeds) >= PATHS:
            self._speeds.clear()
        speed = self._speeds.setdefault(path, _Speed())
        # With one at a time the load is not ours: so quick is Jenkins by itself now.
        self._overall.add(took, alone=self._window == 1)
        speed.add(took, alone=self._window == 1, load=self._overall.slowness)
        self._round[path] += 1
        if self._round.total() >= ROUND:
            slowness = self._slowness()
            self._round.clear()
            if slowness < SLOWER:
                self._set(min(self.most, self._window + 1))
            elif slowness >= TOO_SLOW:
                self._set(max(1, self._window * 3 // 4))

    def answered_badly(self) -> None:
        """Hear of an error of Jenkins, a broken connection, or a request to wait.

        What was sent before the window shrank does not make it shrink again.
        """
        if self._forgiven:
            self._forgiven -= 1
            return
        self._forgiven = self._window - 1
        self._set(max(1, self._window // 2))
        self._round.clear()

    def slow_after(self, path: str) -> float:
        """Return after how many seconds without an answer an attempt is slow for its path."""
        speed = self._speeds.get(path)
        if speed is None or speed.best is None:
            return SLOW_SECONDS
        return max(QUICK_SECONDS, 2 * TOO_SLOW * speed.best)

    def _set(self, window: int) -> None:
        if window != self._window:
            self._window = window
            for speed in (*self._speeds.values(), self._overall):
                speed.answers = min(speed.answers, KNOWN)  # what comes now says more

    def _slowness(self) -> float:
        """Return how many times as long as at best the paths of this round take."""
        total = 0.0
        for path, answers in self._round.items():
            speed = self._speeds.get(path, self._overall)
            total += answers * (self._overall if speed.best is None else speed).slowness
        return total / self._round.total()


class _Speed:
    """How quick a path is, usually and at best, seconds.

    Some events are quick and others slow: the usual time is a mean, and of so many that the best of
    all means is not far below it by chance.
    """

    __slots__ = ("answers", "best", "usual")

    def __init__(self) -> None:
        self.answers = 0
        self.usual = 0.0
        self.best: float | None = None

    @property
    def slowness(self) -> float:
        """How many times as long as at best it takes now; 1 where nothing is known."""
        if self.best is None or self.usual - self.best < NOISE_SECONDS:
            return 1.0
        return self.usual / self.best

    def add(self, took: float, *, alone: bool, load: float = 1.0) -> None:
        """Take in an answer.

        Args:
            took: Seconds.
            alone: Only one was on its way at a time.
            load: How many times as long as at best answers take in general: what a path that is
                seen under load for the first time would take without.
        """
        if self.best is not None and not alone:
            took = min(took, OUTLIER * self.best)
        self.answers += 1
        self.usual += (took - self.usual) / min(self.answers, ROUND)
        if self.answers >= KNOWN:
            if alone:
                self.best = self.usual
            elif self.best is None:
                self.best = self.usual / load
            else:
                self.best = min(self.best, self.usual)
