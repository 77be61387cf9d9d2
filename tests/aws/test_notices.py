"""Pull requests hear of what went into SQS: with S3 of the emulator, and a GitHub on loopback."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from spigot.aws import notices as module
from spigot.aws.notices import AT_ONCE, GIVE_UP, KEPT, TOKEN_KEY, Notices, notices_of
from spigot.webhook import Verdict
from support.github import TOKEN, FakeGitHub
from support.stores import HandClock, attempt, webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aws.bed.emulator import Emulator
    from spigot.webhook import Webhook

FAR = float("inf")
DEAD: Any = (500, {}, {"message": "Server Error"})


@pytest.fixture
def s3(emulator: Emulator) -> Iterator[Any]:  # noqa: ARG001
    client = boto3.client("s3")
    yield client
    client.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"credentials-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key=TOKEN_KEY, Body=json.dumps({"token": TOKEN}).encode())
    return name


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "GAP", 0.0)
    with FakeGitHub() as fake:
        yield fake
    assert fake.strange == []


class World:
    """A bucket, a GitHub, and a clock in the hand; both Lambdas' view of the notices."""

    def __init__(self, s3: Any, bucket: str, fake: FakeGitHub) -> None:
        self.s3, self.bucket, self.fake = s3, bucket, fake
        self.clock = HandClock()
        self.clock.time = time.time()  # S3 writes the true time on what it keeps
        self.kept: list[Webhook] = []
        self.notices: Notices
        self.use("status")

    def use(self, mode: str) -> None:
        environ = {"NOTICES": mode, "NOTICES_API": self.fake.url}
        made = notices_of(environ, self.s3, self.bucket, self.clock)
        assert made is not None
        self.close()
        self.notices = made

    def close(self) -> None:
        if hasattr(self, "notices"):
            self.notices.close()

    def hold(self, sha: str = "a", *, late: bool = False, number: int = 1) -> Webhook:
        """Take a pull request's webhook in; late if Jenkins took its time to refuse it."""
        body = {
            "action": "opened",
            "pull_request": {"number": number, "head": {"sha": sha * 40}},
            "repository": {"full_name": "octo/hello"},
        }
        made = webhook(
            event="pull_request", body=json.dumps(body).encode(), received_at=self.clock.now()
        )
        if late:
            self.clock.advance(AT_ONCE)
        self.notices.keep(made, self.kept.append)
        return made

    def end(self, made: Webhook, verdict: Verdict = Verdict.DELIVERED, status: int = 200) -> None:
        self.clock.advance(1)
        self.notices.ended(made, attempt(verdict, status=status))

    def sweep(self, after: float = 60.0) -> None:
        self.clock.advance(after)
        self.notices.sweep(FAR, "Jenkins is not ready")

    def words(self, sha: str = "a") -> list[str]:
        return self.fake.words("octo/hello", sha * 40)

    @property
    def keys(self) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="notices/")
        return [one["Key"].removeprefix("notices/") for one in found.get("Contents", ())]


@pytest.fixture
def world(s3: Any, bucket: str, fake: FakeGitHub) -> Iterator[World]:
    world = World(s3, bucket, fake)
    yield world
    world.close()


def test_what_is_queued_at_once_is_told_at_once_and_its_end_by_the_next_sweep(
    world: World,
) -> None:
    made = world.hold()
    assert world.kept == [made]
    assert world.words() == ["pending"]
    world.sweep()
    assert world.words() == ["pending"]
    world.end(made)
    assert world.words() == ["pending"]  # nothing waits for GitHub here
    world.sweep()
    assert world.words() == ["pending", "success"]
    assert world.keys == []


def test_what_jenkins_refused_slowly_is_told_by_a_sweep(world: World) -> None:
    made = world.hold(late=True)
    world.sweep(10)
    assert world.words() == []
    world.sweep(20)
    assert world.words() == ["pending"]
    assert "Jenkins is not ready" in world.fake.statuses["octo/hello", "a" * 40][0][1]
    world.end(made)
    world.sweep()
    assert world.words() == ["pending", "success"]


def test_what_went_through_before_it_was_told_is_not_told(world: World) -> None:
    made = world.hold(late=True)
    world.end(made)
    world.sweep()
    assert (world.words(), world.keys) == ([], [])


def test_what_jenkins_took_by_itself_costs_one_question_to_s3(world: World) -> None:
    world.end(webhook(event="push"))
    world.end(webhook(event="pull_request"))
    assert (world.fake.asked, world.keys) == ([], [])


def test_a_dead_one_ends_in_an_error_and_its_replay_in_a_success(world: World) -> None:
    made = world.hold()
    world.end(made, Verdict.AGAIN)
    world.end(made, Verdict.DEAD, 404)
    world.sweep()
    assert world.words() == ["pending", "error"]
    assert "it answered 404" in world.fake.statuses["octo/hello", "a" * 40][1][1]
    world.sweep()
    world.end(made)
    world.sweep()
    assert world.words() == ["pending", "error", "success"]


def test_with_comments_there_is_one_and_it_is_updated(world: World) -> None:
    world.use("comment")
    for sha in "ab":
        made = world.hold(sha)
        world.end(made)
        world.sweep()
    (comment,) = world.fake.comments.values()
    assert ["pending" in text for text in comment.texts] == [True, False, True, False]


@pytest.mark.parametrize("trouble", [DEAD, "reset"])
def test_a_github_that_fails_keeps_nothing_from_the_queue_and_hears_the_end_later(
    world: World, trouble: Any
) -> None:
    world.fake.trouble = trouble
    made = world.hold()
    assert world.kept == [made]
    world.end(made)
    world.sweep()
    world.fake.trouble = None
    world.sweep(1)
    assert world.words() == []  # it is left alone for a while
    world.sweep()
    assert world.words() == ["success"]


def test_a_limit_is_kept_by_all_sweeps(world: World) -> None:
    for number, sha in enumerate("abc", 1):
        world.end(world.hold(sha, number=number))
    world.fake.trouble = (403, {"Retry-After": "600"}, {"message": "secondary rate limit"})
    world.sweep()
    world.fake.trouble = None
    asked = len(world.fake.asked)
    world.sweep(540)
    assert len(world.fake.asked) == asked
    world.sweep(90)
    assert [world.words(sha)[-1] for sha in "abc"] == ["success"] * 3


def test_one_that_github_refuses_holds_up_nobody_and_is_left_in_the_end(world: World) -> None:
    world.hold("a", late=True)
    world.fake.trouble = (404, {}, {"message": "Not Found"})
    for _ in range(GIVE_UP):
        world.sweep(700)
    assert world.keys == []


def test_ends_are_told_first_and_a_sweep_ends_in_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.hold("a", late=True)
    world.end(world.hold("b", number=2))
    world.clock.advance(60)
    monkeypatch.setattr(module, "GAP", 1.0)
    monkeypatch.setattr(time, "sleep", world.clock.advance)
    world.notices.sweep(world.clock.monotonic() + 0.5, "x")
    assert (world.words("a"), world.words("b")) == ([], ["pending", "success"])


def test_what_could_not_be_queued_leaves_all_as_it_was(world: World) -> None:
    def fail(_: Webhook) -> None:
        raise OSError("SQS is away")

    one = world.hold("a")
    before = world.keys
    for again in (one, one._replace(body=one.body.replace(b"a" * 40, b"b" * 40))):
        with pytest.raises(OSError, match="SQS is away"):
            world.notices.keep(again, fail)
    assert world.keys == before
    assert world.words("b") == []


def test_a_pending_that_nothing_will_end_is_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.hold()
    monkeypatch.setattr(module, "KEPT", -1e12)
    world.sweep()
    assert world.words() == ["pending", "error"]
    world.sweep()
    assert world.keys == []
    assert KEPT > 14 * 86400


@pytest.mark.parametrize("what", ["read", "write", "broken"])
def test_an_s3_that_fails_keeps_nothing_from_the_queue(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fail(**_: object) -> None:
        raise OSError("S3 is away")

    if what == "broken":
        key = f"notices/told/octo/hello@{'a' * 40}.json"
        world.s3.put_object(Bucket=world.bucket, Key=key, Body=b'{"place": 7}')
    else:
        monkeypatch.setattr(world.s3, "get_object" if what == "read" else "put_object", fail)
    made = world.hold()
    world.end(made)
    world.sweep()
    assert world.kept == [made]


def test_hostile_payloads_touch_nothing(world: World) -> None:
    for name in ("../..", "octo/../../x", "octo/hello\n"):
        body = {
            "action": "opened",
            "pull_request": {"number": 1, "head": {"sha": "a" * 40}},
            "repository": {"full_name": name},
        }
        made = webhook(event="pull_request", body=json.dumps(body).encode())
        world.notices.keep(made, world.kept.append)
        world.end(made)
    world.sweep()
    assert (len(world.kept), world.keys, world.fake.asked) == (3, [], [])


@pytest.mark.parametrize("mode", [None, "", "off"])
def test_they_are_off_unless_switched_on(s3: Any, bucket: str, mode: str | None) -> None:
    environ = {} if mode is None else {"NOTICES": mode}
    assert notices_of(environ, s3, bucket, HandClock()) is None


def test_no_token_goes_to_a_host_in_the_clear(
    s3: Any, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {"NOTICES": "status", "NOTICES_API": "http://github.example/api/v3"}
    assert notices_of(environ, s3, bucket, HandClock()) is None
    assert "in the clear" in caplog.text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s3, bucket: s3.delete_object(Bucket=bucket, Key=TOKEN_KEY),
        lambda s3, bucket: s3.put_object(Bucket=bucket, Key=TOKEN_KEY, Body=b"ghp_notJson"),
        lambda s3, bucket: s3.put_object(Bucket=bucket, Key=TOKEN_KEY, Body=b'["ghp_x"]'),
        lambda s3, bucket: s3.put_object(Bucket=bucket, Key=TOKEN_KEY, Body=b'{"token": "a\\nb"}'),
    ],
)
def test_a_token_that_cannot_be_used_is_said_and_not_shown(
    s3: Any, bucket: str, spoil: Callable[[Any, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    spoil(s3, bucket)
    assert notices_of({"NOTICES": "status"}, s3, bucket, HandClock()) is None
    assert "cannot be used" in caplog.text
    assert "ghp_" not in caplog.text
