"""What a backlog costs: the start, intake on top of it, memory, `spigot status`, and the drain.

    .venv/bin/python -m bench.backlog [--seconds 2] [--rounds 3] [COUNT…]

Stores with 10,000, 100,000 and 1,000,000 of GitHub's own payloads in 500 lanes are filled once. In
each round a gateway starts on an empty one and on each of them, takes in at 32 connections with its
valve OFF, second by second in turn with another one on an empty store, and lets the backlog flow to
a bare target for a while: at once, and again when it has read where all of it waits, as it has in
an outage that takes some seconds.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import machine, payloads, sender, servers, wrk
from bench.drain import flow
from bench.filler import fill
from bench.plan import Plan, parser, plan, show_rows
from bench.process import target as running_target
from bench.wrk import Wrk
from spigot.drain import CALM, CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from support.gateway import GatewayProcess

COUNTS = (10_000, 100_000, 1_000_000)
LANES = 500

READ = CHUNK / CALM
"""So many places a second are read while nothing flows."""


def measure(plan: Plan, counts: Sequence[int] = ()) -> dict[str, Any]:
    """Return the rows, each a list with one figure a round; a trial leaves the largest out.

    Args:
        plan: How long to measure.
        counts: How many wait in each store; none for the usual ones.
    """
    wrk.need()
    counts = counts or (COUNTS[:-1] if plan.trial else COUNTS)
    rows: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="spigot-bench-") as name:
        folders = {count: Path(name) / str(count) for count in (0, *counts)}
        load = Wrk(Path(name) / "wrk", payloads.wires("8 kB", servers.HOOK, lanes=LANES))
        for count, folder in folders.items():
            folder.mkdir()
            rows[count] = {"server": servers.SPIGOT, "waiting": count}
            if count:
                plan.say(f"backlog: filling {count}")
                rows[count]["filled"] = [round(fill(folder / "data", count, LANES), 1)]
                rows[count]["disk"] = [round(_bytes(folder / "data") / count, 1)]
        for number in range(plan.rounds):
            with _empty(Path(name) / f"empty-{number}") as empty:
                for count, folder in folders.items():
                    plan.say(f"backlog {number + 1}: {count}")
                    found = _measure(folder, load, count, plan.seconds, empty)
                    if not count:  # what flows came a moment ago
                        del found["drain"], found["at once"]
                    for what, figure in found.items():
                        rows[count].setdefault(what, []).append(round(figure, 3))
    return {"rows": list(rows.values()), "left out": []}


@contextlib.contextmanager
def _empty(folder: Path) -> Iterator[GatewayProcess]:
    """Run a gateway on a store that was empty when it started, its valve OFF."""
    folder.mkdir()
    servers.turn(folder / "data", on=False)
    with (
        running_target(folder) as behind,
        servers.gateway(folder, f"http://127.0.0.1:{behind}") as gateway,
    ):
        yield gateway


def _measure(
    folder: Path, load: Wrk, waiting: int, seconds: int, empty: GatewayProcess
) -> dict[str, float]:
    servers.turn(folder / "data", on=False)
    os.sync()  # what was written before this is not measured
    with running_target(folder) as behind:
        gateway = servers.gateway(folder, f"http://127.0.0.1:{behind}")
        try:
            start = gateway.start()
            held = machine.memory(gateway.pid)
            one = sender.send(gateway.port, load.wires, rate=1, seconds=1, prefix="first")
            (first,) = one.answered.values()
            turns = [
                (load.run(gateway.port, 32, 1), load.run(empty.port, 32, 1)) for _ in range(seconds)
            ]
            asked = time.perf_counter()
            gateway.status()
            asked = time.perf_counter() - asked
            at_once = flow(gateway, behind, seconds)
            time.sleep(waiting / READ)
            flowed = flow(gateway, behind, seconds)
        finally:
            gateway.close()
    return {
        "start": start * 1000,
        "held": held / 1e6,
        "first": first * 1000,
        "intake": statistics.mean(taken.rate for taken, _ in turns),
        "beside empty": sum(taken.rate for taken, _ in turns) / sum(on.rate for _, on in turns),
        "p99": max(taken.p99 for taken, _ in turns),
        "status": asked * 1000,
        "at once": at_once["later"],
        "drain": flowed["later"],
        "memory": flowed["memory"],
    }


def _bytes(data: Path) -> int:
    return sum(file.stat().st_size for file in data.iterdir())


def main() -> None:
    """Measure as the command line says."""
    options = parser(__doc__)
    options.add_argument("counts", nargs="*", type=int, metavar="COUNT")
    chosen = options.parse_args()
    show_rows(measure(plan(chosen), chosen.counts)["rows"])


if __name__ == "__main__":
    main()
