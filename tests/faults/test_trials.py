"""The checker is tried: a gateway that breaks a promise on purpose is found out each time."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from faults.plan import trial
from faults.run import Options, Soak
from faults.verdict import summarize

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = Options(seconds=5.0, seed=1, rate=600, senders=2, lanes=8, refusable=0)

without_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not here: it writes down what was synced"
)


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


@without_strace
def test_it_reports_a_store_that_is_not_synced_when_the_power_is_cut(tmp_path: Path) -> None:
    Soak(tmp_path, trial("synchronous=OFF", power=True), OPTIONS).run()
    summary = summarize(tmp_path)
    assert summary["lost"] > 0


@pytest.mark.parametrize("power", [False, pytest.param(True, marks=without_strace)])
def test_it_has_nothing_to_report_of_a_gateway_that_keeps_its_promises(
    power: bool, tmp_path: Path
) -> None:
    Soak(tmp_path, trial(power=power), OPTIONS).run()
    summary = summarize(tmp_path)
    assert summary["the first of them"] == []
    assert summary["promised"] > 0
    assert summary["kills"] > 0
