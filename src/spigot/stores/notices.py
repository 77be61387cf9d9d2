"""What pull requests were told, in the SQLite file beside their webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spigot.notices import Subject, Topic
from spigot.ports import Held
from spigot.webhook import State

if TYPE_CHECKING:
    import sqlite3

    from spigot.stores.reader import Reader, Row
    from spigot.stores.writer import Writer

AHEAD = 2 * 3600.0
"""A time that is due in more than so many seconds was set by a clock that went wrong."""

# Of max() beside plain columns, SQLite takes those from the row that has the greatest
# (sqlite.org/lang_select.html, "Bare columns in an aggregate query").
_TOPICS = (
    "SELECT n.place, n.repository, n.number, n.sha, n.told, n.comment, n.tries, n.due_at, n.error, "
    "coalesce(e.state, 'waiting') AS state, w.id, w.path, w.received_at, "
    "coalesce(e.status, 0), e.at, max(CASE coalesce(e.state, 'waiting') WHEN 'waiting' THEN 4 "
    "WHEN 'dead' THEN 3 WHEN 'dropped' THEN 2 ELSE 1 END * (1 << 60) + m.serial) "
    "FROM {} n JOIN noticed m ON m.place = n.place JOIN webhooks w ON w.serial = m.serial "
    "LEFT JOIN ended e ON e.serial = m.serial GROUP BY n.place"
)
_DUE = (
    "(SELECT rowid AS turn, * FROM notices WHERE due_at IS NOT NULL AND (told = '') = ? "
    "AND (due_at <= ? OR due_at > ?) ORDER BY due_at, rowid LIMIT ?)"
)
_OPEN = (
    "(SELECT * FROM notices INDEXED BY notices_open WHERE due_at IS NULL AND told <> 'delivered')"
)


class Notices:
    """Keeps what `ports.Notices` promises.

    Args:
        reader: Reads.
        writer: Writes.
    """

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._seen: Row = ()

    def held(self, position: int, limit: int) -> list[Held]:
        """Return the next webhooks that wait; see `ports.Notices.held`."""
        rows = self._reader.read(
            "SELECT q.position, w.provider, w.event, w.received_at FROM "
            "(SELECT position, serial FROM waiting WHERE position > ? ORDER BY position LIMIT ?) q "
            "JOIN webhooks w ON w.serial = q.serial ORDER BY q.position",
            (position, limit),
        )
        return list(map(Held._make, rows))

    def add(self, found: list[tuple[int, str, Subject]]) -> None:
        """Remember what waits and who is to hear of it; see `ports.Notices.add`."""
        self._writer.call(_add, found)

    def changed(self, limit: int) -> list[Topic]:
        """Return what was told and holds no longer; see `ports.Notices.changed`."""
        # Nothing can have ended, or wait again by a person's hand, while these stay the same.
        (seen,) = self._reader.read("SELECT stored - waiting, edits FROM totals")
        if seen == self._seen:
            return []
        rows = self._reader.read(
            f"SELECT * FROM ({_TOPICS.format(_OPEN)}) WHERE state <> told LIMIT ?", (limit,)
        )
        if not rows:
            self._seen = seen
        return list(map(_topic, rows))

    def due(self, now: float, limit: int) -> list[Topic]:
        """Return what is to be told; see `ports.Notices.due`."""
        rows: list[Row] = []
        for untold in (False, True):
            values = (untold, now, now + AHEAD, limit - len(rows))
            rows += self._reader.read(f"{_TOPICS.format(_DUE)} ORDER BY n.due_at, n.turn", values)
        return list(map(_topic, rows))

    def save(self, topic: Topic) -> None:
        """Record what came of telling; see `ports.Notices.save`."""
        self._writer.call(_save, topic)

    def forget(self, places: list[str]) -> None:
        """Forget notices; see `ports.Notices.forget`."""
        self._writer.call(_forget, places)


def _topic(row: Row) -> Topic:
    (place, repository, number, sha, told, comment, tries, due_at, error) = row[:9]
    (state, id_, path, received_at, status, ended_at) = row[9:15]
    return Topic(
        place, Subject(repository, number, sha), told, comment, tries, due_at, error, State(state),
        id_, path, received_at, status, ended_at,
    )  # fmt: skip


def _add(db: sqlite3.Connection, lists: list[list[tuple[int, str, Subject]]]) -> list[None]:
    for position, place, subject in (one for found in lists for one in found):
        added = db.execute(
            "INSERT INTO noticed SELECT serial, ?1 FROM waiting WHERE position = ?2 "
            "ON CONFLICT DO UPDATE SET place = ?1",
            (place, position),
        ).rowcount
        if not added:
            continue
        db.execute(
            "INSERT INTO notices VALUES (?, ?, ?, ?, '', 0, 0, 0, '') ON CONFLICT DO UPDATE SET "
            "number = excluded.number, sha = excluded.sha, "
            "due_at = CASE WHEN told <> 'waiting' THEN coalesce(due_at, 0) ELSE due_at END",
            (place, *subject),
        )
        # Of a pull request with a newer head, the older one need not hear of anything.
        db.execute(
            "DELETE FROM notices WHERE repository = ? AND number = ? AND sha <> ? AND place <> ? "
            "AND told = '' AND tries = 0",
            (subject.repository, subject.number, subject.sha, place),
        )
    return [None] * len(lists)


def _save(db: sqlite3.Connection, topics: list[Topic]) -> list[None]:
    db.executemany(
        "UPDATE notices SET told = ?, comment = ?, tries = ?, due_at = ?, error = ? "
        "WHERE place = ?",
        [(one.told, one.comment, one.tries, one.due_at, one.error, one.place) for one in topics],
    )
    return [None] * len(topics)


def _forget(db: sqlite3.Connection, lists: list[list[str]]) -> list[None]:
    db.executemany(
        "DELETE FROM notices WHERE place = ?", [(place,) for places in lists for place in places]
    )
    return [None] * len(lists)
