"""A checkout of Spigot as a user has it, and the commands that a user gives there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from aws.bed.deployed import ROOT, on_loopback

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 120.0
WANTED = ("Makefile", "pyproject.toml", "requirements", "src", "lambdas", "infra", "utils")


class Checkout:
    """A copy of what deploying needs, with this one's virtual environment.

    Args:
        folder: Where it goes.
        environment: What is exported there; None takes a variable out.
    """

    def __init__(self, folder: Path, **environment: str | None) -> None:
        self.folder = folder
        changed = {**os.environ, **environment}
        self._environment = {name: value for name, value in changed.items() if value is not None}
        folder.mkdir()
        for name in WANTED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(sys.prefix)
        template = folder / "infra" / "template.yaml"
        template.write_text(on_loopback(template.read_text("utf-8")), "utf-8")

    def make(self, *targets: str) -> subprocess.CompletedProcess[str]:
        """Run make; the virtual environment is there, and is left as it is."""
        return self._run("make", "--assume-old=.venv/.ready", *targets)

    def python(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the virtual environment."""
        return self._run(".venv/bin/python", *command)

    def spigot(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Give a command of Spigot's."""
        return self.python("-m", "spigot", *command)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
