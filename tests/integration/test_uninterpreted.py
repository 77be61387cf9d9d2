"""Nothing from a webhook or from Jenkins is interpreted: by no log, terminal, SQL or path."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import pytest

from spigot.webhook import Attempt, Decision, Happened, Outcome, Verdict
from support.commands import put, run
from support.gateway import GatewayProcess, wait_until
from support.listener import PATIENCE, read_all
from support.wire import RawServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spigot.stores.sqlite import SqliteStore

ODD = (
    "\x1b]0;owned\x07\x1b[2J\x1b[6n\r\nFORGED\n\x00\x08\x7f\x85\x9b2J\u2028\u202e"
    "%s%n%(x)s{0.__class__}${jndi:ldap://x}'; DROP TABLE webhooks;--<script>../../../etc/passwd"
)
"""Whatever interprets it gives itself away: none of its first half may be shown as it is."""

WORDS = "%s%n{0.__class__}'; DROP TABLE webhooks;--../../etc/passwd"
"""The part of it that a header may bring in the name of an event or a delivery."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PUSH = {"X-GitHub-Event": "push", "Content-Type": "application/json"}


def post(target: str, headers: dict[str, str], body: bytes = b"{}", method: str = "POST") -> bytes:
    """Return a request; its headers may have any byte."""
    lines = [f"{method} {target} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body


def payload(name: str) -> bytes:
    """Return a body that names a repository."""
    return json.dumps({"ref": ODD, "repository": {"full_name": name}}).encode()


TAKEN = [
    post("/github-webhook/", _PUSH, payload(ODD)),
    post("/github-webhook/", _PUSH | {"X-GitHub-Delivery": WORDS}, payload(WORDS)),
    post("/github-webhook/", _PUSH | {"X-GitHub-Event": WORDS, "X-GitHub-Delivery": "%s"}),
    post("/github-webhook/", _PUSH | {"X-GitHub-Event": "\x9b2J", "X-GitHub-Delivery": "\x85\x9b"}),
    post("/github-webhook/", _PUSH | {"X-Odd": "\x85FORGED \x9b2J" + WORDS, "User-Agent": "\xad"}),
    post("/github-webhook/?" + WORDS.replace(" ", "+") + "&odd=" + quote(ODD), _PUSH),
    post("/github-webhook/", {"Content-Type": "application/x-www-form-urlencoded\x9b"},
         b"payload=" + quote(payload(ODD)).encode()),
    post("/git/notifyCommit?branches=" + quote(ODD) + "&url=" + quote(ODD), {}, b"", "GET"),
    post("/generic-webhook-trigger/invoke?token=" + quote(ODD), {"Content-Type": "text/\x9b"}),
    post("/project/%25s%7B0%7D'%20DROP%20TABLE%20webhooks", {"X-Gitlab-Event": WORDS}),
    post("/webhooks", _PUSH | {"X-GitHub-Event": WORDS}, b"\x1b]0;owned\x07\x00\xff"),
]  # fmt: skip

REFUSED = [
    post("/project/" + quote(ODD), {}),
    post("/" + WORDS.replace(" ", "+"), {}),
    post("/dockerhub-webhook/" + quote(ODD) + "/x", {}),
    post("/webhooks", {"X-Gogs-Event": WORDS}),
    post("/webhooks", {"X-Gogs-Event": "\x9b2J"}),
    post("/github-webhook/", {"Transfer-Encoding": "\x9b2J\x85, x"}).replace(b"Content-L", b"X-L"),
    post("/github-webhook/\x1b[2J", {}),
    post("/github-webhook/", {"X-Odd": "\x1b[2J"}),
    ODD.encode(),
]


def raw(text: str) -> list[str]:
    """Return what would move a cursor or break out of a line; colours are ours."""
    lines = re.split("\r*\n", _COLOURS.sub("", text))
    assert not [line for line in lines if line.startswith("FORGED")]
    return [line for line in lines if not line.isprintable()]


class Terminal:
    """A terminal that keeps what was written on it; use it as a context manager."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.openpty()
        self.path = Path(os.ttyname(self.theirs))
        self._written = bytearray()
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.theirs)  # the last of the other side: reading ends
        self._reader.join(PATIENCE)
        os.close(self._ours)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while part := os.read(self._ours, 65536):
                self._written += part

    @property
    def text(self) -> str:
        return self._written.decode("utf-8", "replace")


def on_terminal(data: Path, *words: str) -> str:
    """Run a command on a terminal, and return what it wrote there."""
    environment = {**os.environ, "SPIGOT_DATA": str(data), "PYTHONIOENCODING": "utf-8"}
    with Terminal() as terminal:
        subprocess.run(
            [sys.executable, "-m", "spigot", *words], stdin=subprocess.DEVNULL,
            stdout=terminal.theirs, stderr=terminal.theirs, env=environment, timeout=PATIENCE,
        )  # fmt: skip
    assert terminal.text
    return terminal.text


def odd_jenkins(server: RawServer, line: socket.socket) -> None:
    """Be ready, and refuse each webhook, with an odd word in every place."""
    odd = ODD.replace("\r\n", "").replace("\n", "").encode("utf-8")
    while request := server.read(line):
        status = b"404 " if request.startswith(b"POST") or b"notifyCommit" in request else b"200 "
        line.sendall(
            b"HTTP/1.1 " + status + odd + b"\r\nX-Jenkins: 2.541" + odd + b"\r\nX-Jenkins-Session: "
            + odd + b"\r\nContent-Type: text/" + odd + b"\r\nLocation: /" + odd
            + b"\r\nServer: " + odd + b"\r\nContent-Length: %d\r\n\r\n" % len(odd) + odd
        )  # fmt: skip


@pytest.fixture
def jenkins() -> Iterator[RawServer]:
    with RawServer(odd_jenkins) as server:
        yield server


def talk(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
        line.sendall(request)
        return read_all(line)


@pytest.mark.parametrize("terminal", [False, True], ids=["JSON", "terminal"])
def test_no_log_no_answer_and_no_command_shows_a_raw_control_character(
    tmp_path: Path, jenkins: RawServer, *, terminal: bool
) -> None:
    data = tmp_path / "data"
    with Terminal() as screen:
        gateway = GatewayProcess(
            tmp_path, f"http://127.0.0.1:{jenkins.port}", {"LOG_LEVEL": "DEBUG"}
        )
        if terminal:
            gateway.log_path = screen.path
        with gateway:
            answers = [talk(gateway.port, request) for request in TAKEN]
            assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * len(TAKEN)
            answers += [talk(gateway.port, request) for request in REFUSED]
            assert {answer[9:12] for answer in answers[len(TAKEN) :]} == {b"400", b"404"}
            wait_until(lambda: not gateway.status()["waiting"])
            asked = [
                gateway.get(gateway.admin_port, path)[1] for path in ("/api/status", "/metrics")
            ]
            shown = on_terminal(data, "status") + on_terminal(data, "list")
            entries = json.loads(run("list", "--json", "--data", str(data)).stdout)
            for entry in entries:
                shown += on_terminal(data, "show", entry["id"])
        log = screen.text if terminal else gateway.log_text()
    assert len(entries) == len(TAKEN)
    assert log.count("Webhook: dead") == len(TAKEN)
    assert "Traceback" not in log
    for text in (*(answer.decode("ascii") for answer in (*answers, *asked)), shown, log):
        assert raw(text) == []
    assert {file.name for file in tmp_path.rglob("*") if file.is_file()} <= {
        "gateway.log", "spigot.db", "spigot.db-wal", "spigot.db-shm", "reserve", "serve.lock"
    }  # fmt: skip


@pytest.mark.usefixtures("bare")
def test_whatever_a_store_holds_is_shown_without_a_raw_control_character(
    store: SqliteStore, tmp_path: Path
) -> None:
    odd: dict[str, Any] = dict.fromkeys(
        ("path", "query", "hook", "provider", "event", "delivery", "lane"), ODD
    )
    header = ODD.encode().replace(b"\r\n", b"")
    id_ = put(store, **odd, headers=((b"x-odd", header), (header, b"x")))
    loaded = store.load(store.places_after(0, 1)[0].position)
    assert loaded is not None
    outcome = Outcome(Happened.ANSWERED, status=404, answer=ODD.encode(), error=ODD, location=ODD)
    store.settle(loaded, Attempt(0.0, 0.25, outcome, Decision(Verdict.DEAD, ODD, counted=True)))
    store.panel.set_valve(on=False, reason=ODD)
    data = tmp_path / "data"
    for words in (
        ["status"], ["list"], ["list", "--event", ODD.replace("\0", "")], ["show", id_],
        ["show", ODD.replace("\0", "") + "x"], ["replay", ODD.replace("\0", "")],
        ["list", "--json"], ["show", id_, "--json"], ["status", "--json"],
    ):  # fmt: skip
        assert raw(on_terminal(data, *words)) == [], words
    found = json.loads(run("list", "--json", "--event", ODD, "--lane", ODD).stdout)
    assert [entry["id"] for entry in found] == [id_]
