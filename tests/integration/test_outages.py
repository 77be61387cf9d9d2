"""Jenkins as a whole is away, or nobody can tell: no webhook pays for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from spigot.practice import Fault, Phase
from spigot.stores.history import Selection
from support.checker import PERFECT, compare
from support.gateway import GatewayProcess
from support.provider import numbered, plain, send, send_all

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.practice import PracticeJenkins
    from support.provider import Request

CALM = {"SPIGOT_PROBE_EVERY": "30"}
GITEA = (("X-Gitea-Event", "push"),)


def pushes(repository: str, count: int) -> list[Request]:
    return [numbered(repository, number) for number in range(count)]


def until_ready(gateway: GatewayProcess) -> None:
    gateway.until(lambda status: status["jenkins"] == "ready")


@pytest.mark.parametrize(
    "phase",
    [
        Phase.DOWN,
        Phase.STARTING,
        Phase.EARLY_BOOT,
        Phase.PROXY_502,
        Phase.PROXY_503,
        Phase.PROXY_504,
        Phase.MAINTENANCE,
        Phase.HANGING,
    ],
)
def test_jenkins_gone_between_two_probes_costs_no_webhook_an_attempt(
    tmp_path: Path, jenkins: PracticeJenkins, phase: Phase
) -> None:
    settings = CALM | {"SPIGOT_READ_TIMEOUT": "0.3", "SPIGOT_PROBE_TIMEOUT": "0.3"}
    requests = [
        request
        for number in range(10)
        for request in (
            numbered("octo/hello", number),
            numbered("octo/other", number),
            plain("/gitea-webhook/post", GITEA),
            plain("/generic-webhook-trigger/invoke?token=practice"),
        )
    ]
    with GatewayProcess(tmp_path, jenkins.url, settings) as gateway:
        until_ready(gateway)
        jenkins.phase = phase
        send_all(gateway.port, requests)
        status = gateway.until(lambda status: status["jenkins"] == "not ready")

        assert (status["flowing"], status["dead"], status["delivered"]) == (False, 0, 0)
        assert status["waiting"] == len(requests)

        jenkins.phase = Phase.READY
        gateway.until_delivered(len(requests))
        status = gateway.until(lambda status: not status["paths_held"])

        assert status["dead"] == 0
        assert compare(requests, jenkins.taken) == PERFECT
        store = gateway.store()
        try:
            entries = store.history.entries(Selection())
            counted = sum(
                attempt.counted
                for entry in entries
                for attempt in store.history.show(entry.id)[0].tries
            )
        finally:
            store.close()
        assert counted == 0


def test_jenkins_behind_single_sign_on_is_known_by_what_it_takes(
    tmp_path: Path, jenkins: PracticeJenkins
) -> None:
    jenkins.phase = Phase.SINGLE_SIGN_ON
    requests = [*pushes("octo/hello", 20), *pushes("octo/other", 20)]
    with GatewayProcess(tmp_path, jenkins.url) as gateway:
        gateway.until(lambda status: "302" in status["evidence"])
        send_all(gateway.port, requests)
        gateway.until_delivered(len(requests))
        status = gateway.until(lambda status: status["jenkins"] == "ready")

        assert "it takes webhooks" in status["evidence"]
        assert compare(requests, jenkins.taken) == PERFECT


def test_jenkins_behind_single_sign_on_and_away_costs_no_webhook_an_attempt(
    tmp_path: Path, jenkins: PracticeJenkins
) -> None:
    jenkins.phase = Phase.SINGLE_SIGN_ON
    requests = [*pushes("octo/hello", 10), *pushes("octo/other", 10)]
    with GatewayProcess(tmp_path, jenkins.url, CALM) as gateway:
        send_all(gateway.port, requests[:1])
        gateway.until_delivered(1)
        jenkins.phase = Phase.PROXY_502
        send_all(gateway.port, requests[1:])
        gateway.until(lambda status: status["jenkins"] == "not ready")
        jenkins.phase = Phase.SINGLE_SIGN_ON
        status = gateway.until_delivered(len(requests))

        assert status["dead"] == 0
        assert compare(requests, jenkins.taken) == PERFECT


def test_jenkins_gone_before_the_gateway_starts_is_waited_for(
    tmp_path: Path, jenkins: PracticeJenkins
) -> None:
    jenkins.phase = Phase.MAINTENANCE
    requests = pushes("octo/hello", 5)
    with GatewayProcess(tmp_path, jenkins.url) as gateway:
        send_all(gateway.port, requests)
        gateway.until(lambda status: status["jenkins"] == "not ready")
        assert jenkins.taken == []
        jenkins.phase = Phase.READY
        gateway.until_delivered(len(requests))

        assert compare(requests, jenkins.taken) == PERFECT


def test_jenkins_restarted_between_two_probes_may_still_be_loading(
    tmp_path: Path, jenkins: PracticeJenkins
) -> None:
    settings = CALM | {"SPIGOT_SETTLE_AFTER": "2", "SPIGOT_RETRY_DELAYS": "0.1"}
    request = plain("/gitea-webhook/post", GITEA)
    with GatewayProcess(tmp_path, jenkins.url, settings) as gateway:
        until_ready(gateway)
        time.sleep(2.0)  # it has settled now
        jenkins.restart()
        jenkins.fault("/gitea-webhook/", Fault(status=404, body=b"Not Found", html=True))
        send(gateway.port, request)
        status = gateway.until(lambda status: status["paths_held"] or status["dead"])

        assert (status["dead"], list(status["paths_held"])) == (0, ["/gitea-webhook/post"])

        jenkins.fault("/gitea-webhook/", None)
        gateway.until_delivered(1)

        assert compare([request], jenkins.taken) == PERFECT
