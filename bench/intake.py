"""How many webhooks Spigot takes in per second, synced, beside the alternatives.

    .venv/bin/python -m bench.intake [--seconds 2] [--rounds 3]

Real GitHub payloads in two sizes, signed as GitHub signs, sent by wrk over 1, 8, 32 and 128
keep-alive connections. Spigot's valve is OFF: it checks the signature, stores and syncs, then
answers. In each round every server starts afresh; for each size and number of connections they
are measured one right after the other. What each took of the processor, its memory and Spigot's
bytes on disk are measured along.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import machine, payloads, wrk
from bench.plan import Plan, show
from bench.servers import Server, available
from bench.wrk import Wrk

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

CONNECTIONS = (1, 8, 32, 128)
TRIED = (1, 32)


def measure(plan: Plan) -> dict[str, Any]:
    """Return the rows, each a list with one figure a round, and what was left out and why."""
    wrk.need()
    servers, left_out = available()
    rows: dict[tuple[str, str, int], dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="spigot-bench-") as name:
        folder = Path(name)
        loads: dict[tuple[str, str], Wrk] = {}
        for number in range(plan.rounds):
            with contextlib.ExitStack() as stack:
                running = _start(servers, folder, number, stack)
                for server in running:
                    for size in payloads.SIZES:
                        if (server.path, size) not in loads:
                            place = folder / f"wrk-{len(loads)}"
                            loads[server.path, size] = Wrk(place, payloads.wires(size, server.path))
                    loads[server.path, "8 kB"].run(server.port, 8, 1)  # warms up
                for size in payloads.SIZES:
                    for connections in TRIED if plan.trial else CONNECTIONS:
                        plan.say(f"intake {number + 1}: {size}, {connections} connections")
                        for server in running:
                            row = rows.setdefault(
                                (server.name, size, connections),
                                {"server": server.name, "size": size, "connections": connections},
                            )
                            _add(row, server, loads[server.path, size], connections, plan.seconds)
    return {
        "rows": list(rows.values()),
        "left out": left_out,
        "bytes": {size: payloads.median_bytes(size) for size in payloads.SIZES},
    }


def _start(
    servers: dict[str, Callable[[Path], AbstractContextManager[Server]]],
    folder: Path,
    number: int,
    stack: contextlib.ExitStack,
) -> list[Server]:
    """Start all; each round begins with another one."""
    names = list(servers)
    turn = number % len(names)
    return [
        stack.enter_context(servers[name](folder / f"{number}-{place}"))
        for place, name in enumerate(names[turn:] + names[:turn])
    ]


def _add(row: dict[str, Any], server: Server, load: Wrk, connections: int, seconds: int) -> None:
    """Measure once, and add the figures to the row."""
    cpu, before = machine.cpu_seconds(server.pid), _stored(server)
    found = load.run(server.port, connections, seconds)
    cpu, after = machine.cpu_seconds(server.pid) - cpu, _stored(server)
    figures = {
        "rate": found.rate,
        "p50": found.p50,
        "p99": found.p99,
        "cpu": cpu / max(1, found.answers) * 10_000,
        "memory": machine.memory(server.pid, peak=True) / 1e6,
    }
    if server.data is not None:
        figures["disk"] = (after[1] - before[1]) / max(1, after[0] - before[0])
    for name, figure in figures.items():
        row.setdefault(name, []).append(round(figure, 4))


def _stored(server: Server) -> tuple[int, int]:
    """Return how many webhooks a Spigot holds, and how many bytes its database is long."""
    if server.data is None:
        return 0, 0
    with closing(sqlite3.connect(server.data / "spigot.db")) as db:
        (stored,) = db.execute("SELECT stored FROM totals").fetchone()
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    return stored, pages * size


if __name__ == "__main__":
    show(__doc__, measure)
