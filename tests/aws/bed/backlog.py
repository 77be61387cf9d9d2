"""A backlog in a stack's queue, and what of it came to Jenkins."""

from __future__ import annotations

import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from spigot.aws.sdk import client
from spigot.stores.sqs import Places, SqsQueue
from support.provider import numbered
from support.stores import webhook

if TYPE_CHECKING:
    from aws.bed.deployed import Deployed
    from spigot.practice import PracticeJenkins


def places_of(stack: Deployed) -> Places:
    """Return where a stack keeps webhooks."""
    names = ("QueueUrl", "DeadLetterUrl", "CredentialsBucketName")
    return Places(*(stack.outputs[name] for name in names))


def fill(stack: Deployed, lanes: int, each: int) -> None:
    """Put webhooks into the queue: so many lanes, each in order."""
    queue = SqsQueue(client("sqs"), client("s3"), places_of(stack))

    def lane(repository: str) -> None:
        for number in range(each):
            request = numbered(repository, number)
            headers = [(name.lower().encode(), text.encode()) for name, text in request.headers]
            queue.keep(
                webhook(
                    repository=repository, delivery=request.key, headers=tuple(headers),
                    body=request.body,
                )
            )  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lane, (f"acme/app{number}" for number in range(lanes))))


def arrived(practice: PracticeJenkins) -> dict[str, list[int]]:
    """Return the numbers that came to Jenkins, lane by lane."""
    found: dict[str, list[int]] = defaultdict(list)
    for visit in practice.hooks:
        body = json.loads(visit.body)
        found[body["repository"]["full_name"]].append(body["number"])
    return found
