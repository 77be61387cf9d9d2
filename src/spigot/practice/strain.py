"""Strain: the more webhooks are in progress, the longer each takes, until Jenkins breaks."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_NEARLY = 1e-9
"""What rounding may leave undone of a webhook."""


@dataclass(frozen=True)
class Strain:
    """How well a Jenkins bears webhooks.

    A webhook is in progress from when it was read whole, and every delay asked for is over, until
    it is answered. Of ``n`` in progress all the while, each takes
    ``answer * (1 + (n - 1) / (doubled_at - 1))`` seconds: `answer` alone, twice that at
    `doubled_at`, three times that at the most it bears. When ``n`` changes, what is left of each
    goes on at the new speed; so at every moment all of them together end at `rate` (n) a second,
    whenever each began.

    The one that makes it twice `doubled_at` breaks Jenkins: all in progress get 503, this one too,
    its events that are not yet acted on are forgotten, it is STARTING for `restart_seconds`, and
    then READY with a new session.

    Only webhooks that reach a Jenkins at work count: not probes, not pages, not what a fault or a
    proxy answers.

    Attributes:
        answer: Seconds that a webhook takes alone.
        doubled_at: With how many in progress it takes twice as long; 2 at least.
        restart_seconds: Seconds until it is back after it broke.

    Raises:
        ValueError: A number is too small for the model.
    """

    answer: float
    doubled_at: int
    restart_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.answer <= 0 or self.doubled_at < 2 or self.restart_seconds < 0:
            raise ValueError(
                f"{self} is no strain: answer must be above 0, doubled_at 2 at least, "
                "restart_seconds not below 0"
            )

    @property
    def breaks_at(self) -> int:
        """How many in progress at once break it."""
        return 2 * self.doubled_at

    @property
    def bearable(self) -> float:
        """The most it can take for long, webhooks a second: one less in progress than breaks it."""
        return self.rate(self.breaks_at - 1)

    def seconds(self, in_progress: int) -> float:
        """Return how many seconds each of so many takes."""
        return self.answer * (1 + (in_progress - 1) / (self.doubled_at - 1))

    def rate(self, in_progress: int) -> float:
        """Return how many webhooks a second it takes with so many always in progress."""
        return in_progress / self.seconds(in_progress)


class Work(Generic[T]):
    """What is in progress under a strain, and when each piece is done. Pure: it is told the time.

    All get on equally fast and need the same, so they are done in the order in which they began.

    Args:
        strain: How fast they get on.
    """

    def __init__(self, strain: Strain) -> None:
        self._strain = strain
        self._pieces: deque[tuple[float, T]] = deque()  # done when `_progress` has come so far
        self._progress = 0.0  # of one that had been in progress all the while, in webhooks
        self._now = 0.0

    def __len__(self) -> int:
        return len(self._pieces)

    def begin(self, piece: T, now: float) -> None:
        """Put a piece in progress; ``now`` is seconds of a clock that never goes back."""
        self._go_on(now)
        self._pieces.append((self._progress + 1, piece))

    def left(self, now: float) -> float | None:
        """Return the seconds until the next is done if none joins; None without any."""
        if not self._pieces:
            return None
        self._go_on(now)
        return max(0.0, self._pieces[0][0] - self._progress) * self._strain.seconds(len(self))

    def take_done(self, now: float) -> list[T]:
        """Take out what is done by now, first begun first."""
        self._go_on(now)
        done: list[T] = []
        while self._pieces and self._pieces[0][0] <= self._progress + _NEARLY:
            done.append(self._pieces.popleft()[1])
        return done

    def take_all(self) -> list[T]:
        """Take out everything, done or not."""
        pieces = [piece for _, piece in self._pieces]
        self._pieces.clear()
        return pieces

    def _go_on(self, now: float) -> None:
        if self._pieces:
            self._progress += (now - self._now) / self._strain.seconds(len(self))
        self._now = now


class Load:
    """The webhooks that a strained Jenkins has in progress; its loop's thread alone changes it.

    Args:
        strain: How well it bears them.
        broke: Is called when it breaks, before those in progress are answered.

    Attributes:
        strain: As given.
        most: The most that were in progress at once.
        breaks: How often it broke.
    """

    def __init__(self, strain: Strain, broke: Callable[[Strain], None]) -> None:
        self.strain = strain
        self.most = 0
        self.breaks = 0
        self._broke = broke
        self._work: Work[Callable[[], None]] = Work(strain)
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, answer: Callable[[], None]) -> None:
        """Put a webhook in progress; ``answer`` is called when it is done, or when it all broke."""
        self._work.begin(answer, time.monotonic())
        self.most = max(self.most, len(self._work))
        if len(self._work) < self.strain.breaks_at:
            self._plan()
            return
        self.breaks += 1
        self._broke(self.strain)
        for each in self.drop():
            each()

    def drop(self) -> list[Callable[[], None]]:
        """Let nothing be in progress any more, and return what was."""
        pieces = self._work.take_all()
        self._plan()
        return pieces

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left = self._work.left(time.monotonic())
        self._timer = None
        if left is not None:
            # uvloop counts whole milliseconds; too early would only mean to wait again.
            after = math.ceil(left * 1000) / 1000
            self._timer = asyncio.get_running_loop().call_later(after, self._go_on)

    def _go_on(self) -> None:
        for answer in self._work.take_done(time.monotonic()):
            answer()
        self._plan()
