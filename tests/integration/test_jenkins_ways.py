"""The ways to Jenkins that are not plain: TLS, proxies, and both."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from spigot.address import Target
from spigot.errors import SettingsError
from spigot.jenkins import Jenkins
from spigot.webhook import Happened
from support.wire import PATIENCE, RawServer, free_port, hook, saying, way_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JENKINS = Target.parse("http://jenkins.example.com/ci")


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=practice", "-keyout", key, "-out", pem,
            "-addext", "subjectAltName=IP:127.0.0.1",
            "-addext", "keyUsage=critical,digitalSignature,keyCertSign",
        ],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return pem, key


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def secure(tls: ssl.SSLContext) -> Iterator[RawServer]:
    with RawServer(tls=tls) as secure:
        yield secure


class TestTls:
    def test_connections_are_kept_and_large_bodies_go_through(
        self, secure: RawServer, certificate: tuple[Path, Path]
    ) -> None:
        with way_to(secure.port, scheme="https", ca_file=certificate[0]) as jenkins:
            outcomes = [jenkins.send(hook(body=b"x" * 100_000)) for _ in range(3)]
            assert jenkins.ask("GET", "/login", {}).status == 200
        assert [one.status for one in outcomes] == [200] * 3
        assert secure.connections == 2

    def test_an_unknown_authority_is_no_connection_and_names_the_way_out(
        self, secure: RawServer
    ) -> None:
        with way_to(secure.port, scheme="https") as jenkins:
            outcome = jenkins.send(hook())
        assert outcome.happened is Happened.NO_CONNECTION
        assert outcome.error.startswith("TLS: ")
        assert "ca_file" in outcome.error
        assert secure.requests == []

    def test_a_certificate_of_another_name_is_no_connection(
        self, secure: RawServer, certificate: tuple[Path, Path]
    ) -> None:
        jenkins = Jenkins(Target("https", "localhost", secure.port, ""), ca_file=certificate[0])
        assert jenkins.send(hook()).happened is Happened.NO_CONNECTION
        assert secure.requests == []

    def test_plain_http_where_tls_should_be_is_no_connection(self) -> None:
        def answer_at_once(_: RawServer, line: socket.socket) -> None:
            line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            line.recv(1000)

        with RawServer(answer_at_once) as server, way_to(server.port, scheme="https") as jenkins:
            outcome = jenkins.send(hook())
        assert outcome.happened is Happened.NO_CONNECTION
        assert outcome.error

    def test_a_dribbling_answer_is_bounded_too(
        self, certificate: tuple[Path, Path], tls: ssl.SSLContext
    ) -> None:
        pace = threading.Event()

        def dribble(server: RawServer, line: socket.socket) -> None:
            server.read(line)
            while True:
                line.sendall(b"H")
                pace.wait(0.01)

        with (
            RawServer(dribble, tls) as server,
            way_to(
                server.port, scheme="https", ca_file=certificate[0], read_timeout=0.2
            ) as jenkins,
        ):
            assert jenkins.send(hook()).error == "timed out"

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_a_ca_file_of_no_use_is_a_mistake_in_the_configuration(
        self, tmp_path: Path, content: str | None
    ) -> None:
        ca_file = tmp_path / "ca.pem"
        if content is not None:
            ca_file.write_text(content)
        with pytest.raises(SettingsError, match="ca_file"):
            Jenkins(Target("https", "jenkins.example.com", 443, ""), ca_file=ca_file)


class Tunnel(RawServer):
    """A proxy that connects whoever asks to one port of this machine."""

    def __init__(self, to: int) -> None:
        super().__init__()
        self._to = to

    def converse(self, line: socket.socket) -> None:
        self.read(line)
        with socket.create_connection(("127.0.0.1", self._to)) as beyond:
            line.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(beyond, line), daemon=True)
            back.start()
            _pump(line, beyond)
            back.join(PATIENCE)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class TestProxy:
    def test_a_provider_has_no_say_in_the_proxys_credentials(self, server: RawServer) -> None:
        jenkins = Jenkins(JENKINS, proxy=f"http://me%40home:s%3Acret@127.0.0.1:{server.port}")
        jenkins.send(hook(headers=((b"proxy-authorization", b"Basic of-the-provider"),)))
        jenkins.close()
        assert server.head[:3] == [
            b"POST http://jenkins.example.com/ci/github-webhook/ HTTP/1.1",
            b"Host: jenkins.example.com",
            b"Proxy-Authorization: Basic bWVAaG9tZTpzOmNyZXQ=",
        ]
        assert b"of-the-provider" not in server.requests[0]

    def test_https_goes_through_a_tunnel(
        self, secure: RawServer, certificate: tuple[Path, Path]
    ) -> None:
        with (
            Tunnel(secure.port) as proxy,
            way_to(
                secure.port,
                scheme="https",
                ca_file=certificate[0],
                proxy=f"http://me:secret@127.0.0.1:{proxy.port}",
            ) as jenkins,
        ):
            assert [jenkins.send(hook()).status for _ in range(2)] == [200, 200]
        assert proxy.connections == 1
        assert proxy.head[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1." % secure.port)
        assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in proxy.head
        assert secure.head[0] == b"POST /github-webhook/ HTTP/1.1"
        assert not any(line.lower().startswith(b"proxy-") for line in secure.head)

    def test_a_proxy_that_refuses_the_tunnel_is_no_connection(self) -> None:
        answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        with saying(answer) as server:
            jenkins = Jenkins(
                Target("https", "jenkins.example.com", 443, ""),
                proxy=f"http://me:secret@127.0.0.1:{server.port}",
            )
            outcome = jenkins.send(hook())
        assert outcome.happened is Happened.NO_CONNECTION
        assert "407" in outcome.error
        assert "secret" not in outcome.error

    def test_a_proxy_that_is_away_is_no_connection(self) -> None:
        jenkins = Jenkins(JENKINS, proxy=f"http://127.0.0.1:{free_port()}")
        outcome = jenkins.send(hook())
        assert (outcome.happened, outcome.error) == (Happened.NO_CONNECTION, "connection refused")


class TestTheEnvironment:
    @pytest.fixture
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        """One that names no proxy yet."""
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        return monkeypatch

    def test_it_names_a_proxy(self, server: RawServer, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("http_proxy", f"127.0.0.1:{server.port}")
        jenkins = Jenkins(JENKINS, proxy="")
        assert jenkins.send(hook()).status == 200
        jenkins.close()
        assert server.head[0].startswith(b"POST http://jenkins.example.com/ci/")

    @pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "localhost, 127.0.0.1"])
    def test_it_may_exempt_jenkins(
        self, server: RawServer, environment: pytest.MonkeyPatch, exempt: str
    ) -> None:
        environment.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
        environment.setenv("no_proxy", exempt)
        with way_to(server.port, proxy="") as jenkins:
            assert jenkins.send(hook()).status == 200
        assert server.head[0] == b"POST /github-webhook/ HTTP/1.1"

    def test_none_means_none_whatever_it_says(
        self, server: RawServer, environment: pytest.MonkeyPatch
    ) -> None:
        environment.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
        with way_to(server.port, proxy="none") as jenkins:
            assert jenkins.send(hook()).status == 200

    @pytest.mark.parametrize(
        "proxy",
        [
            "https://me:secret@proxy:443",
            "http://",
            "http://me:secret@proxy:port",
            "socks5://me:secret@proxy",
        ],
    )
    def test_a_proxy_of_no_use_is_a_mistake_in_the_configuration_and_keeps_its_secret(
        self, proxy: str
    ) -> None:
        with pytest.raises(SettingsError, match="proxy") as caught:
            Jenkins(JENKINS, proxy=proxy)
        assert "secret" not in str(caught.value)
