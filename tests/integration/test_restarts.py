"""Jenkins restarts and forgets what it took last: that is delivered once more, and nothing else."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from spigot.practice import Phase, PracticeJenkins
from support.checker import PERFECT, compare, key_of
from support.gateway import GatewayProcess
from support.provider import SECRET, numbered, plain, send_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.provider import Request

EVENT_DELAY = 30.0
"""Seconds for which branch sources keep an event in memory; for GitLab it is so long."""


class Sundial:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Sundial:
    return Sundial()


@pytest.fixture
def jenkins(clock: Sundial) -> Iterator[PracticeJenkins]:
    with PracticeJenkins(github_secrets=[SECRET], event_delay=EVENT_DELAY, clock=clock) as jenkins:
        yield jenkins


def pushes(count: int, repository: str = "octo/hello") -> list[Request]:
    return [numbered(repository, number) for number in range(count)]


def builds() -> list[Request]:
    return [plain("/generic-webhook-trigger/invoke?token=practice") for _ in range(5)]


def until_back(gateway: GatewayProcess, session: str) -> None:
    """Wait until the gateway knows that boot, and has recalled what the one before forgot."""

    def is_back(_: object) -> bool:
        with closing(gateway.store()) as store:
            report = store.panel.report()
        return report["session"] == session and report["restart"] is None

    gateway.until(is_back)


def test_all_that_the_last_half_minute_took_is_acted_on_and_no_job_is_built_twice(
    gateway: GatewayProcess, jenkins: PracticeJenkins, clock: Sundial
) -> None:
    events, built = pushes(40) + pushes(40, "octo/other"), builds()
    gateway.until(lambda status: status["jenkins"] == "ready")
    send_all(gateway.port, [*events, *built])
    gateway.until_delivered(len(events) + len(built))

    jenkins.phase = Phase.DOWN
    gateway.until(lambda status: status["jenkins"] == "not ready")
    assert len(jenkins.forgotten) == len(events)
    jenkins.boot()
    jenkins.phase = Phase.READY
    gateway.until_delivered(2 * len(events) + len(built))
    clock.ahead = EVENT_DELAY

    assert compare([*events, *built], jenkins.acted_on) == PERFECT
    sent_again = compare([*events, *built], jenkins.taken)
    assert sent_again._replace(duplicates=0) == PERFECT
    assert sent_again.duplicates == len(events)
    assert gateway.status()["dead"] == 0


def test_a_restart_between_two_probes_is_noticed_by_the_session(
    tmp_path: Path, jenkins: PracticeJenkins, clock: Sundial
) -> None:
    events = pushes(10)
    with GatewayProcess(tmp_path, jenkins.url, {"SPIGOT_PROBE_EVERY": "1"}) as gateway:
        gateway.until(lambda status: status["jenkins"] == "ready")
        send_all(gateway.port, events)
        gateway.until_delivered(len(events))
        jenkins.boot()  # without having been away
        gateway.until_delivered(2 * len(events))
        clock.ahead = EVENT_DELAY
        assert compare(events, jenkins.acted_on) == PERFECT


def test_it_goes_before_what_came_meanwhile(
    gateway: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    events = pushes(30)
    gateway.until(lambda status: status["jenkins"] == "ready")
    send_all(gateway.port, events[:10])
    gateway.until_delivered(10)
    jenkins.phase = Phase.DOWN
    gateway.until(lambda status: status["jenkins"] == "not ready")
    send_all(gateway.port, events[10:])
    jenkins.boot()
    jenkins.phase = Phase.READY
    gateway.until_delivered(40)
    keys = [key_of(visit) for visit in jenkins.taken]
    assert keys == [request.key for request in [*events[:10], *events]]


def test_the_history_marks_it(gateway: GatewayProcess, jenkins: PracticeJenkins) -> None:
    (event,) = pushes(1)
    gateway.until(lambda status: status["jenkins"] == "ready")
    send_all(gateway.port, [event])
    gateway.until_delivered(1)
    jenkins.boot()
    gateway.until_delivered(2)
    with closing(gateway.store()) as store:
        (detail,) = store.history.show(event.key)
    assert [attempt.reason for attempt in detail.tries] == [
        "200",
        "200, once more: Jenkins had restarted and may have forgotten it",
    ]


def test_each_is_sent_once_more_for_each_restart(
    gateway: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    events = pushes(5)
    gateway.until(lambda status: status["jenkins"] == "ready")
    send_all(gateway.port, events)
    gateway.until_delivered(5)
    for restart in (1, 2, 3):
        until_back(gateway, jenkins.boot())
        gateway.until_delivered(5 * (1 + restart))
        assert len(jenkins.taken) == 5 * (1 + restart)


def test_a_boot_that_was_seen_before_is_no_restart(
    gateway: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    gateway.until(lambda status: status["jenkins"] == "ready")
    send_all(gateway.port, pushes(5))
    gateway.until_delivered(5)
    jenkins.phase = Phase.DOWN
    gateway.until(lambda status: status["jenkins"] == "not ready")
    jenkins.phase = Phase.READY
    gateway.until(lambda status: status["jenkins"] == "ready")
    send_all(gateway.port, pushes(1, "octo/later"))
    gateway.until_delivered(6)
    assert len(jenkins.taken) == 6


def test_a_restart_while_no_gateway_ran_is_noticed_at_its_start(
    tmp_path: Path, jenkins: PracticeJenkins, clock: Sundial
) -> None:
    events, built = pushes(10), builds()
    with closing(GatewayProcess(tmp_path, jenkins.url)) as gateway:
        gateway.start()
        gateway.until(lambda status: status["jenkins"] == "ready")
        send_all(gateway.port, [*events, *built])
        gateway.until_delivered(len(events) + len(built))
        gateway.kill()
        jenkins.restart()
        gateway.start()
        gateway.until_delivered(2 * len(events) + len(built))
        clock.ahead = EVENT_DELAY
        assert compare([*events, *built], jenkins.acted_on) == PERFECT


def test_it_can_be_turned_off(tmp_path: Path, jenkins: PracticeJenkins) -> None:
    with GatewayProcess(tmp_path, jenkins.url, {"SPIGOT_RECALL": "0"}) as gateway:
        gateway.until(lambda status: status["jenkins"] == "ready")
        send_all(gateway.port, pushes(5))
        gateway.until_delivered(5)
        until_back(gateway, jenkins.boot())
        send_all(gateway.port, pushes(1, "octo/later"))
        gateway.until_delivered(6)
        assert len(jenkins.taken) == 6
