"""How fast `spigot drain` empties a queue in SQS on the emulator, and that it keeps the order.

    .venv/bin/python -m bench.aws_drain [--count 2000] [--lanes 20] [--drains 2] [--kill]

The emulator, a practice Jenkins and the drains share this machine; with --kill, one drain is killed
in the middle. Prints the rate, and what came to Jenkins more than once or out of order.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from pathlib import Path

import package
from aws.bed.backlog import arrived, fill
from aws.bed.deployed import ROOT, Deployed
from aws.bed.drainer import Drainer
from aws.bed.emulator import Emulator
from spigot.practice import PracticeJenkins
from support.provider import SECRET

PATIENCE = 300.0


def main() -> None:
    """Fill the queue, drain it, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--lanes", type=int, default=20)
    parser.add_argument("--drains", type=int, default=2)
    parser.add_argument("--kill", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as context:
        folder = Path(context.enter_context(tempfile.TemporaryDirectory(prefix="spigot-bench-")))
        os.environ |= context.enter_context(Emulator(folder)).environment
        jenkins = context.enter_context(PracticeJenkins(github_secrets=[SECRET]))
        package.build(ROOT / "lambdas", folder / "dist")
        stack = Deployed("spigot", jenkins.url, folder / "dist")
        each = options.count // options.lanes
        fill(stack, options.lanes, each)
        drains = [
            context.enter_context(Drainer("spigot", jenkins.url, folder / f"{number}.log",
                                          SPIGOT_READ_TIMEOUT="5s"))
            for number in range(options.drains)
        ]  # fmt: skip
        if options.kill:
            jenkins.wait_for(options.count // 2, timeout=PATIENCE)
            drains[0].kill()
        end = time.monotonic() + PATIENCE
        while stack.waiting() and time.monotonic() < end:
            time.sleep(0.1)
        report(jenkins, each, stack.waiting())


def report(jenkins: PracticeJenkins, each: int, waiting: int) -> None:
    """Print the rate, and how the lanes came."""
    hooks, lanes = jenkins.hooks, arrived(jenkins).values()
    rate = len(hooks) / (hooks[-1].at - hooks[0].at)
    ordered = sum(list(dict.fromkeys(lane)) == list(range(each)) for lane in lanes)
    repeated = sum(len(lane) - len(set(lane)) for lane in lanes)
    print(
        f"{len(hooks)} deliveries at {rate:.0f}/s; {ordered} of {len(lanes)} lanes whole and in"
        f" order; {repeated} webhooks twice; {waiting} still waiting"
    )


if __name__ == "__main__":
    main()
