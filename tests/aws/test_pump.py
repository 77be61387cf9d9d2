"""The drain of SQS knows when there is nothing more."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import boto3
import pytest

from spigot.address import Target
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
from support.provider import numbered

if TYPE_CHECKING:
    from aws.bed.emulator import Emulator
    from spigot.practice import PracticeJenkins
    from spigot.webhook import Webhook


class Unlucky(SqsQueue):
    """The real queue; whenever a receive brings nothing, what was in hand ends just then."""

    def receive(self) -> int:
        came = super().receive()
        end = time.monotonic() + 10.0
        while not came and self.in_hand and time.monotonic() < end:
            time.sleep(0.005)
        return came


@pytest.fixture
def queue(emulator: Emulator) -> Unlucky:  # noqa: ARG001
    sqs, name = boto3.client("sqs"), uuid.uuid4().hex
    kept, dead = (
        sqs.create_queue(QueueName=f"{kind}-{name}.fifo", Attributes={"FifoQueue": "true"})[
            "QueueUrl"
        ]
        for kind in ("kept", "dead")
    )
    boto3.client("s3").create_bucket(Bucket=name)
    return Unlucky(sqs, boto3.client("s3"), Places(kept, dead, name))


def webhooks(count: int) -> list[Webhook]:
    intake = Intake(Hooks(), {}, context="", clock=Clock())
    found = []
    for number in range(count):
        request = numbered("acme/long", number)
        lines = tuple((name.lower().encode(), text.encode()) for name, text in request.headers)
        admitted = intake.admit(request.method, request.target.encode())
        found.append(intake.webhook(admitted, lines, dict(reversed(lines)), request.body))
    return found


def test_a_lane_longer_than_the_hand_is_drained_to_its_end(
    queue: Unlucky, jenkins: PracticeJenkins
) -> None:
    """While one of a lane is in hand, SQS hands out no other: nothing came says nothing then."""
    sent = webhooks(2 * HAND + 3)
    for webhook in sent:
        queue.keep(webhook)
    clock = Clock()
    way = Jenkins(Target.parse(jenkins.url))
    guard = Guard(way, clock)
    delivery = Delivery(way, guard, Policy(), clock, lambda: 0.5)
    drain = Drain(queue, delivery, guard, clock, pace=Pace(HAND), meters=Meters())
    Pump(queue, drain, guard).run(until_empty=True, end=time.monotonic() + 60.0)
    way.close()
    assert [one.body for one in jenkins.taken] == [one.body for one in sent]
