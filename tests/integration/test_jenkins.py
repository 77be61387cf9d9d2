"""The way to Jenkins, byte by byte, against a server that plays what each test tells it to."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import pytest

from spigot.address import Target
from spigot.errors import SettingsError
from spigot.jenkins import IDLE_SECONDS, Jenkins
from spigot.webhook import Happened, Headers, Webhook
from support.gateway import PATIENCE, reserve, wait_until
from support.stores import HandClock, webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
JSON = (b"content-type", b"application/json")

Play: TypeAlias = "bytes | Callable[[socket.socket], None]"


class Server:
    """Reads requests to the byte, and answers each with the next play; the last one repeats.

    Args:
        plays: What to send, or what to do with the connection.
        tls: Speaks TLS with this.
        unread: Plays once the head has come, and leaves the body unread.
    """

    def __init__(
        self, *plays: Play, tls: ssl.SSLContext | None = None, unread: bool = False
    ) -> None:
        self._plays = list(plays)
        self._tls = tls
        self._unread = unread
        self.requests: list[bytes] = []
        self.opened = 0
        self.closed = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            sock = self._listener.accept()[0]
            if self._stopping.is_set():
                sock.close()
                return
            self.opened += 1
            self._threads.append(threading.Thread(target=self._serve, args=(sock,)))
            self._threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        with contextlib.suppress(OSError), sock:
            if self._tls is None:
                self._talk(sock)
            else:
                with self._tls.wrap_socket(sock, server_side=True) as secured:
                    self._talk(secured)
        self.closed += 1

    def _talk(self, sock: socket.socket) -> None:
        while sock.fileno() != -1 and (request := self._read(sock)):
            self.requests.append(request)
            play = self._plays.pop(0) if len(self._plays) > 1 else self._plays[0]
            if isinstance(play, bytes):
                sock.sendall(play)
            else:
                play(sock)

    def _read(self, sock: socket.socket) -> bytes:
        came, length = b"", 0
        while True:
            head, end, body = came.partition(b"\r\n\r\n")
            if end:
                fields = [line.partition(b": ") for line in head.split(b"\r\n")]
                length = sum(int(value) for name, _, value in fields if name == b"Content-Length")
            if end and (self._unread or len(body) >= length):
                return came
            more = sock.recv(65536)
            if not more:
                return b""
            came += more


def close(sock: socket.socket) -> None:
    sock.close()


def answer_and_close(sock: socket.socket) -> None:
    sock.sendall(OK)
    sock.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def stay_silent(sock: socket.socket) -> None:
    sock.recv(1)
    sock.close()


def dribble(before: bytes) -> Callable[[socket.socket], None]:
    """Send this and then a byte every now and then, until the other side has enough."""

    def play(sock: socket.socket) -> None:
        sock.sendall(before)
        gone = threading.Event()
        while not gone.wait(0.02):
            sock.sendall(b"x")

    return play


def lines(request: bytes) -> list[bytes]:
    """Return the lines of a request's head, the request line first."""
    return request.partition(b"\r\n\r\n")[0].split(b"\r\n")


def post(
    path: str = "/github-webhook/", query: str = "", headers: Headers = (JSON,), body: bytes = b"{}"
) -> Webhook:
    return webhook(path=path, headers=headers, body=body)._replace(query=query)


def way(port: int, **options: Any) -> contextlib.closing[Jenkins]:
    """Return a way to the server on that port, below the context path ``/jenkins``."""
    return contextlib.closing(Jenkins(Target("http", "127.0.0.1", port, "/jenkins"), **options))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxies in the environment."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


class TestRequest:
    @pytest.mark.parametrize(
        ("path", "query", "target"),
        [
            ("/project/a%2fb%2Fc+d", "", b"/jenkins/project/a%2fb%2Fc+d"),
            ("/job//x/./%7e~;p", "a=%2f+%20&&b=?&c", b"/jenkins/job//x/./%7e~;p?a=%2f+%20&&b=?&c"),
        ],
    )  # fmt: skip
    def test_target_arrives_as_it_was_written(self, path: str, query: str, target: bytes) -> None:
        with Server(OK) as server, way(server.port) as jenkins:
            jenkins.send(post(path, query))

        assert lines(server.requests[0])[0] == b"POST " + target + b" HTTP/1.1"

    def test_headers_arrive_to_the_byte_in_order_and_nothing_is_added(self) -> None:
        body = bytes(range(256))
        headers = (
            (b"x-twice", b"1"), (b"host", b"hooks.example"), (b"x-name", b"Andr\xc3\xa9 \xff\x80"),
            (b"x-twice", b" 2,\t3"), (b"x-empty", b""),
        )  # fmt: skip
        with Server(OK) as server, way(server.port) as jenkins:
            jenkins.send(post(headers=headers, body=body))

        assert (
            server.requests[0]
            == (
                b"POST /jenkins/github-webhook/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nx-twice: 1\r\n"
                b"x-name: Andr\xc3\xa9 \xff\x80\r\nx-twice:  2,\t3\r\nx-empty: \r\n"
                b"Content-Length: 256\r\n\r\n" % server.port
            )
            + body
        )

    def test_headers_of_one_connection_are_dropped(self) -> None:
        headers = (
            (b"connection", b"close, X-Mine"), (b"connection", b"x-too"), (b"x-mine", b"1"),
            (b"x-too", b"1"), (b"keep-alive", b"1"), (b"te", b"trailers"), (b"trailer", b"x"),
            (b"upgrade", b"h2c"), (b"proxy-authorization", b"x"), (b"expect", b"100-continue"),
            JSON,
        )  # fmt: skip
        with Server(OK) as server, way(server.port) as jenkins:
            jenkins.send(post(headers=headers))

        assert lines(server.requests[0])[2:] == [
            b"content-type: application/json", b"Content-Length: 2",
        ]  # fmt: skip

    def test_length_is_right_for_what_came_in_chunks(self) -> None:
        with Server(OK) as server, way(server.port) as jenkins:
            jenkins.send(post(headers=((b"transfer-encoding", b"chunked"),), body=b"12345"))
            jenkins.send(post(headers=((b"content-length", b"9"),), body=b""))

        assert [lines(request)[2:] for request in server.requests] == [
            [b"Content-Length: 5"], [b"Content-Length: 0"],
        ]  # fmt: skip


class TestConnection:
    def test_it_is_used_again(self) -> None:
        with Server(OK) as server, way(server.port) as jenkins:
            for _ in range(3):
                assert jenkins.send(post()).status == 200

        assert (server.opened, len(server.requests)) == (1, 3)

    def test_it_is_not_used_again_once_the_server_closed_it(self) -> None:
        with Server(answer_and_close, OK) as server, way(server.port) as jenkins:
            jenkins.send(post())
            wait_until(lambda: server.closed == 1)
            assert jenkins.send(post()).status == 200

        assert server.opened == 2

    def test_it_is_not_used_again_after_a_while(self) -> None:
        clock = HandClock()
        with Server(OK) as server, way(server.port, clock=clock) as jenkins:
            jenkins.send(post())
            clock.advance(IDLE_SECONDS)
            assert jenkins.send(post()).status == 200

        assert server.opened == 2

    def test_it_is_not_used_again_when_the_answer_says_close(self) -> None:
        closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        with Server(closing, OK) as server, way(server.port) as jenkins:
            jenkins.send(post())
            assert jenkins.send(post()).status == 200

        assert server.opened == 2

    def test_refused_is_no_connection(self) -> None:
        with contextlib.closing(reserve()) as sock, way(sock.getsockname()[1]) as jenkins:
            outcome = jenkins.send(post())
            asked = jenkins.ask("GET", "/login", {})

        assert (outcome.happened, outcome.error) == (Happened.NO_CONNECTION, "connection refused")
        assert asked == (0, {}, b"", "connection refused")

    @pytest.mark.parametrize("host", ["jenkins.invalid", "jenkins..invalid"])
    def test_unknown_host_is_no_connection(
        self, host: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def look_up(name: str, *_: object) -> object:
            name.encode("idna")
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        outcome = Jenkins(Target("http", host, 80, "")).send(post())

        assert (outcome.happened, outcome.error) == (Happened.NO_CONNECTION, "unknown host")


class TestBroken:
    @pytest.mark.parametrize(
        ("play", "error"),
        [
            (reset, "connection reset"),
            (close, "closed without an answer"),
            (stay_silent, "timed out"),
            (dribble(b"HTTP/1.1 200 OK\r\nX-Long: "), "timed out"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "no readable HTTP (BadStatusLine)"),
        ],
        ids=["reset", "closed", "silent", "dribbling", "garbage"],
    )
    def test_without_a_status_nobody_knows_what_became_of_it(self, play: Play, error: str) -> None:
        with Server(play) as server, way(server.port, read_timeout=0.2) as jenkins:
            began = time.monotonic()
            outcome = jenkins.send(post())
            took = time.monotonic() - began

        assert (outcome.happened, outcome.status, outcome.error) == (Happened.BROKEN, 0, error)
        assert took < 2
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "play",
        [
            dribble(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
            lambda sock: (sock.sendall(OK[:-2]), sock.close()),
        ],
        ids=["dribbling", "no chunk", "negative chunk", "cut off"],
    )
    def test_with_a_status_the_webhook_was_answered_but_not_with_nothing(self, play: Play) -> None:
        with Server(play) as server, way(server.port, read_timeout=0.2) as jenkins:
            began = time.monotonic()
            outcome = jenkins.send(post())
            took = time.monotonic() - began
            asked = jenkins.ask("GET", "/login", {})

        assert (outcome.happened, outcome.status) == (Happened.ANSWERED, 200)
        assert outcome.length == 1
        assert took < 2
        assert asked.error
        assert server.opened == 2


class TestAnswer:
    def test_an_answer_before_the_body_was_read_counts(self) -> None:
        def refuse(sock: socket.socket) -> None:
            sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            sock.close()

        with Server(refuse, unread=True) as server, way(server.port) as jenkins:
            outcome = jenkins.send(post(body=bytes(16 * 1024 * 1024)))

        assert (outcome.happened, outcome.status) == (Happened.ANSWERED, 413)

    def test_only_the_first_kilobyte_of_a_huge_one_is_kept(self) -> None:
        huge = b"HTTP/1.1 500 No\r\nContent-Length: 4000000\r\n\r\n" + b"a" * 4_000_000
        with Server(huge, OK) as server, way(server.port) as jenkins:
            outcome = jenkins.send(post())
            assert jenkins.send(post()).answer == b"ok"

        assert (outcome.status, outcome.answer, outcome.length) == (500, b"a" * 1024, 65536)

    def test_redirects_are_told_and_not_followed(self) -> None:
        moved = (
            b"HTTP/1.1 302 Found\r\nLocation: /jenkins/login?from=%2f\r\nContent-Length: 0\r\n\r\n"
        )
        with Server(moved) as server, way(server.port) as jenkins:
            outcome = jenkins.send(post())

        assert (outcome.status, outcome.location) == (302, "/jenkins/login?from=%2f")
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [(b"120", 120.0), (b"0", 0.0), (b"-1", None), (b"Wed, 21 Oct 2015 07:28:00 GMT", None)],
    )
    def test_retry_after_and_media_type_are_read(self, value: bytes, seconds: float | None) -> None:
        busy = (
            b"HTTP/1.1 503 Busy\r\nRetry-After: " + value
            + b"\r\nContent-Type: Text/HTML; charset=x\r\nContent-Length: 0\r\n\r\n"
        )  # fmt: skip
        with Server(busy) as server, way(server.port) as jenkins:
            outcome = jenkins.send(post())

        assert (outcome.status, outcome.retry_after) == (503, seconds)
        assert (outcome.content_type, outcome.length) == ("text/html", 0)

    def test_a_question_gets_status_and_headers_over_a_fresh_connection(self) -> None:
        login = OK.replace(b"\r\n\r\n", b"\r\nX-Jenkins: 2.504\r\n\r\n")
        with Server(login) as server, way(server.port) as jenkins:
            jenkins.send(post())
            asked = jenkins.ask("GET", "/login?x=%2f", {"Accept": "*/*"})

        assert asked == (200, {"content-length": "2", "x-jenkins": "2.504"}, b"ok", "")
        assert lines(server.requests[1]) == [
            b"GET /jenkins/login?x=%2f HTTP/1.1", b"Host: 127.0.0.1:%d" % server.port,
            b"Accept: */*",
        ]  # fmt: skip
        assert server.opened == 2


class TestProxy:
    def test_it_is_sent_the_absolute_form(self) -> None:
        target = Target("http", "jenkins.example", 80, "/jenkins")
        with Server(OK) as server:
            proxy = f"http://me:p%40ss@127.0.0.1:{server.port}"
            with contextlib.closing(Jenkins(target, proxy=proxy)) as jenkins:
                assert jenkins.send(post("/a%2fb", "c=+")).status == 200

        assert lines(server.requests[0])[:3] == [
            b"POST http://jenkins.example/jenkins/a%2fb?c=+ HTTP/1.1",
            b"Host: jenkins.example",
            b"Proxy-Authorization: Basic bWU6cEBzcw==",
        ]

    @pytest.mark.usefixtures("bare")
    def test_the_environment_names_it_and_its_exceptions(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Server(OK) as proxy, Server(OK) as server:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
            with way(server.port, proxy="") as jenkins:
                jenkins.send(post())
            with way(server.port, proxy="none") as jenkins:
                jenkins.send(post())
            monkeypatch.setenv("no_proxy", "example.org,127.0.0.1")
            with way(server.port, proxy="") as jenkins:
                jenkins.send(post())

        assert (len(proxy.requests), len(server.requests)) == (1, 2)

    def test_one_of_no_use_is_named(self) -> None:
        with pytest.raises(SettingsError, match="SPIGOT_PROXY"):
            Jenkins(Target("http", "jenkins.example", 80, ""), proxy="socks5://127.0.0.1:1080")


class TestTls:
    @pytest.fixture(scope="class")
    def certificate(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A certificate for 127.0.0.1 that vouches for itself, and its key, in one file."""
        file = tmp_path_factory.mktemp("tls") / "both.pem"
        key = file.with_name("key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=jenkins",
             "-addext", "subjectAltName=IP:127.0.0.1",
             "-addext", "keyUsage=digitalSignature,keyCertSign",
             "-keyout", str(key), "-out", str(file)],
            check=True, capture_output=True, timeout=PATIENCE,
        )  # fmt: skip
        file.write_bytes(file.read_bytes() + key.read_bytes())
        return file

    @pytest.fixture
    def server(self, certificate: Path) -> Iterator[Server]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        with Server(OK, tls=tls) as server:
            yield server

    def test_an_authority_in_ca_file_is_trusted(self, server: Server, certificate: Path) -> None:
        target = Target("https", "127.0.0.1", server.port, "")
        with contextlib.closing(Jenkins(target, ca_file=certificate)) as jenkins:
            assert [jenkins.send(post()).answer for _ in range(2)] == [b"ok", b"ok"]

        assert server.opened == 1

    def test_an_unknown_authority_is_no_connection(self, server: Server) -> None:
        outcome = Jenkins(Target("https", "127.0.0.1", server.port, "")).send(post())

        assert outcome.happened is Happened.NO_CONNECTION
        assert outcome.error.startswith("TLS: ")
        assert server.requests == []

    def test_a_ca_file_without_certificates_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("nothing\n")
        with pytest.raises(SettingsError, match=r"ca\.pem holds no certificates"):
            Jenkins(Target("https", "127.0.0.1", 1, ""), ca_file=tmp_path / "ca.pem")
