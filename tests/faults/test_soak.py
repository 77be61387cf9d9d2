"""A minute of the soak that ``make soak`` runs for as long as one likes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from faults.plan import everything
from faults.run import Options, Soak
from faults.verdict import summarize

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.chaos

SEED = 94
"""Its first minute has much in it."""
SECONDS = 60.0


def test_whatever_goes_wrong_each_promise_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Soak(tmp_path, everything(SEED), Options(SECONDS, SEED, rate=200.0)).run()
    summary = summarize(tmp_path)
    with capsys.disabled():
        print(f"\n{json.dumps(summary, indent=2)}")
    assert summary["the first of them"] == []
    assert summary["violations"] == 0
    assert summary["promised"] > 0
    assert summary["kills"] > 0
