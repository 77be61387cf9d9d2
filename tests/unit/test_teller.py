"""Who is told what and when, whatever GitHub and the store do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest

from spigot.errors import StoreError
from spigot.github import Said
from spigot.notices import Mode
from spigot.stores.history import Selection
from spigot.stores.memory import MemoryStore
from spigot.stores.sqlite import SqliteStore
from spigot.teller import BATCH, GAP, GIVE_UP, LONGEST_PAUSE, READ, TICK, Teller, Voice
from spigot.webhook import Verdict
from support.stores import HandClock, attempt, put, put_all, settle, webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from spigot.github import GitHub
    from spigot.notices import Notice, Topic
    from spigot.ports import TellingStore
    from spigot.webhook import Webhook

AFTER = 30.0
DOWN = Said(done=False, error="GitHub cannot be reached: no route")
REFUSED = Said(done=False, error="GitHub says 404 Not Found", status=404)


class World:
    """A store, a clock in the hand, and a GitHub that answers as it is told to."""

    host = "api.github.com"

    def __init__(self, store: TellingStore, clock: HandClock, mode: Mode = Mode.STATUS) -> None:
        self.store, self.clock, self.mode = store, clock, mode
        self.told: list[tuple[str, str]] = []
        self.asked = 0
        self.answer: Said | Callable[[Topic], Said] = Said(done=True, status=201)
        self.begin_again()

    def begin_again(self) -> None:
        """Forget everything but the store, as after a kill."""
        voice = Voice(self.mode, AFTER, cast("GitHub", self))
        self.teller = Teller(self.store, self.clock, lambda path: f"{path} sleeps", voice)

    def tell(self, topic: Topic, notice: Notice) -> Said:
        self.asked += 1
        said = self.answer(topic) if callable(self.answer) else self.answer
        if said.done:
            self.told.append((topic.place.replace("octo/", ""), notice.word))
        return said

    def close(self) -> None:
        pass

    def hold(self, number: int = 1, sha: str = "a", *, after: float = AFTER) -> Webhook:
        """Take a pull request's webhook in, and let time pass."""
        (made,) = self.take(number, sha=sha)
        self.clock.advance(after)
        return made

    def take(self, *numbers: int, sha: str = "a") -> list[Webhook]:
        made = [self.webhook(number, sha) for number in numbers]
        put_all(self.store, made)
        return made

    def webhook(self, number: int, sha: str) -> Webhook:
        body = {
            "action": "synchronize",
            "pull_request": {"number": number, "head": {"sha": sha * 40}},
            "repository": {"full_name": f"octo/r{number}"},
        }
        return webhook(
            event="pull_request", body=json.dumps(body).encode(), received_at=self.clock.now()
        )

    def pass_time(self, seconds: float) -> None:
        """Look as often as the thread does."""
        for _ in range(round(seconds / TICK)):
            self.teller.look()
            self.clock.advance(TICK)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Iterator[World]:
    sqlite = request.param == "sqlite"
    store: TellingStore = SqliteStore(tmp_path, clock=clock) if sqlite else MemoryStore(clock)
    yield World(store, clock)
    store.close()


def place(number: int, sha: str = "a") -> str:
    return f"r{number}@{sha * 40}"


def test_a_held_pull_request_hears_that_it_waits_and_that_it_went_through(world: World) -> None:
    made = world.hold()
    world.pass_time(10)
    assert world.told == [(place(1), "pending")]
    settle(world.store, made.id, attempt(Verdict.DELIVERED))
    world.pass_time(10)
    assert world.told == [(place(1), "pending"), (place(1), "success")]
    assert world.asked == 2


@pytest.mark.parametrize("how", ["dead", "dropped"])
def test_one_that_died_or_was_dropped_ends_in_an_error(world: World, how: str) -> None:
    made = world.hold()
    world.pass_time(5)
    if how == "dead":
        settle(world.store, made.id, attempt(Verdict.DEAD, status=404))
    else:
        sum(world.store.history.drop(Selection(names=(made.id,))))
    world.pass_time(5)
    assert [word for _, word in world.told] == ["pending", "error"]


def test_a_replayed_one_is_pending_again_and_then_a_success(world: World) -> None:
    made = world.hold()
    world.pass_time(5)
    settle(world.store, made.id, attempt(Verdict.DEAD))
    world.pass_time(5)
    sum(world.store.history.replay(Selection()))
    world.pass_time(5)
    settle(world.store, made.id, attempt(Verdict.DELIVERED))
    world.pass_time(5)
    assert [word for _, word in world.told] == ["pending", "error", "pending", "success"]


def test_ordinary_flow_makes_no_notice(world: World) -> None:
    for number in range(1, 21):
        (made,) = world.take(number)
        world.pass_time(AFTER - 2)
        settle(world.store, made.id, attempt(Verdict.DELIVERED))
    world.pass_time(60)
    assert world.asked == 0


def test_a_young_one_is_looked_at_again_when_it_is_old_enough(world: World) -> None:
    world.hold(after=0)
    world.pass_time(AFTER - 1)
    assert world.asked == 0
    world.pass_time(3)
    assert world.told == [(place(1), "pending")]


def test_a_clock_set_back_makes_nobody_wait_for_it_to_catch_up(world: World) -> None:
    world.hold()
    world.clock.adjust(-7 * 86400)
    world.pass_time(5)
    assert world.told == [(place(1), "pending")]


def test_a_due_time_of_a_clock_that_was_ahead_is_not_waited_for(
    tmp_path: Path, clock: HandClock
) -> None:
    store = SqliteStore(tmp_path, clock=clock)
    world = World(store, clock)
    world.hold()
    world.answer = Said(done=False, error="GitHub says 404", status=404)
    clock.adjust(86400)
    world.pass_time(1)
    clock.adjust(-86400)
    world.answer = Said(done=True)
    world.begin_again()
    world.pass_time(5)
    store.close()
    assert world.told == [(place(1), "pending")]


def test_several_webhooks_of_one_head_are_one_notice(world: World) -> None:
    first, second = world.take(1, 1)
    world.clock.advance(AFTER)
    world.pass_time(5)
    settle(world.store, first.id, attempt(Verdict.DELIVERED))
    world.pass_time(5)
    assert world.told == [(place(1), "pending")]
    settle(world.store, second.id, attempt(Verdict.DELIVERED))
    world.pass_time(5)
    assert world.told == [(place(1), "pending"), (place(1), "success")]


def test_of_a_pull_request_only_the_newest_head_hears(world: World) -> None:
    for sha in "abcdef":
        world.take(1, sha=sha)
    world.clock.advance(AFTER)
    world.pass_time(20)
    assert world.told == [(place(1, "f"), "pending")]


def test_with_comments_a_pull_request_keeps_one_for_all_its_heads(world: World) -> None:
    world.mode = Mode.COMMENT
    world.begin_again()
    seen: list[int] = []

    def answer(topic: Topic) -> Said:
        seen.append(topic.comment)
        return Said(done=True, comment=topic.comment or 101)

    world.answer = answer
    for sha in "ab":
        made = world.hold(sha=sha)
        world.pass_time(5)
        settle(world.store, made.id, attempt(Verdict.DELIVERED))
        world.pass_time(5)
    assert world.told == [("r1#1", word) for word in ("pending", "success") * 2]
    assert seen == [0, 101, 101, 101]


def test_requests_keep_their_distance(world: World) -> None:
    world.take(*range(1, 11))
    world.clock.advance(AFTER)
    world.pass_time(10)
    assert world.asked == 10 * TICK / GAP


def test_ends_are_told_before_beginnings(world: World) -> None:
    first = world.hold(1)
    world.pass_time(2)
    world.take(2, 3)
    world.clock.advance(AFTER)
    settle(world.store, first.id, attempt(Verdict.DELIVERED))
    world.pass_time(10)
    assert [one for one, _ in world.told] == [place(1), place(1), place(2), place(3)]


def test_while_github_is_down_it_is_asked_ever_less_and_all_ends_well(world: World) -> None:
    made = world.hold(1)
    world.take(2)
    world.clock.advance(AFTER)
    world.answer = DOWN
    world.pass_time(600)
    assert 10 < world.asked < 20
    assert world.teller.error == DOWN.error
    settle(world.store, made.id, attempt(Verdict.DELIVERED))
    world.answer = Said(done=True)
    world.pass_time(LONGEST_PAUSE + 10)
    # What was begun may have been taken: it has to hear the end.
    assert sorted(world.told) == [(place(1), "success"), (place(2), "pending")]
    assert world.teller.error == ""


@pytest.mark.parametrize("pause", [90.0, 1800.0])
def test_a_limit_is_kept_to_the_second(world: World, pause: float) -> None:
    world.take(1, 2)
    world.clock.advance(AFTER)
    world.answer = Said(done=False, error="GitHub says 403", status=403, pause=pause)
    world.pass_time(pause)
    assert world.asked == 1
    world.answer = Said(done=True)
    world.pass_time(5)
    assert len(world.told) == 2


def test_one_that_is_refused_holds_up_nobody_and_is_left_in_the_end(world: World) -> None:
    world.take(1, 2, 3)
    world.clock.advance(AFTER)
    world.answer = lambda topic: REFUSED if "r1@" in topic.place else Said(done=True)
    world.pass_time(300)
    assert world.told == [(place(2), "pending"), (place(3), "pending")]
    assert world.asked == 2 + GIVE_UP


def test_one_that_was_told_is_never_left_before_it_heard_the_end(world: World) -> None:
    made = world.hold()
    world.pass_time(3)
    settle(world.store, made.id, attempt(Verdict.DELIVERED))
    world.answer = REFUSED
    world.pass_time(3600)
    world.answer = Said(done=True)
    world.pass_time(700)
    assert [word for _, word in world.told] == ["pending", "success"]


def test_one_that_fails_by_itself_holds_up_nobody(world: World) -> None:
    world.take(1, 2)
    world.clock.advance(AFTER)
    broken = Said(done=False, error="GitHub says 500", status=500)
    world.answer = lambda topic: broken if "r1@" in topic.place else Said(done=True)
    world.pass_time(60)
    assert world.told == [(place(2), "pending")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_the_request_leaves_nothing_without_its_end(world: World, when: str) -> None:
    made = world.hold()

    def killed(topic: Topic) -> Said:
        if when == "after":
            world.told.append((topic.place.replace("octo/", ""), "pending"))
        raise KeyboardInterrupt

    world.answer = killed
    with pytest.raises(KeyboardInterrupt):
        world.pass_time(5)
    settle(world.store, made.id, attempt(Verdict.DELIVERED))
    world.answer = Said(done=True)
    world.begin_again()
    world.pass_time(10)
    assert world.told[-1] == (place(1), "success")


def test_after_a_restart_nobody_is_told_twice(world: World) -> None:
    world.take(1, 2)
    world.clock.advance(AFTER)
    world.pass_time(10)
    world.begin_again()
    world.pass_time(10)
    assert len(world.told) == 2


def test_what_nobody_could_be_told_in_time_is_passed_over_and_said(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "spigot")
    made = world.take(*range(1, 21))
    world.clock.advance(AFTER)
    world.pass_time(4)
    for each in made:
        settle(world.store, each.id, attempt(Verdict.DELIVERED))
    world.pass_time(30)
    assert [word for _, word in world.told] == ["pending"] * 2 + ["success"] * 2
    skipped = [record for record in caplog.records if "ended before" in record.getMessage()]
    fields = [getattr(record, "fields")["pull_requests"] for record in skipped]  # noqa: B009
    assert sum(fields) == 18


def test_a_long_backlog_is_read_a_piece_at_a_time(tmp_path: Path, clock: HandClock) -> None:
    store = SqliteStore(tmp_path, clock=clock)
    world = World(store, clock)
    world.take(*range(1, 3 * READ + 1))
    put_all(store, [webhook(event="push") for _ in range(BATCH)])
    clock.advance(AFTER)
    for look in range(1, 5):
        world.teller.look()
        assert len(store.notices.due(clock.now(), 1000)) == min(look, 3) * READ - world.asked
    store.close()


def test_a_store_that_fails_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.hold()
    with monkeypatch.context() as failing:

        def fail(_: object) -> None:
            raise StoreError("The disk is full.")

        failing.setattr(world.store.notices, "add", fail)
        failing.setattr(world.store.notices, "save", fail)
        with pytest.raises(StoreError):
            world.pass_time(5)
    assert world.asked == 0
    world.begin_again()
    world.pass_time(5)
    assert world.told == [(place(1), "pending")]


def test_what_asks_for_nothing_is_not_told_of(world: World) -> None:
    put(world.store, webhook(event="status"))
    put(world.store, webhook(event="issue_comment"))
    put(world.store, webhook(event="pull_request", body=b"{}"))
    world.clock.advance(AFTER)
    world.pass_time(10)
    assert world.asked == 0


def test_switched_off_it_looks_at_nothing(world: World) -> None:
    world.hold()
    world.teller.use(None)
    world.pass_time(10)
    assert world.asked == 0
    assert world.store.notices.due(world.clock.now(), 9) == []


def test_the_thread_starts_and_ends(world: World) -> None:
    world.teller.start()
    world.teller.stop(10.0)
