"""Takes webhooks in behind API Gateway: forwards them to Jenkins, or puts them into the queue.

Nothing of AWS is imported until a webhook has to be queued: what is simply forwarded starts fast.
"""

from __future__ import annotations

import functools
import os
import time
from typing import TYPE_CHECKING, Any

from spigot.address import Target
from spigot.aws.process import Process
from spigot.errors import SettingsError
from spigot.hooks import Hooks
from spigot.intake import Intake
from spigot.jenkins import Jenkins
from spigot.log import configure
from spigot.ports import Clock

if TYPE_CHECKING:
    from spigot.aws.notices import Notices
    from spigot.stores.sqs import SqsQueue
    from spigot.webhook import Webhook

CONNECT_SECONDS = 2.0

TOKEN_SECONDS = 300.0
"""Seconds after which the token for notices is read anew: somebody may have changed it."""


def handler(event: dict[str, Any], context: object) -> dict[str, str]:  # noqa: ARG001
    """Handle one request; what is raised becomes a 500 and is sent again by nobody."""
    return _process().handle(event)


@functools.cache
def _process() -> Process:
    configure(os.environ.get("LOG_LEVEL", "INFO"))
    if not (url := os.environ.get("TARGET_URL")):
        raise SettingsError("TARGET_URL is not set: it names Jenkins. Deploy the stack with it.")
    target = Target.parse(url)
    patience = float(os.environ.get("FORWARD_SECONDS", "7"))
    jenkins = Jenkins(
        target, connect_timeout=CONNECT_SECONDS, read_timeout=max(1.0, patience - CONNECT_SECONDS)
    )
    intake = Intake(Hooks(), {}, context=target.context, clock=Clock())
    return Process(intake, jenkins, _keep)


def _keep(webhook: Webhook) -> None:
    keep = _queue().keep
    notices = _notices(time.time() // TOKEN_SECONDS) if os.environ.get("NOTICES") else None
    if notices:
        notices.keep(webhook, keep)
    else:
        keep(webhook)


@functools.lru_cache(maxsize=1)
def _notices(_: float) -> Notices | None:
    import boto3

    from spigot.aws.notices import notices_of

    s3, bucket = boto3.client("s3"), os.environ["CREDENTIALS_BUCKET"]
    return notices_of(os.environ, s3, bucket, Clock(), quick=True)


@functools.cache
def _queue() -> SqsQueue:
    import boto3

    from spigot.stores.sqs import Places, SqsQueue

    at = Places(
        os.environ["QUEUE_URL"], os.environ["DEAD_LETTER_URL"], os.environ["CREDENTIALS_BUCKET"]
    )
    return SqsQueue(boto3.client("sqs"), boto3.client("s3"), at)
