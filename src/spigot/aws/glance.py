"""A thing that is looked up now and then, however often it is asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

EVERY = 1.0
"""Seconds that one look is good for: AWS counts and limits its calls."""


class Glance(Generic[T]):
    """Remembers what was seen.

    Args:
        look: Looks it up.
        every: Seconds that one look is good for.
    """

    def __init__(self, look: Callable[[], T], every: float = EVERY) -> None:
        self._look = look
        self._every = every
        self._seen: T | None = None
        self._at = float("-inf")

    def __call__(self) -> T:
        """Return what was seen `every` seconds ago at most."""
        tick = time.monotonic()
        if tick - self._at >= self._every:
            self._seen = self._look()
            self._at = tick
        return cast("T", self._seen)

    def forget(self) -> None:
        """Look again when asked next."""
        self._at = float("-inf")
