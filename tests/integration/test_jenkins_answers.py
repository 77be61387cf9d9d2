"""What is made of what Jenkins, or something in its place, answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from spigot.practice import Fault, PracticeJenkins
from spigot.webhook import Happened
from support.wire import OK, PATIENCE, RawServer, hook, reset, saying, way_to

if TYPE_CHECKING:
    import socket

HALF_A_PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n"


class TestNoAnswer:
    def test_a_reset_amid_the_head(self) -> None:
        def play(server: RawServer, line: socket.socket) -> None:
            server.read(line)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
            reset(line)

        with RawServer(play) as server, way_to(server.port) as jenkins:
            assert jenkins.send(hook()).happened is Happened.BROKEN

    @pytest.mark.parametrize(
        "answer",
        [
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"\x15\x03\x01\x00\x02\x02\x46" * 10,
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
        ],
        ids=["SSH", "no status", "TLS", "too many headers", "too long a header"],
    )
    def test_garbage_is_not_quoted(self, answer: bytes) -> None:
        with saying(answer) as server, way_to(server.port) as jenkins:
            outcome = jenkins.send(hook())
        assert (outcome.happened, outcome.status) == (Happened.BROKEN, 0)
        assert outcome.error.startswith("no readable HTTP")

    def test_a_server_that_does_not_read_times_out(self) -> None:
        left = threading.Event()

        def look_away(_: RawServer, __: socket.socket) -> None:
            left.wait(PATIENCE)

        with RawServer(look_away) as server, way_to(server.port, read_timeout=0.1) as jenkins:
            outcome = jenkins.send(hook(body=bytes(20 * 1024 * 1024)))
            left.set()
        assert (outcome.happened, outcome.error) == (Happened.BROKEN, "timed out")

    @pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["status", "header"])
    def test_a_head_that_comes_byte_by_byte_holds_neither_worker_nor_probe(
        self, head: bytes
    ) -> None:
        pace = threading.Event()

        def dribble(server: RawServer, line: socket.socket) -> None:
            server.read(line)
            line.sendall(head)
            while True:
                line.sendall(b"H")
                pace.wait(0.01)

        with (
            RawServer(dribble) as server,
            way_to(server.port, read_timeout=0.2, probe_timeout=0.2) as jenkins,
        ):
            outcome = jenkins.send(hook())
            asked = jenkins.ask("GET", "/login", {})
        assert (outcome.happened, outcome.error) == (Happened.BROKEN, "timed out")
        assert (asked.status, asked.error) == (0, "timed out")

    def test_a_practice_jenkins_that_hangs(self) -> None:
        with PracticeJenkins() as practice, way_to(practice.port, read_timeout=0.1) as jenkins:
            practice.fault("/github-webhook/", Fault(hang=True))
            assert jenkins.send(hook()).error == "timed out"


class TestHalfAnAnswer:
    @pytest.mark.parametrize(
        ("answer", "text", "length"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"half", 4),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n4", b"half", 4),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n", b"", 1),
        ],
        ids=["length", "chunks", "bad chunk"],
    )
    def test_a_body_cut_short_does_not_undo_the_status(
        self, answer: bytes, text: bytes, length: int
    ) -> None:
        with saying(answer) as server, way_to(server.port) as jenkins:
            outcome = jenkins.send(hook())
        assert (outcome.happened, outcome.status) == (Happened.ANSWERED, 200)
        assert (outcome.answer, outcome.length) == (text, length)

    def test_a_page_whose_body_never_comes_still_counts_as_a_page(self) -> None:
        def play(server: RawServer, line: socket.socket) -> None:
            server.read(line)
            line.sendall(HALF_A_PAGE)
            line.recv(1)

        with (
            RawServer(play) as server,
            way_to(server.port, read_timeout=0.1, probe_timeout=0.1) as jenkins,
        ):
            outcome = jenkins.send(hook())
            asked = jenkins.ask("GET", "/login", {})
        assert (outcome.status, outcome.content_type, outcome.length) == (200, "text/html", 1)
        # A Jenkins that cannot bring a probe's answer to its end is not ready.
        assert (asked.status, asked.error) == (0, "timed out")


class TestAnswers:
    def test_100_continue_is_not_the_answer(self) -> None:
        with RawServer() as server, way_to(server.port) as jenkins:
            server.answer = b"HTTP/1.1 100 Continue\r\n\r\n" + OK
            assert [jenkins.send(hook()).status for _ in range(2)] == [200, 200]
        assert server.connections == 1

    def test_an_answer_without_length_ends_with_the_connection(self) -> None:
        with (
            saying(b"HTTP/1.1 200 OK\r\n\r\nto the end") as server,
            way_to(server.port) as jenkins,
        ):
            outcome = jenkins.send(hook())
        assert (outcome.answer, outcome.length) == (b"to the end", 10)

    def test_an_answer_before_the_body_was_read_counts_each_time(self) -> None:
        def refuse(_: RawServer, line: socket.socket) -> None:
            line.recv(100)
            line.sendall(
                b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            # What is left unread makes the close a reset.

        with RawServer(refuse) as server, way_to(server.port) as jenkins:
            outcomes = [jenkins.send(hook(body=bytes(25 * 1024 * 1024))) for _ in range(3)]
        assert [(one.happened, one.status) for one in outcomes] == [(Happened.ANSWERED, 413)] * 3

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            (b"120", 120.0),
            (b" 7 ", 7.0),
            (b"0", 0.0),
            (b"-1", None),
            (b"1.5", None),
            (b"9" * 30, None),
            (b"Fri, 31 Dec 1999 23:59:59 GMT", None),
            (b"", None),
        ],
    )
    def test_retry_after_counts_where_it_is_a_number(
        self, value: bytes, seconds: float | None
    ) -> None:
        answer = b"HTTP/1.1 503 Busy\r\nRetry-After: " + value + b"\r\nContent-Length: 0\r\n\r\n"
        with saying(answer) as server, way_to(server.port) as jenkins:
            assert jenkins.send(hook()).retry_after == seconds

    @pytest.mark.parametrize(
        ("line", "kind"),
        [
            (b"Content-Type: Text/HTML;charset=utf-8\r\n", "text/html"),
            (b"content-type:  application/json \r\n", "application/json"),
            (b"", ""),
        ],
    )
    def test_the_media_type_comes_without_parameters(self, line: bytes, kind: str) -> None:
        answer = b"HTTP/1.1 200 OK\r\n" + line + b"Content-Length: 0\r\n\r\n"
        with saying(answer) as server, way_to(server.port) as jenkins:
            assert jenkins.send(hook()).content_type == kind
