"""``spigot drain``: delivers what waits in SQS, from a place that reaches Jenkins."""

from __future__ import annotations

import math
import random
import signal
from typing import TYPE_CHECKING

import click

from spigot.address import StackName, Target
from spigot.commands.common import SPARE, Start, data_option, target_option
from spigot.errors import SettingsError
from spigot.log import Log

if TYPE_CHECKING:
    from spigot.aws.pump import Pump
    from spigot.aws.stack import Outputs
    from spigot.jenkins import Jenkins
    from spigot.settings import Settings

LONG_POLL = 3
"""Seconds that SQS waits for a message before it answers that there is none."""

_log = Log(__name__)


@click.command("drain")
@target_option
@data_option
@click.pass_obj
def drain_command(start: Start, *, target: str | None, data: str | None) -> None:
    """Deliver what waits on AWS, named as aws://STACK, to Jenkins.

    For a Jenkins that AWS does not reach: deploy the stack with Drain=outside and run this where
    Jenkins is. It obeys the valve, and takes nothing while Jenkins is not ready. Several may
    run. It stops when it is interrupted or terminated, and gives back what it has in hand.
    """
    from spigot.app import jenkins_of
    from spigot.aws.sdk import plainly
    from spigot.aws.stack import Stack
    from spigot.log import configure

    settings = start.settings(target=target, data=data)
    if not isinstance(settings.data, StackName):
        raise SettingsError(
            f"data is {settings.data}, which `spigot serve` delivers by itself. A drain is for a "
            "Spigot on AWS: name its stack, as in --data aws://spigot."
        )
    configure(settings.log_level)
    with plainly():
        outputs = Stack(settings.data.name).outputs()
        # What is configured here goes before what the stack was deployed with.
        target_ = settings.target or Target.parse(outputs.parameters["TargetUrl"])
        jenkins = jenkins_of(settings, target_)
        pump = _pump(settings, outputs, jenkins)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: pump.stop())
        _log.info("Drain started", stack=settings.data.name, target=target_.url)
        pump.run()
        jenkins.close()
        _log.info("Drain stopped")


def _pump(settings: Settings, outputs: Outputs, jenkins: Jenkins) -> Pump:
    """Put a drain together that goes by the settings, as a gateway's does."""
    from spigot.app import probe_of
    from spigot.aws.boots import Boots
    from spigot.aws.notices import notices_of
    from spigot.aws.pump import Pump
    from spigot.aws.sdk import QUICK, client
    from spigot.aws.valve import StageValve
    from spigot.decide import Policy
    from spigot.delivery import Delivery
    from spigot.drain import Drain
    from spigot.guard import Guard
    from spigot.meters import Meters
    from spigot.pace import Pace
    from spigot.ports import Clock
    from spigot.stores.sqs import HAND, Places, SqsQueue

    clock, s3 = Clock(), client("s3", seconds=QUICK)
    valve = StageValve(client("apigateway", seconds=QUICK), outputs["ApiId"])
    valve.read()  # what cannot be obeyed is said at once
    at = Places(outputs["QueueUrl"], outputs["DeadLetterUrl"], outputs["CredentialsBucketName"])
    patience = settings.read_timeout + SPARE
    # Renewed at a third: what is left of it when all stops has to last for that.
    visibility = math.ceil(1.5 * (patience + 2 * LONG_POLL))
    queue = SqsQueue(
        client("sqs", seconds=QUICK),
        s3,
        at,
        valve=valve.read,
        long_poll=LONG_POLL,
        visibility=visibility,
    )
    told = {
        "NOTICES": outputs.parameters.get("Notices", ""),
        "NOTICES_API": outputs.parameters.get("NoticesApi", ""),
    }
    if notices := notices_of(told, s3, at.bucket, clock):
        queue.on_end = notices.ended  # send_from_queue tells it then
    guard = Guard(jenkins, clock, probe=probe_of(settings))
    policy = Policy(settings.retry_delays, settings.settle_after)
    delivery = Delivery(jenkins, guard, policy, clock, random.random)
    pace = Pace(min(settings.parallel, HAND), settings.rate)
    drain = Drain(
        queue, delivery, guard, clock, pace=pace, meters=Meters(), gap=settings.repository_gap
    )
    return Pump(queue, drain, guard, Boots(s3, at.bucket), patience=patience)
