"""What a backup costs the senders: intake at a steady rate, before a backup and during it.

    .venv/bin/python -m bench.backup [--rate 1000] [--seconds 6] [--backlog 20000]

Real payloads of about 8 kB go over keep-alive connections to a gateway with its valve OFF, on top
of a backlog, at a steady rate whatever the answers do; a `spigot backup` runs in the second half.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path

from spigot.payloads import github_payloads
from spigot.stores.sqlite import SqliteStore
from support.backlog import fill, real
from support.gateway import GatewayProcess

WORKERS = 16


def main() -> None:
    """Run once and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--backlog", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spigot-bench-") as name:
        gateway = GatewayProcess(Path(name), "http://127.0.0.1:9")
        fill(gateway.data, real(options.backlog, 100))
        store = SqliteStore(gateway.data)
        store.panel.set_valve(on=False, reason="benchmark")
        store.close()
        with gateway:
            times: list[tuple[float, float]] = []
            sender = threading.Thread(
                target=send, args=(gateway.port, options.rate, options.seconds, times)
            )
            sender.start()
            time.sleep(options.seconds / 2)
            began = time.monotonic()
            command = [sys.executable, "-m", "spigot", "backup", f"{name}/copy"]
            done = subprocess.run(
                [*command, "--data", str(gateway.data)], check=True, capture_output=True, text=True
            )
            ended = time.monotonic()
            sender.join()
    print(f"{options.rate}/s on top of {options.backlog}; backup in {ended - began:.2f} s:")
    print(f"  {done.stdout.strip().partition(' holds ')[2]}")
    for what, these in (
        ("before", [took for at, took in times if at < began]),
        ("during", [took for at, took in times if began <= at < ended]),
    ):
        cuts = statistics.quantiles(these, n=100)
        print(
            f"  {what}: {len(these)} answered, p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, "
            f"at most {max(these):.0f} ms"
        )


def send(port: int, rate: int, seconds: float, times: list[tuple[float, float]]) -> None:
    """Send at a steady rate; note when each was due and the milliseconds until its answer."""
    examples = cycle([one for one in github_payloads() if 6_000 <= len(one.body) <= 10_500])
    local = threading.local()
    began = time.monotonic()

    def one(number: int, event: str, body: bytes) -> None:
        if not hasattr(local, "line"):
            local.line = HTTPConnection("127.0.0.1", port, timeout=30)
        due = began + number / rate
        time.sleep(max(0.0, due - time.monotonic()))
        headers = {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(number),
            "Content-Type": "application/json",
        }
        local.line.request("POST", "/github-webhook/", body, headers)
        answer = local.line.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        times.append((due, (time.monotonic() - due) * 1000))

    with ThreadPoolExecutor(WORKERS) as pool:
        for number in range(int(rate * seconds)):
            example = next(examples)
            pool.submit(one, number, example.event, example.body)


if __name__ == "__main__":
    main()
