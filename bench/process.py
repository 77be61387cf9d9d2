"""A server in a process of its own, for as long as it is measured."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

START_SECONDS = 20.0


@contextlib.contextmanager
def running(
    command: Sequence[str], port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a server until the block ends; yield its process id once it takes connections.

    Args:
        command: What to run.
        port: Where it listens, on 127.0.0.1.
        log: Takes what it prints.
        environment: Further variables.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=dict(os.environ) | dict(environment or {})
        )
    try:
        _wait_for(process, port, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def target(folder: Path) -> Iterator[int]:
    """Run a bare target; yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "bench.target", str(port)]
    with running(command, port, folder / "target.log"):
        yield port


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        if process.poll() is not None or time.monotonic() > end:
            sys.exit(f"A server did not start:\n{log.read_text('utf-8', 'replace')[-4000:]}")
        time.sleep(0.02)
