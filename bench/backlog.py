"""How a gateway carries a backlog: its start, its memory, ``/api/status``, and the drain.

Run it with ``.venv/bin/python bench/backlog.py [COUNT] [--small]``. It fills a store with real
GitHub payloads (8 kB in the median) in 500 lanes, starts ``spigot serve`` on it while a practice
Jenkins is down, then lets it flow for a while. The practice Jenkins is a process of its own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.backlog import fill, real, small
from support.gateway import GatewayProcess
from support.jenkins import JenkinsProcess

LANES = 500


def measure(count: int, *, little: bool, seconds: float) -> None:
    """Fill, start, ask and drain, and print what each took."""
    with (
        tempfile.TemporaryDirectory() as name,
        closing(JenkinsProcess(Path(name))) as jenkins,
        closing(GatewayProcess(Path(name), jenkins.url)) as gateway,
    ):
        filled = fill(gateway.data, (small if little else real)(count, LANES))
        size = sum(file.stat().st_size for file in gateway.data.iterdir())
        print(
            f"{count} stored in {filled:.1f} s ({count / filled:.0f}/s), {size >> 20} MiB on disk"
        )

        starts = []
        for _ in range(5):
            starts.append(gateway.start())
            gateway.until(lambda status: status["jenkins"] == "not ready")
            gateway.kill()
        gateway.start()
        print(
            f"start: {median(starts) * 1000:.0f} ms to 200 from /healthz (median of {len(starts)})"
        )
        asked = []
        for _ in range(20):
            began = time.perf_counter()
            status = gateway.status()
            asked.append(time.perf_counter() - began)
        assert status["waiting"] == count
        print(
            f"status: {median(asked) * 1000:.1f} ms in the median, {max(asked) * 1000:.1f} at most"
        )
        print(f"memory while held: {gateway.rss >> 20} MiB, {gateway.peak_rss >> 20} at most")

        jenkins.start()
        before = gateway.until(lambda status: status["delivered"] > 0)["delivered"]
        began = time.perf_counter()
        end = began + seconds
        while (status := gateway.status())["waiting"] and time.perf_counter() < end:
            time.sleep(0.05)
        took = time.perf_counter() - began
        print(
            f"drain: {(status['delivered'] - before) / took:.0f}/s over {LANES} lanes, "
            f"{status['waiting']} left after {took:.1f} s"
        )
        print(f"memory while flowing: {gateway.rss >> 20} MiB, {gateway.peak_rss >> 20} at most")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=100_000)
    parser.add_argument("--small", action="store_true", help="small bodies instead of real ones")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to drain at most")
    options = parser.parse_args()
    measure(options.count, little=options.small, seconds=options.seconds)


if __name__ == "__main__":
    main()
