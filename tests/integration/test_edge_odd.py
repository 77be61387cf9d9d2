"""The public listener and senders that are odd, broken or hostile."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from spigot.stores.sqlite import SqliteStore
from spigot.web.answers import HEADER_BYTES
from spigot.webhook import Receipt
from support.listener import (
    JSON,
    MAX_BODY,
    MEMORY,
    PATIENCE,
    PUSH,
    Listener,
    answers_in,
    read_all,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = PUSH + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = 300_000
"""Beyond the size from which bodies are read on a thread of their own."""


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Nothing that a sender does is logged as a failure; a test that expects one clears it."""
    caplog.set_level(logging.INFO)
    yield caplog
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener
        assert listener.settled()


def answer(line: socket.socket) -> int:
    """Read one answer, and return its status."""
    received = b""
    while not received.endswith(b"}\n"):
        part = line.recv(65536)
        assert part, "closed without an answer"
        received += part
    ((status, _, _),) = answers_in(received)
    return status


def statuses(answers: list[tuple[int, dict[str, str], dict[str, object]]]) -> list[int]:
    return [status for status, _, _ in answers]


# --- odd, and taken ------------------------------------------------------------------------------


def test_a_sender_that_would_rather_speak_http_2_is_served_in_http_1(listener: Listener) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    body = b'{"repository": {"full_name": "a/b"}}'
    get = b"GET /git/notifyCommit?url=x HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n"
    assert statuses(listener.talk(whole(body, PUSH + upgrade) + get + whole(body))) == [200] * 3
    assert [one.body for one in listener.kept] == [body, b"", body]
    assert listener.kept[0].lane == "/github-webhook/ a/b"
    names = [name for name, _ in listener.kept[0].headers]
    assert names == [
        b"host", b"x-github-event", b"connection", b"http2-settings", b"content-type",
        b"content-length",
    ]  # fmt: skip


def test_an_upgrade_whose_body_comes_later_is_served_too(listener: Listener) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\nExpect: 100-continue\r\n"
    with listener.connect() as line:
        line.sendall(PUSH + upgrade + b"Content-Length: 4\r\n\r\n")
        assert line.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for byte in b"body":
            line.sendall(bytes([byte]))
        assert answer(line) == 200
    assert listener.kept[0].body == b"body"


def test_as_many_as_fit_may_ask_for_an_upgrade_at_once(listener: Listener) -> None:
    one = whole(b"{}", PUSH + b"Connection: Upgrade\r\nUpgrade: h2c\r\n")
    assert statuses(listener.talk(one * 1500)) == [200] * 1500


def test_a_form_is_kept_as_it_came(listener: Listener) -> None:
    body = b"payload=%7B%22repository%22%3A%7B%22full_name%22%3A%22a%2Fb%22%7D%7D"
    form = PUSH + b"Content-Type: application/x-www-form-urlencoded\r\n"
    request = form + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert statuses(listener.talk(request)) == [200]
    assert (listener.kept[0].body, listener.kept[0].lane) == (body, "/github-webhook/ a/b")


def test_a_trailer_is_no_header(listener: Listener) -> None:
    trailer = b"X-Hub-Signature-256: sha256=forged\r\n"
    assert statuses(listener.talk(CHUNKED + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n")) == [200]
    assert b"x-hub-signature-256" not in dict(listener.kept[0].headers)


def test_what_follows_the_last_request_is_not_read(listener: Listener) -> None:
    last = whole(b"{}", PUSH + b"Connection: close\r\n")
    assert statuses(listener.talk(last + b"\r\n\r\n" + whole(b"late") + b"\x00garbage")) == [200]
    assert len(listener.kept) == 1


def test_a_large_request_among_small_ones_does_not_stop_the_reading(listener: Listener) -> None:
    with listener.connect() as line:
        for _ in range(2):
            line.sendall(whole(b"1") + whole(bytes(LARGE)) + whole(b"2"))
            received = b""
            while received.count(b"HTTP/1.1 200") < 3 or not received.endswith(b"}\n"):
                received += line.recv(65536)
            line.sendall(whole(b"3"))
            assert answer(line) == 200
    assert [len(one.body) for one in listener.kept] == [1, LARGE, 1, 1] * 2


def test_thousands_of_requests_in_one_go_are_answered_in_turn(listener: Listener) -> None:
    listener.answer = None
    with listener.connect() as line:
        line.sendall(whole(b"{}") + HEALTH * 3000)
        line.shutdown(socket.SHUT_WR)
        assert listener.arrived.wait(PATIENCE)
        ((webhook, done),) = listener.waiting
        done(Receipt(webhook.id, duplicate=False))
        answers = answers_in(read_all(line))
    assert [content["status"] for _, _, content in answers] == ["stored"] + ["ok"] * 3000


def test_a_request_may_come_byte_by_byte(listener: Listener) -> None:
    with listener.connect() as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in whole(b'{"a": 1}'):
            line.sendall(bytes([byte]))
        assert answer(line) == 200
    assert listener.kept[0].body == b'{"a": 1}'


def test_a_body_in_chunks_of_one_byte_is_put_together(listener: Listener) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % (number % 251) for number in range(50_000))
    assert statuses(listener.talk(CHUNKED + chunks + b"0\r\n\r\n")) == [200]
    assert listener.kept[0].body == bytes(number % 251 for number in range(50_000))


def test_heads_that_fill_much_together_are_no_long_head(listener: Listener) -> None:
    one = whole(b"{}", PUSH + b"X-Long: " + b"x" * (HEADER_BYTES // 2) + b"\r\n")
    assert statuses(listener.talk(one * 6)) == [200] * 6


# --- broken, and refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (PUSH + b"X-Endless: ", b"x" * 1000),
        (b"POST /", b"x" * 1000),
        (PUSH, b"X-Many: y\r\n" * 100),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX-Endless: ", b"x" * 1000),
        (CHUNKED + b"2;endless=", b"x" * 1000),
        (b"", b"\r\n" * 500),
    ],
    ids=["header", "target", "headers", "trailer", "chunk extension", "empty lines"],
)
def test_what_has_no_end_is_refused_before_it_fills_the_memory(
    listener: Listener, begin: bytes, more: bytes
) -> None:
    with listener.connect() as line:
        line.sendall(begin)
        for _ in range(400):
            line.sendall(more)
        line.shutdown(socket.SHUT_WR)
        assert statuses(answers_in(read_all(line))) == [431]
    assert listener.kept == []


def test_a_refusal_waits_for_the_answers_before_it(listener: Listener) -> None:
    answers = listener.talk(whole(b"{}") + whole(b"{}") + b"rubbish\r\n\r\n")
    assert statuses(answers) == [200, 200, 400]
    assert [headers.get("connection") for _, headers, _ in answers] == [None, None, "close"]


def test_a_sender_that_goes_on_sending_still_reads_its_refusal(listener: Listener) -> None:
    head = PUSH + b"Content-Length: %d\r\n\r\n" % (20 * MAX_BODY)
    with listener.connect() as line:
        line.sendall(head)
        for _ in range(20):
            line.sendall(bytes(100_000))
        assert answer(line) == 413


def test_a_tunnel_is_refused(listener: Listener) -> None:
    request = b"CONNECT jenkins:8080 HTTP/1.1\r\nHost: jenkins:8080\r\n\r\n"
    assert statuses(listener.talk(request)) == [400]


def test_an_incomplete_request_of_a_sender_that_left_is_forgotten(listener: Listener) -> None:
    with listener.connect() as line:
        line.sendall(PUSH + b"Content-Length: 100000\r\n\r\n" + bytes(50_000))
        assert listener.settled(50_000)
    assert listener.settled(0)
    assert listener.kept == []


def test_a_connection_on_which_nothing_comes_is_cut_without_a_word(listener: Listener) -> None:
    async def hurry() -> None:
        while not listener.edge.connections:
            await asyncio.sleep(0.005)
        for one in list(listener.edge.connections):
            one.close_if_late(float("inf"))

    with listener.connect() as line:
        listener.on_loop(hurry())
        assert read_all(line) == b""


def test_a_sender_that_reads_no_answers_is_read_no_further(listener: Listener) -> None:
    async def until_it_is_read_no_further() -> int:
        (one,) = listener.edge.connections
        while not one._full:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        return int(one._transport.get_write_buffer_size())  # uvloop's

    with closing(socket.socket()) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(PATIENCE)
        line.connect(("127.0.0.1", listener.port))
        sending = threading.Thread(target=line.sendall, args=(HEALTH * 50_000,))
        sending.start()
        # What came in one go is answered: 256 KiB of the smallest requests, at most.
        assert listener.on_loop(until_it_is_read_no_further()) < 1_500_000
        answered = 0
        while answered < 50_000:
            answered += line.recv(1 << 20).count(b"}")
        sending.join()


# --- memory and faults ---------------------------------------------------------------------------


def test_a_refused_body_gives_its_memory_back_at_once(listener: Listener) -> None:
    chunk = b"%x\r\n" % 100_000 + bytes(100_000) + b"\r\n"
    with listener.connect() as line:
        line.sendall(CHUNKED + chunk * (MAX_BODY // 100_000 + 1))
        assert answer(line) == 413
        assert listener.settled(0)  # the line is still open


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_body_counts_until_the_store_has_it_even_if_its_sender_left(
    listener: Listener, size: int
) -> None:
    listener.answer = None
    with listener.connect() as line:
        line.sendall(whole(bytes(size)))
        assert listener.arrived.wait(PATIENCE)
    assert listener.settled(size)
    ((webhook, done),) = listener.waiting
    done(Receipt(webhook.id, duplicate=False))
    assert listener.settled(0)


def test_a_full_memory_is_not_healthy(listener: Listener) -> None:
    listener.answer = None
    lines = [listener.connect() for _ in range(MEMORY // MAX_BODY)]
    for line in lines:
        line.sendall(whole(bytes(MAX_BODY)))
    assert listener.settled(MEMORY)
    assert statuses(listener.talk(HEALTH)) == [503]
    while len(listener.waiting) < len(lines):
        assert listener.arrived.wait(PATIENCE)
    for webhook, done in listener.waiting:
        done(Receipt(webhook.id, duplicate=False))
    for line in lines:
        assert answer(line) == 200
        line.close()
    assert listener.settled(0)
    assert statuses(listener.talk(HEALTH)) == [200]


@pytest.mark.parametrize("size", [2, LARGE])
def test_a_refusal_for_want_of_room_does_not_tell_where_the_data_is(
    listener: Listener, size: int, log: pytest.LogCaptureFixture
) -> None:
    listener.room = False
    ((status, headers, content),) = listener.talk(whole(bytes(size)))
    assert (status, headers["retry-after"]) == (503, "30")
    assert "too little disk" not in str(content)
    assert "no room for a webhook" in log.text
    log.clear()


@pytest.mark.parametrize("size", [2, LARGE])
def test_a_fault_of_ours_is_answered_and_holds_up_nobody_else(
    listener: Listener,
    size: int,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(listener.edge.intake, "webhook", fail)
        ((status, _, content),) = listener.talk(whole(bytes(size)))
        assert (status, "log" in str(content["error"])) == (500, True)
        assert "ZeroDivisionError" not in json.dumps(content)
    assert "fault in Spigot" in log.text
    log.clear()
    assert statuses(listener.talk(whole(b"{}"))) == [200]


# --- with the real store -------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path)) as store:
        yield store


def test_what_is_answered_200_is_in_the_store_in_order(store: SqliteStore) -> None:
    with Listener(store=store) as listener:
        answers = listener.talk(b"".join(whole(b"%d" % number) for number in range(50)))
        assert statuses(answers) == [200] * 50
    places = store.places_after(0, 100)
    loaded = [store.load(place.position) for place in places]
    assert [one.webhook.body for one in loaded if one] == [b"%d" % n for n in range(50)]
    assert [one.webhook.id for one in loaded if one] == [content["id"] for _, _, content in answers]


def test_a_body_of_25_mib_is_kept_whole(store: SqliteStore) -> None:
    body = bytes(range(256)) * (25 * 4096)
    with Listener(max_body=len(body), memory=2 * len(body), store=store) as listener:
        assert statuses(listener.talk(whole(body))) == [200]
        assert listener.settled(0)
    (place,) = store.places_after(0, 10)
    loaded = store.load(place.position)
    assert loaded is not None
    assert loaded.webhook.body == body


def test_a_store_that_is_closed_promises_nothing(
    store: SqliteStore, log: pytest.LogCaptureFixture
) -> None:
    with Listener(store=store) as listener:
        store.close()
        assert statuses(listener.talk(whole(b"{}") + whole(bytes(LARGE)))) == [503, 503]
        assert listener.settled(0)
    assert "could not be stored" in log.text
    log.clear()
