"""The queue in one SQLite file: what `ports.Queue` promises, with one sync for many webhooks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from spigot.errors import StoreError
from spigot.ports import Clock, Loaded, Signs
from spigot.status import status_of
from spigot.stores import database, recalls, settlements
from spigot.stores.arrivals import Arrival, Arrivals, delivery_key
from spigot.stores.content import PART_BYTES, PIECE_BYTES, Piece, Recent, pack, read
from spigot.stores.history import History
from spigot.stores.notices import Notices
from spigot.stores.panel import Panel
from spigot.stores.parts import InParts, Parts, message
from spigot.stores.reader import Reader
from spigot.stores.room import Room
from spigot.stores.settlements import Settlement
from spigot.stores.writer import Writer
from spigot.valve import ValveRow
from spigot.webhook import Place, Webhook

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from spigot.webhook import Attempt, Receipt


class SqliteStore:
    """One data directory, opened by a gateway or by a command; both see each other's changes.

    Args:
        directory: The data directory.
        create: Make it where it is missing.
        min_free: Bytes of room below which nothing new is kept.
        clock: Tells the time.

    Attributes:
        history: What people ask of the store: list, show, replay, drop.
        parts: Where large frames are kept.
        panel: The valve, the counts, and what the running gateway reports.
        notices: What pull requests were told.
        room: Whether there is room, and the reserve for settling on a full disk.
        on_arrival: Called on the writer's thread once new webhooks are on disk; only to wake.
        lock: Held by the one gateway that serves this directory.

    Raises:
        StoreError: As `database.prepare` says.
    """

    def __init__(
        self,
        directory: Path,
        *,
        create: bool = True,
        min_free: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.path = database.prepare(directory, create=create)
        self.lock = database.ServeLock(directory)
        self._reader = Reader(self.path)
        # What people ask may take long; it must not keep a worker from its next webhook.
        self._asked = Reader(self.path)
        self._recent = Recent(self._frame)
        self._data_version = -1
        self.room = Room(directory, min_free=min_free, clock=clock or Clock())
        self.writer = Writer(
            self._connect_writer,
            explain=self._explain,
            on_full=self.room.give_up_reserve,
        )
        self.parts = Parts(self.writer)
        self._arrivals: Arrivals
        self.on_arrival: Callable[[], None] = lambda: None
        self._arrived = False
        self.writer.after_commit(self._announce)
        self.history = History(self._asked, self.writer, clock or Clock())
        self.panel = Panel(self._asked, self.writer, clock or Clock())
        self.notices = Notices(self._asked, self.writer)

    def close(self) -> None:
        """Write what was handed over, then let go of the files."""
        self.writer.close()
        self._reader.close()
        self._asked.close()
        self.lock.release()

    # --- ports.Served ------------------------------------------------------------------------

    @property
    def serving(self) -> bool:
        """Whether a gateway serves this directory."""
        return self.lock.held()

    def status(self, now: float) -> dict[str, Any]:
        """Return the status object; see `ports.Served.status`."""
        return status_of(self.panel, serving=self.serving, now=now)

    def rests(self, version: int) -> bool:
        """Tell whether the gateway says that no attempt runs, or none is there."""
        if not self.serving:
            return True
        resting = self.panel.report().get("resting")
        return resting is not None and resting >= version

    def rouse(self) -> None:
        """Do nothing: a gateway is always awake."""

    # --- ports.Queue -------------------------------------------------------------------------

    def put(self, webhook: Webhook, done: Callable[[Receipt | Exception], None]) -> None:
        """Keep a webhook; see `ports.Queue.put`.

        A large body is compressed here, on the caller's thread: the writer has others to serve.
        From `PART_BYTES` on, the caller also waits until all but its last commit is done.
        """
        size = len(webhook.body)
        piece: Piece | InParts | None = None
        if size >= PART_BYTES:
            try:
                piece = self.parts.keep(webhook.headers, webhook.body)
            except StoreError as error:
                done(error)
                return
            if isinstance(piece, InParts):
                done = self._with_parts(piece.first, done)
                size = 0  # the parts are on disk
        elif size >= PIECE_BYTES:
            piece = pack([(webhook.headers, webhook.body)])
        arrival = Arrival(webhook, delivery_key(webhook), piece)
        self.writer.submit(self._put, arrival, done, size=size, whole=True)

    def places_after(self, position: int, limit: int) -> list[Place]:
        """Return the next waiting places; see `ports.Queue.places_after`."""
        # All in one row: Python gives its lock away before each, and under load gets it back late.
        ((places,),) = self._reader.read(
            "SELECT json_group_array(json_array(position, lane, path, due_at, delay, attempts, "
            "recalled)) FROM (SELECT * FROM waiting WHERE position > ? ORDER BY position LIMIT ?)",
            (position, limit),
        )
        return list(map(Place._make, json.loads(places)))

    def still_waiting(self, positions: list[int]) -> set[int]:
        """Return those that still wait; see `ports.Queue.still_waiting`."""
        found: set[int] = set()
        for start in range(0, len(positions), 500):
            part = positions[start : start + 500]
            sql = f"SELECT position FROM waiting WHERE position IN ({database.marks(part)})"
            rows = self._reader.read(sql, part)
            found.update(position for (position,) in rows)
        return found

    def load(self, position: int) -> Loaded | None:
        """Return what waits at `position`; see `ports.Queue.load`."""
        rows = self._reader.read(
            "SELECT q.lane, q.path, q.due_at, q.delay, q.attempts, q.recalled, w.id, "
            "w.received_at, w.method, w.query, w.hook, w.provider, w.event, w.delivery, "
            "w.content, w.start, w.end "
            "FROM waiting q JOIN webhooks w ON w.serial = q.serial WHERE q.position = ?",
            (position,),
        )
        if not rows:
            return None
        (lane, path, due_at, delay, attempts, recalled, id_, received_at) = rows[0][:8]
        (method, query, hook, provider, event, delivery, content, start, end) = rows[0][8:]
        try:
            if end - start >= PART_BYTES:
                headers, body = message(self._reader, self._frame(content), start, end)
            else:
                headers, body = read(self._recent.messages(content), start, end)
        except LookupError:  # ended and pruned since the line above
            return None
        webhook = Webhook(
            id_,
            received_at,
            method,
            path,
            query,
            headers,
            body,
            hook,
            provider,
            event,
            delivery,
            lane,
        )
        place = Place(position, lane, path, due_at, delay, attempts, bool(recalled))
        return Loaded(webhook, place)

    def settle(self, loaded: Loaded, attempt: Attempt) -> None:
        """Record an attempt and carry out its decision; see `ports.Queue.settle`."""
        self.writer.call(settlements.settle, Settlement(loaded, attempt), vital=True, whole=True)

    def recall(
        self, since: float, until: float, chosen: Callable[[str, str], bool]
    ) -> Iterator[list[Place]]:
        """Let delivered webhooks wait once more; see `ports.Queue.recall`."""
        serials = recalls.delivered(self._asked, since, until, chosen)
        for start in range(0, len(serials), recalls.STEP):
            step = serials[start : start + recalls.STEP]
            yield self.writer.call(recalls.recall, step, vital=True)

    def signs(self) -> Signs:
        """Return what a gateway watches; see `ports.Queue.signs`."""
        (row,) = self._reader.read(
            "SELECT is_on, reason, since, until, version, edits, position FROM valve, totals"
        )
        return Signs(ValveRow(bool(row[0]), *row[1:5]), row[5], row[6])

    def changed(self) -> bool:
        """Tell whether anything was committed since; see `ports.Queue.changed`."""
        ((version,),) = self._reader.read("PRAGMA data_version")
        before, self._data_version = self._data_version, version
        return bool(before != version)

    def index_deliveries(self) -> bool:
        """Index some of the deliveries that waited at the start; tell whether there are more."""
        more: list[bool] = []
        self.writer.between(lambda _: more.append(self._arrivals.index()))
        return more[0]

    # --- inside ------------------------------------------------------------------------------

    def _with_parts(
        self, first: int, done: Callable[[Receipt | Exception], None]
    ) -> Callable[[Receipt | Exception], None]:
        def end(result: Receipt | Exception) -> None:
            if isinstance(result, Exception):
                self.parts.drop(first)
            else:
                self.parts.kept(first)
            done(result)

        return end

    def _frame(self, content: int) -> Any:
        rows = self._reader.read("SELECT frame FROM contents WHERE serial = ?", (content,))
        return rows[0][0]  # a LookupError if it was pruned

    def _connect_writer(self) -> sqlite3.Connection:
        db = database.connect(self.path, cache_kib=16 * 1024)
        self._arrivals = Arrivals(db)
        settlements.prepare(db)
        return db

    def _announce(self) -> None:
        if self._arrived:
            self._arrived = False
            self.on_arrival()

    def _put(self, _: sqlite3.Connection, items: list[Arrival]) -> list[Receipt]:
        self._arrived = True
        return self._arrivals.put(items)

    def _explain(self, error: BaseException) -> str:
        return database.explain(error, self.path)
