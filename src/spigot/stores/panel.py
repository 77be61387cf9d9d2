"""The control panel in the store: the valve, the counts, and what the running gateway knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from spigot.errors import Overtaken
from spigot.stores.database import marks
from spigot.valve import ValveRow, effective

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from spigot.ports import Clock
    from spigot.stores.reader import Reader
    from spigot.stores.writer import Writer


class Counts(NamedTuple):
    """How many webhooks stand where.

    Attributes:
        stored: Kept since the store was made.
        waiting: Waiting now, what is in flight included.
        delivered: Delivered since the store was made.
        dead: Dead letters that no redelivery has resolved.
        oldest_received_at: When the one that has waited longest was received, UNIX seconds.
    """

    stored: int
    waiting: int
    delivered: int
    dead: int
    oldest_received_at: float | None


class Backlog(NamedTuple):
    """How many webhooks of a backlog still wait; what came after it does not count.

    Attributes:
        left: Those that may flow now, as far as they themselves are concerned.
        later: Those that wait for something besides the flow: for a held path, for a retry that is
            not due yet, or behind such a one in their lane.
    """

    left: int
    later: int


class Panel:
    """Reads and sets what commands and the gateway share.

    Args:
        reader: Reads.
        writer: Writes; a gateway's own, or a command's.
        clock: Tells the time of a change.
    """

    def __init__(self, reader: Reader, writer: Writer, clock: Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock

    def counts(self) -> Counts:
        """Count; quick however many there are."""
        ((stored, waiting, delivered),) = self._reader.read(
            "SELECT stored, waiting, delivered FROM totals"
        )
        ((dead,),) = self._reader.read(
            "SELECT count(*) FROM ended WHERE state = 'dead' AND resolved_by IS NULL"
        )
        oldest = self._reader.read(
            "SELECT w.received_at FROM waiting q JOIN webhooks w ON w.serial = q.serial "
            "ORDER BY q.position LIMIT 1"
        )
        return Counts(stored, waiting, delivered, dead,
                      oldest[0][0] if oldest else None)  # fmt: skip

    def backlog(self, position: int, held: Collection[str] = ()) -> Backlog:
        """Count what waits up to a position; see `ports.Panel.backlog`.

        Reads each row of `waiting`: a third of a second for a million.
        """
        ((waiting, later),) = self._reader.read(
            f"SELECT count(*), count(CASE WHEN path IN ({marks(held)}) OR lane IN "
            "(SELECT lane FROM waiting WHERE position <= ? AND due_at > ?) THEN 1 END) "
            "FROM waiting WHERE position <= ?",
            [*held, position, self._clock.now(), position],
        )
        return Backlog(waiting - later, later)

    def valve(self) -> ValveRow:
        """Return the valve as it stands now."""
        (row,) = self._reader.read("SELECT is_on, reason, since, until, version FROM valve")
        return effective(ValveRow._make((bool(row[0]), *row[1:])), self._clock.now())

    def set_valve(
        self, *, on: bool, reason: str = "", until: float | None = None, before: int | None = None
    ) -> ValveRow:
        """Set the valve; see `ports.Panel.set_valve`."""
        known = self.valve()
        since = known.since if known.on == on else self._clock.now()
        row = self._writer.call(_set_valve, (on, reason, since, until, before), vital=True)
        if row is None:
            raise Overtaken("Somebody else has set the valve meanwhile.")
        return row

    def report(self) -> dict[str, Any]:
        """Return what the gateway reported last; empty before the first."""
        ((text,),) = self._reader.read("SELECT report FROM gateway")
        report: dict[str, Any] = json.loads(text)
        return report

    def set_report(self, report: dict[str, Any]) -> None:
        """Replace the gateway's report."""
        self._writer.call(_set_report, json.dumps(report), vital=True)


def _set_valve(
    db: sqlite3.Connection, rows: list[tuple[bool, str, float, float | None, int | None]]
) -> list[ValveRow | None]:
    results: list[ValveRow | None] = []
    for on, reason, since, until, before in rows:
        (row,) = db.execute("SELECT version FROM valve")
        if before is not None and row[0] != before:
            results.append(None)
            continue
        result = ValveRow(on, reason, since, until, row[0] + 1)
        db.execute(
            "UPDATE valve SET is_on = ?, reason = ?, since = ?, until = ?, version = ?", result
        )
        results.append(result)
    return results


def _set_report(db: sqlite3.Connection, reports: list[str]) -> list[None]:
    db.execute("UPDATE gateway SET report = ?", (reports[-1],))
    return [None] * len(reports)
