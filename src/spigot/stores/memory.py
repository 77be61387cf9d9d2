"""The queue in memory: what `ports.Store` promises, in the plainest words, and nothing on disk.

The reference that `tests/contract` holds the other stores against, and a store for tests. It keeps
its promises for as long as the process lives.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spigot.errors import Overtaken, StoreError
from spigot.ports import Clock, Loaded, Signs
from spigot.stores import recalls
from spigot.stores.history import Detail, Entry, Selection, Try
from spigot.stores.memory_notices import MemoryNotices
from spigot.stores.panel import Backlog, Counts
from spigot.valve import ValveRow, effective
from spigot.webhook import Attempt, Place, Receipt, State, Verdict, Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator


@dataclass
class _Kept:
    """A webhook and where it stands. Its serial is the first position it got."""

    serial: int
    webhook: Webhook
    place: Place
    state: State = State.WAITING
    reason: str = ""
    status: int = 0
    ended_at: float | None = None
    resolved_by: str | None = None
    attempts: list[Attempt] = field(default_factory=list)

    def is_same_delivery(self, other: Webhook) -> bool:
        mine = self.webhook
        return other.delivery is not None and (
            (mine.hook, mine.path, mine.delivery) == (other.hook, other.path, other.delivery)
        )

    def end(self, state: State, at: float, reason: str, status: int) -> None:
        self.state, self.ended_at, self.reason, self.status = state, at, reason, status


class MemoryStore:
    """Keeps webhooks until the process ends; safe for threads.

    Args:
        clock: Tells the time.

    Attributes:
        notices: What pull requests were told.
        on_arrival: Called once a webhook is kept; only to wake somebody.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._lock = threading.RLock()
        self._kept: list[_Kept] = []
        self._waiting: dict[int, _Kept] = {}
        self._position = 0
        self._delivered = 0
        self._edits = 0
        self._version = 0
        self._asked = -1
        self._valve = ValveRow(since=self._clock.now())
        self._report: dict[str, Any] = {}
        self.notices = MemoryNotices(self)
        self.on_arrival: Callable[[], None] = lambda: None

    @property
    def history(self) -> MemoryStore:
        """What people ask of the store; see `ports.History`."""
        return self

    @property
    def panel(self) -> MemoryStore:
        """The valve, the counts and the report; see `ports.Panel`."""
        return self

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    # --- ports.Queue -------------------------------------------------------------------------

    def put(self, webhook: Webhook, done: Callable[[Receipt | Exception], None]) -> None:
        """Keep a webhook; see `ports.Queue.put`."""
        with self._lock:
            result = self._put(webhook)
        done(result)
        self.on_arrival()

    def places_after(self, position: int, limit: int) -> list[Place]:
        """Return the next waiting places; see `ports.Queue.places_after`."""
        with self._lock:
            places = [kept.place for kept in self._waiting.values()]
        return sorted(place for place in places if place.position > position)[:limit]

    def still_waiting(self, positions: list[int]) -> set[int]:
        """Return those that still wait; see `ports.Queue.still_waiting`."""
        with self._lock:
            return self._waiting.keys() & set(positions)

    def load(self, position: int) -> Loaded | None:
        """Return what waits at `position`; see `ports.Queue.load`."""
        with self._lock:
            kept = self._waiting.get(position)
            return Loaded(kept.webhook, kept.place) if kept else None

    def settle(self, loaded: Loaded, attempt: Attempt) -> None:
        """Record an attempt and carry out its decision; see `ports.Queue.settle`."""
        decision = attempt.decision
        with self._lock:
            self._version += 1
            for kept in self._kept:
                if kept.webhook.id == loaded.webhook.id:
                    kept.attempts.append(attempt)
            waits = self._waiting.get(loaded.place.position)
            if waits is None:
                return
            if decision.verdict in (Verdict.DELIVERED, Verdict.DEAD):
                delivered = decision.verdict is Verdict.DELIVERED
                state = State.DELIVERED if delivered else State.DEAD
                at = attempt.at + attempt.took
                waits.end(state, at, decision.reason, attempt.outcome.status)
                self._delivered += delivered
                del self._waiting[loaded.place.position]
                return
            again = decision.verdict is Verdict.AGAIN
            waits.place = waits.place._replace(
                due_at=attempt.at + attempt.took + decision.delay if again else 0.0,
                delay=decision.delay if again else 0.0,
                attempts=waits.place.attempts + decision.counted,
            )

    def recall(
        self, since: float, until: float, chosen: Callable[[str, str], bool]
    ) -> Iterator[list[Place]]:
        """Let delivered webhooks wait once more; see `ports.Queue.recall`."""
        places: list[Place] = []
        with self._lock:
            for kept in self._kept:
                webhook = kept.webhook
                taken = kept.state is State.DELIVERED and 200 <= kept.status < 300
                times = sum(one.decision.verdict is Verdict.DELIVERED for one in kept.attempts)
                then = since <= (kept.ended_at or 0.0) <= until and times <= recalls.MOST
                if taken and then and chosen(webhook.path, webhook.query):
                    kept.state, kept.ended_at, kept.reason, kept.status = State.WAITING, None, "", 0
                    kept.place = Place(
                        kept.serial, webhook.lane, webhook.path, 0.0, 0.0, 0, recalled=True
                    )
                    self._waiting[kept.serial] = kept
                    places.append(kept.place)
            self._version += bool(places)
        if places:
            yield places

    def signs(self) -> Signs:
        """Return what a gateway watches; see `ports.Queue.signs`."""
        with self._lock:
            return Signs(self._valve, self._edits, self._position)

    def changed(self) -> bool:
        """Tell whether anything was committed since; see `ports.Queue.changed`."""
        with self._lock:
            before, self._asked = self._asked, self._version
            return before != self._version

    # --- ports.History -----------------------------------------------------------------------

    def entries(self, selection: Selection) -> list[Entry]:
        """Return the selected webhooks, newest first."""
        with self._lock:
            return [_entry(kept) for kept in self._select(selection)]

    def show(self, name: str) -> list[Detail]:
        """Return the webhook of that id, or all of that delivery id, newest first."""
        with self._lock:
            return [_detail(kept) for kept in self._select(Selection(names=(name,)))]

    def replay(self, selection: Selection, *, dry_run: bool = False) -> Iterator[int]:
        """Let ended webhooks wait again; see `ports.History.replay`."""
        with self._lock:
            chosen = self._choose(selection, State.DEAD, set(State) - {State.WAITING})
            if not dry_run:
                for kept in chosen:
                    kept.state, kept.ended_at, kept.resolved_by = State.WAITING, None, None
                    kept.reason, kept.status = "", 0
                    self._wait(kept)
                self._edit(len(chosen))
        if chosen:
            yield len(chosen)

    def drop(self, selection: Selection, *, dry_run: bool = False) -> Iterator[int]:
        """End waiting or dead webhooks; see `ports.History.drop`."""
        with self._lock:
            chosen = self._choose(selection, State.WAITING, {State.WAITING, State.DEAD})
            if not dry_run:
                for kept in chosen:
                    self._waiting.pop(kept.place.position, None)
                    was = f"; was dead: {kept.reason}" if kept.state is State.DEAD else ""
                    reason = f"dropped by a person{was}"
                    kept.end(State.DROPPED, self._clock.now(), reason, kept.status)
                self._edit(len(chosen))
        if chosen:
            yield len(chosen)

    # --- ports.Panel -------------------------------------------------------------------------

    def counts(self) -> Counts:
        """Count."""
        with self._lock:
            dead = sum(kept.state is State.DEAD and kept.resolved_by is None for kept in self._kept)
            oldest = self._waiting[min(self._waiting)] if self._waiting else None
            since = oldest.webhook.received_at if oldest else None
            return Counts(len(self._kept), len(self._waiting), self._delivered, dead, since)

    def backlog(self, position: int, held: Collection[str] = ()) -> Backlog:
        """Count what waits up to a position; see `ports.Panel.backlog`."""
        with self._lock:
            places = [kept.place for at, kept in self._waiting.items() if at <= position]
        asleep = {place.lane for place in places if place.due_at > self._clock.now()}
        later = sum(place.path in held or place.lane in asleep for place in places)
        return Backlog(len(places) - later, later)

    def valve(self) -> ValveRow:
        """Return the valve as it stands now."""
        return effective(self._valve, self._clock.now())

    def set_valve(
        self, *, on: bool, reason: str = "", until: float | None = None, before: int | None = None
    ) -> ValveRow:
        """Set the valve and return it; see `ports.Panel.set_valve`."""
        with self._lock:
            known = self.valve()
            if before not in (None, known.version):
                raise Overtaken("Somebody else has set the valve meanwhile.")
            since = known.since if known.on == on else self._clock.now()
            self._valve = ValveRow(on, reason, since, until, known.version + 1)
            self._version += 1
            return self._valve

    def report(self) -> dict[str, Any]:
        """Return what the gateway reported last; empty before the first."""
        return self._report

    def set_report(self, report: dict[str, Any]) -> None:
        """Replace the gateway's report."""
        with self._lock:
            self._report = report
            self._version += 1

    # --- inside ------------------------------------------------------------------------------

    def _put(self, webhook: Webhook) -> Receipt | Exception:
        same = [kept for kept in self._kept if kept.is_same_delivery(webhook)]
        waits = [kept for kept in same if kept.state is State.WAITING]
        if waits:
            # A replay can make one delivery wait twice: the later, which waits longer, counts.
            later = max(waits, key=lambda kept: kept.place.position)
            return Receipt(later.webhook.id, duplicate=True)
        if any(kept.webhook.id == webhook.id for kept in self._kept):
            return StoreError(f"A webhook with the id {webhook.id} is kept already.")
        for kept in same:
            if kept.state is State.DEAD and kept.resolved_by is None:
                kept.resolved_by = webhook.id
        kept = _Kept(0, webhook, Place(0, webhook.lane, webhook.path, 0.0, 0.0, 0))
        self._wait(kept)
        kept.serial = kept.place.position
        self._kept.append(kept)
        self._version += 1
        return Receipt(webhook.id, duplicate=False)

    def _wait(self, kept: _Kept) -> None:
        """Let it wait at the end of its lane, with fresh attempts."""
        self._position += 1
        kept.place = Place(self._position, kept.webhook.lane, kept.webhook.path, 0.0, 0.0, 0)
        self._waiting[self._position] = kept

    def _edit(self, count: int) -> None:
        if count:
            self._edits += 1
            self._version += 1

    def _choose(self, selection: Selection, usual: State, among: set[State]) -> list[_Kept]:
        """Return what is selected and can be changed, in its old order."""
        if selection.state is None and selection.names is None:
            selection = selection._replace(state=usual)
        chosen = [kept for kept in self._select(selection) if kept.state in among]
        return sorted(chosen, key=lambda kept: kept.serial)

    def _select(self, selection: Selection) -> list[_Kept]:
        order: dict[State | None, Callable[[_Kept], tuple[float, int]]] = {
            State.WAITING: lambda kept: (kept.place.position, 0),
            State.DEAD: lambda kept: (kept.ended_at or 0.0, kept.serial),
        }
        chosen = [kept for kept in self._kept if selection.takes(_entry(kept))]
        chosen.sort(key=order.get(selection.state, lambda kept: (kept.serial, 0)), reverse=True)
        return chosen[: selection.limit]


def _entry(kept: _Kept) -> Entry:
    webhook = kept.webhook
    last = kept.attempts[-1].decision.reason if kept.attempts else ""
    return Entry(
        kept.serial, webhook.id, kept.state, webhook.received_at, webhook.hook, webhook.path,
        webhook.provider, webhook.event, webhook.delivery, webhook.lane, len(webhook.body),
        len(kept.attempts), last if kept.ended_at is None else kept.reason, kept.status,
        kept.ended_at, kept.resolved_by,
    )  # fmt: skip


def _detail(kept: _Kept) -> Detail:
    webhook = kept.webhook
    due_at = kept.place.due_at if kept.state is State.WAITING else 0.0
    return Detail(
        _entry(kept), webhook.method, webhook.query, webhook.headers, webhook.body, due_at,
        [_try(number, attempt) for number, attempt in enumerate(kept.attempts, 1)],
    )  # fmt: skip


def _try(number: int, attempt: Attempt) -> Try:
    outcome, decision = attempt.outcome, attempt.decision
    answer = b"" if decision.verdict is Verdict.DELIVERED else outcome.answer
    return Try(
        number, attempt.at, attempt.took, outcome.happened, outcome.status, outcome.error, answer,
        decision.verdict, decision.reason, decision.counted, decision.maybe_taken,
    )  # fmt: skip
