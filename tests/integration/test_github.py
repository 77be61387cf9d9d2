"""What is asked of GitHub, and what its answers mean; over a real connection."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from spigot.address import Target
from spigot.github import LONGEST_PAUSE, SECONDARY_PAUSE, GitHub, Said, read
from spigot.notices import Notice, Subject, Topic
from spigot.ports import Clock, Passed
from spigot.webhook import State
from support.certificates import make_pair
from support.github import TOKEN, FakeGitHub
from support.stores import NOW
from support.wire import RawServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHA = "a" * 40
PENDING = Notice("pending", "Kept")


def topic(place: str, *, comment: int = 0, tries: int = 1) -> Topic:
    subject = Subject("octo/hello", 12, SHA)
    return Topic(
        place, subject, "", comment, tries, NOW, "", State.WAITING, "01J", "/", NOW, 0, None
    )


STATUS = topic(f"octo/hello@{SHA}")
COMMENT = topic("octo/hello#12")


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake
    assert fake.strange == []


@pytest.fixture
def github(fake: FakeGitHub) -> Iterator[GitHub]:
    made = GitHub(Target.parse(fake.url), TOKEN, Clock(), timeout=5.0)
    yield made
    made.close()


def test_a_status_is_set_at_the_head(fake: FakeGitHub, github: GitHub) -> None:
    assert github.tell(STATUS, PENDING) == Said(done=True, status=201)
    assert fake.statuses == {("octo/hello", SHA): [("pending", "Kept")]}
    assert fake.asked == [f"POST /repos/octo/hello/statuses/{SHA}"]


def test_a_comment_is_made_once_and_updated_then(fake: FakeGitHub, github: GitHub) -> None:
    said = github.tell(COMMENT, PENDING)
    assert said.done
    github.tell(COMMENT._replace(comment=said.comment), Notice("success", "Delivered"))
    (comment,) = fake.comments.values()
    assert ["pending" in text for text in comment.texts] == [True, False]
    assert "success" in comment.texts[1]


def test_a_comment_that_somebody_deleted_is_made_anew(fake: FakeGitHub, github: GitHub) -> None:
    said = github.tell(COMMENT._replace(comment=99), PENDING)
    assert said.done
    assert said.comment in fake.comments


def test_a_comment_whose_answer_got_lost_is_found_again(fake: FakeGitHub, github: GitHub) -> None:
    fake.trouble = "lost"
    assert not github.tell(COMMENT, PENDING).done
    fake.trouble = None
    said = github.tell(COMMENT._replace(tries=2), Notice("success", "Delivered"))
    assert said.done
    assert list(fake.comments) == [said.comment]
    assert fake.asked[1] == (
        "GET /repos/octo/hello/issues/12/comments?since=2027-01-15T08:00:00Z&per_page=30"
    )


def test_where_the_comments_are_too_long_to_be_read_one_more_is_made(
    fake: FakeGitHub, github: GitHub
) -> None:
    for _ in range(2):
        github.tell(COMMENT, Notice("pending", "x" * 40_000))
    assert github.tell(COMMENT._replace(tries=2), PENDING).done
    assert len(fake.comments) == 3


def test_the_token_can_be_checked_without_a_change(fake: FakeGitHub, github: GitHub) -> None:
    assert github.check() == Said(done=True, status=200)
    fake.scopes = "repo:status"
    assert github.check().scopes == "repo:status"
    assert fake.asked == ["GET /rate_limit"] * 2


def test_a_refused_token_is_said_and_not_shown(fake: FakeGitHub) -> None:
    github = GitHub(Target.parse(fake.url), "anotherToken", Clock())
    said = github.check()
    github.close()
    assert (said.done, said.error, said.of_all) == (False, "GitHub says 401 Bad credentials", True)


def test_a_token_that_is_echoed_is_masked(fake: FakeGitHub, github: GitHub) -> None:
    fake.trouble = (500, {}, {"message": f"cannot use {TOKEN}\r\nX: y"})
    assert github.check().error == "GitHub says 500 cannot use *** X: y"


@pytest.mark.parametrize("trouble", ["reset", "hang", "lost"])
def test_a_github_that_does_not_answer_is_said(fake: FakeGitHub, trouble: str) -> None:
    github = GitHub(Target.parse(fake.url), TOKEN, Clock(), timeout=0.3)
    fake.trouble = trouble
    said = github.tell(STATUS, PENDING)
    github.close()
    assert (said.done, said.status, said.of_all) == (False, 0, True)
    assert said.error.startswith("GitHub cannot be reached: ")


def test_a_github_that_is_down_is_said() -> None:
    fake = FakeGitHub()
    fake.start()
    fake.stop()
    github = GitHub(Target.parse(fake.url), TOKEN, Clock())
    assert github.tell(STATUS, PENDING).error == "GitHub cannot be reached: connection refused"


def test_a_redirect_is_not_followed(fake: FakeGitHub, github: GitHub) -> None:
    with FakeGitHub() as elsewhere:
        fake.trouble = (301, {"Location": f"{elsewhere.url}/rate_limit"}, b"")
        said = github.tell(STATUS, PENDING)
        assert not said.done
        assert "not followed" in said.error
        assert elsewhere.asked == elsewhere.strange == []


def test_a_server_that_cannot_prove_who_it_is_gets_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make_pair(tmp_path, "github")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with RawServer(tls=context) as server:
        api = Target.parse(f"https://127.0.0.1:{server.port}")
        github = GitHub(api, TOKEN, Clock())
        assert "TLS: " in github.check().error
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))
        trusting = GitHub(api, TOKEN, Clock())
        assert trusting.check().done
        github.close()
        trusting.close()


# --- what answers mean -----------------------------------------------------------------------


def passed(status: int, body: bytes = b"{}", **headers: str) -> Passed:
    lines = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    return Passed(status, "Reason", lines, body)


@pytest.mark.parametrize(
    ("answer", "pause", "of_all"),
    [
        (passed(403, retry_after="120"), 120.0, True),
        (passed(429, retry_after="7"), 7.0, True),
        (passed(429, retry_after="0"), 1.0, True),
        (passed(403, retry_after="999999"), LONGEST_PAUSE, True),
        (passed(403, x_ratelimit_remaining="0", x_ratelimit_reset=f"{NOW + 90:.0f}"), 90.0, True),
        (passed(403, x_ratelimit_remaining="0", x_ratelimit_reset=f"{NOW - 90:.0f}"), 1.0, True),
        (passed(403, x_ratelimit_remaining="0", x_ratelimit_reset="soon"), None, False),
        (passed(403, x_ratelimit_remaining="12", x_ratelimit_reset=f"{NOW:.0f}"), None, False),
        (passed(403, b'{"message": "You have exceeded a secondary rate limit."}'),
         SECONDARY_PAUSE, True),
        (passed(429), SECONDARY_PAUSE, True),
        (passed(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), SECONDARY_PAUSE, True),
        (passed(503, retry_after="30"), 30.0, True),
        (passed(503), None, True),
        (passed(500, retry_after="30"), None, True),
        (passed(401), None, True),
        (passed(403, b'{"message": "Resource not accessible by personal access token"}'),
         None, False),
        (passed(404), None, False),
        (passed(422), None, False),
        (passed(301), None, False),
        (Passed(0, error="timed out"), None, True),
    ],
)  # fmt: skip
def test_a_limit_says_for_how_long_and_some_answers_concern_all(
    answer: Passed, pause: float | None, of_all: bool
) -> None:
    said = read(answer, NOW)
    assert not said.done
    assert (said.pause, said.of_all) == (pause, of_all)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"message": "Not Found"}', "GitHub says 404 Not Found"),
        (b"<html>", "GitHub says 404 Reason"),
        (b"[]", "GitHub says 404 Reason"),
        (b'{"message": 7}', "GitHub says 404 Reason"),
        (b'{"message": "a\\u001b[2Jb"}', "GitHub says 404 a\\x1b[2Jb"),
        (b"[" * 5000, "GitHub says 404 Reason"),
    ],
)
def test_an_error_is_one_printable_line(body: bytes, error: str) -> None:
    assert read(passed(404, body), NOW).error == error
    assert len(read(passed(404, b'{"message": "%s"}' % (b"x" * 9000)), NOW).error) == 300


@pytest.mark.parametrize("body", [b"", b"[]", b'{"id": "7"}', b'{"id": true}', b'{"id": -1}'])
def test_an_id_that_is_none_is_none(body: bytes) -> None:
    assert read(passed(201, body), NOW) == Said(done=True, status=201)
