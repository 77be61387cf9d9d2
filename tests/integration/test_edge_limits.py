"""The public listener's limits over real sockets: what is too much, and what still goes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from spigot.networks import parse_network
from spigot.ports import Clock
from spigot.web.access import Access
from spigot.web.limits import LARGE, Limits
from spigot.webhook import Receipt
from support.listener import JSON, PATIENCE, PUSH, Listener, answers_in, read_all, whole

if TYPE_CHECKING:
    from collections.abc import Callable

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


class HandClock(Clock):
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.tick = 1000.0

    def now(self) -> float:
        return self.tick

    def monotonic(self) -> float:
        return self.tick


def until(listener: Listener, holds: Callable[[], object]) -> None:
    """Wait on the listener's loop until something is so."""

    async def wait() -> None:
        while not holds():
            await asyncio.sleep(0.005)

    listener.on_loop(wait())


def has_connections(listener: Listener, number: int) -> bool:
    return len(listener.edge.connections) == number


def are_busy(listener: Listener, number: int) -> bool:
    connections = listener.edge.connections
    return len(connections) == number and not any(one.is_idle for one in connections)


def later(listener: Listener, seconds: float) -> None:
    """Let the connections look at the time as if so many seconds had passed for all of them."""

    async def look() -> None:
        now = max(one.since for one in listener.edge.connections)
        for one in list(listener.edge.connections):
            one.close_if_late(now + seconds)

    listener.on_loop(look())


def answer(line: socket.socket) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Read one answer."""
    received = b""
    while not received.endswith(b"}\n"):
        part = line.recv(65536)
        assert part, "closed without an answer"
        received += part
    return answers_in(received)[0]


# --- the head ------------------------------------------------------------------------------------


def test_the_head_may_have_so_many_bytes_and_lines_and_no_more() -> None:
    with Listener(limits=Limits(max_header=1000, max_headers=10)) as listener:
        for head, status in (
            (b"X-A: " + b"x" * 800 + b"\r\n", 200),
            (b"X-A: " + b"x" * 1000 + b"\r\n", 431),
            (b"X-A: y\r\n" * 6, 200),
            (b"X-A: y\r\n" * 7, 431),
        ):
            ((answered, headers, body),) = listener.talk(whole(b"{}", PUSH + head))
            assert answered == status
            if status == 431:
                assert "SPIGOT_MAX_HEADER" in body["error"]
                assert headers["connection"] == "close"


# --- time ----------------------------------------------------------------------------------------

TIMES = Limits(header_timeout=3.0, body_timeout=30.0, idle_timeout=300.0)


@pytest.mark.parametrize(
    ("begin", "in_time", "late", "what"),
    [
        (PUSH, 2.9, 3.1, "headers"),
        (b"P", 2.9, 3.1, "headers"),
        (PUSH + JSON + b"Content-Length: 10\r\n\r\n{}", 29.0, 31.0, "body"),
        (PUSH + JSON + b"Content-Length: 10\r\n\r\n", 29.0, 31.0, "body"),
    ],
)
def test_headers_and_body_have_a_time_of_their_own(
    begin: bytes, in_time: float, late: float, what: str
) -> None:
    with Listener(limits=TIMES) as listener, listener.connect() as line:
        line.sendall(begin)

        def is_read() -> bool:
            return any(
                one._reader.begun and one._reader.head_is_read is (what == "body")
                for one in listener.edge.connections
            )

        until(listener, is_read)
        later(listener, in_time)
        line.setblocking(False)
        with pytest.raises(BlockingIOError):
            line.recv(1)
        line.settimeout(PATIENCE)
        later(listener, late)
        status, headers, body = answer(line)
        assert (status, headers["connection"]) == (408, "close")
        assert what in body["error"]


def test_an_idle_connection_is_closed_in_its_own_time() -> None:
    with Listener(limits=TIMES) as listener, listener.connect() as line:
        line.sendall(HEALTH)
        assert answer(line)[0] == 200
        later(listener, 299.0)
        line.sendall(HEALTH)
        assert answer(line)[0] == 200
        later(listener, 301.0)
        assert read_all(line) == b""


# --- connections ---------------------------------------------------------------------------------


def test_a_connection_too_many_closes_the_one_idle_for_longest() -> None:
    with Listener(limits=Limits(max_connections=3)) as listener, contextlib.ExitStack() as stack:
        lines = []
        for number in range(3):
            lines.append(stack.enter_context(listener.connect()))
            until(listener, partial(has_connections, listener, number + 1))
        lines[0].sendall(HEALTH)  # now the second is the one idle for longest
        assert answer(lines[0])[0] == 200
        new = stack.enter_context(listener.connect())
        assert read_all(lines[1]) == b""
        for line in (lines[0], lines[2], new):
            line.sendall(HEALTH)
            assert answer(line)[0] == 200


def test_where_no_connection_is_idle_a_new_one_is_told_and_closed() -> None:
    with Listener(limits=Limits(max_connections=2)) as listener, contextlib.ExitStack() as stack:
        busy = [stack.enter_context(listener.connect()) for _ in range(2)]
        for line in busy:
            line.sendall(PUSH)
        until(listener, lambda: are_busy(listener, 2))
        with listener.connect() as new:
            new.sendall(whole(b"{}"))
            status, headers, _ = answer(new)
            assert (status, headers["retry-after"], headers["connection"]) == (503, "30", "close")
            assert read_all(new) == b""
        for line in busy:
            line.sendall(JSON + b"Content-Length: 2\r\n\r\n{}")
            assert answer(line)[0] == 200


def test_so_many_refused_at_once_that_it_would_hurt_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spigot.web.edge.REFUSING", 0)
    with Listener(limits=Limits(max_connections=1)) as listener, listener.connect() as busy:
        busy.sendall(PUSH)
        until(listener, lambda: are_busy(listener, 1))
        with listener.connect() as new, contextlib.suppress(ConnectionResetError):
            assert read_all(new) == b""


# --- requests and memory -------------------------------------------------------------------------


def test_so_many_requests_may_be_in_progress_and_no_more() -> None:
    with Listener(limits=Limits(max_requests=2)) as listener:
        listener.answer = None
        with listener.connect() as stored, listener.connect() as coming, listener.connect() as new:
            stored.sendall(whole(b"{}"))
            coming.sendall(PUSH + JSON + b"Content-Length: 2\r\n\r\n{")
            until(listener, lambda: listener.edge.requests == 2)
            new.sendall(whole(b"{}"))
            status, headers, _ = answer(new)
            assert (status, headers["retry-after"]) == (503, "30")
            assert listener.talk(HEALTH)[0][0] == 200
            coming.close()
            assert listener.arrived.wait(PATIENCE)
            ((webhook, done),) = listener.waiting
            done(Receipt(webhook.id, duplicate=False))
            assert answer(stored)[0] == 200
        until(listener, lambda: listener.edge.requests == 0)


def test_a_request_whose_sender_left_is_in_progress_until_the_store_has_it() -> None:
    with Listener() as listener:
        listener.answer = None
        with listener.connect() as line:
            # So that closing it is a reset: a sender that only ends its half still gets an answer.
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.sendall(whole(b"{}"))
            assert listener.arrived.wait(PATIENCE)
        until(listener, lambda: not listener.edge.connections)
        assert listener.edge.requests == 1
        ((webhook, done),) = listener.waiting
        done(Receipt(webhook.id, duplicate=False))
        until(listener, lambda: listener.edge.requests == 0)


def test_bytes_of_all_bodies_count_while_they_are_read_and_small_ones_have_room_on_top() -> None:
    limits = Limits(max_body=4 * LARGE, memory=4 * LARGE)
    with Listener(limits=limits) as listener, contextlib.ExitStack() as stack:
        large = [stack.enter_context(listener.connect()) for _ in range(2)]
        for line in large:
            line.sendall(PUSH + b"Content-Length: %d\r\n\r\n" % (3 * LARGE))
        until(listener, lambda: listener.edge.requests == 2)
        for line in large:
            line.sendall(bytes(2 * LARGE))
        assert listener.settled(4 * LARGE)
        assert listener.talk(whole(b"{}"))[0][0] == 200
        large[0].sendall(b"x")
        assert answer(large[0])[0] == 503
        assert listener.settled(2 * LARGE)
        large[1].sendall(bytes(LARGE))
        assert answer(large[1])[0] == 200


def test_a_large_body_for_which_there_is_no_room_is_refused_before_it_comes() -> None:
    limits = Limits(max_body=4 * LARGE, memory=4 * LARGE)
    head = PUSH + b"Content-Length: %d\r\n\r\n"
    with Listener(limits=limits) as listener, listener.connect() as first:
        first.sendall(head % (3 * LARGE) + bytes(2 * LARGE))
        assert listener.settled(2 * LARGE)
        with listener.connect() as second:
            second.sendall(head % (2 * LARGE + 1))
            assert answer(second)[0] == 503
        with listener.connect() as third:
            third.sendall(head % (2 * LARGE) + bytes(2 * LARGE))
            assert answer(third)[0] == 200
        first.sendall(bytes(LARGE))
        assert answer(first)[0] == 200


# --- who asks ------------------------------------------------------------------------------------


def test_one_address_may_send_so_much_in_a_second_and_is_told_when_it_may_again() -> None:
    clock = HandClock()
    with Listener(access=Access(clock, rate=2)) as listener:
        with listener.connect() as line:
            for _ in range(2):
                line.sendall(whole(b"{}"))
                assert answer(line)[0] == 200
            line.sendall(whole(b"{}"))
            status, headers, body = answer(line)
        assert (status, headers["retry-after"], headers["connection"]) == (429, "1", "close")
        assert "127.0.0.1" in body["error"]
        assert listener.talk(HEALTH)[0][0] == 200
        clock.tick += 0.5
        assert listener.talk(whole(b"{}"))[0][0] == 200
        assert len(listener.kept) == 3


def test_behind_a_trusted_proxy_the_rate_goes_by_who_sent_it() -> None:
    access = Access(HandClock(), trusted=[parse_network("127.0.0.0/8")], rate=1)
    with Listener(access=access) as listener:
        for number in range(3):
            head = PUSH + b"X-Forwarded-For: 192.0.2.%d\r\n" % number
            assert listener.talk(whole(b"{}", head))[0][0] == 200
            assert listener.talk(whole(b"{}", head))[0][0] == 429


def allowing(*networks: str, trusted: tuple[str, ...] = ()) -> Access:
    return Access(
        HandClock(),
        allow={"/github-webhook/": [parse_network(text) for text in networks]},
        trusted=[parse_network(text) for text in trusted],
    )


@pytest.mark.parametrize("path", [b"/github-webhook/", b"/jenkins/github-webhook/", b"/webhooks"])
@pytest.mark.parametrize("size", [2, LARGE + 1])
def test_a_hook_takes_only_from_those_whom_it_allows(path: bytes, size: int) -> None:
    head = b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nX-GitHub-Event: push\r\n"
    with Listener(access=allowing("127.0.0.1")) as listener:
        assert listener.talk(whole(bytes(size), head))[0][0] == 200
    with Listener(access=allowing("140.82.112.0/20")) as listener:
        ((status, _, body),) = listener.talk(whole(bytes(size), head))
        assert status == 403
        assert "allow" in body["error"]
        assert "127.0.0.1" in body["error"]
        other = b"POST /ghprbhook/ HTTP/1.1\r\nHost: a\r\n"
        assert listener.talk(whole(b"{}", other))[0][0] == 200
        assert [one.path for one in listener.kept] == ["/ghprbhook/"]


@pytest.mark.parametrize("path", [b"/github-webhook/", b"/webhooks"])
def test_whoever_is_not_allowed_is_refused_before_the_body_comes(path: bytes) -> None:
    head = b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nX-GitHub-Event: push\r\n"
    with Listener(access=allowing("140.82.112.0/20")) as listener, listener.connect() as line:
        line.sendall(head + b"Content-Length: 10\r\n\r\n")
        assert answer(line)[0] == 403


def test_a_proxy_that_names_no_address_is_refused_by_a_list_and_counts_itself() -> None:
    for garbage in (b"unknown", b"140.82.112.5, unknown", b"140.82.112.5,", b""):
        head = PUSH + b"X-Forwarded-For: " + garbage + b"\r\n"
        trusted = ("127.0.0.1",)
        with Listener(access=allowing("140.82.112.0/20", "127.0.0.1", trusted=trusted)) as listener:
            ((status, _, body),) = listener.talk(whole(b"{}", head))
            assert status == 403
            assert "not known" in body["error"]
        rated = Access(HandClock(), trusted=[parse_network("127.0.0.1")], rate=1)
        with Listener(access=rated) as listener:
            assert listener.talk(whole(b"{}", head))[0][0] == 200
            assert listener.talk(whole(b"{}", head))[0][0] == 429


def test_whom_a_proxy_names_counts_only_if_it_is_trusted() -> None:
    head = PUSH + b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 140.82.112.5\r\n"
    with Listener(access=allowing("140.82.112.0/20")) as listener:
        assert listener.talk(whole(b"{}", head))[0][0] == 403
    with Listener(access=allowing("140.82.112.0/20", trusted=("127.0.0.1",))) as listener:
        assert listener.talk(whole(b"{}", head))[0][0] == 200
        forged = PUSH + b"X-Forwarded-For: 140.82.112.5, 9.9.9.9\r\n"
        assert listener.talk(whole(b"{}", forged))[0][0] == 403
