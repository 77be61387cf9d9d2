"""A practice Jenkins under strain gets slower, breaks, and comes back, on real sockets."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from spigot.practice import Fault, Phase, PracticeJenkins, Strain
from support.commands import until
from support.practice import HOOK, push, send

if TYPE_CHECKING:
    from collections.abc import Iterator

LIGHT = Strain(answer=0.001, doubled_at=2)
FOR_EVER = Strain(answer=600.0, doubled_at=2)
POST = (
    b"POST /github-webhook/ HTTP/1.1\r\nX-GitHub-Event: push\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)


@pytest.fixture
def jenkins() -> Iterator[PracticeJenkins]:
    with PracticeJenkins() as running:
        yield running


@contextmanager
def in_progress(jenkins: PracticeJenkins, number: int) -> Iterator[list[socket.socket]]:
    """Have so many webhooks in progress, each on a connection of its own."""
    before = len(jenkins.hooks)
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", jenkins.port)))
            client.settimeout(5.0)
            client.sendall(POST)
            clients.append(client)
        until(lambda: len(jenkins.hooks) == before + number)
        yield clients


def status_of(client: socket.socket) -> int:
    return int(client.makefile("rb").readline().split()[1])


class TestBearing:
    def test_webhooks_one_after_the_other_are_never_too_many(
        self, jenkins: PracticeJenkins
    ) -> None:
        jenkins.strain = LIGHT
        assert [push(jenkins) for _ in range(10)] == [200] * 10
        assert (jenkins.most_in_progress, jenkins.breaks, jenkins.counts.taken) == (1, 0, 10)

    def test_it_is_given_at_the_start_or_later(self, jenkins: PracticeJenkins) -> None:
        assert (jenkins.strain, jenkins.most_in_progress, jenkins.breaks) == (None, 0, 0)
        jenkins.strain = LIGHT
        assert jenkins.strain == LIGHT
        with PracticeJenkins(strain=LIGHT) as other:
            assert other.strain == LIGHT

    def test_those_together_are_answered_when_their_time_is_over(
        self, jenkins: PracticeJenkins
    ) -> None:
        jenkins.strain = Strain(answer=0.05, doubled_at=2)
        with in_progress(jenkins, 3) as clients:
            assert [status_of(client) for client in clients] == [200, 200, 200]
        assert (jenkins.phase, jenkins.breaks) == (Phase.READY, 0)

    def test_pages_answer_at_once_all_the_while(self, jenkins: PracticeJenkins) -> None:
        jenkins.strain = FOR_EVER
        with in_progress(jenkins, 3):
            for _ in range(3):
                assert send(jenkins, "GET", "/login").status == 200
                assert send(jenkins, "GET", HOOK).status == 405
        assert jenkins.breaks == 0

    def test_what_never_gets_to_jenkins_is_no_strain(self, jenkins: PracticeJenkins) -> None:
        jenkins.strain = FOR_EVER
        jenkins.fault(HOOK, Fault(status=429))
        assert push(jenkins) == 429
        jenkins.fault(HOOK, None)
        jenkins.phase = Phase.PROXY_502
        assert push(jenkins) == 502
        assert jenkins.most_in_progress == 0

    def test_a_client_that_left_does_not_lighten_it(self, jenkins: PracticeJenkins) -> None:
        jenkins.strain = FOR_EVER
        with in_progress(jenkins, 3):
            pass
        assert push(jenkins) == 503
        assert jenkins.breaks == 1

    def test_a_new_strain_counts_from_zero(self, jenkins: PracticeJenkins) -> None:
        jenkins.strain = FOR_EVER
        with in_progress(jenkins, 3):
            jenkins.strain = LIGHT
            assert push(jenkins) == 200
            assert (jenkins.most_in_progress, jenkins.breaks) == (1, 0)


class TestBreaking:
    def test_twice_as_many_as_double_its_answers_break_it(self, jenkins: PracticeJenkins) -> None:
        jenkins.strain = FOR_EVER
        with in_progress(jenkins, 3) as clients:
            assert push(jenkins) == 503
            assert [status_of(client) for client in clients] == [503, 503, 503]
        assert (jenkins.most_in_progress, jenkins.breaks) == (4, 1)
        assert jenkins.phase is Phase.STARTING
        assert [push(jenkins), send(jenkins, "GET", "/login").status] == [503, 503]
        assert jenkins.taken == []

    def test_it_comes_back_with_a_new_session(self, jenkins: PracticeJenkins) -> None:
        session = jenkins.session
        jenkins.strain = Strain(answer=600.0, doubled_at=2, restart_seconds=0.05)
        for broken in (1, 2):
            with in_progress(jenkins, 3):
                assert push(jenkins) == 503
            assert jenkins.breaks == broken
            until(lambda: jenkins.phase is Phase.READY)
            assert jenkins.session != session
            session = jenkins.session

    def test_what_it_took_and_has_not_acted_on_is_forgotten(self, jenkins: PracticeJenkins) -> None:
        jenkins.strain = LIGHT
        assert push(jenkins) == 200
        jenkins.strain = FOR_EVER
        with in_progress(jenkins, 3):
            assert push(jenkins) == 503
        assert jenkins.forgotten == jenkins.taken
        assert len(jenkins.taken) == 1

    def test_a_phase_that_was_set_meanwhile_stays(self, jenkins: PracticeJenkins) -> None:
        jenkins.strain = Strain(answer=600.0, doubled_at=2, restart_seconds=0.02)
        jenkins.fault("/later", Fault(status=204, delay=0.05))
        with in_progress(jenkins, 3):
            assert push(jenkins) == 503
        jenkins.phase = Phase.PROXY_502
        assert send(jenkins, "GET", "/later").status == 204
        assert jenkins.phase is Phase.PROXY_502

    def test_going_down_ends_what_is_in_progress(self, jenkins: PracticeJenkins) -> None:
        jenkins.strain = FOR_EVER
        with in_progress(jenkins, 3) as clients:
            jenkins.phase = Phase.DOWN
            for client in clients:
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
        jenkins.phase = Phase.READY
        with pytest.raises(TimeoutError):
            send(jenkins, "POST", HOOK, {"X-GitHub-Event": "push"}, b"{}", timeout=0.05)
        assert (jenkins.most_in_progress, jenkins.breaks) == (3, 0)

    def test_a_broken_one_can_be_stopped_and_started_again(self) -> None:
        jenkins = PracticeJenkins(strain=FOR_EVER)
        with jenkins, in_progress(jenkins, 3):
            assert push(jenkins) == 503
        with jenkins:
            assert jenkins.phase is Phase.STARTING
