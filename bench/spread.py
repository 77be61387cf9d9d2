"""Figures of several rounds: the median, and between which two all of them lie."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Spread(NamedTuple):
    """A figure as several rounds gave it."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return that of some values, one a round; there must be one at least."""
        rounds = list(values)
        return cls(statistics.median(rounds), min(rounds), max(rounds))

    @classmethod
    def of_ratios(cls, values: Sequence[float], others: Sequence[float]) -> Spread:
        """Return that of the ratios, round by round: both were measured right after each other."""
        return cls.of(a / b for a, b in zip(values, others, strict=True))


def percentile(values: Iterable[float], part: float) -> float:
    """Return the value below which so many parts of a hundred lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part / 100))]
