"""How fast a backlog flows to a target that answers at once, over few and many lanes.

    .venv/bin/python -m bench.drain [--seconds 2] [--rounds 3]

GitHub's own payloads wait in 1, 10, 100 and 1,000 lanes; a gateway with its defaults lets them flow
to a bare target, gently at first, as it does whenever Jenkins is back. Each webhook is sent,
answered, and its settlement synced, before the next of its lane goes. The rate is taken from the
first arrival on, the gentle beginning included, and once more for the second half of the time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import machine, servers, target
from bench.filler import fill
from bench.plan import Plan, show
from bench.process import target as running_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.gateway import GatewayProcess

LANES = (1, 10, 100, 1000)
PER_SECOND = 10_000
"""So many wait for each second that is measured: more than can flow."""

PATIENCE = 20.0
_MOMENT = 0.001


def measure(plan: Plan) -> dict[str, Any]:
    """Return the rows, each a list with one figure a round."""
    rows: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="spigot-bench-") as name:
        for lanes in LANES:
            plan.say(f"drain: filling {lanes} lanes")
            fill(Path(name) / str(lanes), PER_SECOND * plan.seconds, lanes)
        for number in range(plan.rounds):
            for lanes in LANES:
                plan.say(f"drain {number + 1}: {lanes} lanes")
                folder = Path(name) / "run"
                shutil.copytree(Path(name) / str(lanes), folder / "data")
                servers.turn(folder / "data", on=False)
                os.sync()  # what was copied is not measured
                row = rows.setdefault(lanes, {"server": servers.SPIGOT, "lanes": lanes})
                with (
                    running_target(folder) as behind,
                    servers.gateway(folder, f"http://127.0.0.1:{behind}") as gateway,
                ):
                    figures = flow(gateway, behind, plan.seconds)
                for what, figure in figures.items():
                    row.setdefault(what, []).append(round(figure, 3))
                shutil.rmtree(folder)
    return {"rows": list(rows.values()), "left out": []}


def flow(gateway: GatewayProcess, behind: int, seconds: float) -> dict[str, float]:
    """Turn the valve ON, look for a while at what arrives, and turn it OFF.

    Args:
        gateway: It runs; its valve is OFF.
        behind: The port of its target.
        seconds: For how long, from the first arrival.

    Returns:
        ``rate``: webhooks a second from the first arrival on; ``later``: in the second half of the
        time; ``cpu``: the gateway's processor seconds for 10,000; ``memory``: its most, in MB.
    """
    gateway.until(lambda status: bool(status["jenkins"] == "ready"))
    target.forget(behind)
    cpu = machine.cpu_seconds(gateway.pid)
    servers.turn(gateway.data, on=True)
    _until(lambda: target.count(behind).number > 0)
    time.sleep(seconds / 2)
    half = target.count(behind)
    time.sleep(seconds / 2)
    whole = target.count(behind)
    cpu = machine.cpu_seconds(gateway.pid) - cpu
    servers.turn(gateway.data, on=False)
    gateway.until(lambda status: not status["flowing"])
    return {
        "rate": whole.number / max(whole.last - whole.first, _MOMENT),
        "later": (whole.number - half.number) / max(whole.last - half.last, _MOMENT),
        "cpu": cpu / max(1, whole.number) * 10_000,
        "memory": machine.memory(gateway.pid, peak=True) / 1e6,
    }


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "nothing flows"
        time.sleep(0.005)


if __name__ == "__main__":
    show(__doc__, measure)
