"""A real gateway process on ports of its own, to be started, killed and started again."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from spigot.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATIENCE = 20.0
"""Seconds after which something that should have happened is plainly broken."""

FAST = {
    "SPIGOT_SETTLE_AFTER": "0",
    "SPIGOT_RETRY_DELAYS": "0.05,0.05",
    "SPIGOT_PROBE_EVERY": "0.1",
    "SPIGOT_PROBE_TIMEOUT": "2",
    "SPIGOT_READ_TIMEOUT": "5",
    "SPIGOT_MIN_FREE": "1MiB",
}
"""Settings under which a gateway does in moments what else takes minutes."""


def wait_until(holds: Callable[[], object]) -> None:
    """Wait until something is so; fail if it is not within `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


class GatewayProcess:
    """``spigot serve`` on one data directory; use it as a context manager.

    Its two ports stay its own from one start to the next, whatever runs meanwhile.

    Args:
        directory: Where its data and its log go.
        target: The URL of Jenkins.
        environment: Settings by variable, over `FAST`.

    Attributes:
        command: What runs it.
        environment: Its environment; the next start takes it as it is then.
    """

    def __init__(
        self, directory: Path, target: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.data = directory / "data"
        self.log_path = directory / "gateway.log"
        self._reserved = [reserve(), reserve()]
        self.port, self.admin_port = (sock.getsockname()[1] for sock in self._reserved)
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SPIGOT_") and name not in ("TARGET_URL", "LOG_LEVEL")
        } | {
            **FAST,
            "TARGET_URL": target,
            "SPIGOT_DATA": str(self.data),
            "SPIGOT_LISTEN": f"127.0.0.1:{self.port}",
            "SPIGOT_ADMIN": f"127.0.0.1:{self.admin_port}",
            "SPIGOT_PROXY": "none",
            **(environment or {}),
        }
        self.command = [sys.executable, "-m", "spigot", "serve"]
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it without waiting for anything."""
        assert self._process is None, "it runs already"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.log_path.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self) -> float:
        """Start it, wait until ``/healthz`` answers 200, and return the seconds that it took."""
        began = time.monotonic()
        self.launch()
        assert self._process is not None
        while not self.healthy():
            if self._process.poll() is not None or time.monotonic() - began > PATIENCE:
                raise AssertionError(f"the gateway did not start:\n{self._tail()}")
            time.sleep(0.002)
        return time.monotonic() - began

    def kill(self) -> None:
        """End it with SIGKILL: it gets no chance to do anything."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """Send SIGTERM, and return its exit status."""
        return self._end(signal.SIGTERM)

    def signal_stop(self) -> None:
        """Send SIGTERM without waiting; see `wait`."""
        self.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for its end and return its exit status."""
        assert self._process is not None
        status = self._process.wait(timeout)
        self._process = None
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal without waiting; one that has ended takes none."""
        assert self._process is not None, "it was not launched"
        self._process.send_signal(number)

    def poll(self, timeout: float) -> int:
        """Return its exit status once it has ended by itself; `wait` for it all the same.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        assert self._process is not None, "it was not launched"
        return self._process.wait(timeout)

    def _end(self, number: signal.Signals) -> int:
        self.send_signal(number)
        return self.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def rss(self) -> int:
        """How many bytes of memory it has in use now."""
        return self._memory("VmRSS")

    @property
    def peak_rss(self) -> int:
        """How many bytes of memory it has had in use at most."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> int:
        """Read it as Linux tells it; 0 on other systems."""
        file = Path(f"/proc/{self.pid}/status")
        lines = file.read_text("ascii").splitlines() if file.exists() else []
        return sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024

    def reachable(self) -> bool:
        """Tell whether its port takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def healthy(self) -> bool:
        """Tell whether ``/healthz`` says 200."""
        try:
            return self.get(self.port, "/healthz")[0] == 200
        except OSError:
            return False

    def get(self, port: int, path: str) -> tuple[int, bytes]:
        """Return status and body of one GET."""
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def status(self) -> dict[str, Any]:
        """Return what ``/api/status`` says."""
        code, body = self.get(self.admin_port, "/api/status")
        assert code == 200, body
        status: dict[str, Any] = json.loads(body)
        return status

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the status is as wanted, and return it."""
        end = time.monotonic() + PATIENCE
        while not holds(status := self.status()):
            if time.monotonic() > end:
                raise AssertionError(f"{status}\n{self._tail()}")
            time.sleep(0.01)
        return status

    def until_delivered(self, count: int) -> dict[str, Any]:
        """Wait until so many were delivered and nothing waits."""
        return self.until(lambda status: status["delivered"] >= count and not status["waiting"])

    def store(self) -> SqliteStore:
        """Open its store as a command would; whoever asks has to close it."""
        return SqliteStore(self.data, create=False)

    def log_text(self) -> str:
        """Return all that it has printed."""
        return self.log_path.read_text("utf-8", "replace")

    def log(self) -> list[dict[str, Any]]:
        """Return what it has logged; a line that is no log record fails."""
        return [json.loads(line) for line in self.log_text().splitlines()]

    def alarms(self) -> list[dict[str, Any]]:
        """Return what it has logged above INFO."""
        return [record for record in self.log() if record["level"] not in ("DEBUG", "INFO")]

    def _tail(self) -> str:
        return self.log_text()[-4000:]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it if it runs, and give the ports back."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for sock in self._reserved:
            sock.close()


def reserve() -> socket.socket:
    """Bind a free port without listening: nobody else is given it, and a server may have it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    if sys.platform != "linux":  # elsewhere a bound port cannot be shared so
        sock.close()
    return sock
