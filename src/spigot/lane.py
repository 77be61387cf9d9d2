"""One lane and one endpoint, as `lines` keeps them in memory."""

from __future__ import annotations

from array import array
from bisect import insort
from collections import deque
from typing import NamedTuple


class Hold(NamedTuple):
    """Why nothing flows to a path now.

    Attributes:
        why: The evidence, in words.
        since: Since when, UNIX seconds; for people.
        since_tick: The same as a tick; for rules.
        times: How many trials in a row have failed.
        until: When the next one may try, a tick.
    """

    why: str
    since: float
    since_tick: float
    times: int
    until: float


class Line:
    """One lane: its positions in order. Eight bytes each, so that a million may wait."""

    __slots__ = ("dues", "head", "live", "path", "positions", "state")

    def __init__(self, path: str, *, live: bool) -> None:
        self.path = path
        self.live = live
        self.positions = array("q")
        self.head = 0
        self.state = "ready"
        self.dues: dict[int, float] = {}  # positions that are not to go before a tick

    @property
    def due(self) -> float:
        """When the head may go, a tick."""
        return self.dues.get(self.first, 0.0) if self.dues else 0.0

    @property
    def first(self) -> int:
        """The position of the head."""
        return self.positions[self.head]

    def __len__(self) -> int:
        return len(self.positions) - self.head

    def insert(self, position: int) -> None:
        """Put one in by its position; a head that is on its way stays the head."""
        insort(self.positions, position, lo=self.head + (self.state == "away"))

    def come_back(self) -> None:
        """The head is back: one that was put in before it meanwhile goes first."""
        if len(self) > 1 and self.positions[self.head + 1] < self.first:
            insort(self.positions, self.positions.pop(self.head), lo=self.head)

    def pop(self) -> None:
        """Take the head out."""
        if self.dues:
            self.dues.pop(self.first, None)
        self.head += 1
        if self.head > 1000 and self.head * 2 > len(self.positions):
            del self.positions[: self.head]
            self.head = 0


class Path:
    """One endpoint: how many lanes it has, those whose head may go, its hold, the one on trial."""

    __slots__ = ("backlog", "hold", "lanes", "live", "live_next", "trial")

    def __init__(self) -> None:
        self.lanes = 0
        self.live: deque[str] = deque()
        self.backlog: deque[str] = deque()
        self.live_next = True
        self.hold: Hold | None = None
        self.trial: int | None = None

    @property
    def ready(self) -> bool:
        """Whether a lane's head may go."""
        return bool(self.live or self.backlog)

    def pop(self) -> str:
        """Return the next lane; live ones and those of the backlog take turns."""
        live = bool(self.live) and (self.live_next or not self.backlog)
        self.live_next = not live
        return (self.live if live else self.backlog).popleft()
