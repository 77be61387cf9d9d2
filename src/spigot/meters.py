"""What the running gateway counts. Plain numbers; `web.metrics` shows them to Prometheus."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spigot.webhook import Attempt

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the duration buckets, seconds."""


class Durations:
    """A histogram of seconds; one thread writes at a time."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Meters:
    """Counts since the gateway started.

    Attributes:
        received: Requests answered, by what became of them: ``stored``, ``duplicate``, or
            the reason of a refusal.
        attempts: Attempts, by verdict.
        intake: How long requests took from complete to answered.
        delivery: How long attempts took.
    """

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.intake = Durations()
        self.delivery = Durations()
        self._lock = threading.Lock()

    def attempted(self, attempt: Attempt) -> None:
        """Count an attempt; from any thread."""
        with self._lock:
            self.attempts[attempt.decision.verdict.name.lower()] += 1
            self.delivery.add(attempt.took)
