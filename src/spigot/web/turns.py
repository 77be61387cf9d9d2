"""Whose turn it is to be read, among those who send much."""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

GULP = 64 * 1024
"""Who sends so many bytes at once waits for a turn; it may send up to 250 kB in one."""

EVERY = 0.001
"""Seconds between two rounds of turns, in which the loop and the other threads do the rest."""

AT_ONCE = 4
"""How many have their turn in one round."""

REFUSED_EVERY = 5
"""Of so many rounds, one gives a turn to somebody who was refused: nobody needs what comes."""


class Waits(Protocol):
    """Who has been paused, and waits for a turn."""

    def turn(self) -> None:
        """Read on."""


class Turns:
    """Lets paused connections read on, a few in each round.

    By itself, the loop reads eight megabytes from each before it looks for small requests and new
    connections. Who has the least left to send comes first: it gives back its memory soonest.

    Args:
        loop: The loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[int, int, Waits]] = []
        self._refused: deque[Waits] = deque()
        self._numbers = count()
        self._round = 0
        self._goes = False

    def wait(self, who: Waits, left: int | None) -> None:
        """Have somebody who is paused go on in turn.

        Args:
            who: Who waits.
            left: How many bytes are yet to come from there, at most; None for one that was refused
                and is only read from so that it hears of it.
        """
        if left is None:
            self._refused.append(who)
        else:
            heapq.heappush(self._waiting, (left, next(self._numbers), who))
        if not self._goes:
            self._goes = True
            self._loop.call_later(EVERY, self._give)

    def _give(self) -> None:
        for _ in range(min(len(self._waiting), AT_ONCE)):
            heapq.heappop(self._waiting)[2].turn()
        self._round += 1
        if self._refused and self._round % REFUSED_EVERY == 0:
            self._refused.popleft().turn()
        self._goes = bool(self._waiting or self._refused)
        if self._goes:
            self._loop.call_later(EVERY, self._give)
