"""Drains the queue on a schedule: to Jenkins if it is ready, in order, as long as time is left."""

from __future__ import annotations

import os
import random
import time
from typing import Any

from spigot.aws.boots import Boots
from spigot.aws.function import needed, places, start_log, target
from spigot.aws.notices import notices_of
from spigot.aws.pump import Pump
from spigot.aws.sdk import QUICK, client
from spigot.aws.valve import StageValve
from spigot.decide import Policy
from spigot.delivery import Delivery
from spigot.drain import Drain
from spigot.guard import Guard
from spigot.jenkins import Jenkins
from spigot.log import Log
from spigot.meters import Meters
from spigot.notices import held_because
from spigot.pace import Pace
from spigot.ports import Clock
from spigot.stores.sqs import HAND, SqsQueue

READ_SECONDS = 30.0
"""What Jenkins may take to answer."""

SPARE_SECONDS = READ_SECONDS + 5.0
"""Nothing new is received in the last seconds: what is on its way must end before Lambda does."""

_log = Log(__name__)


def handler(event: object, context: Any) -> dict[str, int]:  # noqa: ARG001
    """Drain the queue once; returns how many webhooks went to Jenkins, and how many died.

    What it raises counts as an error of the Lambda, for which there is an alarm.
    """
    start_log()
    left = context.get_remaining_time_in_millis() / 1000
    end = time.monotonic() + max(1.0, left - SPARE_SECONDS)
    at, clock, meters = places(), Clock(), Meters()
    stage = needed("API_ID", "the API with the valve"), needed("STAGE", "the stage with the valve")
    valve = StageValve(client("apigateway", seconds=QUICK), *stage)
    jenkins, s3 = Jenkins(target(), read_timeout=READ_SECONDS), client("s3", seconds=QUICK)
    notices = notices_of(os.environ, s3, at.bucket, clock)
    guard = Guard(jenkins, clock)
    if os.environ.get("DRAIN") == "outside":
        _log.info("`spigot drain` delivers: nothing was taken from the queue")
    else:
        # SQS then asks all of its servers, and is not asked in circles.
        queue = SqsQueue(client("sqs", seconds=QUICK), s3, at, valve=valve.read, long_poll=1)
        if notices:
            queue.on_end = notices.ended
        delivery = Delivery(jenkins, guard, Policy(), clock, random.random)
        drain = Drain(queue, delivery, guard, clock, pace=Pace(HAND), meters=meters)
        pump = Pump(queue, drain, guard, Boots(s3, at.bucket), patience=SPARE_SECONDS - 2.0)
        if valve.read().on:
            pump.empty(end)
        else:
            _log.info("The valve is OFF: nothing was taken from the queue")
            pump.look()  # `spigot hold` waits for Jenkins behind a closed valve
    if notices:
        why = held_because(valve.read(), guard.readiness.state, "", None)
        notices.sweep(time.monotonic() + context.get_remaining_time_in_millis() / 1000 - 15, why)
    jenkins.close()
    return {"delivered": meters.attempts["delivered"], "dead": meters.attempts["dead"]}
