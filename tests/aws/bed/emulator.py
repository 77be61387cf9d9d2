"""The emulator of AWS: a process of its own on loopback, with nothing kept from one to the next."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from typing import IO

HOME = Path(os.environ.get("SPIGOT_AWS_EMULATOR") or Path(__file__).parents[3] / ".venv-aws")
"""Its virtual environment, which `make test-aws` makes: Lambdas run on its Python."""

PATIENCE = 90.0


class Emulator:
    """An emulator of AWS; a context manager.

    Args:
        folder: For what it writes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 needs to speak with it, and with nothing else."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def __enter__(self) -> Self:
        program = HOME / "bin" / "ministack"
        if not program.is_file():
            pytest.fail(
                f"The tests of the AWS stack need the emulator, and {program} is not there:"
                " `make test-aws` installs it.",
                pytrace=False,
            )
        self._log = (self._folder / "emulator.log").open("wb")
        self._process = subprocess.Popen(
            [program],
            env={
                "PATH": os.environ["PATH"],
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self.port),
                "MINISTACK_HOST": "127.0.0.1",
                "S3_DATA_DIR": str(self._folder / "s3"),
                "STATE_DIR": str(self._folder / "state"),
                "AUTH": "true",  # what a role does not allow is refused
                "LOG_LEVEL": "INFO",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            },
            stdout=self._log,
            stderr=self._log,
            cwd=self._folder,
        )
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                log = (self._folder / "emulator.log").read_text("utf-8", "replace")[-2000:]
                pytest.fail(f"The AWS emulator did not start: {log}", pytrace=False)
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        assert self._log
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _answers(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/_ministack/health"
        try:
            with urllib.request.urlopen(url, timeout=1):
                return True
        except OSError:
            return False
