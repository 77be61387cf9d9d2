"""What it costs to tell pull requests beside a long backlog of theirs.

    .venv/bin/python -m bench.notices [--count 20000]

Stores so many held webhooks of different pull requests (a real payload of 22 kB each), and has the
teller look as its thread does, once a second, with a GitHub that answers at once. Prints the
processor's time for a look while the backlog is read, afterwards, and with a pull request to tell.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from spigot.github import Said
from spigot.notices import ACTIONS, Mode
from spigot.payloads import github_payloads
from spigot.ports import Clock
from spigot.stores.sqlite import SqliteStore
from spigot.teller import TICK, Teller, Voice
from spigot.webhook import Webhook, new_id

if TYPE_CHECKING:
    from spigot.github import GitHub
    from spigot.notices import Notice, Topic

LOOKS = 50


class Quick:
    """A GitHub that takes everything at once."""

    host = "api.github.com"

    def tell(self, topic: Topic, notice: Notice) -> Said:  # noqa: ARG002
        """Take it."""
        return Said(done=True, status=201)

    def close(self) -> None:
        """Do nothing."""


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="held pull requests")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder))
        _fill(store, count)
        voice = Voice(Mode.STATUS, 30.0, cast("GitHub", Quick()))
        teller = Teller(store, Clock(), lambda _: "the valve is OFF", voice)
        reading = []
        while store.notices.held(_seen(teller), 1):
            reading.append(_look(teller))
        print(f"{count:,} held pull requests")
        mean = statistics.mean(reading)
        print(
            f"reading: {len(reading):,} looks, {1e3 * mean:.0f} ms of processor a look, "
            f"{sum(reading):.0f} s in all: {100 * mean / TICK:.1f} % of one core meanwhile"
        )
        print(f"idle: {1e3 * statistics.mean(_look(teller) for _ in range(LOOKS)):.2f} ms a look")
        telling = []
        for _ in range(LOOKS):
            teller._next_tick = 0.0  # noqa: SLF001 - as if the gap were over
            telling.append(_look(teller))
        print(f"telling: {1e3 * statistics.mean(telling):.1f} ms a look")
        store.close()


def _seen(teller: Teller) -> int:
    return teller._seen  # noqa: SLF001


def _look(teller: Teller) -> float:
    begun = time.process_time()
    teller.look()
    return time.process_time() - begun


def _fill(store: SqliteStore, count: int) -> None:
    payload = next(
        value
        for event, body in github_payloads()
        if event == "pull_request" and (value := json.loads(body))["action"] in ACTIONS
    )
    left = threading.Semaphore(0)
    at = time.time() - 100
    for number in range(1, count + 1):
        payload["pull_request"]["number"] = number
        payload["pull_request"]["head"]["sha"] = f"{number:040x}"
        store.put(
            Webhook(
                id=new_id(at), received_at=at, method="POST", path="/github-webhook/", query="",
                headers=((b"content-type", b"application/json"),),
                body=json.dumps(payload).encode(), hook="/github-webhook/", provider="github",
                event="pull_request", delivery=None, lane=f"/github-webhook/ octo/{number % 100}",
            ),
            lambda _: left.release(),
        )  # fmt: skip
        if number > 1000:
            left.acquire()
    for _ in range(min(count, 1000)):
        left.acquire()


if __name__ == "__main__":
    main()
