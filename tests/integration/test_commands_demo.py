"""``spigot demo``: the whole story with real processes, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("bare")

PATIENCE = 60.0


def demo(place: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "spigot", "demo", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place)},
    )


def test_everything_arrives_although_jenkins_and_the_gateway_go_away(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "3", "--json") as process:
        told, story = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, story
    tally = json.loads(told)
    assert tally["sent"] >= tally["stored"] == tally["delivered"] > 10
    assert [tally[name] for name in ("lost", "changed", "out_of_order")] == [0, 0, 0]
    for word in ("kill -9", "goes down", "a new session", "in order"):
        assert word in story
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_leaves_nothing_behind(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    with demo(tmp_path) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == status
    assert "Spigot started" in first
    assert list(tmp_path.iterdir()) == []
