"""The admin listener of a running gateway: its status, its metrics, its token."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.commands import STATUS_KEYS
from support.gateway import GatewayProcess
from support.provider import numbered, plain, send

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.practice import PracticeJenkins

TOKEN = "open-sesame"


def metrics(gateway: GatewayProcess) -> dict[tuple[str, ...], float]:
    """Return each sample's value by its name and the values of its labels."""
    status, body = gateway.get(gateway.admin_port, "/metrics")
    assert status == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def get(port: int, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_status_has_exactly_the_keys_that_were_promised(gateway: GatewayProcess) -> None:
    assert sorted(gateway.status()) == sorted(STATUS_KEYS)


def test_metrics_count_what_was_stored_delivered_and_refused(gateway: GatewayProcess) -> None:
    for number in range(3):
        assert send(gateway.port, numbered("octo/hello", number)).status == 200
    assert send(gateway.port, plain("/script")).status == 404
    gateway.until_delivered(3)
    gateway.until(lambda status: status["jenkins"] == "ready")

    values = metrics(gateway)

    assert values["spigot_stored_total",] == values["spigot_delivered_total",] == 3
    assert values["spigot_attempts_total", "delivered"] == 3
    assert values["spigot_intake_seconds_count",] == values["spigot_attempt_seconds_count",] == 3
    assert (values["spigot_waiting",], values["spigot_valve_on",]) == (0, 1)
    assert values["spigot_jenkins", "ready"] == 1
    assert sum(value for name, value in values.items() if name[0] == "spigot_refused_total") == 1


@pytest.mark.parametrize("path", ["/api/status", "/metrics"])
def test_a_token_that_is_set_has_to_be_brought(
    path: str, tmp_path: Path, jenkins: PracticeJenkins
) -> None:
    with GatewayProcess(
        tmp_path, jenkins.url, {"SPIGOT_ADMIN_TOKEN": "env:TOKEN", "TOKEN": TOKEN}
    ) as gateway:
        port = gateway.admin_port
        status, body = get(port, path, {})

        assert (status, "admin token" in json.loads(body)["error"]) == (401, True)
        assert get(port, path, {"Authorization": f"Bearer {TOKEN}x"})[0] == 401
        assert get(port, path, {"Authorization": f"Bearer {TOKEN}"})[0] == 200
