"""The words of the core: a webhook, what happened to it, and what was decided.

Everything here is immutable and knows nothing of sockets, files or databases. Times are UNIX
seconds (UTC), durations are seconds, sizes are bytes. Order is never taken from times: a webhook's
place in its lane is its position, which the queue gives it at commit.
"""

from __future__ import annotations

import os
import random
from enum import StrEnum
from typing import NamedTuple

Headers = tuple[tuple[bytes, bytes], ...]
"""Header lines as received: names in lower case, values to the byte, the order kept."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(a + b for a in _CROCKFORD for b in _CROCKFORD)
_bits = random.Random(os.urandom(32)).getrandbits  # noqa: S311 - ids are unique, not secret


def new_id(now: float) -> str:
    """Return a fresh ULID: 48 bits of milliseconds, 80 random bits (github.com/ulid/spec).

    Args:
        now: UNIX seconds; only the id's look depends on it, no order does.
    """
    time, rest, pairs = int(now * 1000) & 0xFFFFFFFFFFFF, _bits(80), _PAIRS
    return (
        f"{pairs[time >> 40]}{pairs[time >> 30 & 1023]}{pairs[time >> 20 & 1023]}"
        f"{pairs[time >> 10 & 1023]}{pairs[time & 1023]}"
        f"{pairs[rest >> 70]}{pairs[rest >> 60 & 1023]}{pairs[rest >> 50 & 1023]}"
        f"{pairs[rest >> 40 & 1023]}{pairs[rest >> 30 & 1023]}{pairs[rest >> 20 & 1023]}"
        f"{pairs[rest >> 10 & 1023]}{pairs[rest & 1023]}"
    )


class State(StrEnum):
    """Where a promised webhook stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    DROPPED = "dropped"


class Webhook(NamedTuple):
    """One request as the provider sent it, and what Spigot read from it.

    Attributes:
        id: A ULID, given at intake; a replay keeps it.
        received_at: When the request was complete, UNIX seconds.
        method: ``POST``, or ``GET`` where the plugin takes it.
        path: The path at Jenkins below its context path, percent-encoding as received. Holds of a
            path go by this value.
        query: The query string as received, without the question mark; empty where there was none.
        headers: All header lines as received, hop-by-hop ones included.
        body: The body bytes, free of transfer coding.
        hook: The path of the hook that took it, such as ``/project/`` or ``/github-webhook/``.
        provider: ``github``, ``gitlab``, ``bitbucket``, ``gitea``…, or ``unknown``.
        event: The provider's event name, where it has one.
        delivery: The provider's delivery id, where it has one.
        lane: What must stay in order: the path with what names its job there, then the repository.
            Holds no secret: a token in it is replaced by a digest.
    """

    id: str
    received_at: float
    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    hook: str
    provider: str
    event: str | None
    delivery: str | None
    lane: str


class Receipt(NamedTuple):
    """The queue's word that a webhook is kept.

    Attributes:
        id: The id to name in the answer: the webhook's own, or the first's if it is a duplicate.
        duplicate: The same delivery id already waits on this path; nothing was stored again.
    """

    id: str
    duplicate: bool


class Place(NamedTuple):
    """A waiting webhook's place in the queue, without its content.

    Attributes:
        position: Its place; greater than that of every webhook taken before it.
        lane: The lane it waits in.
        path: Its path at Jenkins, below the context path.
        due_at: Not to be tried before this time, UNIX seconds; 0 for at once.
        delay: The delay that ``due_at`` was made from, seconds. Whoever waits for ``due_at`` waits
            no longer than this, whatever a clock says.
        attempts: How many attempts have counted so far.
        recalled: Whether it was delivered already, and Jenkins may have forgotten it in a restart.
    """

    position: int
    lane: str
    path: str
    due_at: float
    delay: float
    attempts: int
    recalled: bool = False


class Happened(StrEnum):
    """What came of one attempt, before anybody judges it."""

    ANSWERED = "answered"
    """Jenkins, or something before it, sent an HTTP answer."""
    NO_CONNECTION = "no connection"
    """Refused, unknown host, no route, TLS failed: not one byte of the webhook was sent."""
    BROKEN = "broken"
    """Reset, timed out or garbled once a byte was sent: Jenkins may have taken it."""


class Outcome(NamedTuple):
    """What happened on an attempt, as observed.

    Attributes:
        happened: The kind.
        status: The HTTP status; 0 unless answered.
        content_type: The answer's media type in lower case without parameters; empty if none.
        retry_after: The answer's ``Retry-After`` in seconds, if it had a readable one.
        answer: The beginning of the answer's body; its first kilobyte once secrets are masked.
        length: How many bytes of the answer's body were seen; 1 if it broke before the first.
        error: What broke, in words; empty if answered.
        location: Where a redirect points, as sent; empty if it does not.
    """

    happened: Happened
    status: int = 0
    content_type: str = ""
    retry_after: float | None = None
    answer: bytes = b""
    length: int = 0
    error: str = ""
    location: str = ""


class Verdict(StrEnum):
    """What becomes of a webhook after an attempt."""

    DELIVERED = "delivered"
    AGAIN = "again"
    """Try it again after a delay; its lane waits for it."""
    HOLD_FLOW = "hold the flow"
    """Jenkins is away: nothing is delivered until it is ready. It cost no attempt."""
    HOLD_PATH = "hold the path"
    """This endpoint does not work now: its webhooks wait, the others flow."""
    DEAD = "dead"


class Decision(NamedTuple):
    """What becomes of a webhook, and why.

    Attributes:
        verdict: The kind.
        reason: In words, for a person; free of secrets once masked.
        delay: Seconds until it, or its path, is tried again; 0 where that does not apply.
        counted: Whether the attempt counts against the webhook.
        maybe_taken: Whether Jenkins may have taken it although no good answer came.
    """

    verdict: Verdict
    reason: str
    delay: float = 0.0
    counted: bool = False
    maybe_taken: bool = False


class Attempt(NamedTuple):
    """One try to hand a webhook to Jenkins, for the history.

    Attributes:
        at: When it began, UNIX seconds.
        took: How long it ran, seconds.
        outcome: What happened.
        decision: What was decided.
    """

    at: float
    took: float
    outcome: Outcome
    decision: Decision
