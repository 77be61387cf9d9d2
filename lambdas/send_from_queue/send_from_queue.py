"""Drains the queue on a schedule: to Jenkins if it is ready, in order, as long as time is left."""

from __future__ import annotations

import os
import random
import time
from typing import Any

import boto3

from spigot.address import Target
from spigot.aws.boots import Boots
from spigot.aws.notices import notices_of
from spigot.aws.pump import Pump
from spigot.aws.valve import StageValve
from spigot.decide import Policy
from spigot.delivery import Delivery
from spigot.drain import Drain
from spigot.errors import SettingsError
from spigot.guard import Guard
from spigot.jenkins import Jenkins
from spigot.log import configure
from spigot.meters import Meters
from spigot.notices import held_because
from spigot.pace import Pace
from spigot.ports import Clock
from spigot.stores.sqs import HAND, Places, SqsQueue

READ_SECONDS = 30.0
"""What Jenkins may take to answer."""

SPARE_SECONDS = READ_SECONDS + 5.0
"""Nothing new is received in the last seconds: what is on its way must end before Lambda does."""


def handler(event: object, context: Any) -> dict[str, int]:  # noqa: ARG001
    """Drain the queue once; returns how many webhooks went to Jenkins, and how many died."""
    configure(os.environ.get("LOG_LEVEL", "INFO"))
    if not (url := os.environ.get("TARGET_URL")):
        raise SettingsError("TARGET_URL is not set: it names Jenkins. Deploy the stack with it.")
    left = context.get_remaining_time_in_millis() / 1000
    end = time.monotonic() + max(1.0, left - SPARE_SECONDS)
    jenkins = Jenkins(Target.parse(url), read_timeout=READ_SECONDS)
    clock, meters = Clock(), Meters()
    valve = StageValve(boto3.client("apigateway"), os.environ["API_ID"], os.environ["STAGE"])
    at = Places(
        os.environ["QUEUE_URL"], os.environ["DEAD_LETTER_URL"], os.environ["CREDENTIALS_BUCKET"]
    )
    s3 = boto3.client("s3")
    queue = SqsQueue(boto3.client("sqs"), s3, at, valve=valve.read)
    guard = Guard(jenkins, clock)
    boots = Boots(s3, at.bucket)
    seen_for = boots.seen_for(guard.ask().session, clock.now())
    policy = Policy(settle_after=max(0.0, Policy().settle_after - seen_for))
    delivery = Delivery(jenkins, guard, policy, clock, random.random)
    drain = Drain(queue, delivery, guard, clock, pace=Pace(HAND), meters=meters)
    notices = notices_of(os.environ, s3, at.bucket, clock)
    if notices:
        queue.on_end = notices.ended
    Pump(queue, drain, guard).run(until_empty=True, end=end)
    boots.tell(guard.readiness, clock.now())
    if notices:
        why = held_because(valve.read(), guard.readiness.state, "", None)
        notices.sweep(time.monotonic() + context.get_remaining_time_in_millis() / 1000 - 15, why)
    jenkins.close()
    return {"delivered": meters.attempts["delivered"], "dead": meters.attempts["dead"]}
