"""The valve, the counts and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.errors import Overtaken
from spigot.stores.history import Selection
from spigot.webhook import Verdict
from support.stores import NOW, attempt, end, put, put_all, settle, webhook

if TYPE_CHECKING:
    from spigot.ports import Store
    from support.stores import HandClock


def test_an_empty_store_counts_nothing(store: Store) -> None:
    assert store.panel.counts() == (0, 0, 0, 0, None)
    assert store.places_after(0, 10) == []
    assert store.history.entries(Selection()) == []


def test_the_counts_tell_the_oldest_that_waits(store: Store) -> None:
    webhooks = [webhook(received_at=NOW + number) for number in range(3)]
    put_all(store, webhooks)
    assert store.panel.counts() == (3, 3, 0, 0, NOW)
    settle(store, webhooks[0].id, attempt(Verdict.DEAD))
    assert store.panel.counts() == (3, 2, 0, 1, NOW + 1)
    sum(store.history.replay(Selection()))
    assert store.panel.counts() == (3, 3, 0, 0, NOW + 1)


def test_the_counts_are_the_same_for_every_process(store: Store, other: Store) -> None:
    end(other, webhook(), Verdict.DELIVERED)
    put(other, webhook())
    assert store.panel.counts()[:4] == other.panel.counts()[:4] == (2, 1, 1, 0)


def test_a_backlog_is_what_waits_up_to_a_position_and_nothing_that_comes_later(
    store: Store, other: Store
) -> None:
    assert store.panel.backlog(0) == (0, 0)
    first, second = webhook(), webhook()
    put_all(store, [first, second])
    last = other.signs().position
    assert other.panel.backlog(last) == (2, 0)
    put(store, webhook())
    assert other.panel.backlog(last) == (2, 0)
    settle(store, first.id, attempt(Verdict.DELIVERED))
    assert other.panel.backlog(last) == (1, 0)
    settle(store, second.id, attempt(Verdict.DEAD))
    sum(store.history.replay(Selection()))  # it waits again, at the end
    assert other.panel.backlog(last) == (0, 0)
    assert other.panel.backlog(other.signs().position) == (2, 0)


def test_a_retry_that_is_not_due_keeps_its_lane_for_later(store: Store, clock: HandClock) -> None:
    webhooks = [webhook(), webhook(), webhook(repository="acme/other")]
    put_all(store, webhooks)
    settle(store, webhooks[0].id, attempt(Verdict.AGAIN, delay=60, took=0))
    assert store.panel.backlog(3) == (1, 2)
    clock.advance(60)
    assert store.panel.backlog(3) == (3, 0)


def test_what_waits_for_a_held_path_is_for_later(store: Store) -> None:
    put_all(store, [webhook(), webhook(hook="/ghprbhook/"), webhook(hook="/git/notifyCommit")])
    assert store.panel.backlog(3, held=["/ghprbhook/"]) == (2, 1)
    assert store.panel.backlog(2, held=["/ghprbhook/", "/git/notifyCommit"]) == (1, 1)


def test_the_valve_is_on_at_first(store: Store) -> None:
    valve = store.panel.valve()
    assert (valve.on, valve.reason, valve.until, valve.version) == (True, "", None, 0)


def test_the_valve_stays_as_it_was_set(store: Store, other: Store, clock: HandClock) -> None:
    clock.advance(60)
    valve = other.panel.set_valve(on=False, reason="upgrade", until=NOW + 600)
    assert valve == (False, "upgrade", NOW + 60, NOW + 600, 1)
    assert store.panel.valve() == valve
    assert store.signs().valve == valve


def test_an_off_that_is_off_already_keeps_its_since(store: Store, clock: HandClock) -> None:
    store.panel.set_valve(on=False, reason="first")
    clock.advance(60)
    valve = store.panel.set_valve(on=False, reason="second", until=NOW + 600)
    assert valve == (False, "second", NOW, NOW + 600, 2)


def test_an_off_ends_by_itself_when_its_time_is_over(store: Store, clock: HandClock) -> None:
    store.panel.set_valve(on=False, reason="upgrade", until=NOW + 600)
    clock.advance(599)
    assert not store.panel.valve().on
    clock.advance(1)
    assert store.panel.valve() == (True, "", NOW + 600, None, 1)
    clock.advance(100)
    assert store.panel.set_valve(on=False) == (False, "", NOW + 700, None, 2)


def test_setting_the_valve_is_a_change_that_others_see(store: Store, other: Store) -> None:
    store.changed()
    assert not store.changed()
    other.panel.set_valve(on=False)
    assert store.changed()
    assert not store.changed()
    version = store.signs().valve.version
    other.panel.set_valve(on=True)
    assert store.signs().valve.version == version + 1


def test_the_first_question_for_changes_says_yes(store: Store) -> None:
    assert store.changed()


def test_a_put_and_a_settle_are_changes(store: Store, other: Store) -> None:
    store.changed()
    first = webhook()
    put(other, first)
    assert store.changed()
    settle(other, first.id, attempt(Verdict.DELIVERED))
    assert store.changed()
    assert not store.changed()


def test_the_report_is_what_was_reported_last(store: Store, other: Store) -> None:
    assert store.panel.report() == {}
    report = {"jenkins": "ready", "holds": [["/a", "why \udcff ä", 1.5]], "resting": None}
    store.panel.set_report({"jenkins": "unknown"})
    store.panel.set_report(report)
    assert other.panel.report() == report


def test_the_valve_is_set_only_from_the_version_that_was_seen(store: Store) -> None:
    seen = store.panel.set_valve(on=False, reason="ours")
    theirs = store.panel.set_valve(on=False, reason="theirs")
    with pytest.raises(Overtaken):
        store.panel.set_valve(on=True, before=seen.version)
    assert store.panel.valve() == theirs
    assert store.panel.set_valve(on=True, before=theirs.version).version == theirs.version + 1
