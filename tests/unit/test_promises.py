from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from support.calls import Call
from support.promises import forwarded, promised, told_delivered, unsynced

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG = "/data/spigot.db-wal"
ID = "01M87AN42JA0000000000000AB"
OTHER = "01M87AN42JA0000000000000XY"

INNER = bytes(24)
"""The head of a frame that others of its commit follow."""

LAST = bytes(7) + b"\x09" + bytes(16)
"""That of a commit's last frame."""


def page(*ids: str) -> bytes:
    return b"\x0d...A" + b"POST/github-webhook/".join(id_.encode() for id_ in ids) + b"POST"


def answer(id_: str, status: str = "stored") -> bytes:
    return b'HTTP/1.1 200 OK\r\n\r\n{"status": "%b", "id": "%b"}\n' % (
        status.encode(),
        id_.encode(),
    )


def calls(*steps: bytes | str | tuple[str, int, int]) -> list[Call]:
    """Return calls: text for the log, ``sync``, and answers; or what began and ended elsewhere."""
    made = []
    numbers = itertools.count(0, 10)
    for step in steps:
        number = next(numbers)
        name, began, ended = step if isinstance(step, tuple) else (step, number, number)
        if name == "sync":
            made.append(Call("fdatasync", LOG, (), "", (), 0, "", began, ended, 0.0))
        elif isinstance(name, bytes):
            file = "socket:[9]" if name.startswith((b"HTTP", b"POST /")) else LOG
            made.append(Call("write", file, (name,), "", (), len(name), "", began, ended, 0.0))
    return sorted(made, key=lambda call: call.began)


def test_an_answer_after_the_sync_of_its_commit_is_kept() -> None:
    made = calls(INNER, page(ID), LAST, page(), "sync", answer(ID))
    assert unsynced(made, LOG) == {}
    assert promised(made) == {ID: made[-1]}


UNWRITTEN = "answered before its commit was written"
UNSYNCED = "answered before its commit was synced"


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([answer(ID)], UNWRITTEN),
        ([LAST, page(OTHER), "sync", answer(ID)], UNWRITTEN),
        ([answer(ID), LAST, page(ID), "sync"], UNWRITTEN),
        ([INNER, page(ID), "sync", answer(ID), LAST, page()], UNWRITTEN),
        ([LAST, page(ID), answer(ID), "sync"], UNSYNCED),
        ([INNER, page(ID), "sync", LAST, page(), answer(ID)], UNSYNCED),
        (["sync", LAST, page(ID), answer(ID)], UNSYNCED),
        # The sync began before the commit was written, or ends after the answer.
        ([LAST, page(ID), ("sync", 5, 15), answer(ID)], UNSYNCED),
        ([LAST, page(ID), ("sync", 15, 35), answer(ID)], UNSYNCED),
    ],
)
def test_an_answer_before_that_is_found(
    steps: Sequence[bytes | str | tuple[str, int, int]], fault: str
) -> None:
    assert unsynced(calls(*steps), LOG) == {ID: fault}


def test_a_sync_that_fails_or_is_of_another_file_is_none() -> None:
    first, second, sync, sent = calls(LAST, page(ID), "sync", answer(ID))
    for useless in (sync._replace(result=-1), sync._replace(file="/data/spigot.db")):
        assert unsynced([first, second, useless, sent], LOG) == {ID: UNSYNCED}


def test_one_sync_makes_many_safe_and_a_duplicate_needs_it_too() -> None:
    made = calls(LAST, page(ID, OTHER), "sync", answer(ID), answer(OTHER, "duplicate"))
    assert unsynced(made, LOG) == {}
    assert promised(made).keys() == {ID, OTHER}
    assert unsynced([call for call in made if call.name == "write"], LOG).keys() == {ID, OTHER}


def test_what_went_to_jenkins_and_what_the_status_said_is_read_from_what_was_sent() -> None:
    made = calls(
        b"POST /github-webhook/ HTTP/1.1\r\nx-github-delivery: octo#1\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\n\r\n{"dead": 0, "delivered": 12}',
    )
    assert forwarded(made) == {"octo#1": made[0]}
    assert told_delivered(made) == [(10, 12)]
