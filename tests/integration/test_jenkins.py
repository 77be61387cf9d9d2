"""The way to Jenkins over raw sockets: what is on the wire, and what is made of every answer."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from spigot.address import Target
from spigot.client import IDLE_SECONDS
from spigot.jenkins import ANSWER_BYTES, Jenkins
from spigot.webhook import Happened
from support.stores import HandClock, webhook
from support.wire import OK, PATIENCE, RawServer, reset, saying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def playing(play: Callable[[socket.socket], object]) -> RawServer:
    """Return a server that plays this after each request."""

    def converse(server: RawServer, line: socket.socket) -> None:
        while server.read(line):
            play(line)

    return RawServer(converse)


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


MADE: list[Jenkins] = []


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    """Close the connections that a test leaves idle."""
    yield
    while MADE:
        MADE.pop().close()


def way(target: Target, **options: object) -> Jenkins:
    MADE.append(Jenkins(target, **options))  # type: ignore[arg-type]
    return MADE[-1]


def way_to(server: RawServer, context: str = "", **options: object) -> Jenkins:
    return way(Target("http", "127.0.0.1", server.port, context), **options)


def close(line: socket.socket) -> None:
    line.shutdown(socket.SHUT_RDWR)


def silence(_: socket.socket) -> None:
    return


# --- on the wire ---------------------------------------------------------------------------------


def test_a_webhook_is_sent_to_the_byte_and_nothing_is_added(server: RawServer) -> None:
    sent = webhook(body=b'{"a": 1}')._replace(
        path="/project/a%2fb/c%20d",
        query="q=%2F+%e9&empty=",
        headers=(
            (b"host", b"hooks.example.com"),
            (b"content-length", b"8"),
            (b"x-bytes", b"\xe9\xff"),
            (b"x-two", b"1"),
            (b"x-two", b"2"),
            (b"x-empty", b""),
        ),
    )
    way_to(server, "/jenkins").send(sent)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == b'{"a": 1}'
    assert head.split(b"\r\n") == [
        b"POST /jenkins/project/a%2fb/c%20d?q=%2F+%e9&empty= HTTP/1.1",
        b"Host: 127.0.0.1:%d" % server.port,
        b"x-bytes: \xe9\xff",
        b"x-two: 1",
        b"x-two: 2",
        b"x-empty: ",
        b"Content-Length: 8",
    ]


def test_what_concerns_one_connection_only_is_not_handed_on(server: RawServer) -> None:
    sent = webhook(body=b"{}")._replace(
        headers=(
            (b"connection", b"keep-alive, X-Private"),
            (b"x-private", b"1"),
            (b"keep-alive", b"5"),
            (b"te", b"trailers"),
            (b"transfer-encoding", b"chunked"),
            (b"proxy-authorization", b"Basic x"),
            (b"expect", b"100-continue"),
            (b"x-kept", b"1"),
        )
    )
    way_to(server).send(sent)
    names = {line.split(b":")[0].lower() for line in server.requests[0].split(b"\r\n")[1:4]}
    assert names == {b"host", b"x-kept", b"content-length"}
    assert server.requests[0].endswith(b"Content-Length: 2\r\n\r\n{}")


def test_a_get_without_a_body_has_no_length(server: RawServer) -> None:
    way_to(server).send(webhook(body=b"")._replace(method="GET", headers=()))
    assert b"Content-Length" not in server.requests[0]


# --- connections ---------------------------------------------------------------------------------


def test_a_connection_is_used_again_until_it_has_been_idle_for_too_long(server: RawServer) -> None:
    clock = HandClock()
    jenkins = way_to(server, clock=clock)
    for _ in range(3):
        assert jenkins.send(webhook()).status == 200
    assert server.connections == 1
    clock.advance(IDLE_SECONDS)
    assert jenkins.send(webhook()).status == 200
    assert server.connections == 2


def test_a_connection_that_the_server_has_closed_is_not_used() -> None:
    def answer_and_close(line: socket.socket) -> None:
        line.sendall(OK)
        line.shutdown(socket.SHUT_RDWR)
        closed.set()

    closed = threading.Event()
    with playing(answer_and_close) as server:
        jenkins = way_to(server)
        for _ in range(3):
            assert jenkins.send(webhook()).happened is Happened.ANSWERED
            assert closed.wait(PATIENCE)
            closed.clear()
        assert server.connections == 3


def test_nobody_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    outcome = way(Target("http", "127.0.0.1", port, "")).send(webhook())
    assert (outcome.happened, outcome.error) == (Happened.NO_CONNECTION, "connection refused")
    asked = way(Target("http", "127.0.0.1", port, "")).ask("GET", "/login", {})
    assert (asked.status, asked.error) == (0, "connection refused")
    unknown = way(Target("http", "jenkins.invalid", 80, "")).send(webhook())
    assert (unknown.happened, unknown.error) == (Happened.NO_CONNECTION, "unknown host")


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("play", "error"),
    [(reset, "connection reset"), (close, "closed without an answer"), (silence, "timed out")],
)
def test_what_breaks_once_something_was_sent_may_have_been_taken(
    play: Callable[[socket.socket], object], error: str
) -> None:
    with playing(play) as server:
        outcome = way_to(server, read_timeout=0.3).send(webhook())
        assert (outcome.happened, outcome.error) == (Happened.BROKEN, error)


def test_what_is_no_http_is_broken() -> None:
    with saying(b"SSH-2.0-something\r\n\r\n") as server:
        outcome = way_to(server).send(webhook())
    assert outcome.happened is Happened.BROKEN
    assert outcome.error.startswith("no readable HTTP")


def test_an_answer_that_dribbles_ends_in_time() -> None:
    stop = threading.Event()

    def dribble(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not stop.wait(0.05):
            line.sendall(b"x")

    with playing(dribble) as server:
        outcome = way_to(server, read_timeout=0.4).send(webhook())
        stop.set()
    assert (outcome.happened, outcome.error) == (Happened.BROKEN, "timed out")


def test_of_a_huge_answer_the_first_kilobyte_is_kept_and_the_connection_is_not() -> None:
    huge = b"HTTP/1.1 500 Server Error\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
    with playing(lambda line: line.sendall(huge)) as server:
        jenkins = way_to(server)
        for _ in range(2):
            outcome = jenkins.send(webhook())
            assert (outcome.status, outcome.answer) == (500, b"x" * ANSWER_BYTES)
        assert server.connections == 2


def test_a_redirect_is_not_followed_but_told() -> None:
    with saying(
        b"HTTP/1.1 302 Found\r\nLocation: /github-webhook/\r\nRetry-After: 7\r\n"
        b"Content-Type: Text/HTML; charset=utf-8\r\nContent-Length: 0\r\n\r\n"
    ) as server:
        outcome = way_to(server).send(webhook())
        assert len(server.requests) == 1
    assert (outcome.status, outcome.location) == (302, "/github-webhook/")
    assert (outcome.retry_after, outcome.content_type) == (7.0, "text/html")


def test_an_answer_that_comes_before_the_body_was_read_counts() -> None:
    def refuse_early(line: socket.socket) -> None:
        line.recv(1000)
        line.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        line.shutdown(socket.SHUT_WR)
        while line.recv(65536):
            pass
        line.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=lambda: refuse_early(listening.accept()[0]))
        thread.start()
        outcome = way(Target("http", "127.0.0.1", port, "")).send(webhook(body=bytes(5_000_000)))
        thread.join(PATIENCE)
    assert outcome.status == 413


def test_a_question_brings_status_headers_and_body(server: RawServer) -> None:
    asked = way_to(server, "/jenkins").ask("GET", "/whoAmI/api/json?x", {"User-Agent": "spigot"})
    assert (asked.status, asked.headers["content-length"], asked.body) == (200, "2", b"ok")
    assert server.requests[0].startswith(b"GET /jenkins/whoAmI/api/json?x HTTP/1.1\r\n")


# --- proxy and TLS -------------------------------------------------------------------------------


def test_a_proxy_gets_the_absolute_form_and_its_credentials(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target("http", "jenkins.invalid", 80, "/jenkins")
    proxy = f"http://user:p%40ss@127.0.0.1:{server.port}"
    way(target, proxy=proxy).send(webhook())
    assert server.requests[0].startswith(b"POST http://jenkins.invalid/jenkins/")
    assert b"\r\nHost: jenkins.invalid\r\n" in server.requests[0]
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n" in server.requests[0]
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert way(target, proxy="").send(webhook()).status == 200
    way_to(server, proxy="").send(webhook())
    assert server.requests[-1].startswith(b"POST /")


def test_tls_is_checked_against_the_given_authorities(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
            "-out", certificate, "-days", "2", "-subj", "/CN=practice",
            "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with RawServer(tls=tls) as server:
        target = Target("https", "127.0.0.1", server.port, "")
        assert way(target, ca_file=certificate).send(webhook()).status == 200
        stranger = way(target).send(webhook())
    assert stranger.happened is Happened.NO_CONNECTION
    assert stranger.error.startswith("TLS: ")
    assert "ca_file" in stranger.error
