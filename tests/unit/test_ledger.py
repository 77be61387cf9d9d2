from __future__ import annotations

from pathlib import Path

import pytest

from spigot.webhook import State
from support.calls import Call
from support.ledger import Ledger
from support.provider import numbered
from support.recording import KEEP, Powered, Recording
from support.salvage import Kept, Salvage

IDS = [f"01M87AN42JA000000000000{number:03}" for number in range(3)]
REQUESTS = [numbered("octo/hello", number) for number in range(3)]
REFUSED = 2


def sent(data: bytes, number: int, at: float = 0.0) -> Call:
    return Call("write", "socket:[9]", (data,), "", (), len(data), "", number, number, at)


def forwarding(number: int) -> bytes:
    return b"POST / HTTP/1.1\r\nX-GitHub-Delivery: %b\r\n\r\n" % REQUESTS[number].key.encode()


CALLS = [
    *(
        sent(b'HTTP/1.1 200 OK\r\n\r\n{"status": "stored", "id": "%b"}' % id_.encode(), number)
        for number, id_ in enumerate(IDS)
    ),
    sent(forwarding(0), 10),
    sent(forwarding(REFUSED), 11),
    sent(b'HTTP/1.1 200 OK\r\n\r\n{"delivered": 1}', 20),
]
SOON = Call("fdatasync", "log", (), "", (), 0, "", 30, 31, KEEP / 2)
LATER = SOON._replace(at=KEEP * 2)


@pytest.fixture
def ledger() -> Ledger:
    lanes = {"a lane": list(zip(IDS, REQUESTS, strict=True))}
    span = Powered({}, CALLS)
    return Ledger(Recording(Path("/data"), [span], lanes, {REQUESTS[REFUSED].key}))


def kept(number: int, state: State = State.WAITING) -> Kept:
    headers = tuple((name.encode(), value.encode()) for name, value in REQUESTS[number].headers)
    return Kept(state, headers, REQUESTS[number].body)


def left(*webhooks: Kept | None, order: tuple[int, ...] = (0, 1, 2), delivered: int = 1) -> Salvage:
    found = {IDS[number]: each for number in order if (each := webhooks[number])}
    return Salvage(found, delivered, [])


GOOD = (kept(0, State.DELIVERED), kept(1), kept(2, State.DEAD))


def test_what_is_there_as_it_was_promised_is_no_fault(ledger: Ledger) -> None:
    assert ledger.faults(left(*GOOD), SOON) == []
    # Whether an end was synced yet is for the disk to say.
    assert ledger.faults(left(kept(0), kept(1), kept(2)), SOON) == []
    assert ledger.promised_by(SOON) == 3


def test_before_an_answer_nothing_is_promised(ledger: Ledger) -> None:
    early = SOON._replace(began=0, ended=0)
    assert ledger.promised_by(early) == 0
    assert ledger.faults(left(None, None, None, delivered=0), early) == []


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (left(GOOD[0], None, GOOD[2]), f"{IDS[1]}: lost"),
        (left(None, *GOOD[1:]), f"{IDS[0]}: lost"),
        (left(GOOD[0], kept(0), GOOD[2]), f"{IDS[1]}: altered"),
        (left(GOOD[0], kept(1)._replace(headers=()), GOOD[2]), f"{IDS[1]}: altered"),
        (left(GOOD[0], kept(1, State.DEAD), GOOD[2]), f"{IDS[1]}: dead"),
        (left(GOOD[0], kept(1, State.DELIVERED), GOOD[2]), f"{IDS[1]}: called delivered"),
        (left(*GOOD, order=(1, 0, 2)), "out of order"),
        (left(*GOOD, delivered=0), "1 were said to be delivered, 0 are known"),
        (left(*GOOD)._replace(faults=["no good"]), "no good"),
    ],
)
def test_what_is_not_is_named(ledger: Ledger, found: Salvage, fault: str) -> None:
    (named,) = ledger.faults(found, SOON)
    assert named.startswith(fault)


def test_only_what_was_delivered_long_enough_ago_may_be_gone(ledger: Ledger) -> None:
    assert ledger.faults(left(None, *GOOD[1:]), LATER) == []
    nothing = left(None, None, None)
    assert ledger.faults(nothing, LATER) == [f"{IDS[1]}: lost", f"{IDS[2]}: lost"]


def test_an_end_that_was_synced_stays(ledger: Ledger) -> None:
    ledger.note_certain(left(*GOOD))
    assert ledger.faults(left(*GOOD), SOON) == []
    again = ledger.faults(left(kept(0), *GOOD[1:]), SOON)
    assert again == [f"{IDS[0]}: waits again after its end was synced"]


def test_a_trace_that_does_not_show_every_answer_proves_nothing() -> None:
    lanes = {"a lane": list(zip(IDS, REQUESTS, strict=True))}
    with pytest.raises(AssertionError, match="do not show each answer"):
        Ledger(Recording(Path("/data"), [Powered({}, CALLS[1:])], lanes, set()))
