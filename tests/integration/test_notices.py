"""Pull requests hear of their held webhooks: a whole gateway between a provider and a GitHub."""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from spigot.payloads import github_payloads
from spigot.practice import Phase, PracticeJenkins
from spigot.stores.history import Selection
from spigot.webhook import State
from support.commands import run
from support.gateway import GatewayProcess, wait_until
from support.github import TOKEN, FakeGitHub
from support.provider import SECRET, Request, github, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = "octo/hello"


def sha(number: int) -> str:
    return f"{number:040x}"


def pull(number: int, *, action: str = "opened", form: bool = False, **changes: Any) -> Request:
    payload = {
        "action": action,
        "number": number,
        "pull_request": {
            "number": number,
            "title": "x" * 100_000 if number == 3 else "Mend it",
            "head": {"sha": sha(number)},
            "statuses_url": "http://127.0.0.1:1/evil",
        },
        "repository": {"full_name": REPOSITORY},
    }
    return github("pull_request", json.dumps(payload | changes).encode(), form=form)


@pytest.fixture
def jenkins() -> Iterator[PracticeJenkins]:
    with PracticeJenkins(github_secrets=[SECRET]) as jenkins:
        yield jenkins


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake
    assert fake.strange == []


def settings(fake: FakeGitHub, mode: str = "status", after: str = "0.1") -> dict[str, str]:
    return {
        "SPIGOT_NOTICES": mode,
        "SPIGOT_NOTICES_TOKEN": TOKEN,
        "SPIGOT_NOTICES_API": fake.url,
        "SPIGOT_NOTICES_AFTER": after,
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def gateway(tmp_path: Path, jenkins: PracticeJenkins, fake: FakeGitHub) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path, jenkins.url, settings(fake)) as gateway:
        yield gateway
        assert TOKEN not in gateway.log_text()


def turn(gateway: GatewayProcess, *, on: bool, reason: str = "") -> None:
    with closing(gateway.store()) as store:
        store.panel.set_valve(on=on, reason=reason)
    gateway.until(lambda status: status["valve"] == ("ON" if on else "OFF"))


def until(fake: FakeGitHub, number: int, words: list[str]) -> None:
    """Wait until a pull request's head has had these statuses."""
    wait_until(lambda: fake.words(REPOSITORY, sha(number)) == words)


def test_a_held_pull_request_is_pending_and_then_a_success(
    gateway: GatewayProcess, fake: FakeGitHub
) -> None:
    turn(gateway, on=False, reason="upgrade")
    send(gateway.port, pull(1))
    send(gateway.port, pull(3, action="synchronize", form=True))
    until(fake, 1, ["pending"])
    until(fake, 3, ["pending"])
    assert fake.statuses[REPOSITORY, sha(1)][0][1] == (
        "Kept for Jenkins, which hears of it later: the valve is OFF (upgrade)"
    )
    turn(gateway, on=True)
    until(fake, 1, ["pending", "success"])
    until(fake, 3, ["pending", "success"])


def test_ordinary_flow_asks_nothing_of_github(
    gateway: GatewayProcess, fake: FakeGitHub, jenkins: PracticeJenkins
) -> None:
    for number in range(1, 21):
        send(gateway.port, pull(number))
    gateway.until_delivered(20)
    turn(gateway, on=False)
    send(gateway.port, pull(30))
    until(fake, 30, ["pending"])  # by now the others would have been told too
    assert len(fake.asked) == 1
    assert len(jenkins.taken) == 20


def test_what_jenkins_refuses_ends_in_an_error(gateway: GatewayProcess, fake: FakeGitHub) -> None:
    turn(gateway, on=False)
    request = pull(1)
    forged = tuple(
        (name, text.replace("=", "=0")) if name.startswith("X-Hub") else (name, text)
        for name, text in request.headers
    )
    send(gateway.port, request._replace(headers=forged))
    until(fake, 1, ["pending"])
    turn(gateway, on=True)
    until(fake, 1, ["pending", "error"])
    assert "it answered 400" in fake.statuses[REPOSITORY, sha(1)][1][1]


def test_what_a_person_drops_ends_in_an_error(gateway: GatewayProcess, fake: FakeGitHub) -> None:
    turn(gateway, on=False)
    send(gateway.port, pull(1))
    until(fake, 1, ["pending"])
    with closing(gateway.store()) as store:  # as `spigot drop` does it, another process
        assert sum(store.history.drop(Selection())) == 1
    until(fake, 1, ["pending", "error"])
    with closing(gateway.store()) as store:
        assert sum(store.history.replay(Selection(state=State.DROPPED))) == 1
    until(fake, 1, ["pending", "error", "pending"])


def test_one_that_is_killed_begins_and_ends_what_it_owes(
    gateway: GatewayProcess, fake: FakeGitHub
) -> None:
    turn(gateway, on=False)
    fake.trouble = "hang"
    send(gateway.port, pull(1))
    send(gateway.port, pull(2))
    wait_until(lambda: fake.hung)  # in the middle of a request
    gateway.kill()
    fake.trouble = None
    gateway.start()
    until(fake, 1, ["pending"])
    until(fake, 2, ["pending"])
    gateway.kill()
    with closing(gateway.store()) as store:
        store.panel.set_valve(on=True)
    gateway.start()
    until(fake, 1, ["pending", "success"])
    until(fake, 2, ["pending", "success"])


def test_a_github_that_is_down_changes_nothing_for_delivery_and_hears_later(
    gateway: GatewayProcess, fake: FakeGitHub, jenkins: PracticeJenkins
) -> None:
    jenkins.phase = Phase.STARTING
    gateway.until(lambda status: status["jenkins"] == "not ready")
    send(gateway.port, pull(1))
    until(fake, 1, ["pending"])
    assert "Jenkins is not ready" in fake.statuses[REPOSITORY, sha(1)][0][1]
    fake.stop()
    send(gateway.port, pull(2))
    status = gateway.until(lambda status: "pull requests are not told" in status["next"])
    assert "GitHub cannot be reached: connection refused" in status["next"]
    jenkins.phase = Phase.READY
    gateway.until_delivered(2)
    fake.start()
    until(fake, 1, ["pending", "success"])
    until(fake, 2, ["success"])  # GitHub may have taken what was begun
    gateway.until(lambda status: "not told" not in status["next"])


@pytest.mark.parametrize(
    "trouble",
    [(401, {}, {"message": "Bad credentials"}), (500, {}, b"<html>"), "reset",
     (403, {"Retry-After": "3"}, {"message": "You have exceeded a secondary rate limit"})],
    ids=["401", "500", "reset", "limit"],
)  # fmt: skip
def test_a_github_that_refuses_changes_nothing_for_delivery(
    gateway: GatewayProcess, fake: FakeGitHub, trouble: Any
) -> None:
    fake.trouble = trouble
    turn(gateway, on=False)
    send(gateway.port, pull(1))
    gateway.until(lambda status: "pull requests are not told" in status["next"])
    turn(gateway, on=True)
    gateway.until_delivered(1)
    fake.trouble = None
    until(fake, 1, ["success"])


def test_what_a_notice_causes_makes_no_notice(gateway: GatewayProcess, fake: FakeGitHub) -> None:
    turn(gateway, on=False)
    others = [one for one in github_payloads() if one.event != "pull_request"]
    for event, body in others:
        assert send(gateway.port, github(event, body)).status == 200
    assert {"status", "issue_comment", "pull_request_review"} <= {one.event for one in others}
    send(gateway.port, pull(1))
    until(fake, 1, ["pending"])  # the last to come
    assert len(fake.asked) == 1


def test_hostile_payloads_make_no_request(gateway: GatewayProcess, fake: FakeGitHub) -> None:
    turn(gateway, on=False)
    heads = [sha(7) + "\n", "../../../user", sha(7)[:-1], f"{sha(7)}?x=", "é" * 40, None, 7]
    names = [
        "../..", "octo/..", "octo/hello/../x", "octo/hello\r\nHost: evil", "//evil.example/x",
        "octo/hello?access_token=", "octo@evil.example/hello", None, ["octo/hello"],
    ]  # fmt: skip
    hostile = [pull(7, pull_request={"number": 7, "head": {"sha": head}}) for head in heads]
    hostile += [pull(7, repository={"full_name": name}) for name in names]
    for request in hostile:
        assert send(gateway.port, request).status == 200
    send(gateway.port, pull(3))  # its title is huge
    until(fake, 3, ["pending"])
    assert fake.asked == [f"POST /repos/{REPOSITORY}/statuses/{sha(3)}"]


def test_with_comments_there_is_one_and_it_is_updated(
    tmp_path: Path, jenkins: PracticeJenkins, fake: FakeGitHub
) -> None:
    with GatewayProcess(tmp_path, jenkins.url, settings(fake, "comment")) as gateway:
        turn(gateway, on=False, reason="@octo/everybody")
        send(gateway.port, pull(1))
        wait_until(lambda: fake.comments)
        turn(gateway, on=True)
        wait_until(lambda: len(next(iter(fake.comments.values())).texts) == 2)
    ((_, comment),) = fake.comments.items()
    assert (comment.repository, comment.number) == (REPOSITORY, 1)
    assert "(@octo/everybody)`" in comment.texts[0]  # as code, it calls nobody
    assert "**success**" in comment.texts[1]


def test_a_reload_takes_a_new_token(
    tmp_path: Path, jenkins: PracticeJenkins, fake: FakeGitHub
) -> None:
    file = tmp_path / "token"
    file.write_text("ghp_revoked\n")
    environment = settings(fake) | {"SPIGOT_NOTICES_TOKEN": f"file:{file}"}
    with GatewayProcess(tmp_path, jenkins.url, environment) as gateway:
        turn(gateway, on=False)
        send(gateway.port, pull(1))
        gateway.until(lambda status: "401 Bad credentials" in status["next"])
        file.write_text(TOKEN)
        os.kill(gateway.pid, signal.SIGHUP)
        until(fake, 1, ["pending"])
        assert "ghp_revoked" not in gateway.log_text()
        assert TOKEN not in gateway.log_text()


@pytest.mark.parametrize("token", [TOKEN, "ghp_revoked"])
def test_check_says_whether_the_token_works(
    tmp_path: Path,
    jenkins: PracticeJenkins,
    fake: FakeGitHub,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
) -> None:
    for name, text in (settings(fake) | {"SPIGOT_NOTICES_TOKEN": token}).items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("SPIGOT_PROXY", "none")
    monkeypatch.setenv("SPIGOT_MIN_FREE", "1MiB")
    fake.scopes = "repo:status"
    words = ("check", "--target", jenkins.url, "--data", str(tmp_path))
    plain, result = run(*words), run(*words, "--json")
    (found,) = json.loads(result.stdout)["notices"]
    good = token == TOKEN
    assert (found["good"], result.exit_code) == (good, 0 if good else 1)
    assert ("repo:status" if good else "401 Bad credentials") in found["why"]
    assert found["why"] in plain.stdout
    assert "anybody can have Spigot speak" in plain.stdout
    assert token not in plain.stdout + result.stdout
    assert fake.statuses == {}
