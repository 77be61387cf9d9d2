"""A stop takes nothing new, lets what is in flight end, and loses nothing."""

from __future__ import annotations

import http.client
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from spigot.practice import Fault, Phase
from support.checker import PERFECT, compare
from support.gateway import PATIENCE, GatewayProcess, wait_until
from support.provider import Line, Request, Sent, numbered, send, send_all

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.practice import PracticeJenkins

LIMIT = 10.0
"""Seconds after which service managers send SIGKILL."""


def test_an_idle_gateway_ends_with_0_and_says_so(gateway: GatewayProcess) -> None:
    assert gateway.terminate() == 0
    assert gateway.log()[-1]["event"] == "Gateway stopped"
    assert gateway.alarms() == []


def test_what_is_in_flight_ends_and_is_not_sent_again_after_the_start(
    gateway: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    jenkins.delay = 0.5
    requests = [numbered(f"octo/{number % 3}", number) for number in range(9)]
    send_all(gateway.port, requests)
    wait_until(lambda: len(jenkins.hooks) >= 1)

    gateway.signal_stop()
    assert gateway.wait(LIMIT) == 0

    assert all(visit.status == 200 for visit in jenkins.hooks)
    assert len(jenkins.hooks) < len(requests)
    assert gateway.alarms() == []

    jenkins.delay = 0.0
    gateway.start()
    gateway.until_delivered(len(requests))
    assert compare(requests, jenkins.taken) == PERFECT


@pytest.mark.parametrize("whole", [True, False], ids=["all of it", "one path"])
def test_it_ends_in_time_although_jenkins_hangs_and_loses_nothing(
    tmp_path: Path, jenkins: PracticeJenkins, *, whole: bool
) -> None:
    requests = [numbered(f"octo/{number % 3}", number) for number in range(9)]
    with GatewayProcess(tmp_path, jenkins.url, {"SPIGOT_READ_TIMEOUT": "60"}) as gateway:
        gateway.until(lambda status: status["jenkins"] == "ready")
        if whole:
            jenkins.phase = Phase.HANGING
        else:
            jenkins.fault("/github-webhook/", Fault(hang=True))
        send_all(gateway.port, requests)
        wait_until(lambda: len(jenkins.hooks) >= 1)

        gateway.signal_stop()
        assert gateway.wait(LIMIT) == 0

        jenkins.fault("/github-webhook/", None)
        jenkins.phase = Phase.READY
        gateway.start()
        gateway.until_delivered(len(requests))
    assert compare(requests, jenkins.taken) == PERFECT


def test_senders_are_answered_or_know_that_they_were_not(
    gateway: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    ready = threading.Barrier(5)
    results: list[tuple[list[Sent], list[Request]]] = []

    def run(name: int) -> None:
        answered: list[Sent] = []
        failed: list[Request] = []
        with Line(gateway.port) as line:
            for number in range(100_000):
                request = numbered(f"octo/{name}", number)
                try:
                    answered.append(Sent(request, line.send(request)))
                except (OSError, http.client.HTTPException):
                    failed.append(request)
                    break
                if number == 20:
                    ready.wait(PATIENCE)
        results.append((answered, failed))

    threads = [threading.Thread(target=run, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    ready.wait(PATIENCE)
    assert gateway.terminate() == 0
    for thread in threads:
        thread.join(PATIENCE)

    assert not gateway.reachable()
    promised = [sent.request for answered, _ in results for sent in answered]
    unanswered = [request for _, failed in results for request in failed]
    assert {sent.answer.status for answered, _ in results for sent in answered} == {200}
    gateway.start()
    gateway.until(lambda status: not status["waiting"])

    assert compare(promised, jenkins.taken, also_sent=unanswered) == PERFECT


def test_a_request_that_is_under_way_is_taken_and_its_connection_closed(
    gateway: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    request = numbered("octo/hello", 1)
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
    head = (
        f"POST {request.target} HTTP/1.1\r\nHost: hooks.example\r\n{lines}"
        f"Content-Length: {len(request.body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as sock:
        sock.sendall(head.encode() + request.body[:10])
        send(gateway.port, numbered("octo/other", 1))
        gateway.signal_stop()
        wait_until(lambda: not gateway.reachable())
        sock.sendall(request.body[10:])
        answer = http.client.HTTPResponse(sock)
        answer.begin()

        assert (answer.status, answer.getheader("connection")) == (200, "close")
        answer.close()
    assert gateway.wait(LIMIT) == 0

    gateway.start()
    gateway.until_delivered(2)
    assert len(jenkins.taken) == 2


def test_an_idle_connection_does_not_delay_it(gateway: GatewayProcess) -> None:
    with Line(gateway.port) as line:
        line.send(numbered("octo/hello", 1))
        gateway.signal_stop()
        assert gateway.wait(LIMIT) == 0


def test_a_second_signal_does_no_harm(gateway: GatewayProcess, jenkins: PracticeJenkins) -> None:
    jenkins.delay = 0.5
    send(gateway.port, numbered("octo/hello", 1))
    wait_until(lambda: len(jenkins.hooks) == 1)
    gateway.signal_stop()
    gateway.signal_stop()
    assert gateway.wait(LIMIT) == 0
    assert [visit.status for visit in jenkins.hooks] == [200]


def test_a_second_gateway_on_the_same_data_says_what_is_the_matter(
    tmp_path: Path, gateway: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    second = GatewayProcess(tmp_path, jenkins.url)
    try:
        with pytest.raises(AssertionError, match=rf"process {gateway.pid}\) already uses"):
            second.start()
    finally:
        second.close()
    assert gateway.healthy()
