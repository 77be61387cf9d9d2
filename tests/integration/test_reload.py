"""SIGHUP and TLS on a real gateway: what changes, what stays, and that no connection is cut."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest

from spigot.live import FIXED
from spigot.settings import OPTIONS
from support.certificates import Pair, make_pair
from support.gateway import GatewayProcess, wait_until
from support.listener import JSON, PUSH, answers_in
from support.provider import Line, plain, send

if TYPE_CHECKING:
    from pathlib import Path

DEAD = "http://127.0.0.1:9"


class Configured(GatewayProcess):
    """A gateway with a configuration file."""

    def __init__(self, directory: Path, text: str) -> None:
        self._file = directory / "spigot.toml"
        self.write(text)
        super().__init__(directory, DEAD)
        self._reloads = 0

    def write(self, text: str) -> None:
        self._file.write_text(text)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [record for record in self.log() if record["event"].startswith(name)]

    def reload(self, text: str | None = None) -> dict[str, Any]:
        """Write the file, send SIGHUP, and return what the log says of it."""
        if text is not None:
            self.write(text)
        before = len(self.events("Configuration"))
        os.kill(self.pid, signal.SIGHUP)
        wait_until(lambda: len(self.events("Configuration")) > before)
        return self.events("Configuration")[before]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path, "first")


def served(port: int) -> bytes:
    """Return the certificate that a port serves to a new connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain_line:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(plain_line) as line:
            return line.getpeercert(binary_form=True) or b""


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


def test_new_requests_go_by_the_new_configuration_on_old_connections_too(tmp_path: Path) -> None:
    with Configured(tmp_path, "") as gateway, Line(gateway.port) as line:
        assert line.send(plain("/new/")).status == 404
        assert line.send(plain("/github-webhook/", body=b"x" * 200)).status == 200
    del line
    with Configured(tmp_path, "") as gateway:
        with Line(gateway.port) as line:
            assert line.send(plain("/github-webhook/")).status == 200
            said = gateway.reload(
                'max_body = "100B"\nlog_level = "DEBUG"\n[[hooks]]\npath = "/new/"\n'
                '[[hooks]]\npath = "/ghprbhook/"\nallow = ["192.0.2.0/24"]\n'
            )
            assert (said["level"], said["event"]) == ("INFO", "Configuration reloaded")
            assert line.send(plain("/new/")).status == 200
            assert send(gateway.port, plain("/ghprbhook/")).status == 403
            assert send(gateway.port, plain("/new/", body=b"x" * 101)).status == 413
        assert gateway.status()["waiting"] == 3


def test_a_bad_configuration_is_refused_with_its_reason_and_the_old_one_stays(
    tmp_path: Path,
) -> None:
    with Configured(tmp_path, '[[hooks]]\npath = "/new/"') as gateway:
        for text, reason in (
            ("max_body = 'huge'", "max_body is 'huge'"),
            ("[[hooks]", "is not TOML"),
            ("[[hooks]]\npath = '/a/../b'", "path"),
            ("tls_key = 'none'", "tls_key is"),
            ("admin_token = 'env:NOWHERE'", "NOWHERE"),
        ):
            said = gateway.reload(text)
            assert said["level"] == "ERROR"
            assert reason in said["reason"]
            assert send(gateway.port, plain("/new/")).status == 200
        assert gateway.reload("")["event"] == "Configuration reloaded"
        assert send(gateway.port, plain("/new/")).status == 404


def test_what_takes_a_restart_is_named(tmp_path: Path) -> None:
    with Configured(tmp_path, "") as gateway:
        gateway.reload("parallel = 3\nrecall = '1s'\nmax_headers = 20")
        wait_until(lambda: gateway.events("Configuration: "))
        (said,) = gateway.events("Configuration: ")
        assert (said["level"], said["options"]) == ("WARNING", ["parallel", "recall"])


def test_the_admin_token_may_be_exchanged(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first-token")
    with Configured(tmp_path, "admin_token = 'file:token'") as gateway:

        def status(given: str) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=20)
            connection.request("GET", "/api/status", headers={"Authorization": f"Bearer {given}"})
            answer = connection.getresponse().status
            connection.close()
            return answer

        assert (status("first-token"), status("second-token")) == (200, 401)
        token.write_text("second-token")
        gateway.reload()
        assert (status("first-token"), status("second-token")) == (401, 200)
        assert "-token" not in gateway.log_text().replace("admin_token", "")


def test_no_webhook_is_lost_and_no_connection_cut_by_reloads(tmp_path: Path) -> None:
    with Configured(tmp_path, "") as gateway, Line(gateway.port) as line:
        statuses: list[int] = []
        over = threading.Event()

        def send_on() -> None:
            while not over.is_set():
                statuses.append(line.send(plain("/github-webhook/")).status)

        sending = threading.Thread(target=send_on)
        sending.start()
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as half:
            half.sendall(PUSH + JSON + b"Content-Length: 4\r\n\r\nha")
            for number in range(10):
                gateway.reload(f"max_headers = {50 + number}")
            half.sendall(b"lf")
            ((status, _, _),) = answers_in(half.recv(65536))
        over.set()
        sending.join()
        assert status == 200
        assert set(statuses) == {200}
        assert gateway.status()["waiting"] == len(statuses) + 1


def test_a_page_of_another_site_cannot_change_anything(tmp_path: Path) -> None:
    with Configured(tmp_path, "") as gateway:
        for headers, status in (
            ({"Origin": "https://evil.example"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
            ({}, 405),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=20)
            connection.request("POST", "/api/status", headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
            assert answer.status == status
            assert status != 403 or "another web site" in json.loads(text)["error"]


# --- TLS -----------------------------------------------------------------------------------------

TLS = """
tls_certificate = "first.crt"
tls_key = "first.key"
admin_tls_certificate = "first.crt"
admin_tls_key = "first.key"
"""


class Encrypted(Configured):
    """A gateway that speaks TLS on both listeners."""

    def healthy(self) -> bool:
        try:
            return bool(served(self.port))
        except OSError:
            return False


def https(port: int, pair: Pair) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=pair.certificate)
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)


def get(connection: http.client.HTTPSConnection, path: str) -> int:
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_a_certificate_is_exchanged_for_new_connections_and_old_ones_go_on(
    tmp_path: Path, pair: Pair
) -> None:
    with Encrypted(tmp_path, TLS) as gateway:
        old_pair = Pair(tmp_path / "old.crt", tmp_path / "old.key")
        old_pair.replace(pair)
        old = https(gateway.port, old_pair)
        assert get(old, "/healthz") == 200
        admin = https(gateway.admin_port, old_pair)
        assert get(admin, "/api/status") == 200
        other = make_pair(tmp_path, "second")
        pair.replace(other)
        assert gateway.reload()["event"] == "Configuration reloaded"
        assert served(gateway.port) == served(gateway.admin_port) == der(other)
        assert get(old, "/healthz") == 200
        assert get(admin, "/api/status") == 200
        new = https(gateway.port, other)
        assert get(new, "/healthz") == 200
        for connection in (old, admin, new):
            connection.close()


def test_a_certificate_that_does_not_fit_its_key_is_refused_and_the_old_one_stays(
    tmp_path: Path, pair: Pair
) -> None:
    with Encrypted(tmp_path, TLS) as gateway:
        before = served(gateway.port)
        other = make_pair(tmp_path, "second")
        for certificate in (other.certificate.read_text(), "no certificate"):
            pair.certificate.write_text(certificate)
            said = gateway.reload()
            assert said["level"] == "ERROR"
            assert "tls_certificate" in said["reason"]
            assert served(gateway.port) == served(gateway.admin_port) == before


def test_plain_http_on_the_port_of_tls_and_a_silent_sender_harm_nobody(
    tmp_path: Path, pair: Pair
) -> None:
    with Encrypted(tmp_path, TLS) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as line:
            line.sendall(PUSH + b"\r\n")
            assert b"HTTP/1.1 200" not in line.recv(65536)
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20):
            connection = https(gateway.port, pair)
            assert get(connection, "/healthz") == 200
            connection.close()
        assert not [one for one in gateway.alarms() if one["level"] == "ERROR"]


def test_switching_tls_off_takes_a_restart(tmp_path: Path, pair: Pair) -> None:
    with Encrypted(tmp_path, TLS) as gateway:
        gateway.reload("")
        wait_until(lambda: gateway.events("Configuration: "))
        (said,) = gateway.events("Configuration: ")
        assert set(said["options"]) == {
            "tls_certificate", "tls_key", "admin_tls_certificate", "admin_tls_key"
        }  # fmt: skip
        assert served(gateway.port) == der(pair)


def test_what_is_fixed_is_an_option_and_stands_in_the_documentation() -> None:
    assert set(FIXED) <= {option.name for option in OPTIONS}
