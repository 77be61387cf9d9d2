"""How long a webhook takes from the provider to Jenkins while the flow runs.

    .venv/bin/python bench/latency.py [--rate 100] [--count 1000]

Real payloads are posted at a steady rate over keep-alive connections to a gateway on loopback, in
front of a practice Jenkins in this process: the time is taken from just before a request
is sent until the practice Jenkins has read it whole. Prints the median and the 99th percentile.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from spigot.payloads import github_payloads
from spigot.practice import PracticeJenkins
from support.gateway import GatewayProcess


def main() -> None:
    """Post at the rate, and print the latencies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=100.0, help="webhooks per second")
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="spigot-bench-") as name,
        PracticeJenkins() as jenkins,
        closing(GatewayProcess(Path(name), jenkins.url)) as gateway,
    ):
        gateway.start()
        gateway.until(lambda status: status["jenkins"] == "ready")
        sent = post(gateway.port, options.rate, options.count)
        jenkins.wait_for(len(sent), timeout=30)
        arrived: dict[str, float] = {}
        for visit in jenkins.hooks:
            headers = {name.lower(): value for name, value in visit.headers}
            arrived.setdefault(headers[b"x-github-delivery"].decode(), visit.at)
    times = sorted((arrived[delivery] - at) * 1000 for delivery, at in sent.items())
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    print(f"{len(times)} webhooks at {options.rate:.0f}/s: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def post(port: int, rate: float, count: int) -> dict[str, float]:
    """Post `count` webhooks at `rate`; return when each was sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    examples = [one for one in github_payloads() if len(one.body) < 10_500]
    sent: dict[str, float] = {}
    begin = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))
        event, body = examples[number % len(examples)]
        delivery = f"{number:08d}"
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/0123abc",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery,
        }
        sent[delivery] = time.time()
        connection.request("POST", "/github-webhook/", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"A webhook was answered {answer.status}.")
    return sent


if __name__ == "__main__":
    main()
