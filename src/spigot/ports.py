"""What the core asks of the world, as protocols: a queue, a way to Jenkins, a clock.

The promises stand here in prose; `tests/contract` holds every store to them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from spigot.notices import Subject, Topic
    from spigot.stores.history import Detail, Entry, Selection
    from spigot.stores.panel import Backlog, Counts
    from spigot.valve import ValveRow
    from spigot.webhook import Attempt, Outcome, Place, Receipt, Webhook


class Loaded(NamedTuple):
    """A waiting webhook with its content, as a worker needs it.

    Attributes:
        webhook: The webhook, to the byte.
        place: Where it stands in the queue.
    """

    webhook: Webhook
    place: Place


class Signs(NamedTuple):
    """What a gateway watches in its store; whoever changes a thing changes its sign.

    Attributes:
        valve: The valve as set last.
        edits: Grows with each replay or drop by a person.
        position: The newest position given.
    """

    valve: ValveRow
    edits: int
    position: int


class Held(NamedTuple):
    """A waiting webhook as far as its headers tell whether somebody is to hear that it waits.

    Attributes:
        position: Its place in the queue.
        provider: Who sent it.
        event: The provider's event name.
        received_at: When it came, UNIX seconds.
    """

    position: int
    provider: str
    event: str | None
    received_at: float


class Queue(Protocol):
    """Keeps webhooks in order until they end: delivered, dead or dropped.

    Everything here may be called from any thread. A webhook that was put is never lost, whatever
    crashes; nobody but `settle` and a person's drop takes one out of waiting.
    """

    def put(self, webhook: Webhook, done: Callable[[Receipt | Exception], None]) -> None:
        """Keep a webhook; call `done` once it is safe (committed and synced), or with what failed.

        It gets the next position, at the end of its lane. If the same delivery id, path and hook
        already waits, nothing is stored and the receipt names the first. An older dead one with
        the same delivery id is marked resolved. `done` runs on the store's own thread and must
        only hand on.
        """

    def places_after(self, position: int, limit: int) -> list[Place]:
        """Return up to `limit` waiting places beyond `position`, in order.

        Positions are given at commit, in order: a reader that remembers the greatest position it
        has seen misses nothing that comes later.
        """

    def still_waiting(self, positions: list[int]) -> set[int]:
        """Return those of `positions` that still wait."""

    def load(self, position: int) -> Loaded | None:
        """Return the webhook that waits at `position`, or None if it waits no longer."""

    def settle(self, loaded: Loaded, attempt: Attempt) -> None:
        """Record an attempt and carry out its decision, durably, before returning.

        If a person dropped the webhook meanwhile, the attempt is recorded and nothing else
        changes.

        Raises:
            StoreError: Nothing was changed; the caller keeps the attempt and tries again.
        """

    def recall(
        self, since: float, until: float, chosen: Callable[[str, str], bool]
    ) -> Iterator[list[Place]]:
        """Let webhooks wait again that Jenkins took and may have forgotten in a restart.

        Those that were delivered in that time and are chosen wait at their first position, which is
        the front of their lane, in their old order and with fresh attempts. A reader that has read
        beyond has to be told: hence the places.

        Yields:
            Where they wait, step by step; each step is durable.

        Args:
            since: Delivered at or after, UNIX seconds.
            until: Delivered at or before.
            chosen: Tells by path and query whether a repeat is wanted.

        Raises:
            StoreError: A step failed; the same call finds the rest.
        """

    def signs(self) -> Signs:
        """Return what a gateway watches; cheap enough to ask fifty times a second."""

    def changed(self) -> bool:
        """Tell whether anything was committed since this was last asked; cheaper than `signs`."""


class History(Protocol):
    """What people ask of a store. Works while a gateway runs and while none does."""

    def entries(self, selection: Selection) -> list[Entry]:
        """Return the selected webhooks, newest first."""

    def show(self, name: str) -> list[Detail]:
        """Return the webhook of that id, or all of that delivery id, newest first."""

    def replay(self, selection: Selection, *, dry_run: bool = False) -> Iterator[int]:
        """Let ended webhooks wait again, at the end of their lanes, in their old order.

        Each keeps its id and its history and gets a new position and fresh attempts. Who selects
        neither state nor names means the dead ones.

        Yields:
            How many were changed (or would be), step by step; each step is durable.
        """

    def drop(self, selection: Selection, *, dry_run: bool = False) -> Iterator[int]:
        """End waiting or dead webhooks: a person says that they shall not be delivered.

        Who selects neither state nor names means the waiting ones.

        Yields:
            How many were changed (or would be), step by step; each step is durable.
        """


class Panel(Protocol):
    """What commands and the gateway share: the valve, the counts, the gateway's report."""

    def counts(self) -> Counts:
        """Count; quick however many there are."""

    def backlog(self, position: int, held: Collection[str] = ()) -> Backlog:
        """Count what still waits of a backlog, whatever has come since.

        Args:
            position: The last position that belongs to it.
            held: The paths that are held; what waits for them is for later.
        """

    def valve(self) -> ValveRow:
        """Return the valve as it stands now."""

    def set_valve(
        self, *, on: bool, reason: str = "", until: float | None = None, before: int | None = None
    ) -> ValveRow:
        """Set the valve and return it as set. An OFF that is OFF already keeps its `since`.

        Args:
            on: ON or OFF.
            reason: Why, in a person's words.
            until: When an OFF shall end by itself, UNIX seconds.
            before: The version that it must have; None for any.

        Raises:
            Overtaken: It is of another version: somebody else has set it.
        """

    def report(self) -> dict[str, Any]:
        """Return what the gateway reported last; empty before the first."""

    def set_report(self, report: dict[str, Any]) -> None:
        """Replace the gateway's report."""


class Notices(Protocol):
    """What pull requests were told of their webhooks, and what they have still to hear.

    For one thread. What is recorded here outlives a crash, as all that a store keeps, and goes
    with the last of its webhooks.
    """

    def held(self, position: int, limit: int) -> list[Held]:
        """Return up to `limit` webhooks that wait beyond `position`, in order."""

    def add(self, found: list[tuple[int, str, Subject]]) -> None:
        """Remember, by position, who is to hear of what waits, and at which place.

        What waits no longer is passed over. Several at one place are told of together, and an
        older head of the same pull request that was not told yet is forgotten.

        Raises:
            StoreError: Nothing was recorded; so in the others.
        """

    def changed(self, limit: int) -> list[Topic]:
        """Return what was told of as waiting, dead or dropped, and stands otherwise now."""

    def due(self, now: float, limit: int) -> list[Topic]:
        """Return what is to be told by now: what was told before comes first, then the oldest."""

    def save(self, topic: Topic) -> None:
        """Record what was told, the comment, the tries, when it is due and the error."""

    def forget(self, places: list[str]) -> None:
        """Forget what is at these places."""


class Store(Queue, Protocol):
    """All that a store is: the queue, its history and its panel."""

    @property
    def history(self) -> History:
        """What people ask of it."""

    @property
    def panel(self) -> Panel:
        """What commands and the gateway share."""

    def close(self) -> None:
        """Finish what was handed over, and let go of everything."""


class TellingStore(Store, Protocol):
    """A store that remembers what pull requests were told."""

    @property
    def notices(self) -> Notices:
        """What they were told."""


class Served(Protocol):
    """A store as commands use it: what is in it, and whoever delivers it."""

    @property
    def history(self) -> History:
        """What people ask of it."""

    @property
    def panel(self) -> Panel:
        """What commands and whoever delivers share."""

    @property
    def serving(self) -> bool:
        """Whether somebody takes webhooks in and delivers them."""

    def signs(self) -> Signs:
        """Return what a gateway watches; see `Queue.signs`."""

    def status(self, now: float) -> dict[str, Any]:
        """Return the status object of the contract.

        Args:
            now: UNIX seconds.
        """

    def rests(self, version: int) -> bool:
        """Tell whether no attempt runs any more.

        Args:
            version: That of the valve which was set to OFF.
        """

    def rouse(self) -> None:
        """Have Jenkins asked and the queue drained soon, where nobody does so all the time."""


class Sender(Protocol):
    """The way to Jenkins."""

    def send(self, webhook: Webhook) -> Outcome:
        """Hand a webhook to Jenkins, untouched; never raises for what the network does."""

    def ask(self, method: str, path: str, headers: dict[str, str]) -> Asked:
        """Ask Jenkins a question that has no side effect; never raises for what the network does.

        Args:
            method: ``GET`` mostly.
            path: Below the target's context path, query included.
            headers: Sent as they are.
        """


class Asked(NamedTuple):
    """The answer to a question put to Jenkins.

    Attributes:
        status: The HTTP status; 0 if there was no answer.
        headers: Names in lower case; the last of repeated ones.
        body: At most 64 KiB of it.
        error: Why there was no answer, in words; empty if there was one.
    """

    status: int
    headers: dict[str, str]
    body: bytes = b""
    error: str = ""


class Passed(NamedTuple):
    """Jenkins' answer to a request that was passed through to it.

    Attributes:
        status: The HTTP status; 0 if there was no answer.
        reason: The phrase beside it.
        headers: All but those of the connection; no value has a line break.
        body: The body, whole.
        error: Why there was no answer, in words; empty if there was one.
    """

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    error: str = ""


class Clock:
    """Time, passed in wherever it matters so that tests can hold it in their hands."""

    def now(self) -> float:
        """Return UNIX seconds: for people and records, never for order."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that only ever grow: for delays and durations."""
        return time.monotonic()
