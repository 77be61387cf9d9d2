"""What pull requests were told, and what they have still to hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.notices import Subject
from spigot.stores.history import Selection
from spigot.stores.memory import MemoryStore
from spigot.stores.sqlite import SqliteStore
from spigot.webhook import State, Verdict
from support.stores import NOW, HandClock, attempt, loaded, put, put_all, settle, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spigot.notices import Topic
    from spigot.ports import TellingStore
    from spigot.webhook import Webhook


@pytest.fixture(params=["memory", "sqlite"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> Iterator[TellingStore]:
    """An empty store; what notices need in SQS is no store: see `spigot.aws.notices`."""
    store: TellingStore = (
        MemoryStore(clock)
        if request.param == "memory"
        else SqliteStore(tmp_path / "data", clock=clock)
    )
    yield store
    store.close()


ONE = Subject("octo/hello", 1, "a" * 40)
NEWER = Subject("octo/hello", 1, "b" * 40)
OTHER = Subject("octo/hello", 2, "c" * 40)


def place(subject: Subject) -> str:
    return f"{subject.repository}@{subject.sha}"


def held(store: TellingStore, *subjects: Subject, at: str = "") -> list[Webhook]:
    """Put a webhook for each and say that the pull request is to hear of it."""
    webhooks = [webhook(event="pull_request") for _ in subjects]
    put_all(store, webhooks)
    store.notices.add(
        [
            (loaded(store, each.id).place.position, at or place(subject), subject)
            for each, subject in zip(webhooks, subjects, strict=True)
        ]
    )
    return webhooks


def due(store: TellingStore) -> list[Topic]:
    return store.notices.due(NOW, 100)


def tell(store: TellingStore, topic: Topic) -> None:
    """Record that a pull request was told how things stand."""
    store.notices.save(topic._replace(told=topic.state, tries=0, due_at=None, error=""))


def test_what_waits_is_shown_in_order_and_piece_by_piece(store: TellingStore) -> None:
    first, second, third = webhook(event="push"), webhook(event="pull_request"), webhook(event=None)
    put_all(store, [first, second, third])
    found = store.notices.held(0, 2)
    assert [one[1:] for one in found] == [
        ("github", "push", NOW), ("github", "pull_request", NOW)]  # fmt: skip
    assert found[1].position == loaded(store, second.id).place.position
    assert [one.event for one in store.notices.held(found[1].position, 2)] == [None]
    settle(store, second.id, attempt(Verdict.DELIVERED))
    assert [one.event for one in store.notices.held(0, 9)] == ["push", None]


def test_what_is_added_is_due_at_once_and_stands_as_its_webhook_does(store: TellingStore) -> None:
    (first,) = held(store, ONE)
    assert due(store) == [
        (place(ONE), ONE, "", 0, 0, 0.0, "", State.WAITING, first.id, first.path, NOW, 0, None)
    ]
    settle(store, first.id, attempt(Verdict.DEAD, "no", status=404))
    (topic,) = due(store)
    assert (topic.state, topic.status, topic.ended_at) == (State.DEAD, 404, NOW + 0.5)


def test_what_waits_no_longer_is_not_added(store: TellingStore) -> None:
    first = webhook()
    put(store, first)
    position = loaded(store, first.id).place.position
    settle(store, first.id, attempt(Verdict.DELIVERED))
    store.notices.add([(position, place(ONE), ONE), (position + 7, place(OTHER), OTHER)])
    assert due(store) == []


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ((None, Verdict.DEAD), State.WAITING),
        ((Verdict.DELIVERED, Verdict.DEAD), State.DEAD),
        ((Verdict.DELIVERED, Verdict.DELIVERED), State.DELIVERED),
    ],
)
def test_several_webhooks_at_one_place_are_one_topic(
    store: TellingStore, verdicts: tuple[Verdict | None, ...], state: State
) -> None:
    webhooks = held(store, ONE, ONE)
    for each, verdict in zip(webhooks, verdicts, strict=True):
        if verdict:
            settle(store, each.id, attempt(verdict))
    (topic,) = due(store)
    assert topic.state is state
    newest = webhooks[0] if state is State.WAITING else webhooks[1]
    assert topic.id == newest.id


def test_a_dropped_one_counts_unless_another_waits_or_died(store: TellingStore) -> None:
    first, second = held(store, ONE, ONE)
    sum(store.history.drop(Selection(names=(first.id,))))
    assert due(store)[0].state is State.WAITING
    settle(store, second.id, attempt(Verdict.DELIVERED))
    assert due(store)[0].state is State.DROPPED


def test_an_older_head_that_was_not_told_yet_is_forgotten(store: TellingStore) -> None:
    held(store, ONE, OTHER, NEWER)
    assert [topic.place for topic in due(store)] == [place(OTHER), place(NEWER)]


@pytest.mark.parametrize("begun", [False, True])
def test_an_older_head_that_was_told_still_hears_the_end(store: TellingStore, begun: bool) -> None:
    (first,) = held(store, ONE)
    (topic,) = due(store)
    if begun:
        store.notices.save(topic._replace(tries=1))
    else:
        tell(store, topic)
    held(store, NEWER)
    settle(store, first.id, attempt(Verdict.DELIVERED))
    known = [one.place for one in (*store.notices.changed(9), *due(store))]
    assert sorted(known) == [place(ONE), place(NEWER)]


def test_what_was_told_changes_when_its_webhook_ends(
    store: TellingStore, other: TellingStore
) -> None:
    first, second = held(store, ONE, OTHER)
    for topic in due(store):
        tell(store, topic)
    assert due(store) == []
    assert store.notices.changed(9) == []
    settle(store, first.id, attempt(Verdict.DELIVERED))
    (changed,) = store.notices.changed(9)
    assert (changed.place, changed.told, changed.state) == (place(ONE), "waiting", "delivered")
    sum(other.history.drop(Selection(names=(second.id,))))
    assert len(store.notices.changed(1)) == 1
    for _ in range(2):  # until it is told
        assert len(store.notices.changed(9)) == 2
    for topic in store.notices.changed(9):
        tell(store, topic)
    assert store.notices.changed(9) == []


def test_what_was_told_dead_changes_when_it_is_replayed(store: TellingStore) -> None:
    (first,) = held(store, ONE)
    tell(store, due(store)[0])
    settle(store, first.id, attempt(Verdict.DEAD))
    tell(store, store.notices.changed(9)[0])
    assert store.notices.changed(9) == []
    sum(store.history.replay(Selection()))
    (changed,) = store.notices.changed(9)
    assert (changed.told, changed.state) == ("dead", State.WAITING)
    tell(store, changed)
    settle(store, first.id, attempt(Verdict.DELIVERED))
    assert store.notices.changed(9)[0].state is State.DELIVERED


def test_what_is_not_due_yet_waits_and_what_was_told_before_goes_first(store: TellingStore) -> None:
    held(store, ONE, OTHER)
    first, second = due(store)
    store.notices.save(first._replace(due_at=NOW + 5, tries=2, error="500"))
    store.notices.save(second._replace(due_at=NOW + 4, told="waiting"))
    assert due(store) == []
    later = store.notices.due(NOW + 5, 9)
    assert [(one.place, one.told, one.tries, one.error) for one in later] == [
        (place(OTHER), "waiting", 0, ""), (place(ONE), "", 2, "500")]  # fmt: skip
    assert [one.place for one in store.notices.due(NOW + 5, 1)] == [place(OTHER)]


def test_what_is_added_again_is_due_again_only_if_it_was_not_told_that_it_waits(
    store: TellingStore,
) -> None:
    place_ = "octo/hello#1"
    held(store, ONE, at=place_)
    (topic,) = due(store)
    store.notices.save(topic._replace(told="waiting", comment=77, due_at=None))
    held(store, NEWER, at=place_)
    assert due(store) == []
    store.notices.save(topic._replace(told="delivered", comment=77, due_at=None))
    held(store, NEWER, at=place_)
    (again,) = due(store)
    assert (again.subject, again.told, again.comment) == (NEWER, "delivered", 77)


def test_what_is_forgotten_is_gone_until_it_is_added_again(store: TellingStore) -> None:
    (first,) = held(store, ONE)
    store.notices.save(due(store)[0]._replace(tries=4))
    store.notices.forget([place(ONE), "nobody"])
    assert due(store) == []
    store.notices.add([(loaded(store, first.id).place.position, place(ONE), ONE)])
    assert due(store)[0].tries == 0


def test_what_was_recorded_is_there_for_the_next_process(
    store: TellingStore, other: TellingStore
) -> None:
    (first,) = held(store, ONE)
    store.notices.save(due(store)[0]._replace(tries=3, error="no route", comment=9))
    (topic,) = due(other)
    assert (topic.tries, topic.error, topic.comment, topic.id) == (3, "no route", 9, first.id)
