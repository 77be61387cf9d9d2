"""``spigot drain`` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0


class Drainer:
    """Drains a stack; a context manager that kills what is still running.

    Args:
        stack: The stack's name.
        target: Its Jenkins.
        log: Where its log goes.
        environment: Further variables.
    """

    def __init__(self, stack: str, target: str | None, log: Path, **environment: str) -> None:
        words = [sys.executable, "-m", "spigot", "drain", "--data", f"aws://{stack}"]
        words += ["--target", target] if target else []
        self._path = log
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=log.parent,
                env={**os.environ, **environment},
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill it at once, whatever it does."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; return its exit status."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit status."""
        return self._process.wait(PATIENCE)

    def said(self) -> list[dict[str, Any]]:
        """Return what it has logged so far; what is no event of the log is one of its own."""
        lines = self._path.read_text("utf-8").splitlines()
        return [json.loads(one) if one.startswith("{") else {"event": one} for one in lines]

    def events(self) -> list[str]:
        """Return the texts of what it has logged so far."""
        return [one["event"] for one in self.said()]
