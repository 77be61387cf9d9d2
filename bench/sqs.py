"""What a webhook that is kept in SQS costs there: requests, and the size of its message.

    .venv/bin/python -m bench.sqs [--webhooks 100] [--answer 0.1]

Real payloads are put into a FIFO queue of the AWS emulator (`make test-aws` installs it) and
drained to a practice Jenkins that takes so many seconds to answer. Requests are counted as boto3
makes them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from aws.bed.draining import drain, new_queue, taken
from aws.bed.emulator import Emulator
from spigot import envelope
from spigot.payloads import github_payloads
from spigot.practice import PracticeJenkins
from spigot.stores.sqs import SqsQueue
from support.provider import github

CHUNK_BYTES = 64 * 1024
"""What AWS counts as one request."""


class Counted(SqsQueue):
    """A queue whose requests are counted.

    Attributes:
        requests: How many there were of each kind, for both services.
    """

    def __init__(self, sqs: Any, s3: Any, *arguments: Any) -> None:
        super().__init__(sqs, s3, *arguments)
        self.requests: Counter[str] = Counter()
        for client in (sqs, s3):
            client.meta.events.register("before-call", self._count)

    def _count(self, model: Any, **_: Any) -> None:
        self.requests[model.name] += 1


def main() -> None:
    """Run once and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--webhooks", type=int, default=100)
    parser.add_argument("--answer", type=float, default=0.1, help="seconds that Jenkins takes")
    options = parser.parse_args()
    examples = github_payloads()
    webhooks = taken(github(one.event, one.body) for one in examples)
    sizes = [len(envelope.seal(webhook)) for webhook in webhooks]
    print(
        f"{len(sizes)} real messages: {statistics.median(sizes):.0f} bytes in the median,"
        f" {max(sizes)} at most, of {CHUNK_BYTES} that cost one request"
    )
    step = max(1, len(webhooks) // options.webhooks)
    with (
        tempfile.TemporaryDirectory(prefix="spigot-bench-") as name,
        Emulator(Path(name)) as emulator,
        PracticeJenkins(delay=options.answer, keep=0) as jenkins,
    ):
        os.environ.update(emulator.environment)
        queue = new_queue(Counted)
        some = webhooks[::step][: options.webhooks]
        for webhook in some:
            queue.keep(webhook)
        meters = drain(queue, jenkins.url)
    total = sum(queue.requests.values())
    print(
        f"{len(some)} webhooks, {meters.attempts['delivered']} delivered, Jenkins answers in"
        f" {options.answer} s: {dict(queue.requests)}, {total / len(some):.2f} a webhook"
    )


if __name__ == "__main__":
    main()
