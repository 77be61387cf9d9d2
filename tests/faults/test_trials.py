"""The checker is tried: a gateway that breaks a promise on purpose is found out each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from faults.plan import trial
from faults.run import Options, Soak
from faults.verdict import summarize

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.chaos

OPTIONS = Options(seconds=60.0, seed=1, rate=200, senders=2, lanes=16, refusable=0)
TRACED = OPTIONS._replace(rate=60, lanes=8)
"""Where each write is traced, to the byte."""


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        ("answer before commit", "lost"),
        ("settle before the answer", "lost"),
        ("prune of waiting ones", "lost"),
        ("retried at the end of its lane", "out of order"),
    ],
)
def test_it_reports(broken: str, found: str, tmp_path: Path) -> None:
    Soak(tmp_path, trial(broken), OPTIONS).run()
    summary = summarize(tmp_path)
    assert summary[found] > 0


@pytest.mark.usefixtures("tracing")
def test_it_reports_a_store_that_is_not_synced_when_the_power_is_cut(tmp_path: Path) -> None:
    Soak(tmp_path, trial("synchronous=OFF", power=True), TRACED).run()
    assert summarize(tmp_path)["lost"] > 0


@pytest.mark.usefixtures("tracing")
def test_it_has_nothing_to_report_of_spigot_when_the_power_is_cut(tmp_path: Path) -> None:
    Soak(tmp_path, trial(power=True), TRACED).run()
    assert_kept(summarize(tmp_path))


def test_it_has_nothing_to_report_of_spigot_as_it_is(tmp_path: Path) -> None:
    Soak(tmp_path, trial(), OPTIONS).run()
    assert_kept(summarize(tmp_path))


def assert_kept(summary: dict[str, Any]) -> None:
    assert summary["the first of them"] == []
    assert summary["violations"] == 0
    assert summary["promised"] > 0
    assert summary["kills"] > 0
