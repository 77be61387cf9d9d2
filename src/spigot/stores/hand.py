"""What a drain has in hand of a queue in SQS, and what of it is on its way to Jenkins."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from spigot.webhook import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.webhook import Webhook


class Held(NamedTuple):
    """A message in hand.

    Attributes:
        place: Its place; positions are given as messages come in, and are this process's own.
        webhook: What it carries.
        receipt: What SQS wants to hear when it is deleted or given back.
        body_at: Where its body is kept, if it did not fit.
    """

    place: Place
    webhook: Webhook
    receipt: str
    body_at: str


class Hand:
    """The messages in hand, in the order in which they came; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, Held] = {}
        self._away: set[int] = set()
        self._position = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def position(self) -> int:
        """The newest position given."""
        return self._position

    def take(self, webhook: Webhook, receipt: str, body_at: str, attempts: int) -> None:
        """Take a message in hand; it gets the next position."""
        with self._lock:
            self._position += 1
            place = Place(self._position, webhook.lane, webhook.path, 0.0, 0.0, attempts)
            self._held[self._position] = Held(place, webhook, receipt, body_at)

    def all(self) -> list[Held]:
        """Return all of them, in order."""
        with self._lock:
            return list(self._held.values())

    def get(self, position: int) -> Held | None:
        """Return the message at a position, if it is in hand."""
        with self._lock:
            return self._held.get(position)

    def send(self, position: int) -> Held | None:
        """Return the message at a position, which is on its way from now on; None if it is gone."""
        with self._lock:
            held = self._held.get(position)
            if held is not None:
                self._away.add(position)
            return held

    def leave(self, held: Held) -> None:
        """Let a message go: somebody else has it now, or nobody."""
        with self._lock:
            self._drop(held.place.position)

    def leave_from(self, first: Held) -> list[Held]:
        """Let a message go that has come back, and what came after it in its lane.

        Of a lane only the first is ever on its way.

        Returns:
            All of them, in order.
        """
        lane, position = first.place.lane, first.place.position
        with self._lock:
            return self._drop_all(lambda one: one.lane == lane and one.position >= position)

    def leave_resting(self, path: str | None = None) -> list[Held]:
        """Let all messages go, or those of a path, but for those that are on their way.

        Returns:
            All of them, in order.
        """
        with self._lock:
            return self._drop_all(
                lambda one: one.position not in self._away and path in (None, one.path)
            )

    def _drop_all(self, chosen: Callable[[Place], bool]) -> list[Held]:
        found = [held for held in self._held.values() if chosen(held.place)]
        for held in found:
            self._drop(held.place.position)
        return found

    def _drop(self, position: int) -> None:
        self._held.pop(position, None)
        self._away.discard(position)
