"""A long outage: a hundred thousand webhooks wait, and the gateway is as light as ever."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from spigot.practice import Phase
from support.backlog import fill, small
from support.checker import compare, key_of
from support.gateway import GatewayProcess

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from spigot.practice import PracticeJenkins

COUNT = 100_000
LANES = 500
MEMORY = 150 * 1024 * 1024


def test_a_backlog_of_100000_costs_little_memory_and_flows_in_order(
    tmp_path: Path, jenkins: PracticeJenkins, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = list(small(COUNT, LANES))
    jenkins.phase = Phase.DOWN
    with closing(GatewayProcess(tmp_path, jenkins.url)) as gateway:
        filled = fill(gateway.data, iter(requests))
        start = gateway.start()
        began = time.monotonic()
        status = gateway.status()
        asked = time.monotonic() - began

        assert (status["waiting"], status["delivered"]) == (COUNT, 0)
        held = gateway.peak_rss

        jenkins.phase = Phase.READY
        gateway.until(lambda status: status["delivered"] >= COUNT // 20)
        with closing(gateway.store()) as store:
            store.panel.set_valve(on=False)
            gateway.until(lambda status: not status["flowing"])
        flowing = gateway.peak_rss
        assert gateway.terminate() == 0
        with closing(gateway.store()) as store:
            counts = store.panel.counts()

        found = compare(requests, jenkins.taken)

    with capsys.disabled():
        print(
            f"\n{COUNT} waiting (stored in {filled:.1f} s): start to 200 from /healthz "
            f"{start:.2f} s, status {asked * 1000:.0f} ms, memory {held >> 20} MiB "
            f"held, {flowing >> 20} MiB flowing"
        )
    assert held < MEMORY
    assert flowing < MEMORY
    assert counts.waiting == COUNT - counts.delivered
    assert (found.altered, found.overtaken, found.strange, found.duplicates) == ([], [], [], 0)
    assert len(found.lost) == counts.waiting
    # What has arrived of a lane is its beginning, without a gap.
    arrived = {key_of(visit) for visit in jenkins.taken}
    for lane in range(LANES):
        came = [request.key in arrived for request in requests[lane::LANES]]
        assert came == sorted(came, reverse=True)
