"""What a gateway's system calls say of its promises: which it gave, and whether they were kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from support.calls import NEVER, SYNCS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from support.calls import Call

_ULID = rb"[0-9A-HJKMNP-TV-Z]{26}"
_PROMISE = re.compile(rb'\{"status": "(?:stored|duplicate)", "id": "(%b)"' % _ULID)
_MAYBE_ID = re.compile(rb"(?=(%b))" % _ULID)
_FORWARDED = re.compile(rb"\r\nX-GitHub-Delivery: ([^\r]+)\r\n", re.IGNORECASE)
_DELIVERED = re.compile(rb'"delivered": ?(\d+)')

_FRAME_HEAD = 24
"""Bytes before each page of the log."""


def sends(calls: Iterable[Call]) -> Iterator[Call]:
    """Yield those that write to a socket."""
    return (call for call in calls if call.file.startswith("socket:") and call.strings)


def promised(calls: Iterable[Call]) -> dict[str, Call]:
    """Return the ids that were answered 2xx, each with the call that sent the answer first."""
    found: dict[str, Call] = {}
    for call in sends(calls):
        for id_ in _PROMISE.findall(call.data):
            found.setdefault(id_.decode(), call)
    return found


def forwarded(calls: Iterable[Call]) -> dict[str, Call]:
    """Return GitHub's delivery ids of what went to Jenkins, each with the call that sent it first.

    Its beginning, that is: Jenkins cannot have taken it before.
    """
    found: dict[str, Call] = {}
    for call in sends(calls):
        if call.data.startswith(b"POST "):
            for key in _FORWARDED.findall(call.data):
                found.setdefault(key.decode(), call)
    return found


def told_delivered(calls: Iterable[Call]) -> list[tuple[int, int]]:
    """Return how many webhooks ``/api/status`` called delivered, each with when it began to."""
    return [
        (call.began, int(number))
        for call in sends(calls)
        for number in _DELIVERED.findall(call.data)
    ]


def unsynced(calls: Iterable[Call], log: str) -> dict[str, str]:
    """Return the webhooks whose 2xx left before they were safe, each with what was missing.

    One is safe once a sync of SQLite's write-ahead log is over that began after all of the commit
    with its id was written. Ids stand in the log as they are; the last frame of a commit says so in
    its head (sqlite.org/fileformat2.html#walformat), which SQLite writes before the page.

    Args:
        calls: In the order in which they began.
        log: The path of the log.
    """
    calls = list(calls)
    committed = _commits(calls, log)
    syncs = [
        (call.began, call.ended)
        for call in calls
        if call.file == log and call.name in SYNCS and call.result == 0
    ]
    faults = {}
    for id_, answer in promised(calls).items():
        written = committed.get(id_, NEVER)
        if written > answer.began:
            faults[id_] = "answered before its commit was written"
        elif not any(written < began and ended < answer.began for began, ended in syncs):
            faults[id_] = "answered before its commit was synced"
    return faults


def _commits(calls: Iterable[Call], log: str) -> dict[str, int]:
    """Return all that may be ids in the log, each with when its commit was written."""
    committed: dict[str, int] = {}
    gathered: set[bytes] = set()
    last = False
    for call in calls:
        if call.file != log or not call.strings:
            continue
        if len(call.data) == _FRAME_HEAD:
            last = any(call.data[4:8])  # the size of the database after the commit
            continue
        gathered.update(_MAYBE_ID.findall(call.data))
        if last:
            for id_ in gathered:
                committed.setdefault(id_.decode(), call.ended)
            gathered, last = set(), False
    return committed
