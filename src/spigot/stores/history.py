"""What people ask of the store: list, show, replay, drop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from spigot.stores.database import marks
from spigot.stores.parts import message
from spigot.webhook import Headers, State

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from spigot.ports import Clock
    from spigot.stores.reader import Reader, Row
    from spigot.stores.writer import Writer

STEP = 500
"""How many webhooks one transaction of a replay or drop changes, so that intake never waits."""


class Selection(NamedTuple):
    """Which webhooks are meant; whatever is not None narrows it.

    Attributes:
        state: Their state.
        hook: The path of their hook, or their own path.
        lane: Their whole lane, or the repository at its end.
        event: The provider's event name.
        since: Received at or after, UNIX seconds.
        until: Received before, UNIX seconds.
        limit: At most so many: the newest.
        names: Ids or delivery ids.
    """

    state: State | None = None
    hook: str | None = None
    lane: str | None = None
    event: str | None = None
    since: float | None = None
    until: float | None = None
    limit: int | None = None
    names: tuple[str, ...] | None = None

    def takes(self, entry: Entry) -> bool:
        """Tell whether a webhook is meant, the limit aside."""
        lane = self.lane
        return (
            (self.state is None or entry.state is self.state)
            and (self.hook is None or self.hook in (entry.hook, entry.path))
            and (lane is None or entry.lane == lane or entry.lane.endswith(" " + lane))
            and (self.event is None or entry.event == self.event)
            and (self.since is None or entry.received_at >= self.since)
            and (self.until is None or entry.received_at < self.until)
            and (self.names is None or entry.id in self.names or entry.delivery in self.names)
        )


class Entry(NamedTuple):
    """A webhook as a list shows it."""

    serial: int
    id: str
    state: State
    received_at: float
    hook: str
    path: str
    provider: str
    event: str | None
    delivery: str | None
    lane: str
    size: int
    attempts: int
    reason: str
    status: int
    ended_at: float | None
    resolved_by: str | None


class Try(NamedTuple):
    """One attempt as `show` shows it."""

    number: int
    at: float
    took: float
    happened: str
    status: int
    error: str
    answer: bytes
    verdict: str
    reason: str
    counted: int
    maybe_taken: int


class Detail(NamedTuple):
    """A webhook with all that is known of it."""

    entry: Entry
    method: str
    query: str
    headers: Headers
    body: bytes
    due_at: float
    tries: list[Try]


_COLUMNS = (
    "w.serial, w.id, coalesce(e.state, 'waiting'), w.received_at, w.hook, w.path, w.provider, "
    "w.event, w.delivery, w.lane, w.size, "
    "(SELECT count(*) FROM attempts a WHERE a.serial = w.serial), coalesce(e.reason, "
    "(SELECT reason FROM attempts a WHERE a.serial = w.serial ORDER BY number DESC LIMIT 1), ''), "
    "coalesce(e.status, 0), e.at, e.resolved_by"
)
_FROM = {
    None: "webhooks w LEFT JOIN ended e ON e.serial = w.serial",
    State.WAITING: "waiting q CROSS JOIN webhooks w ON w.serial = q.serial LEFT JOIN ended e ON 0",
    State.DEAD: "ended e INDEXED BY ended_dead CROSS JOIN webhooks w ON w.serial = e.serial "
    "AND e.state = 'dead'",
    State.DELIVERED: "ended e CROSS JOIN webhooks w ON w.serial = e.serial "
    "AND e.state = 'delivered'",
    State.DROPPED: "ended e CROSS JOIN webhooks w ON w.serial = e.serial AND e.state = 'dropped'",
}
_PLACE = (
    "SELECT position, due_at FROM waiting WHERE position = ?1 AND serial = ?1 UNION ALL "
    "SELECT position, due_at FROM waiting WHERE serial = ?1 AND serial <> position"
)
"""One that was never replayed is found by its position, the others by their index."""

_ORDER = {State.WAITING: "q.position", State.DEAD: "e.at DESC, e.serial", None: "w.serial"}


class History:
    """Reads and edits what the store holds; works while a gateway runs and while none does.

    Args:
        reader: Reads.
        writer: Writes; a gateway's own, or a command's.
        clock: Tells when something was dropped.
    """

    def __init__(self, reader: Reader, writer: Writer, clock: Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock

    def entries(self, selection: Selection) -> list[Entry]:
        """Return the selected webhooks, newest first."""
        rows = self._rows(_COLUMNS, selection)
        return [Entry._make((*row[:2], State(row[2]), *row[3:])) for row in rows]

    def show(self, name: str) -> list[Detail]:
        """Return the webhook of that id, or all of that delivery id, newest first."""
        return [self._detail(entry) for entry in self.entries(Selection(names=(name,)))]

    def replay(self, selection: Selection, *, dry_run: bool = False) -> Iterator[int]:
        """Let ended webhooks wait again, at the end of their lanes, in their old order.

        Each keeps its id and its history and gets a new position and fresh attempts.

        Yields:
            How many were changed (or would be), step by step; each step is on disk.
        """
        serials = self._serials(selection, State.DEAD, set(State) - {State.WAITING})
        return self._in_steps(self._replay, serials, dry_run=dry_run)

    def drop(self, selection: Selection, *, dry_run: bool = False) -> Iterator[int]:
        """End waiting or dead webhooks: a person says that they shall not be delivered.

        Yields:
            How many were changed (or would be), step by step; each step is on disk.
        """
        serials = self._serials(selection, State.WAITING, {State.WAITING, State.DEAD})
        return self._in_steps(self._drop, serials, dry_run=dry_run)

    # --- inside ------------------------------------------------------------------------------

    def _serials(self, selection: Selection, usual: State, among: set[State]) -> list[int]:
        """Return what is selected and can be changed.

        Who names neither state nor names means the usual state.
        """
        if selection.state is None and selection.names is None:
            selection = selection._replace(state=usual)
        rows = self._rows("w.serial, coalesce(e.state, 'waiting')", selection)
        return sorted(serial for serial, state in rows if state in among)

    def _rows(self, columns: str, selection: Selection) -> list[Row]:
        """Return the selected rows. Ids have an index; a delivery id means to look everywhere."""
        if selection.names is not None:
            names = selection.names
            sql = f"SELECT id FROM webhooks WHERE id IN ({marks(names)})"
            ids = {id_ for (id_,) in self._reader.read(sql, names)}
            deliveries = [name for name in names if name not in ids]
            if deliveries:
                sql = f"SELECT id FROM webhooks WHERE delivery IN ({marks(deliveries)})"
                ids.update(id_ for (id_,) in self._reader.read(sql, deliveries))
            if not ids:
                return []
            selection = selection._replace(names=tuple(ids))
        return self._reader.read(*_query(columns, selection))

    def _in_steps(
        self,
        operation: Callable[[sqlite3.Connection, list[list[int]]], list[int]],
        serials: list[int],
        *,
        dry_run: bool,
    ) -> Iterator[int]:
        for start in range(0, len(serials), STEP):
            step = serials[start : start + STEP]
            # A drop makes room, and a replay of few takes little: both are worth the reserve.
            yield len(step) if dry_run else self._writer.call(operation, step, vital=True)

    def _replay(self, db: sqlite3.Connection, steps: list[list[int]]) -> list[int]:
        results = []
        for serials in steps:
            (last,) = db.execute("SELECT position FROM totals").fetchone()
            position = last
            for serial in serials:
                position += db.execute(
                    "INSERT INTO waiting SELECT ?, w.serial, e.delivery, w.lane, w.path, 0, 0, 0, "
                    "0 FROM ended e JOIN webhooks w ON w.serial = e.serial WHERE e.serial = ?",
                    (position + 1, serial),
                ).rowcount
                db.execute("DELETE FROM ended WHERE serial = ?", (serial,))
            done = position - last
            db.execute(
                "UPDATE totals SET position = ?, waiting = waiting + ?, edits = edits + 1",
                (position, done),
            )
            results.append(done)
        return results

    def _drop(self, db: sqlite3.Connection, steps: list[list[int]]) -> list[int]:
        results = []
        now = self._clock.now()
        for serials in steps:
            waiting = dead = 0
            for serial in serials:
                place = db.execute(_PLACE, (serial,)).fetchone()
                if place:
                    db.execute(
                        "INSERT INTO ended SELECT serial, 'dropped', ?, 'dropped by a person', 0, "
                        "delivery, NULL FROM waiting WHERE position = ?",
                        (now, place[0]),
                    )
                    db.execute("DELETE FROM waiting WHERE position = ?", place[:1])
                    waiting += 1
                else:
                    dead += db.execute(
                        "UPDATE ended SET state = 'dropped', at = ?, "
                        "reason = 'dropped by a person; was dead: ' || reason "
                        "WHERE serial = ? AND state = 'dead'",
                        (now, serial),
                    ).rowcount
            db.execute("UPDATE totals SET waiting = waiting - ?, edits = edits + 1", (waiting,))
            results.append(waiting + dead)
        return results

    def _detail(self, entry: Entry) -> Detail:
        ((method, query, frame, start, end),) = self._reader.read(
            "SELECT w.method, w.query, c.frame, w.start, w.end FROM webhooks w "
            "JOIN contents c ON c.serial = w.content WHERE w.serial = ?",
            (entry.serial,),
        )
        place = self._reader.read(_PLACE, (entry.serial,))
        tries = self._reader.read(
            "SELECT number, at, took, happened, status, error, answer, verdict, reason, counted, "
            "maybe_taken FROM attempts WHERE serial = ? ORDER BY number",
            (entry.serial,),
        )
        headers, body = message(self._reader, frame, start, end)
        return Detail(
            entry,
            method,
            query,
            headers,
            body,
            place[0][1] if place else 0.0,
            list(map(Try._make, tries)),
        )


def _query(columns: str, selection: Selection) -> tuple[str, list[object]]:
    conditions: list[str] = []
    values: list[object] = []

    def narrow(condition: str, *arguments: object) -> None:
        conditions.append(condition)
        values.extend(arguments)

    if selection.hook is not None:
        narrow("(w.hook = ? OR w.path = ?)", selection.hook, selection.hook)
    if selection.lane is not None:
        narrow(
            "(w.lane = ? OR substr(w.lane, -length(?) - 1) = ' ' || ?)",
            *[selection.lane] * 3,
        )
    if selection.event is not None:
        narrow("w.event = ?", selection.event)
    if selection.since is not None:
        narrow("w.received_at >= ?", selection.since)
    if selection.until is not None:
        narrow("w.received_at < ?", selection.until)
    if selection.names is not None:
        narrow(f"w.id IN ({marks(selection.names)})", *selection.names)
    sql = f"SELECT {columns} FROM {_FROM[selection.state]}"
    if conditions:
        sql += " WHERE " + " AND ".join(conditions)
    sql += f" ORDER BY {_ORDER.get(selection.state, 'e.serial')} DESC"
    if selection.limit is not None:
        sql += " LIMIT ?"
        values.append(selection.limit)
    return sql, values
