"""Jenkins' own question, and other requests of providers that are no plain webhooks."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from spigot.practice import PracticeJenkins
from support.gateway import GatewayProcess
from support.listener import JSON, PUSH, Listener, answers_in, read_all, whole
from support.provider import plain, send
from support.wire import RawServer

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = b"POST /github-webhook/ HTTP/1.1\r\nHost: a\r\nX-Jenkins-Validation: true\r\n"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nX-Instance-Identity: MIIBIjAN+key/=\r\nContent-Type: text/plain\r\n"
    b"Connection: keep-alive, X-Private\r\nKeep-Alive: timeout=5\r\nX-Private: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n"
)


def talk(port: int, request: bytes) -> bytes:
    """Send bytes to a port, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(request)
        line.shutdown(socket.SHUT_WR)
        return read_all(line)


def gateway_to(directory: Path, target: str) -> GatewayProcess:
    # A probe that is not asked again: the requests that are counted are the test's own.
    return GatewayProcess(directory, target, {"SPIGOT_PROBE_EVERY": "1h"})


def test_jenkins_answers_its_own_question_at_once_and_nothing_is_kept(tmp_path: Path) -> None:
    with RawServer() as jenkins:
        jenkins.answer = ANSWER
        with gateway_to(tmp_path, f"http://127.0.0.1:{jenkins.port}/ci") as gateway:
            with closing(gateway.store()) as store:
                store.panel.set_valve(on=False, reason="test")
            gateway.until(lambda status: status["valve"] == "OFF")
            request = QUESTION + b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            head, _, body = talk(gateway.port, request).partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            assert lines[0] == b"http/1.1 200 ok"
            assert b"X-Instance-Identity: MIIBIjAN+key/=".lower() in lines
            assert b"content-type: text/plain" in lines
            assert b"content-length: 3" in lines
            assert body == b"yes"
            assert not [
                one for one in lines if one.startswith((b"transfer-", b"x-private", b"keep"))
            ]
            assert gateway.status()["waiting"] == gateway.status()["delivered"] == 0
        asked = [one for one in jenkins.requests if one.startswith(b"POST")]
        assert len(asked) == 1
        assert asked[0].startswith(b"POST /ci/github-webhook/ HTTP/1.1\r\n")
        assert b"x-jenkins-validation: true\r\n" in asked[0]


def test_the_practice_jenkins_is_asked_through_the_gateway(tmp_path: Path) -> None:
    with PracticeJenkins() as jenkins, GatewayProcess(tmp_path, jenkins.url) as gateway:
        received = talk(gateway.port, QUESTION + b"Content-Length: 0\r\n\r\n")
        assert received.startswith(b"HTTP/1.1 200")
        assert gateway.status()["delivered"] == 0


def test_while_jenkins_is_away_the_answer_explains_and_webhooks_are_taken(tmp_path: Path) -> None:
    with gateway_to(tmp_path, "http://127.0.0.1:9") as gateway:
        received = talk(gateway.port, QUESTION + b"Content-Length: 0\r\n\r\n")
        ((status, headers, content),) = answers_in(received)
        assert (status, headers["retry-after"]) == (503, "30")
        assert "connection refused" in content["error"]
        assert send(gateway.port, plain("/github-webhook/")).status == 200
        assert gateway.status()["waiting"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"rubbish\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", id="half"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + bytes(99_999), id="too much"
        ),
    ],
)
def test_an_answer_that_is_none_is_not_passed_on(tmp_path: Path, answer: bytes) -> None:
    def play(server: RawServer, line: socket.socket) -> None:
        server.read(line)
        line.sendall(answer)

    with RawServer() as jenkins:
        jenkins.play = play
        with gateway_to(tmp_path, f"http://127.0.0.1:{jenkins.port}") as gateway:
            received = talk(gateway.port, QUESTION + b"Content-Length: 0\r\n\r\n")
            assert answers_in(received)[0][0] == 503


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(
            QUESTION.replace(b"validation: true", b"Validation:")
            .replace(b"Validation: true", b"Validation:"),
            id="empty",
        ),
        pytest.param(QUESTION + b"Connection: X-Jenkins-Validation\r\n", id="hop by hop"),
        pytest.param(QUESTION.replace(b"/github-webhook/", b"/ghprbhook/"), id="another hook"),
    ],
)  # fmt: skip
def test_what_only_looks_like_the_question_is_kept_like_any_webhook(head: bytes) -> None:
    with Listener() as listener:
        assert listener.talk(whole(b"{}", head))[0][0] == 200
        assert len(listener.kept) == 1


def test_a_flood_of_questions_is_refused_and_webhooks_are_not() -> None:
    free = threading.Event()
    asked = threading.Semaphore(0)

    def wait(*_: object) -> object:
        asked.release()
        free.wait(20)
        raise OSError

    with Listener(pass_on=wait) as listener:  # type: ignore[arg-type]
        lines = [listener.connect() for _ in range(9)]
        for line in lines[:8]:
            line.sendall(QUESTION + b"Content-Length: 0\r\n\r\n")
        for _ in range(2):
            assert asked.acquire(timeout=20)

        async def all_asked() -> None:
            import asyncio

            while listener.edge.requests < 8:
                await asyncio.sleep(0.005)

        listener.on_loop(all_asked())
        lines[8].sendall(QUESTION + b"Content-Length: 0\r\n\r\n")
        assert lines[8].recv(1000).startswith(b"HTTP/1.1 503")
        assert listener.talk(whole(b"{}"))[0][0] == 200
        free.set()
        for line in lines[:8]:
            assert line.recv(1000).startswith(b"HTTP/1.1 500")
        for line in lines:
            line.close()


# --- odd cases of the providers -------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [b"/gitea-webhook/post", b"/webhooks", b"/jenkins/github-webhook/"]
)
def test_a_payload_in_the_url_is_explained(path: bytes) -> None:
    request = b"GET " + path + b"?payload=%7B%7D HTTP/1.1\r\nHost: a\r\nX-Gitea-Event: push\r\n\r\n"
    with Listener() as listener:
        ((status, headers, body),) = listener.talk(request)
        assert (status, headers["allow"]) == (405, "POST")
        assert "choose POST and application/json" in body["error"]
        assert listener.kept == []


def test_a_plugin_that_takes_get_gets_the_payload_in_the_url() -> None:
    target = b"/generic-webhook-trigger/invoke?token=t&payload=%7B%7D"
    with Listener() as listener:
        request = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        assert listener.talk(request)[0][0] == 200
        assert (listener.kept[0].method, listener.kept[0].query) == (
            "GET",
            "token=t&payload=%7B%7D",
        )


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH"])
def test_another_method_is_refused_with_those_that_are_taken(method: bytes) -> None:
    with Listener() as listener, listener.connect() as line:
        line.sendall(method + b" /github-webhook/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = read_all(line)
        assert received.startswith(b"HTTP/1.1 405")
        assert b"Allow: POST" in received


def test_no_answer_is_a_redirect_which_some_take_for_success() -> None:
    # GitLab counts 3xx as delivered, Gogs and GitHub do not follow it.
    with Listener() as listener:
        for path in (b"/github-webhook", b"/", b"//github-webhook/", b"/project/", b"/login"):
            request = whole(b"{}", b"POST " + path + b" HTTP/1.1\r\nHost: a\r\n")
            assert listener.talk(request)[0][0] == 404


@pytest.mark.parametrize(
    ("head", "body"),
    [
        pytest.param(
            b"X-Gitea-Event: push\r\nX-Hub-Signature: sha1=\r\n", b"{}", id="empty digest"
        ),
        pytest.param(b"X-GitHub-Event: ping\r\n", b'{"zen": "x", "hook_id": 1}', id="ping"),
        pytest.param(b"X-Event-Key: diagnostics:ping\r\n", b'{"test": true}', id="Bitbucket test"),
        pytest.param(b"X-GitHub-Event: dependabot_alert\r\n", b"{}", id="new event"),
        pytest.param(b"", b'{"id": "1", "eventType": "git.push"}', id="Azure DevOps"),
        pytest.param(b"", b"", id="no body"),
    ],
)
def test_what_providers_send_besides_is_kept(head: bytes, body: bytes) -> None:
    with Listener() as listener:
        request = PUSH.replace(b"X-GitHub-Event: push\r\n", head) + JSON
        request += b"Content-Length: %d\r\n\r\n" % len(body) + body
        assert listener.talk(request)[0][0] == 200
        assert listener.kept[0].body == body
