"""Holds what was promised against what Jenkins took."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spigot.practice import Visit
    from support.provider import Request

_KEYS = (b"x-github-delivery", b"x-test-key")
_OF_ONE_CONNECTION = {b"host", b"content-length", b"connection"}


class Findings(NamedTuple):
    """What the comparison found; keys are those of `Request`.

    Attributes:
        lost: Promised, and never at Jenkins.
        strange: At Jenkins, and never sent.
        altered: What arrived otherwise than it was sent, in words.
        overtaken: Those whose first arrival came before that of an earlier one of their lane.
        duplicates: How many arrivals were repetitions.
    """

    lost: list[str]
    strange: list[str]
    altered: list[str]
    overtaken: list[str]
    duplicates: int


PERFECT = Findings([], [], [], [], 0)
"""Everything once, untouched and in order."""


def key_of(visit: Visit) -> str:
    """Return the key of the request that a visit brought."""
    fields = {name.lower(): value for name, value in visit.headers}
    return next(fields[name].decode() for name in _KEYS if name in fields)


def compare(
    promised: Sequence[Request], visits: Iterable[Visit], *, also_sent: Iterable[Request] = ()
) -> Findings:
    """Compare the webhooks that were answered 200 with what came to Jenkins.

    Args:
        promised: In the order in which each lane's were answered.
        visits: In the order of arrival.
        also_sent: What was sent without an answer: it may have arrived, or not.
    """
    known = {request.key: request for request in (*also_sent, *promised)}
    first: dict[str, Visit] = {}
    arrivals: Counter[str] = Counter()
    altered: list[str] = []
    for visit in visits:
        key = key_of(visit)
        arrivals[key] += 1
        first.setdefault(key, visit)
        if key in known:
            altered += _differences(known[key], visit)
    order = {key: number for number, key in enumerate(first)}
    overtaken: list[str] = []
    latest: dict[str, int] = {}
    for request in promised:
        place = order.get(request.key)
        if place is None:
            continue
        if place < latest.get(request.lane, -1):
            overtaken.append(request.key)
        latest[request.lane] = max(place, latest.get(request.lane, -1))
    return Findings(
        lost=[request.key for request in promised if request.key not in first],
        strange=[key for key in first if key not in known],
        altered=altered,
        overtaken=overtaken,
        duplicates=arrivals.total() - len(arrivals),
    )


def _differences(request: Request, visit: Visit) -> list[str]:
    sent = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers]
    came = [(name.lower(), value) for name, value in visit.headers]
    pairs: dict[str, tuple[object, object]] = {
        "method": (request.method, visit.method),
        "target": (request.target.encode(), visit.target),
        "headers": tuple(
            [line for line in lines if line[0] not in _OF_ONE_CONNECTION] for lines in (sent, came)
        ),  # type: ignore[dict-item] # two of them
        "body": (request.body, visit.body),
    }
    return [
        f"{request.key}: {what} {before!r} became {after!r}"
        for what, (before, after) in pairs.items()
        if before != after
    ]
