"""A backlog meets a Jenkins that breaks under too much at once: it is drained fast, and gently."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING

from spigot.practice import PracticeJenkins, Strain
from spigot.stores.sqlite import SqliteStore
from support.backlog import fill, small
from support.checker import PERFECT, compare
from support.gateway import GatewayProcess
from support.provider import SECRET

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

COUNT = int(os.environ.get("STRAIN_COUNT", "2500"))
LANES = 200
STRAIN = Strain(answer=0.030, doubled_at=6)
DEADLINE = 3 * COUNT / (0.6 * STRAIN.bearable)
"""Seconds after which the backlog should plainly have arrived: three times what is demanded."""


def test_a_backlog_does_not_break_a_strained_jenkins_and_takes_most_of_what_it_bears(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = list(small(COUNT, LANES))
    with (
        PracticeJenkins(github_secrets=[SECRET], strain=STRAIN) as jenkins,
        closing(GatewayProcess(tmp_path, jenkins.url)) as gateway,
    ):
        fill(gateway.data, iter(requests))
        with closing(SqliteStore(gateway.data)) as store:
            store.panel.set_valve(on=False)
        gateway.start()
        status = gateway.until(lambda status: status["jenkins"] == "ready")
        assert (status["valve"], status["waiting"], jenkins.hooks) == ("OFF", COUNT, [])

        with closing(gateway.store()) as store:
            store.panel.set_valve(on=True)
        end = time.monotonic() + DEADLINE
        while not (arrived := jenkins.wait_for(COUNT, 1.0)) and not jenkins.breaks:
            if time.monotonic() > end:
                break
        breaks, most = jenkins.breaks, jenkins.most_in_progress
        assert breaks == 0, f"broke {breaks} times, {most} in progress at once, {jenkins.counts}"
        assert arrived, f"only {jenkins.counts} within {DEADLINE:.0f} s"
        status = gateway.until_delivered(COUNT)

        assert status["dead"] == 0
        assert compare(requests, jenkins.taken) == PERFECT
        times = sorted(visit.at for visit in jenkins.taken)

    first, last = COUNT // 10, COUNT * 9 // 10
    rate = (last - first) / (times[last] - times[first])
    with capsys.disabled():
        print(
            f"\n{COUNT} waiting for a Jenkins that bears {STRAIN.bearable:.0f}/s and breaks at "
            f"{STRAIN.breaks_at} at once: {rate:.0f}/s ({rate / STRAIN.bearable:.0%}), "
            f"at most {most} at once, all within {times[-1] - times[0]:.1f} s"
        )
    assert rate >= 0.6 * STRAIN.bearable
