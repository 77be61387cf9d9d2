"""Takes webhooks in behind API Gateway: forwards them to Jenkins, or puts them into the queue.

Nothing of AWS is imported until a webhook has to be queued: what is simply forwarded starts fast.
"""

from __future__ import annotations

import functools
import os
import time
from typing import TYPE_CHECKING, Any

from spigot.aws.failure import failed
from spigot.aws.function import places, start_log, target
from spigot.aws.process import Process
from spigot.errors import SettingsError, SpigotError
from spigot.hooks import Hooks
from spigot.intake import Intake
from spigot.jenkins import Jenkins
from spigot.log import Log
from spigot.ports import Clock

if TYPE_CHECKING:
    from spigot.aws.notices import Notices
    from spigot.stores.sqs import SqsQueue
    from spigot.webhook import Webhook

CONNECT_SECONDS = 2.0

TOKEN_SECONDS = 300.0
"""Seconds after which the token for notices is read anew: somebody may have changed it."""

_log = Log(__name__)


def handler(event: dict[str, Any], context: object) -> dict[str, str]:  # noqa: ARG001
    """Handle one request; what is raised becomes a 500, and nothing was promised."""
    try:
        return _process().handle(event)
    except SpigotError as error:
        raise failed(error) from None
    except Exception as error:  # noqa: BLE001 - whatever it is, its message must match
        _log.error("A webhook met a fault inside Spigot", exc=error)
        raise failed(error) from None


@functools.cache
def _process() -> Process:
    start_log()
    there = target()
    intake = Intake(_hooks(), {}, context=there.context, clock=Clock())
    seconds = _seconds()
    jenkins = None
    if seconds:  # without any, Jenkins cannot be reached from here
        answer = max(1.0, seconds - CONNECT_SECONDS)
        jenkins = Jenkins(there, connect_timeout=CONNECT_SECONDS, read_timeout=answer)
    return Process(intake, jenkins, _keep, signed="SPIGOT_SECRET" in os.environ)


def _seconds() -> float:
    text = os.environ.get("FORWARD_SECONDS", "7")
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"FORWARD_SECONDS is {text!r}; allowed: seconds, such as 7.") from None


def _hooks() -> Hooks:
    secret = os.environ.get("SPIGOT_SECRET")
    if secret is None:
        return Hooks()
    from spigot.aws.secret import USUAL, secured

    return secured(secret, os.environ.get("SPIGOT_SIGNATURE") or USUAL)


def _keep(webhook: Webhook) -> None:
    keep = _queue().keep
    notices = _notices(time.time() // TOKEN_SECONDS) if os.environ.get("NOTICES") else None
    if notices:
        notices.keep(webhook, keep)
    else:
        keep(webhook)


@functools.lru_cache(maxsize=1)
def _notices(_: float) -> Notices | None:
    from spigot.aws.notices import notices_of
    from spigot.aws.sdk import QUICK, client

    return notices_of(os.environ, client("s3", seconds=QUICK), places().bucket, Clock(), quick=True)


@functools.cache
def _queue() -> SqsQueue:
    from spigot.aws.sdk import QUICK, client
    from spigot.stores.sqs import SqsQueue

    return SqsQueue(client("sqs", seconds=QUICK), client("s3", seconds=QUICK), places())
