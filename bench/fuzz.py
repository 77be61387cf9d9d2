"""A million hostile inputs, by hand; ``tests/fuzz`` runs some thousands of the same.

    .venv/bin/python -m bench.fuzz [--seed N] [--parsers N] [--framing N] [--sockets N]

The parsers read requests whose framing is undone; the listener's protocol is fed mutated requests
in pieces of all sizes; a gateway process gets the same over sockets, two connections at a time. It
ends at the first thing that must not happen: a crash, a failure in the log, an answer of another
kind than 200, 4xx, 501 or 503, or a webhook that is stored and was not answered 200, or the other
way round. The seed makes the same input again.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from support import fuzz
from support.gateway import GatewayProcess
from support.hostile import Hostile

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.fuzz import Statuses

NOWHERE = "http://127.0.0.1:9"


def main() -> None:
    """Read the command line, and throw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--parsers", type=int, default=400_000, metavar="N")
    parser.add_argument("--framing", type=int, default=400_000, metavar="N")
    parser.add_argument("--sockets", type=int, default=200_000, metavar="N")
    options = parser.parse_args()
    seed = options.seed
    print(f"seed {seed}", flush=True)
    run("parsers", options.parsers, lambda count: fuzz.parsers(Hostile(seed), count))
    run(
        "framing", options.framing, lambda count: uvloop.run(fuzz.framing(Hostile(seed + 1), count))
    )
    run("sockets", options.sockets, lambda count: over_sockets(seed + 2, count))


def run(name: str, count: int, throw: Callable[[int], Statuses]) -> None:
    """Throw so many inputs in one way, and say how they were answered."""
    began = time.monotonic()
    statuses = throw(count) if count else {}
    found = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))
    print(
        f"{name}: {count} inputs in {time.monotonic() - began:.0f} s; answers {found}", flush=True
    )


def over_sockets(seed: int, count: int) -> Statuses:
    """Throw at a gateway of its own, in front of a Jenkins that is away."""
    with (
        tempfile.TemporaryDirectory(prefix="spigot-fuzz-") as name,
        closing(GatewayProcess(Path(name), NOWHERE)) as gateway,
        ThreadPoolExecutor(2) as pool,
    ):
        gateway.start()
        halves = (count // 2, count - count // 2)
        senders = [
            pool.submit(fuzz.throw, gateway.port, Hostile(seed + number), half)
            for number, half in enumerate(halves)
        ]
        thrown = [sender.result() for sender in senders]
        fuzz.hold(gateway, thrown)
        unheard = sum(one.unheard for one in thrown)
        print(f"gateway: {gateway.peak_rss >> 20} MiB of memory at most; {unheard} answers unheard")
    return sum((one.statuses for one in thrown), fuzz.Statuses())


if __name__ == "__main__":
    main()
