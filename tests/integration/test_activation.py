"""A gateway on sockets that somebody else holds, as systemd does: a restart refuses nobody."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Self

from spigot.practice import PracticeJenkins
from support.gateway import FAST, PATIENCE, wait_until
from support.listener import answers_in, read_all, whole

if TYPE_CHECKING:
    from pathlib import Path

HAND_OVER = """
import os, sys
first, second = int(sys.argv[1]), int(sys.argv[2])
first, second = os.dup2(first, 50), os.dup2(second, 51)
os.dup2(50, 3), os.dup2(51, 4)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="public:admin")
os.execv(sys.executable, [sys.executable, "-m", "spigot", "serve"])
"""
"""What a service manager does between fork and exec."""


class Manager:
    """Holds the two sockets and hears what the gateway says, as a service manager does."""

    def __init__(self, directory: Path, target: str) -> None:
        self._directory = directory
        self._sockets = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(2)]
        self.port, self.admin_port = (sock.getsockname()[1] for sock in self._sockets)
        self._hears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._hears.bind(str(directory / "notify"))
        self._hears.settimeout(PATIENCE)
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("SPIGOT_")
        } | {
            **FAST,
            "TARGET_URL": target,
            "SPIGOT_DATA": str(directory / "data"),
            "SPIGOT_PROXY": "none",
            "SPIGOT_LISTEN": "127.0.0.1:1",  # a port that it could not have
            "SPIGOT_ADMIN": "127.0.0.1:1",
            "NOTIFY_SOCKET": str(directory / "notify"),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.log = directory / "log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for sock in (*self._sockets, self._hears):
            sock.close()

    def start(self) -> None:
        """Start the gateway, and wait until it says that it is ready."""
        numbers = [sock.fileno() for sock in self._sockets]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", HAND_OVER, *map(str, numbers)],
                env=self._environment, cwd=self._directory, pass_fds=numbers, stderr=log,
            )  # fmt: skip
        assert self.said() == "READY=1", self.log.read_text()

    def said(self) -> str:
        """Return the next thing that it says."""
        return self._hears.recv(1000).decode()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """Stop it, and wait for its end."""
        self.signal(signal.SIGTERM)
        assert self.said() == "STOPPING=1"
        assert self._process is not None
        assert self._process.wait(PATIENCE) == 0
        self._process = None


def are_more_than(statuses: list[int], number: int) -> bool:
    return len(statuses) > number


def test_while_the_gateway_restarts_every_request_is_answered(tmp_path: Path) -> None:
    with PracticeJenkins() as jenkins, Manager(tmp_path, jenkins.url) as manager:
        manager.start()
        over = threading.Event()
        statuses: list[int] = []
        failures: list[OSError] = []

        def send_on() -> None:
            request = whole(b"{}").replace(b"Host: a\r\n", b"Host: a\r\nConnection: close\r\n")
            while not over.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", manager.port), PATIENCE) as line:
                        line.sendall(request)
                        ((status, _, _),) = answers_in(read_all(line))
                    statuses.append(status)
                except (OSError, ValueError) as error:
                    failures.append(OSError(repr(error)))

        senders = [threading.Thread(target=send_on) for _ in range(4)]
        for sender in senders:
            sender.start()
        for _ in range(3):
            so_far = len(statuses)
            wait_until(partial(are_more_than, statuses, so_far + 50))
            manager.stop()
            manager.start()
        over.set()
        for sender in senders:
            sender.join()
        assert failures == []
        assert set(statuses) == {200}
        manager.stop()


def test_the_service_manager_hears_of_a_reload_and_of_its_end(tmp_path: Path) -> None:
    with Manager(tmp_path, "http://127.0.0.1:9") as manager:
        manager.start()
        manager.signal(signal.SIGHUP)
        assert manager.said().startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert manager.said() == "READY=1"
        manager.stop()
