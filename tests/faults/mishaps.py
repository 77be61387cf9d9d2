"""What is done to a gateway from outside while it runs."""

from __future__ import annotations

import contextlib
import resource
import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.gateway import GatewayProcess


def freeze(gateway: GatewayProcess, seconds: float) -> None:
    """Stop its process for a time."""
    gateway.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    gateway.send_signal(signal.SIGCONT)


def lock(gateway: GatewayProcess, seconds: float) -> None:
    """Keep it from writing, as a stuck command would."""
    with closing(sqlite3.connect(gateway.data / "spigot.db", isolation_level=None)) as db:
        with contextlib.suppress(sqlite3.OperationalError):
            db.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)


def fill(gateway: GatewayProcess, seconds: float) -> None:
    """Let no file of its store grow any more for a time."""
    log = gateway.data / "spigot.db-wal"
    limit_files(gateway, log.stat().st_size if log.exists() else 0, seconds)


def forbid(gateway: GatewayProcess, seconds: float) -> None:
    """Let it write to no file for a time."""
    limit_files(gateway, 0, seconds)


def limit_files(gateway: GatewayProcess, size: int, seconds: float) -> None:
    """Let it write only the first bytes of each file for a time."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        time.sleep(seconds)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, unlimited)


def take_room(gateway: GatewayProcess, seconds: float) -> None:
    """Let more room have to stay free than there is, for a time."""
    file = gateway.log_path.parent / "spigot.toml"
    file.write_text('min_free = "1000TiB"\n')
    gateway.send_signal(signal.SIGHUP)
    time.sleep(seconds)
    file.unlink()
    gateway.send_signal(signal.SIGHUP)


MISHAPS: dict[str, Callable[[GatewayProcess, float], None]] = {
    "freeze": freeze,
    "lock": lock,
    "full": fill,
    "nothing writable": forbid,
    "no room": take_room,
}
"""By their names in the plan; each takes the seconds that it lasts."""
