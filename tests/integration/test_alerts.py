"""deploy/alerts.yml speaks of metrics that a real gateway shows, under the labels that it gives."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from support.gateway import GatewayProcess

RULES = Path(__file__).parents[2] / "deploy" / "alerts.yml"
EXPRESSIONS = re.findall(r"(?m)^ +expr: (.+)$", RULES.read_text("utf-8"))
SERIES = re.compile(r"\b(spigot_\w+)(?:\{(\w+)(=~?)\"([^\"]*)\"\})?")
OF_PROMETHEUS = ("up",)


def test_every_rule_has_an_expression_of_metrics() -> None:
    alerts = re.findall(r"(?m)^ +- alert: (\w+)$", RULES.read_text("utf-8"))
    assert len(EXPRESSIONS) == len(set(alerts)) == 7
    for expression in EXPRESSIONS:
        assert SERIES.search(expression) or expression.startswith(OF_PROMETHEUS), expression


def test_every_series_of_the_rules_is_there_from_the_start(gateway: GatewayProcess) -> None:
    _, text = gateway.get(gateway.admin_port, "/metrics")
    there = [
        (sample.name, sample.labels)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    ]
    for expression in EXPRESSIONS:
        for name, label, operator, value in SERIES.findall(expression):
            for one in value.split("|") if operator == "=~" else [value]:
                assert (name, {label: one} if label else {}) in there, expression


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)
