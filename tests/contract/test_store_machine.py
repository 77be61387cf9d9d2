"""Whatever is done in whatever order, every store says the same as the one in memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spigot.stores.history import Selection
from spigot.stores.memory import MemoryStore
from spigot.stores.sqlite import SqliteStore
from spigot.webhook import State, Verdict
from support.stores import NOW, HandClock, attempt, put_all, waiting, webhook

if TYPE_CHECKING:
    from spigot.ports import Loaded, Store
    from spigot.webhook import Webhook

DELIVERIES = st.sampled_from([None, None, "d-1", "d-2", "d-3", "d-4"])
HOOKS = st.sampled_from(
    [("/project/", "/project/a"), ("/project/", "/project/b"), ("/github-webhook/",) * 2]
)
REPOSITORIES = {None: "r/0", "d-1": "r/1", "d-2": "r/1", "d-3": "r/2", "d-4": "r/2"}
SELECTIONS = st.builds(
    Selection,
    state=st.sampled_from([None, None, *State]),
    hook=st.sampled_from([None, None, "/project/", "/project/b"]),
    lane=st.sampled_from([None, None, "r/1", "/project/a r/2"]),
    event=st.sampled_from([None, None, "push"]),
    since=st.sampled_from([None, None, NOW + 20]),
    until=st.sampled_from([None, None, NOW + 40]),
    limit=st.sampled_from([None, None, 1, 3]),
    names=st.sampled_from([None, None, ("d-1",), ("d-2", "d-3"), ("nobody",)]),
)
ATTEMPTS = st.builds(
    attempt,
    st.sampled_from([Verdict.DELIVERED, *Verdict]),
    st.sampled_from(["fine", "no"]),
    status=st.sampled_from([0, 200, 500]),
    answer=st.sampled_from([b"", b"\xff"]),
    delay=st.sampled_from([0.0, 10.0]),
    counted=st.booleans(),
    maybe_taken=st.booleans(),
)


class SameAsMemory(RuleBasedStateMachine):
    """An SQLite store, seen by two processes, beside one in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="spigot-"))
        self.clock = HandClock()
        self.memory = MemoryStore(self.clock)
        self.open()
        self.old: list[tuple[Loaded, Loaded]] = []

    def open(self) -> None:
        self.processes = [SqliteStore(self.directory, clock=self.clock) for _ in range(2)]

    def close(self) -> None:
        for process in self.processes:
            process.close()

    def teardown(self) -> None:
        self.close()
        shutil.rmtree(self.directory)

    @initialize(off=st.booleans())
    def begin(self, off: bool) -> None:
        for store in (self.memory, self.processes[0]):
            store.panel.set_valve(on=not off)

    @rule(
        process=st.sampled_from([0, 0, 0, 1]),
        items=st.lists(st.tuples(HOOKS, DELIVERIES, st.sampled_from(["push", None])), max_size=4),
    )
    def put(
        self, process: int, items: list[tuple[tuple[str, str], str | None, str | None]]
    ) -> None:
        self.clock.advance(1)
        webhooks = [
            webhook(
                hook=hook,
                path=path,
                delivery=delivery,
                event=event,
                repository=REPOSITORIES[delivery],
                received_at=self.clock.now(),
            )
            for (hook, path), delivery, event in items
        ]
        assert put_all(self.processes[process], webhooks) == put_all(self.memory, webhooks)

    @precondition(lambda self: self.memory.counts().waiting)
    @rule(made=ATTEMPTS, choose=st.integers(0, 100), keep=st.booleans())
    def settle(self, made: Any, choose: int, keep: bool) -> None:
        """Settle the head of some lane, as the drain does."""
        self.clock.advance(1)
        made = made._replace(at=self.clock.now())
        heads: dict[str, int] = {}
        for index, loaded in enumerate(waiting(self.memory)):
            heads.setdefault(loaded.place.lane, index)
        index = sorted(heads.values())[choose % len(heads)]
        pair = waiting(self.memory)[index], waiting(self.processes[0])[index]
        if keep:
            self.old.append(pair)
        self.memory.settle(pair[0], made)
        self.processes[0].settle(pair[1], made)

    @precondition(lambda self: self.old)
    @rule(made=ATTEMPTS, choose=st.integers(0, 100))
    def settle_what_may_have_moved(self, made: Any, choose: int) -> None:
        """Settle what was loaded before, unless its lane has gone on so far that it is no head."""
        of_memory, of_sqlite = self.old.pop(choose % len(self.old))
        ahead = [
            place
            for place in self.memory.places_after(0, 1000)
            if place.lane == of_memory.place.lane and place.position < of_memory.place.position
        ]
        if not ahead:
            self.memory.settle(of_memory, made)
            self.processes[0].settle(of_sqlite, made)

    @rule(process=st.integers(0, 1), selection=SELECTIONS, dry_run=st.booleans())
    def replay(self, process: int, selection: Selection, dry_run: bool) -> None:
        expected = sum(self.memory.replay(selection, dry_run=dry_run))
        history = self.processes[process].history
        assert sum(history.replay(selection, dry_run=dry_run)) == expected

    @rule(process=st.integers(0, 1), selection=SELECTIONS, dry_run=st.booleans())
    def drop(self, process: int, selection: Selection, dry_run: bool) -> None:
        """Drop, unless a delivery waits twice: which of the two is known is not promised then."""
        keys = [
            (each.hook, each.path, each.delivery)
            for each in self.waiting_webhooks()
            if each.delivery is not None
        ]
        if len(keys) > len(set(keys)):
            return
        self.clock.advance(1)
        expected = sum(self.memory.drop(selection, dry_run=dry_run))
        history = self.processes[process].history
        assert sum(history.drop(selection, dry_run=dry_run)) == expected

    @rule()
    def reopen(self) -> None:
        self.close()
        self.open()

    @rule(selection=SELECTIONS)
    def list_(self, selection: Selection) -> None:
        assert entries(self.processes[1], selection) == entries(self.memory, selection)

    @rule(name=st.sampled_from(["d-1", "d-2", "nobody"]))
    def show(self, name: str) -> None:
        def shown(store: Store) -> list[Any]:
            return [
                detail._replace(entry=detail.entry._replace(serial=0))
                for detail in store.history.show(name)
            ]

        assert shown(self.processes[0]) == shown(self.memory)

    @invariant()
    def agrees(self) -> None:
        expected = entries(self.memory, Selection())
        places = [(each.webhook, each.place[1:]) for each in waiting(self.memory)]
        for process in self.processes:
            assert entries(process, Selection()) == expected
            assert [(each.webhook, each.place[1:]) for each in waiting(process)] == places
            assert process.panel.counts() == self.memory.counts()
            assert process.signs().edits == self.memory.signs().edits
            last = process.places_after(0, 1000)[-1:]
            assert all(place.position <= process.signs().position for place in last)

    def waiting_webhooks(self) -> list[Webhook]:
        return [each.webhook for each in waiting(self.memory)]


def entries(store: Store, selection: Selection) -> list[Any]:
    """Return what a store lists, without the numbers that are its own affair."""
    return [entry._replace(serial=0) for entry in store.history.entries(selection)]


TestSameAsMemory = SameAsMemory.TestCase
TestSameAsMemory.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
