"""How long a webhook takes from the provider to Jenkins while the flow runs.

    .venv/bin/python -m bench.latency [--seconds 2] [--rounds 3]

Real 8 kB payloads of 100 repositories are sent at a steady rate to a gateway in front of a bare
target: the time is taken from just before a request is sent until the target has read it whole, so
all of Spigot lies between: the signature, the sync, the way to Jenkins. Beside it, nginx as a plain
proxy in front of such a target. (hookspool is not compared: it looks for work once a second, on
purpose.)
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import nginx, payloads, sender, servers, target
from bench.plan import Plan, show
from bench.process import target as running_target
from bench.spread import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.payloads import Wire

RATES = (100, 500, 2000)
LANES = 100
PATIENCE = 20.0


def measure(plan: Plan) -> dict[str, Any]:
    """Return the rows, each a list with one figure a round, and what was left out and why."""
    wires = payloads.wires("8 kB", servers.HOOK, lanes=LANES)
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    ways = {servers.SPIGOT: _spigot}
    if not nginx.missing():
        ways[servers.NGINX] = _nginx
    with tempfile.TemporaryDirectory(prefix="spigot-bench-") as name:
        for number in range(plan.rounds):
            os.sync()  # what was written before this is not measured
            with contextlib.ExitStack() as stack:
                running: dict[str, tuple[int, int]] = {}
                for way, serve in ways.items():
                    folder = Path(name) / f"{number}-{len(running)}"
                    folder.mkdir()
                    running[way] = stack.enter_context(serve(folder))
                for port, behind in running.values():
                    sender.send(port, wires, 200, 1, prefix="warm")
                    _until_arrived(behind, 200)
                for rate in RATES:
                    plan.say(f"latency {number + 1}: {rate}/s")
                    for way, (port, behind) in running.items():
                        row = rows.setdefault((way, rate), {"server": way, "rate": rate})
                        _add(row, port, behind, wires, rate, plan.seconds)
    reasons = [reason for reason in [nginx.missing()] if reason]
    return {"rows": list(rows.values()), "left out": reasons}


def _add(
    row: dict[str, Any], port: int, behind: int, wires: list[Wire], rate: int, seconds: int
) -> None:
    """Send at a rate, and add what it took to the row."""
    target.forget(behind)
    sent = sender.send(port, wires, rate, seconds, prefix=str(rate))
    _until_arrived(behind, len(sent.at))
    arrived = target.arrived(behind)
    took = [(arrived[delivery] - at) * 1000 for delivery, at in sent.at.items()]
    figures = {
        "p50": percentile(took, 50),
        "p99": percentile(took, 99),
        "answer p50": percentile(sent.answered.values(), 50) * 1000,
        "answer p99": percentile(sent.answered.values(), 99) * 1000,
        "late": max(0.0, sent.late) * 1000,
    }
    for name, figure in figures.items():
        row.setdefault(name, []).append(round(figure, 3))


def _until_arrived(behind: int, number: int) -> None:
    end = time.monotonic() + PATIENCE
    while target.count(behind).number < number:
        assert time.monotonic() < end, "webhooks were lost on the way"
        time.sleep(0.02)


@contextlib.contextmanager
def _spigot(folder: Path) -> Iterator[tuple[int, int]]:
    with (
        running_target(folder) as behind,
        servers.gateway(folder, f"http://127.0.0.1:{behind}") as gateway,
    ):
        gateway.until(lambda status: bool(status["jenkins"] == "ready"))
        yield gateway.port, behind


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[tuple[int, int]]:
    with (
        running_target(folder) as behind,
        nginx.serving(folder / "nginx", behind) as (port, _),
    ):
        yield port, behind


if __name__ == "__main__":
    show(__doc__, measure)
