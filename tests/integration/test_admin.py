"""The admin listener of a real gateway."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from spigot.practice import PracticeJenkins
from support.gateway import GatewayProcess
from support.provider import numbered, plain, send

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {
    "valve", "reason", "since", "until", "jenkins", "jenkins_since", "evidence", "flowing",
    "paths_held", "waiting", "dead", "delivered", "oldest_waiting_s", "next",
}  # fmt: skip
TOKEN = "t0ken-of-the-admin"


def get(port: int, path: str, token: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_status_and_metrics_tell_what_happened(tmp_path: Path) -> None:
    with PracticeJenkins() as jenkins, GatewayProcess(tmp_path, jenkins.url) as gateway:
        for number in range(3):
            send(gateway.port, numbered("octo/one", number))
        send(gateway.port, plain("/nothing", (), b"{}"))
        gateway.until_delivered(3)
        status, text = get(gateway.admin_port, "/api/status")
        assert status == 200
        assert set(json.loads(text)) == KEYS
        _, text = get(gateway.admin_port, "/metrics")
        samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    assert samples["spigot_received_total",] == 4
    assert samples["spigot_stored_total",] == 3
    assert samples["spigot_delivered_total",] == 3
    assert samples["spigot_refused_total", "path"] == 1
    assert samples["spigot_attempts_total", "delivered"] == 3
    assert samples["spigot_waiting",] == samples["spigot_dead",] == 0
    assert samples["spigot_oldest_waiting_seconds",] == 0
    assert samples["spigot_valve_on",] == samples["spigot_flowing",] == 1
    assert samples["spigot_jenkins", "ready"] + samples["spigot_jenkins", "unknown"] == 1
    assert samples["spigot_intake_seconds_count",] == 3
    assert samples["spigot_attempt_seconds_count",] == 3


def test_with_a_token_set_nothing_is_told_without_it(tmp_path: Path) -> None:
    environment = {"SPIGOT_ADMIN_TOKEN": TOKEN}
    with GatewayProcess(tmp_path, "http://127.0.0.1:9", environment) as gateway:
        for path in ("/api/status", "/metrics", "/"):
            assert get(gateway.admin_port, path)[0] == 401
            assert get(gateway.admin_port, path, TOKEN + "x")[0] == 401
        assert get(gateway.admin_port, "/api/status", TOKEN)[0] == 200
        assert TOKEN not in gateway.log_text()
