"""A store in SQS without a stack around it: queues, bucket, stage and rule of a test's own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import boto3

from spigot.aws.letters import DeadLetters
from spigot.aws.panel import StackPanel
from spigot.aws.rule import DrainRule
from spigot.aws.valve import STAGE, StageValve
from spigot.stores.sqs import Places, SqsQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from spigot.ports import Clock, Loaded, Signs
    from spigot.webhook import Attempt, Place, Receipt, Webhook


class Made:
    """What a stack has of which a store is made."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {
            name: boto3.client(name) for name in ("sqs", "s3", "cloudwatch", "apigateway", "events")
        }
        name = f"contract-{uuid.uuid4().hex[:12]}"
        fifo = {"FifoQueue": "true", "DeduplicationScope": "messageGroup",
                "FifoThroughputLimit": "perMessageGroupId"}  # fmt: skip
        queue, dead = (
            self.clients["sqs"].create_queue(QueueName=f"{name}{kind}.fifo", Attributes=fifo)
            for kind in ("", "-dead")
        )
        self.clients["s3"].create_bucket(Bucket=name)
        self.places = Places(queue["QueueUrl"], dead["QueueUrl"], name)
        api = self.clients["apigateway"].create_rest_api(name=name)["id"]
        self.clients["apigateway"].create_deployment(restApiId=api, stageName=STAGE)
        self.clients["events"].put_rule(Name=name, ScheduleExpression="rate(30 days)")
        self.stage = StageValve(self.clients["apigateway"], api)
        self.rule = DrainRule(self.clients["events"], name)


class SqsStore:
    """The queue in one process's hand, the dead letters and the panel, as one store.

    Args:
        made: Of what.
        clock: Tells the time.
    """

    def __init__(self, made: Made, clock: Clock) -> None:
        sqs, s3 = made.clients["sqs"], made.clients["s3"]
        self.made = made
        self.said: list[str] = []
        self.panel = StackPanel(made.stage, made.rule, made.clients, made.places, clock, every=0)
        self.history = DeadLetters(sqs, s3, made.places, say=self.said.append)
        self.queue = SqsQueue(sqs, s3, made.places, valve=self.panel.valve)

    def put(self, webhook: Webhook, done: Callable[[Receipt | Exception], None]) -> None:
        self.queue.put(webhook, done)

    def places_after(self, position: int, limit: int) -> list[Place]:
        """Take in hand what there is; a drain does so before it looks."""
        while self.queue.receive():
            pass
        return self.queue.places_after(position, limit)

    def still_waiting(self, positions: list[int]) -> set[int]:
        return self.queue.still_waiting(positions)

    def load(self, position: int) -> Loaded | None:
        return self.queue.load(position)

    def settle(self, loaded: Loaded, attempt: Attempt) -> None:
        self.queue.settle(loaded, attempt)

    def recall(
        self, since: float, until: float, chosen: Callable[[str, str], bool]
    ) -> Iterator[list[Place]]:
        return self.queue.recall(since, until, chosen)

    def signs(self) -> Signs:
        return self.queue.signs()

    def changed(self) -> bool:
        return self.queue.changed()

    def close(self) -> None:
        self.queue.give_back()
