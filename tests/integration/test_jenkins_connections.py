"""What goes to Jenkins in odd cases, and over which connection."""

from __future__ import annotations

import os
import resource
import threading
from typing import TYPE_CHECKING

import pytest

from spigot.address import Target
from spigot.client import IDLE_SECONDS
from spigot.jenkins import Jenkins
from spigot.practice import Phase, PracticeJenkins
from spigot.webhook import Happened
from support.stores import HandClock
from support.wire import PATIENCE, RawServer, free_port, hook, way_to

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


class TestOnTheWire:
    @pytest.mark.parametrize(
        ("path", "query"),
        [
            ("/project/a%2fb%2Fc", ""),
            ("/project/a%252Fb/%7Ec~", ""),
            ("/generic-webhook-trigger/invoke", "token=a+b%20c&x=%2b&&y"),
            ("/generic-webhook-trigger/invoke", "="),
            ("/generic-webhook-trigger/invoke", "a?b#c"),
            ("/bitbucket-scmsource-hook/notify", "server_url=https%3a%2F%2fbb.example.com"),
        ],
    )
    def test_path_and_query_go_as_they_came(self, server: RawServer, path: str, query: str) -> None:
        with way_to(server.port, context="/ci/jenkins") as jenkins:
            jenkins.send(hook(path, query))
        target = f"/ci/jenkins{path}?{query}" if query else f"/ci/jenkins{path}"
        assert server.head[0] == f"POST {target} HTTP/1.1".encode()

    def test_header_values_go_to_the_byte_and_repeated_ones_in_order(
        self, server: RawServer
    ) -> None:
        headers = (
            (b"content-type", b"application/json;charset=UTF-8"),
            (b"x-name", "Jürgen".encode()),
            (b"x-name", b"caf\xe9 \xff\x80"),
            (b"user-agent", b"Bitbucket-Webhooks/2.0"),
            (b"x-name", b""),
            (b"x-spaced", b"two  blanks\tand a tab"),
        )
        with way_to(server.port) as jenkins:
            jenkins.send(hook(headers=headers))
        assert server.head[2:-1] == [name + b": " + value for name, value in headers]

    @pytest.mark.parametrize(
        "headers", [(b"content-length", b"99"), (b"transfer-encoding", b"chunked")]
    )
    def test_the_length_is_the_bodys_however_it_came(
        self, server: RawServer, headers: tuple[bytes, bytes]
    ) -> None:
        with way_to(server.port) as jenkins:
            jenkins.send(hook(headers=(headers,), body=b"eleven byte"))
        assert server.head[2:] == [b"Content-Length: 11"]
        assert server.requests[-1].endswith(b"\r\n\r\neleven byte")

    def test_an_empty_post_says_that_it_is_empty(self, server: RawServer) -> None:
        with way_to(server.port) as jenkins:
            jenkins.send(hook(body=b""))
        assert server.head[-1] == b"Content-Length: 0"

    def test_a_body_of_25_mib_with_every_byte_arrives(self) -> None:
        body = bytes(range(256)) * (25 * 4096)
        headers = ((b"content-type", b"application/json"), (b"x-github-event", b"push"))
        with PracticeJenkins() as practice, way_to(practice.port) as jenkins:
            assert jenkins.send(hook(headers=headers, body=body)).status == 200
            assert practice.taken[0].body == body


class TestConnections:
    def test_those_left_idle_are_closed_while_others_are_used(self, server: RawServer) -> None:
        clock, together = HandClock(), threading.Barrier(2)

        def first_two_at_once(server: RawServer, line: socket.socket) -> None:
            while server.read(line):
                if len(server.requests) <= 2:
                    together.wait(PATIENCE)
                line.sendall(server.answer)

        server.play = first_two_at_once
        with way_to(server.port, clock=clock) as jenkins:
            threads = [threading.Thread(target=jenkins.send, args=(hook(),)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
            clock.advance(IDLE_SECONDS * 0.5)
            jenkins.send(hook())
            assert not server.gone.is_set()
            clock.advance(IDLE_SECONDS * 0.6)
            jenkins.send(hook())
            assert server.gone.wait(PATIENCE)
        assert server.connections == 2

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ],
        ids=["interim", "told to close", "old protocol"],
    )
    def test_one_on_which_more_may_come_or_nothing_is_not_used_again(
        self, server: RawServer, answer: bytes
    ) -> None:
        server.answer = answer
        with way_to(server.port) as jenkins:
            jenkins.send(hook())
            jenkins.send(hook())
        assert server.connections == 2

    def test_a_question_gets_a_connection_of_its_own(self, server: RawServer) -> None:
        with way_to(server.port) as jenkins:
            jenkins.send(hook())
            jenkins.ask("GET", "/login", {})
        assert server.connections == 2

    def test_a_process_with_a_thousand_open_files_can_still_send(self, server: RawServer) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2048:
            pytest.skip("this process may not open that many files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
        null = os.open(os.devnull, os.O_RDONLY)
        many = [os.dup(null) for _ in range(1100)]
        try:
            with way_to(server.port) as jenkins:
                assert [jenkins.send(hook()).status for _ in range(2)] == [200, 200]
        finally:
            for number in (null, *many):
                os.close(number)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert server.connections == 1

    def test_many_threads_may_send_at_once(self, server: RawServer) -> None:
        statuses: list[int] = []
        with way_to(server.port) as jenkins:

            def work() -> None:
                statuses.extend(jenkins.send(hook()).status for _ in range(20))

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
        assert statuses == [200] * 160
        assert server.connections <= 8


class TestWithoutConnection:
    def test_a_refused_question_says_why(self) -> None:
        with way_to(free_port()) as jenkins:
            asked = jenkins.ask("GET", "/login", {})
        assert (asked.status, asked.error) == (0, "connection refused")

    @pytest.mark.parametrize("name", ["jenkins.invalid", "a..b", "x" * 64 + ".example"])
    def test_a_host_that_cannot_be_found_is_no_connection(self, name: str) -> None:
        jenkins = Jenkins(Target("http", name, 80, ""))
        outcome = jenkins.send(hook())
        assert (outcome.happened, bool(outcome.error)) == (Happened.NO_CONNECTION, True)
        assert jenkins.ask("GET", "/login", {}).error == outcome.error

    def test_a_jenkins_that_comes_back_is_reached_again(self) -> None:
        with PracticeJenkins(phase=Phase.DOWN) as practice, way_to(practice.port) as jenkins:
            assert jenkins.send(hook()).happened is Happened.NO_CONNECTION
            practice.phase = Phase.STARTING
            assert jenkins.send(hook()).status == 503
            practice.phase = Phase.READY
            assert jenkins.ask("GET", "/login", {}).headers["x-jenkins-session"] == practice.session
