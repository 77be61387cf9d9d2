"""What is measured side by side: each takes the same signed webhooks, and answers 200."""

from __future__ import annotations

import contextlib
import sys
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from bench import ROOT, hookspool, nginx, payloads
from spigot.stores.sqlite import SqliteStore
from support.gateway import FAST, GatewayProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

SPIGOT = "spigot"
NGINX = "nginx, stores nothing"
ONE_COMMIT = "one commit per webhook"
HOOKSPOOL = f"hookspool {hookspool.VERSION}"
HOOKSPOOL_AT_ONCE = f"hookspool {hookspool.VERSION}, no delay"

HOOK = "/github-webhook/"
NOWHERE = "http://127.0.0.1:9"


class Server(NamedTuple):
    """One that runs.

    Attributes:
        name: As above.
        path: Where it takes webhooks.
        port: Its port on 127.0.0.1.
        pid: Its process.
        data: Spigot's data directory.
    """

    name: str
    path: str
    port: int
    pid: int
    data: Path | None = None


def gateway(folder: Path, target: str = NOWHERE, *, one_commit: bool = False) -> GatewayProcess:
    """Return a gateway with its defaults, on a folder that may hold a store; not yet started.

    Its GitHub hook has a secret, so that each signature is checked.
    """
    folder.mkdir(exist_ok=True)
    (folder / "spigot.toml").write_text(
        f'[[hooks]]\npath = "{HOOK}"\nsecret = "env:BENCH_SECRET"\n'
    )
    program = ["-P", str(ROOT / "bench" / "one_commit.py")] if one_commit else ["-m", "spigot"]
    process = GatewayProcess(folder, target, {"BENCH_SECRET": payloads.SECRET})
    for variable in FAST:
        del process.environment[variable]
    process.command = [sys.executable, *program, "serve"]
    return process


def turn(data: Path, *, on: bool) -> None:
    """Turn the valve of a data directory, which is made where it is missing."""
    with closing(SqliteStore(data)) as store:
        store.panel.set_valve(on=on, reason="" if on else "benchmark")


@contextlib.contextmanager
def _spigot(folder: Path, *, one_commit: bool = False) -> Iterator[Server]:
    turn(folder / "data", on=False)
    with gateway(folder, one_commit=one_commit) as process:
        name = ONE_COMMIT if one_commit else SPIGOT
        yield Server(name, HOOK, process.port, process.pid, process.data)


@contextlib.contextmanager
def _one_commit(folder: Path) -> Iterator[Server]:
    with _spigot(folder, one_commit=True) as server:
        yield server


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[Server]:
    with nginx.serving(folder) as (port, pid):
        yield Server(NGINX, HOOK, port, pid)


@contextlib.contextmanager
def _hookspool(folder: Path) -> Iterator[Server]:
    with hookspool.serving(folder) as (port, pid):
        yield Server(HOOKSPOOL, hookspool.PATH, port, pid)


@contextlib.contextmanager
def _hookspool_at_once(folder: Path) -> Iterator[Server]:
    with hookspool.serving(folder, at_once=True) as (port, pid):
        yield Server(HOOKSPOOL_AT_ONCE, hookspool.PATH, port, pid)


def available() -> tuple[dict[str, Callable[[Path], AbstractContextManager[Server]]], list[str]]:
    """Return what can be run here, by name, and why something cannot."""
    found: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {SPIGOT: _spigot}
    reasons = [nginx.missing(), hookspool.install()]
    if not reasons[0]:
        found[NGINX] = _nginx
    found[ONE_COMMIT] = _one_commit
    if not reasons[1]:
        found[HOOKSPOOL] = _hookspool
        found[HOOKSPOOL_AT_ONCE] = _hookspool_at_once
    return found, [reason for reason in reasons if reason]
