"""A queue in the emulator, webhooks for it, and a drain in this process, as the Lambda has it."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, TypeVar

import boto3

from spigot.address import Target
from spigot.aws.boots import Boots
from spigot.aws.pump import Pump
from spigot.decide import Policy
from spigot.delivery import Delivery
from spigot.drain import Drain
from spigot.guard import Guard
from spigot.hooks import Hooks
from spigot.intake import Intake
from spigot.jenkins import Jenkins
from spigot.meters import Meters
from spigot.pace import Pace
from spigot.ports import Clock
from spigot.stores.sqs import HAND, Places, SqsQueue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spigot.webhook import Webhook
    from support.provider import Request

PATIENCE = 120.0

_Kind = TypeVar("_Kind", bound=SqsQueue)


def new_queue(kind: type[_Kind]) -> _Kind:
    """Return a queue with nothing in it."""
    sqs, s3, name = boto3.client("sqs"), boto3.client("s3"), uuid.uuid4().hex
    kept, dead = (
        sqs.create_queue(QueueName=f"{what}-{name}.fifo", Attributes={"FifoQueue": "true"})[
            "QueueUrl"
        ]
        for what in ("kept", "dead")
    )
    s3.create_bucket(Bucket=name)
    return kind(sqs, s3, Places(kept, dead, name))


def taken(requests: Iterable[Request]) -> list[Webhook]:
    """Return requests as webhooks, as intake reads them."""
    intake = Intake(Hooks(), {}, context="", clock=Clock())
    found = []
    for request in requests:
        lines = tuple((name.lower().encode(), text.encode()) for name, text in request.headers)
        admitted = intake.admit(request.method, request.target.encode())
        found.append(intake.webhook(admitted, lines, dict(reversed(lines)), request.body))
    return found


def drain(queue: SqsQueue, url: str) -> Meters:
    """Drain a queue once, to the Jenkins at a URL; return what happened."""
    clock, meters = Clock(), Meters()
    jenkins = Jenkins(Target.parse(url), read_timeout=30.0)
    guard = Guard(jenkins, clock)
    delivery = Delivery(jenkins, guard, Policy(), clock, lambda: 0.5)
    flow = Drain(queue, delivery, guard, clock, pace=Pace(HAND), meters=meters)
    boots = Boots(boto3.client("s3"), queue._at.bucket)
    Pump(queue, flow, guard, boots, patience=PATIENCE).empty(time.monotonic() + PATIENCE)
    jenkins.close()
    return meters
