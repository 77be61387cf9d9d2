"""A practice Jenkins in a process of its own, so that it takes no time from what is measured."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

from support.gateway import PATIENCE, reserve

if TYPE_CHECKING:
    from pathlib import Path


class JenkinsProcess:
    """``python -m spigot.practice`` on a port of its own; down until it is started.

    Args:
        directory: Where its log goes.
    """

    def __init__(self, directory: Path) -> None:
        self._reserved = reserve()
        self.port: int = self._reserved.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = directory / "jenkins.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "spigot.practice", "--quiet", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.005)

    def close(self) -> None:
        """End it if it runs, and give the port back."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._reserved.close()

    def _answers(self) -> bool:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as line:
                line.request("GET", "/login")
                return line.getresponse().status == 200
        except OSError:
            return False
