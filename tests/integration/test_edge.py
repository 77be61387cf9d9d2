"""The public listener over real sockets: framing, refusals, limits, and what it promises."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from spigot.errors import StoreError
from spigot.webhook import Receipt
from support.listener import JSON, MAX_BODY, PATIENCE, PUSH, Listener, answers_in, read_all, whole

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener
        assert listener.edge.held == 0


# --- what is taken -------------------------------------------------------------------------------


def test_a_webhook_is_kept_to_the_byte_and_answered_with_its_id(listener: Listener) -> None:
    head = (
        b"POST /github-webhook/?a=%2f&b=+ HTTP/1.1\r\nHost: a\r\nX-GitHub-Event: push\r\n"
        b"X-One: \xe9\xff\r\nX-Two: 1\r\nx-two: 2\r\nX-Empty:\r\n"
    )
    ((status, headers, body),) = listener.talk(whole(b'{"repository": {"full_name": "a/b"}}', head))
    (kept,) = listener.kept
    assert (status, body) == (200, {"status": "stored", "id": kept.id})
    assert headers["content-type"] == "application/json"
    assert (kept.path, kept.query, kept.lane) == (
        "/github-webhook/", "a=%2f&b=+", "/github-webhook/ a/b"
    )  # fmt: skip
    assert kept.body == b'{"repository": {"full_name": "a/b"}}'
    assert [each for each in kept.headers if each[0] in (b"x-one", b"x-two", b"x-empty")] == [
        (b"x-one", b"\xe9\xff"), (b"x-two", b"1"), (b"x-two", b"2"), (b"x-empty", b"")
    ]  # fmt: skip


def test_a_chunked_body_is_put_together(listener: Listener) -> None:
    request = PUSH + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    request += b'5\r\n{"a":\r\n2;x=y\r\n1}\r\n0\r\n\r\n'
    ((status, _, _),) = listener.talk(request)
    assert (status, listener.kept[0].body) == (200, b'{"a":1}')


def test_requests_in_one_go_are_answered_in_order(listener: Listener) -> None:
    listener.answer = None
    with listener.connect() as line:
        line.sendall(b"".join(whole(b"%d" % number) for number in range(3)))
        line.shutdown(socket.SHUT_WR)
        for number in range(3):
            assert listener.arrived.wait(PATIENCE)
            listener.arrived.clear()
            webhook, done = listener.waiting[number]
            assert webhook.body == b"%d" % number
            done(Receipt(webhook.id, duplicate=False))
        answers = answers_in(read_all(line))
    assert [body["id"] for _, _, body in answers] == [webhook.id for webhook in listener.kept]


def test_a_connection_serves_many_requests_and_an_old_client_only_one(listener: Listener) -> None:
    with listener.connect() as line:
        for _ in range(3):
            line.sendall(whole(b"{}"))
            assert line.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    ((_, headers, _),) = listener.talk(whole(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert headers["connection"] == "close"


def test_a_sender_that_asks_first_is_told_to_go_on(listener: Listener) -> None:
    with listener.connect() as line:
        line.sendall(PUSH + JSON + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert line.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(b"{}")
        assert line.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_duplicate_is_answered_with_the_first_id(listener: Listener) -> None:
    listener.answer = lambda _: Receipt("FIRST", duplicate=True)
    ((status, _, body),) = listener.talk(whole(b"{}"))
    assert (status, body) == (200, {"status": "duplicate", "id": "FIRST"})


@pytest.mark.parametrize(
    ("target", "event", "path"),
    [
        (b"/webhooks", b"push", "/github-webhook/"),
        (b"/webhooks", b"release", "/ghprbhook/"),
        (b"/jenkins/webhooks", b"push", "/github-webhook/"),
        (b"/jenkins/ghprbhook/", b"push", "/ghprbhook/"),
        (b"/ghprbhook/", b"push", "/ghprbhook/"),
    ],
)
def test_a_webhook_goes_where_its_path_or_its_event_says(
    listener: Listener, target: bytes, event: bytes, path: str
) -> None:
    head = b"POST " + target + b" HTTP/1.1\r\nHost: a\r\nX-GitHub-Event: " + event + b"\r\n"
    ((status, _, _),) = listener.talk(whole(b"{}", head))
    assert (status, listener.kept[0].path) == (200, path)


def test_a_large_body_is_taken(listener: Listener) -> None:
    ((status, _, _),) = listener.talk(whole(bytes(MAX_BODY)))
    assert (status, len(listener.kept[0].body)) == (200, MAX_BODY)


# --- what is refused -----------------------------------------------------------------------------

REFUSED = [
    pytest.param(whole(b"{}", b"POST /nothing HTTP/1.1\r\nHost: a\r\n"), 404, id="no hook"),
    pytest.param(whole(b"{}", b"POST /github-webhook HTTP/1.1\r\nHost: a\r\n"), 404, id="slash"),
    pytest.param(whole(b"{}", b"POST /project/../x HTTP/1.1\r\nHost: a\r\n"), 404, id="dots"),
    pytest.param(whole(b"{}", b"POST /webhooks HTTP/1.1\r\nHost: a\r\n"), 400, id="no event"),
    pytest.param(b"GET /github-webhook/ HTTP/1.1\r\nHost: a\r\n\r\n", 405, id="method"),
    pytest.param(whole(b"{}", b"POST http://a/github-webhook/ HTTP/1.1\r\n"), 400, id="absolute"),
    pytest.param(whole(bytes(MAX_BODY + 1)), 413, id="length"),
    pytest.param(
        PUSH + b"Transfer-Encoding: chunked\r\n\r\n"
        + (b"%x\r\n" % 60_000 + bytes(60_000) + b"\r\n") * 18, 413, id="chunks",
    ),
    pytest.param(PUSH + b"X-Long: " + b"x" * 40_000 + b"\r\n\r\n", 431, id="headers"),
    pytest.param(PUSH + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, id="coding"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="tls"),
    pytest.param(b"rubbish\r\n\r\n", 400, id="rubbish"),
    pytest.param(PUSH + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, id="lengths"),
    pytest.param(
        PUSH + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, id="both"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "status"), REFUSED)
def test_what_is_no_webhook_is_refused_with_advice_and_nothing_is_kept(
    listener: Listener, request_: bytes, status: int
) -> None:
    ((answered, headers, body),) = listener.talk(request_)
    assert answered == status
    assert len(body["error"]) > 20
    assert headers["content-type"] == "application/json"
    assert listener.kept == []
    if status == 405:
        assert headers["allow"] == "POST"


def test_without_room_the_answer_is_503_with_retry_after(listener: Listener) -> None:
    listener.room = False
    ((status, headers, body),) = listener.talk(whole(b"{}"))
    assert (status, headers["retry-after"]) == (503, "30")
    assert "later" in body["error"]
    assert listener.kept == []


def test_what_the_store_cannot_keep_is_not_promised(listener: Listener) -> None:
    listener.answer = lambda _: StoreError("/secret/path is full")
    ((status, _, body),) = listener.talk(whole(b"{}"))
    assert status == 503
    assert "secret" not in body["error"]


def test_bodies_beyond_the_memory_budget_are_refused_and_the_budget_comes_back(
    listener: Listener,
) -> None:
    listener.answer = None
    lines = [listener.connect() for _ in range(2)]
    for number, line in enumerate(lines):
        line.sendall(whole(bytes(MAX_BODY)))
        assert listener.arrived.wait(PATIENCE)
        listener.arrived.clear()
        assert len(listener.waiting) == number + 1
    with listener.connect() as third, listener.connect() as fourth:
        third.sendall(PUSH + b"Content-Length: 900000\r\n\r\n" + bytes(800_000))
        fourth.sendall(PUSH + b"Content-Length: 900000\r\n\r\n" + bytes(800_000))
        third.settimeout(0.3)
        fourth.settimeout(0.3)
        answered = b""
        for line in (third, fourth):
            try:
                answered += line.recv(65536)
            except TimeoutError:
                continue
    assert answered.count(b"HTTP/1.1 503") == 1
    for webhook, done in listener.waiting:
        done(Receipt(webhook.id, duplicate=False))
    for line in lines:
        assert line.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
        line.close()
    ((status, _, _),) = listener.talk(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status == 200


# --- health, silence, the end --------------------------------------------------------------------


def test_health_says_whether_webhooks_can_be_stored(listener: Listener) -> None:
    ask = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    assert listener.talk(ask)[0][0] == 200
    listener.room = False
    assert listener.talk(ask)[0][0] == 503


def test_a_request_that_does_not_become_complete_is_answered_408(listener: Listener) -> None:
    with listener.connect() as line:
        line.sendall(PUSH + JSON + b"Content-Length: 10\r\n\r\n{}")

        async def hurry() -> None:
            while not any(one._reader._body.size for one in listener.edge.connections):
                await asyncio.sleep(0.01)
            for one in list(listener.edge.connections):
                one.close_if_late(float("inf"))

        listener.on_loop(hurry())
        line.shutdown(socket.SHUT_WR)
        ((status, _, _),) = answers_in(read_all(line))
    assert status == 408


def test_a_sender_that_left_takes_nothing_with_it(listener: Listener) -> None:
    listener.answer = None
    with listener.connect() as line:
        line.sendall(whole(b"{}"))
        assert listener.arrived.wait(PATIENCE)
    ((webhook, done),) = listener.waiting
    done(Receipt(webhook.id, duplicate=False))
    listener.answer = lambda webhook: Receipt(webhook.id, duplicate=False)
    assert listener.talk(whole(b"{}"))[0][0] == 200


def test_a_stop_answers_what_is_under_way_and_then_closes(listener: Listener) -> None:
    listener.answer = None
    with listener.connect() as line, listener.connect() as idle:
        line.sendall(whole(b"{}"))
        assert listener.arrived.wait(PATIENCE)
        ((webhook, done),) = listener.waiting
        stopping = asyncio.run_coroutine_threadsafe(listener.edge.stop(PATIENCE), listener._loop)
        assert read_all(idle) == b""
        done(Receipt(webhook.id, duplicate=False))
        ((status, headers, _),) = answers_in(read_all(line))
        stopping.result(PATIENCE)
    assert (status, headers["connection"]) == (200, "close")


def test_what_came_before_a_stop_is_answered_although_nobody_has_read_it(
    listener: Listener,
) -> None:
    with listener.connect() as line:
        line.sendall(whole(b"{}"))
        received = line.recv(65536)

        async def stop() -> None:
            line.sendall(whole(b"{}"))  # the loop runs this, and reads it only later
            await listener.edge.stop(PATIENCE)

        stopping = asyncio.run_coroutine_threadsafe(stop(), listener._loop)
        first, second = answers_in(received + read_all(line))
        line.close()
        stopping.result(PATIENCE)
    assert (first[0], second[0], second[1]["connection"]) == (200, 200, "close")


def test_an_idle_connection_is_closed_and_not_reset_under_a_request(listener: Listener) -> None:
    with listener.connect() as line:
        line.sendall(whole(b"{}"))
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        stopping = asyncio.run_coroutine_threadsafe(listener.edge.stop(PATIENCE), listener._loop)
        assert line.recv(65536) == b""
        line.sendall(whole(b"{}"))  # it was on its way when the connection was closed
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert line.recv(65536) == b""
        line.close()
        stopping.result(PATIENCE)
    assert len(listener.kept) == 1


def test_health_is_bad_while_the_store_fails_and_good_once_it_works(listener: Listener) -> None:
    ask = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    listener.answer = lambda _: StoreError("locked")
    assert listener.talk(whole(b"{}"))[0][0] == 503
    assert listener.talk(ask)[0][0] == 503
    listener.answer = lambda webhook: Receipt(webhook.id, duplicate=False)
    assert listener.talk(whole(b"{}"))[0][0] == 200
    assert listener.talk(ask)[0][0] == 200


def test_after_an_idle_time_a_request_has_its_whole_time(listener: Listener) -> None:
    with listener.connect() as line:
        line.sendall(whole(b"{}"))
        assert line.recv(65536).startswith(b"HTTP/1.1 200")

        async def age() -> float:
            (one,) = listener.edge.connections
            one._since -= 58.0
            return one._since

        before = listener.on_loop(age())
        line.sendall(PUSH + JSON + b"Content-Length: 2\r\n\r\n{")

        async def begun() -> float:
            (one,) = listener.edge.connections
            while not one._reader._body.size:
                await asyncio.sleep(0.01)
            return one.since

        assert listener.on_loop(begun()) > before + 57.0
        line.sendall(b"}")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
