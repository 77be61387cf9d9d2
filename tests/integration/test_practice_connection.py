"""A practice Jenkins' connections carry requests as they are, and break in every way asked for."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from spigot.practice import Fault, Phase, PracticeJenkins
from support.practice import HOOK, PUSH, push, send

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def jenkins() -> Iterator[PracticeJenkins]:
    with PracticeJenkins() as running:
        yield running


class TestConnections:
    def test_a_visit_is_kept_as_it_came(self, jenkins: PracticeJenkins) -> None:
        lines = (
            b"hOsT: x\r\nX-GitHub-Event: push\r\nx-a: 1\r\nX-A: 2\r\nContent-Type: application/json"
        )
        with socket.create_connection(("127.0.0.1", jenkins.port)) as client:
            client.sendall(
                b"POST /github-webhook/?a=%2f HTTP/1.1\r\n" + lines + b"\r\n"
                b'Transfer-Encoding: chunked\r\n\r\n2\r\n{"\r\n3\r\n":1\r\n1\r\n}\r\n0\r\n\r\n'
            )
            assert jenkins.wait_for(1)
        (visit,) = jenkins.visits
        assert (visit.method, visit.target) == ("POST", b"/github-webhook/?a=%2f")
        assert [name for name, _ in visit.headers] == [
            b"hOsT",
            b"X-GitHub-Event",
            b"x-a",
            b"X-A",
            b"Content-Type",
            b"Transfer-Encoding",
        ]
        assert (visit.body, visit.status) == (b'{"":1}', 200)

    def test_one_connection_serves_many_requests(self, jenkins: PracticeJenkins) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", jenkins.port)
        with closing(connection):
            for _ in range(3):
                connection.request("POST", HOOK, b"{}", PUSH)
                connection.getresponse().read()
                local = connection.sock.getsockname()
            assert connection.sock.getsockname() == local
        assert jenkins.counts == (3, 3)

    def test_requests_sent_ahead_are_answered_in_order(self, jenkins: PracticeJenkins) -> None:
        jenkins.fault("/slow", Fault(status=201, delay=0.02))
        with socket.create_connection(("127.0.0.1", jenkins.port)) as client:
            client.sendall(
                b"GET /slow HTTP/1.1\r\n\r\nGET /unknown HTTP/1.1\r\n\r\n"
                b"GET /health/ HTTP/1.1\r\nConnection: close\r\n\r\n"
            )
            answers = client.makefile("rb").read()
        codes = [line.split()[1] for line in answers.splitlines() if line.startswith(b"HTTP/1.1")]
        assert codes == [b"201", b"404", b"200"]

    def test_a_client_that_asks_first_may_send_its_body(self, jenkins: PracticeJenkins) -> None:
        with socket.create_connection(("127.0.0.1", jenkins.port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b"{}")
            assert client.recv(100).startswith(b"HTTP/1.1 403 ")

    def test_what_is_not_http_is_a_bad_request(self, jenkins: PracticeJenkins) -> None:
        with socket.create_connection(("127.0.0.1", jenkins.port)) as client:
            client.sendall(b"\x16\x03\x01 not http\r\n\r\n")
            assert client.makefile("rb").read().startswith(b"HTTP/1.1 400 ")

    def test_a_head_has_no_body(self, jenkins: PracticeJenkins) -> None:
        got = send(jenkins, "HEAD", "/login")
        assert (got.status, got.body) == (200, b"")
        assert int(got.headers["Content-Length"]) > 0

    def test_a_large_body_arrives_whole(self, jenkins: PracticeJenkins) -> None:
        body = bytes(range(256)) * 8192
        assert send(jenkins, "POST", HOOK, PUSH, body).status == 200
        assert jenkins.visits[0].body == body

    def test_a_delay_comes_before_the_answer_to_a_webhook_only(
        self, jenkins: PracticeJenkins
    ) -> None:
        jenkins.delay = 60.0
        with pytest.raises(TimeoutError):
            send(jenkins, "POST", HOOK, PUSH, b"{}", timeout=0.05)
        assert send(jenkins, "GET", "/login").status == 200

    def test_a_slow_webhook_is_taken_although_the_client_left(
        self, jenkins: PracticeJenkins
    ) -> None:
        jenkins.delay = 0.05
        with pytest.raises(TimeoutError):
            send(jenkins, "POST", HOOK, PUSH, b"{}", timeout=0.01)
        assert jenkins.wait_for(1)

    def test_what_is_slow_when_jenkins_goes_down_is_not_taken(
        self, jenkins: PracticeJenkins
    ) -> None:
        jenkins.delay = 0.05
        with socket.create_connection(("127.0.0.1", jenkins.port)) as client:
            client.sendall(b"POST /bitbucket-hook/ HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
            send(jenkins, "GET", "/login")  # by now the first one was read as well
            jenkins.phase = Phase.DOWN
        jenkins.phase = Phase.READY
        assert push(jenkins) == 200  # as slow, and begun later
        assert [visit.status for visit in jenkins.hooks] == [0, 200]


class TestFaults:
    def test_a_fault_answers_for_its_path_only(self, jenkins: PracticeJenkins) -> None:
        fault = Fault(status=429, headers=(("Retry-After", "7"),), body=b"<p>", html=True)
        jenkins.fault(HOOK, fault)
        got = send(jenkins, "POST", HOOK, PUSH, b"{}")
        assert (got.status, got.body, got.headers["Retry-After"]) == (429, b"<p>", "7")
        assert got.headers.get_content_type() == "text/html"
        assert push(jenkins, "/ghprbhook/") == 200
        jenkins.fault(HOOK, None)
        assert push(jenkins) == 200
        assert len(jenkins.taken) == 2

    def test_a_faults_200_means_nothing_was_taken(self, jenkins: PracticeJenkins) -> None:
        jenkins.fault(HOOK, Fault(status=200))
        assert push(jenkins) == 200
        assert (len(jenkins.hooks), jenkins.taken) == (1, [])

    def test_a_fault_may_hold_for_some_visits(self, jenkins: PracticeJenkins) -> None:
        jenkins.fault(HOOK, Fault(status=500, times=2))
        assert [push(jenkins) for _ in range(4)] == [500, 500, 200, 200]

    def test_the_longest_prefix_counts(self, jenkins: PracticeJenkins) -> None:
        jenkins.fault("/", Fault(status=500))
        jenkins.fault("/github", Fault(status=502))
        assert push(jenkins) == 502
        assert push(jenkins, "/ghprbhook/") == 500

    def test_a_reset_comes_after_the_request_was_read(self, jenkins: PracticeJenkins) -> None:
        jenkins.fault(HOOK, Fault(reset=True, times=1))
        with pytest.raises(ConnectionResetError):
            push(jenkins)
        assert push(jenkins) == 200
        assert [(visit.body, visit.status) for visit in jenkins.hooks] == [(b"{}", 0), (b"{}", 200)]

    def test_a_path_may_hang_alone(self, jenkins: PracticeJenkins) -> None:
        jenkins.fault(HOOK, Fault(hang=True))
        with pytest.raises(TimeoutError):
            send(jenkins, "POST", HOOK, PUSH, b"{}", timeout=0.05)
        assert send(jenkins, "GET", "/login").status == 200

    @pytest.mark.parametrize(("pause", "first"), [(60.0, b"H"), (0.0001, b"HTTP/1.1 200 OK")])
    def test_a_dribbling_answer_comes_byte_by_byte(
        self, jenkins: PracticeJenkins, pause: float, first: bytes
    ) -> None:
        jenkins.fault("/health/", Fault(dribble=pause))
        with socket.create_connection(("127.0.0.1", jenkins.port)) as client:
            client.sendall(b"GET /health/ HTTP/1.1\r\n\r\n")
            got = client.recv(4096)
            while len(got) < len(first):
                got += client.recv(4096)
        assert got[: len(first)] == first
        assert pause < 1 or got == first
