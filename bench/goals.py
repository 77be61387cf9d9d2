"""What Spigot shall reach, and whether a run did."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bench.servers import HOOKSPOOL, NGINX, ONE_COMMIT, SPIGOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.results import Results, Row
    from bench.spread import Spread

OTHERS = (NGINX, HOOKSPOOL, ONE_COMMIT)
"""What a figure is compared with."""


class Goal(NamedTuple):
    """One figure to reach.

    Attributes:
        what: What is measured.
        least: The least that is wanted, if more is better.
        most: The most that is wanted, if less is better.
        unit: Its unit.
        part: The part of a run that has it.
        figure: Its name there.
        row: The values that its row has.
        to: It is a ratio: the values of the row that it is compared with.
        cause: Why it is missed where it is.
    """

    what: str
    least: float | None
    most: float | None
    unit: str
    part: str
    figure: str
    row: Row
    to: Row | None = None
    cause: str = ""

    @property
    def wanted(self) -> str:
        """What is wanted, in signs."""
        sign, limit = ("≤", self.most) if self.least is None else ("≥", self.least)
        return f"{sign} {limit:,} {self.unit}".strip()

    def holds(self, found: Spread) -> bool:
        """Tell whether a median reaches it."""
        enough = self.least is None or found.median >= self.least
        return enough and (self.most is None or found.median <= self.most)

    def found(self, run: Results) -> Spread | None:
        """Return what a run found; None if it did not measure that."""
        if self.to is not None:
            return run.ratio(self.part, self.figure, self.row, self.to)
        return run.spread(self.part, self.figure, **self.row)

    def ratio(self, run: Results, other: str) -> Spread | None:
        """Return how many times as much it is as with another server; None if that is unknown."""
        if self.to is not None:
            return None
        return run.ratio(self.part, self.figure, self.row, {**self.row, "server": other})


def _least(least: float, unit: str, part: str, figure: str) -> Callable[..., Goal]:
    return lambda what, row, **more: Goal(what, least, None, unit, part, figure, row, **more)


def _most(most: float, unit: str, part: str, figure: str) -> Callable[..., Goal]:
    return lambda what, row, **more: Goal(what, None, most, unit, part, figure, row, **more)


_OWN: Row = {"server": SPIGOT}
_AT_32: Row = {**_OWN, "size": "8 kB", "connections": 32}
_AT_1: Row = {**_AT_32, "connections": 1}
_AT_500: Row = {**_OWN, "rate": 500}
_MILLION: Row = {**_OWN, "waiting": 1_000_000}

_ONE = (
    "(one interpreter spends 0.06 to 0.1 ms on a webhook, half to read and check it, half to store;"
    " nginx 0.015)"
)
_WAKES = "(a webhook wakes the writer, which syncs, and that the listener: slow on a busy machine)"
_STANDS = "(the machine by itself is held up for longer, whatever runs on it: see above)"

GOALS = (
    _least(15_000, "/s", "intake", "rate")(
        "stored and answered, signature checked, 8 kB, 32 connections", _AT_32, cause=_ONE
    ),
    _most(8, "ms", "intake", "p99")("… 99th percentile", _AT_32, cause=_ONE),
    _least(0.4, "", "intake", "rate")(
        "… as a part of nginx, which stores nothing",
        _AT_32,
        to={**_AT_32, "server": NGINX},
        cause=_ONE,
    ),
    _most(0.4, "ms", "intake", "p50")("one connection, one at a time: median", _AT_1, cause=_WAKES),
    _most(2, "ms", "intake", "p99")("… 99th percentile", _AT_1, cause=_STANDS),
    _most(3, "ms", "latency", "p50")("from the provider to Jenkins at 500/s: median", _AT_500),
    _most(20, "ms", "latency", "p99")("… 99th percentile", _AT_500),
    _least(2_000, "/s", "drain", "later")(
        "drain to a fast target over 100 lanes, after the gentle beginning",
        {**_OWN, "lanes": 100},
        cause="(a delivery takes 0.3 to 0.5 ms of one interpreter, whatever the number of lanes)",
    ),
    _least(0.9, "", "backlog", "beside empty")(
        "1,000,000 waiting: intake as a part of that of an empty store", _MILLION
    ),
    _most(1_000, "ms", "backlog", "start")("… start, to 200 from `/healthz`", _MILLION),
    _most(150, "MB", "backlog", "memory")("… memory at most, intake and flow included", _MILLION),
    _least(0.95, "", "backlog", "drain")(
        "… drain as a part of that from 10,000",
        _MILLION,
        to={**_MILLION, "waiting": 10_000},
    ),
)
