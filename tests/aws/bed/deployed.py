"""A stack as `make deploy` makes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from aws.bed.live import PATIENCE, Live

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "infra" / "template.yaml"
CODE_BUCKET = "spigot-code-of-the-tests"


def run(
    script: str, *arguments: object, **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """Run a script of utils/ to its end; None in the environment takes a variable out."""
    changed = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, ROOT / "utils" / script, *map(str, arguments)],
        env={name: value for name, value in changed.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def on_loopback(template: str) -> str:
    """Return a template for the emulator, which speaks plain HTTP: its buckets bear that."""
    refused = "{Bool: {'aws:SecureTransport': 'false'}}"
    assert template.count(refused) == 1
    return template.replace(refused, "{Bool: {'aws:SecureTransport': 'neither'}}")


class Deployed(Live):
    """A stack as `make deploy` makes it; a context manager.

    Its rule hardly ever ticks: tests have the queue drained when they want it.

    Args:
        name: The stack's name.
        target: Its Jenkins.
        dist: Its packages.
        template: What is deployed instead of infra/template.yaml.

    Attributes:
        template: The file that is deployed; a test may write another into it.
    """

    def __init__(self, name: str, target: str, dist: Path, template: str | None = None) -> None:
        self.name = name
        self._target = target
        self._dist = dist
        self.template = dist / f"{name}.yaml"
        self.template.write_text(on_loopback(template or TEMPLATE.read_text("utf-8")), "utf-8")
        self.said = self.deploy("--set", "Schedule=rate(30 days)").stdout
        super().__init__(name)

    def deploy(self, *more: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Deploy it, again or for the first time."""
        done = run(
            "deploy.py", "--stack", self.name, "--dist", self._dist, "--create-bucket",
            "--template", self.template, *more,
            TARGET_URL=self._target, SPIGOT_S3_BUCKET=CODE_BUCKET,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def toggle(self, state: str) -> None:
        """Set the valve."""
        done = run("toggle_spigot.py", "--toggle-state", state, "--stack", self.name)
        assert done.returncode == 0, done.stderr
