"""Three ways to throw hostile input at Spigot, each with what must hold whatever comes.

The parsers are called alone; the listener's protocol is fed through a transport that is none; and a
whole gateway gets it over sockets. Each returns how often which status was the answer.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import re
import socket
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from spigot.errors import Refused
from spigot.hooks import Hooks
from spigot.intake import Intake
from spigot.masking import mask_headers, mask_path, mask_query, printable
from spigot.meters import Meters
from spigot.ports import Clock, Passed
from spigot.web.access import Access
from spigot.web.edge import Edge
from spigot.web.limits import Limits
from spigot.web.questions import Questions
from spigot.webhook import Receipt, Webhook
from support.hostile import TOKEN, Hostile
from support.listener import PATIENCE, read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from support.gateway import GatewayProcess

Statuses = Counter[int]

ALLOWED = {200, 400, 404, 405, 408, 413, 431, 501, 503}
"""Anything else would be a fault. 501 says that a transfer coding is not known."""

GOOD = (
    b"POST /github-webhook/ HTTP/1.1\r\nHost: a\r\nX-GitHub-Event: push\r\n"
    b"Content-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
)
_TARGET = re.compile(r"/[!-~]*")
_HEADS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]+\r\n(?:[a-zA-Z-]+: [^\r\n]*\r\n)+\r\n(\{.*\}\n)")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def intake() -> Intake:
    """Return an intake with every known hook."""
    return Intake(Hooks(), {"release": "/ghprbhook/"}, context="/jenkins", clock=Clock())


def check(webhook: Webhook, *, whole: bool = False) -> None:
    """Hold what a webhook must be, whatever it was made from; `whole` if no secret was moved."""
    assert _TARGET.fullmatch(webhook.path)
    assert webhook.query == "" or _TARGET.fullmatch("/" + webhook.query)
    assert webhook.path == webhook.hook or webhook.path.startswith(webhook.hook)
    assert webhook.lane.isprintable()
    for word in (webhook.event, webhook.delivery):
        assert word is None or (0 < len(word) <= 200 and word.isascii() and word.isprintable())
    shown = [webhook.lane, mask_path(webhook.path), printable(mask_query(webhook.query))]
    shown += [f"{name}: {value}" for name, value in mask_headers(webhook.headers)]
    assert all(text.isprintable() for text in shown)
    assert not (whole and any(TOKEN in text for text in shown)), shown


def parsers(hostile: Hostile, count: int) -> Statuses:
    """Read requests whose framing is already undone."""
    reader, statuses = intake(), Statuses()
    for _ in range(count):
        headers = hostile.headers()
        try:
            admitted = reader.admit(hostile.method(), hostile.target())
            webhook = reader.webhook(admitted, headers, dict(reversed(headers)), hostile.body())
            check(webhook, whole=True)
        except Refused as refused:
            statuses[_look_at(refused)] += 1
        else:
            statuses[200] += 1
    return statuses


def _look_at(refused: Refused) -> int:
    assert refused.status in ALLOWED
    assert refused.error.isprintable()
    assert TOKEN not in refused.error
    return refused.status


def answers(received: bytes) -> list[tuple[int, dict[str, Any]]]:
    """Return the answers in what was received, and nothing but answers may be there."""
    found = []
    received = received.replace(_CONTINUE, b"")
    while received:
        match = _HEADS.match(received)
        assert match, received[:200]
        found.append((int(match[1]), json.loads(match[2])))
        assert found[-1][0] in ALLOWED, received[:200]
        received = received[match.end() :]
    return found


class _Transport:
    """What the protocol believes to be a socket."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = self.paused = False

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_extra_info(self, _: str) -> None:
        return None


class _Alarms(logging.Handler):
    """Fails on whatever the code logs as a failure."""

    def emit(self, record: logging.LogRecord) -> None:
        assert record.levelno < logging.ERROR, record.getMessage()
        assert not record.exc_info, record.exc_info


class _Store:
    """Keeps each webhook on the spot."""

    def __init__(self) -> None:
        self.kept: list[Webhook] = []

    def put(self, webhook: Webhook, done: Callable[[Receipt | Exception], None]) -> None:
        check(webhook)
        self.kept.append(webhook)
        done(Receipt(webhook.id, duplicate=False))


def _nobody(*_: object) -> Passed:
    """Be away."""
    return Passed(0, error="connection refused")


async def framing(hostile: Hostile, count: int) -> Statuses:
    """Feed streams to the listener's protocol, each on a connection of its own."""
    store, statuses = _Store(), Statuses()
    edge = Edge(
        intake(), store.put, lambda _: None, access=Access(Clock()),
        limits=Limits(max_body=100_000, memory=1_000_000), questions=Questions(_nobody),
        meters=Meters(),
    )  # fmt: skip
    logger, alarms = logging.getLogger("spigot"), _Alarms()
    logger.addHandler(alarms)
    try:
        for _ in range(count):
            data = hostile.stream()
            store.kept.clear()
            try:
                found = await _feed(edge, hostile.pieces(data))
                assert [content["id"] for _, content in found if content["status"] == "stored"] == [
                    webhook.id for webhook in store.kept
                ]
                assert not edge.held
                assert not edge.connections
            except BaseException as error:
                error.add_note(f"It came of {data!r}")
                raise
            statuses.update(status for status, _ in found)
    finally:
        logger.removeHandler(alarms)
        await edge.stop(0.0)
    return statuses


async def _feed(edge: Edge, pieces: list[bytes]) -> list[tuple[int, dict[str, Any]]]:
    """Be the sender and the loop of one connection; return the answers."""
    connection, transport = edge.connection(), _Transport()
    connection.connection_made(cast("asyncio.Transport", transport))
    for piece in [*pieces, b""]:
        while transport.paused and not transport.closed:
            await asyncio.sleep(0)
        if piece and not transport.closed:
            connection.data_received(piece)
    if not transport.closed and not connection.eof_received():
        transport.closed = True
    while connection._busy:
        await asyncio.sleep(0)
    connection.connection_lost(None)
    return answers(bytes(transport.written))


class Thrown(NamedTuple):
    """What came of a run over sockets.

    Attributes:
        statuses: How often which status was the answer.
        promised: The ids that were answered as stored.
        duplicates: The ids that were answered as duplicates of one that waits.
        unheard: How many connections were reset before their answers could be read.
    """

    statuses: Statuses
    promised: set[str]
    duplicates: set[str]
    unheard: int


def throw(port: int, hostile: Hostile, count: int, every: int = 50) -> Thrown:
    """Send streams to a gateway, each on a connection of its own, a good webhook in between."""
    statuses, promised, duplicates, unheard = Statuses(), set[str](), set[str](), 0
    for number in range(count):
        good = number % every == every - 1
        received = _talk(port, [GOOD] if good else hostile.pieces(hostile.stream()))
        if received is None:
            unheard += 1
            continue
        found = answers(received)
        if good:
            assert [content["status"] for _, content in found] == ["stored"]
        promised |= {content["id"] for _, content in found if content["status"] == "stored"}
        duplicates |= {content["id"] for _, content in found if content["status"] == "duplicate"}
        statuses.update(status for status, _ in found)
    return Thrown(statuses, promised, duplicates, unheard)


def hold(gateway: GatewayProcess, thrown: Iterable[Thrown]) -> None:
    """Hold what was answered against the store of a gateway, and look into its log."""
    promised = set[str]().union(*(one.promised for one in thrown))
    with closing(sqlite3.connect(gateway.data / "spigot.db")) as db:
        stored = {id_ for (id_,) in db.execute("SELECT id FROM webhooks")}
    assert promised <= stored, "answered 200, and not stored"
    # A stream may have brought a few webhooks, and none of its answers was heard.
    unanswered = len(stored - promised)
    assert unanswered <= 3 * sum(one.unheard for one in thrown), "stored, and answered otherwise"
    assert all(one.duplicates <= stored for one in thrown)
    faults = [one for one in gateway.log() if one["level"] == "ERROR" or "error" in one]
    assert not faults, faults[:3]
    assert gateway.healthy()


def _talk(port: int, pieces: list[bytes]) -> bytes | None:
    """Send, and return what was received; None if the connection was reset."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                line.sendall(piece)
            line.shutdown(socket.SHUT_WR)
            return read_all(line)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                raise
            return None
