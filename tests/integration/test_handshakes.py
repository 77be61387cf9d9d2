"""TLS on the public listener over real sockets: what a handshake takes, and what it may not."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spigot.web import edge as edge_module
from spigot.web.limits import Limits
from spigot.web.tls import server_context
from support.certificates import make_pair
from support.gateway import wait_until
from support.listener import Listener, answers_in, read_all, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = Path("/proc/self/fd")
CLOSING = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    pair = make_pair(tmp_path_factory.mktemp("tls"), "public")
    return server_context(pair.certificate, pair.key, option="tls_certificate")


@pytest.fixture
def listener(context: ssl.SSLContext) -> Iterator[Listener]:
    with Listener(tls=context, limits=Limits(max_connections=2)) as listener:
        yield listener


def talk(listener: Listener, request: bytes = CLOSING) -> int:
    """Send a request over TLS, and return the status of the answer."""
    client = ssl.create_default_context()
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    with listener.connect() as plain, client.wrap_socket(plain) as line:
        line.sendall(request)
        ((status, _, _),) = answers_in(read_all(line))
        return int(status)


def greeted(listener: Listener, number: int) -> None:
    """Wait until so many handshakes are being made."""
    wait_until(lambda: len(listener.edge.handshakes) == number)


def test_a_webhook_of_any_size_goes_through_tls(listener: Listener) -> None:
    for size in (2, 900_000):
        request = whole(bytes(size)).replace(b"Host: a\r\n", b"Host: a\r\nConnection: close\r\n")
        assert talk(listener, request) == 200
    assert [len(one.body) for one in listener.kept] == [2, 900_000]


def test_a_handshake_that_is_never_made_takes_the_place_of_a_connection(
    listener: Listener,
) -> None:
    with listener.connect() as first, listener.connect():
        greeted(listener, 2)
        assert talk(listener) == 503
        first.close()
        greeted(listener, 1)
        assert talk(listener) == 200


def test_what_is_no_handshake_gives_its_place_back(listener: Listener) -> None:
    def fail() -> None:
        with listener.connect() as line:
            line.sendall(CLOSING)
            assert not read_all(line).startswith(b"HTTP")
        greeted(listener, 0)

    fail()
    files = len(list(FILES.iterdir()))
    for _ in range(20):
        fail()
    assert talk(listener) == 200
    wait_until(lambda: len(list(FILES.iterdir())) == files)


def test_a_handshake_has_the_time_that_headers_have(context: ssl.SSLContext) -> None:
    with Listener(tls=context, limits=Limits(header_timeout=0.1)) as listener:
        with listener.connect() as line:
            assert read_all(line) == b""
        greeted(listener, 0)
        assert talk(listener) == 200


def test_so_many_handshakes_that_it_would_hurt_are_cut(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_module, "REFUSING", 1)
    with listener.connect(), listener.connect(), listener.connect():
        greeted(listener, 3)
        with listener.connect() as fourth:
            assert fourth.recv(1) == b""
    greeted(listener, 0)
    assert talk(listener) == 200
