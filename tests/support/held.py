"""``spigot hold`` as a process, and a command of it that a test lets go on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

from support.commands import until
from support.gateway import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

LASTS = "echo begun; read line"
"""A command that says that it has begun, and runs until `Held.end_command`."""


class Held:
    """``spigot hold`` that runs a shell script, in a process group of its own."""

    def __init__(self, directory: Path, *options: str, script: str = LASTS) -> None:
        self._said = directory / "said"
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "spigot", "hold", *options, "--", "sh", "-c", script],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
                process_group=0,
            )  # fmt: skip

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self._said.read_text("utf-8")

    def until_command_runs(self) -> Self:
        """Wait until the script has begun, and return itself."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "begun\n", self.said
        return self

    def end_command(self) -> None:
        """Let the script go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def until_said(self, words: str) -> None:
        """Wait until it has said something."""
        until(lambda: words in self.said)

    def status(self) -> int:
        """Wait for its end, and return its exit status."""
        return self.process.wait(PATIENCE)

    @property
    def state(self) -> str:
        """The state that it said it leaves."""
        return self.said.splitlines()[-1]

    def close(self) -> None:
        """End whatever of it still runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
