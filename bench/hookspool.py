"""hookspool, the nearest Python project on PyPI, in a virtual environment of its own.

Its intake alone runs, as Spigot's does with the valve OFF, with GitHub's bobbin and its durable
defaults (WAL, ``synchronous=FULL``, one transaction a webhook). One number is raised, its threads:
each keeps one connection until that ends, so that of 17 one would wait for ever with the default.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

from bench import ROOT, payloads
from bench.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "0.2.0"
PATH = "/hooks/github"
PLACE = ROOT / ".bench-venv"

_CONFIG = """
[intake]
listen = "127.0.0.1:{port}"
threads = 128

[bobbins.github]
bobbin = "github.repo"
secrets = {{ secret = {{ env = "BENCH_SECRET" }} }}
outputs = {{ "*" = "sink" }}

[destinations.sink]
type = "http"
url = "http://127.0.0.1:9/"
allow_insecure = true
secret = {{ env = "BENCH_SECRET" }}
"""

_AT_ONCE = """
import sys
import hookspool.intake
from hookspool.__main__ import main
hookspool.intake._Handler.disable_nagle_algorithm = True
sys.exit(main())
"""


def install() -> str:
    """Install it where it is missing; return why it cannot be had, or nothing."""
    python = PLACE / "bin" / "python"
    probe = f"import hookspool, sys; sys.exit(hookspool.__version__ != {VERSION!r})"
    if python.exists() and not subprocess.run([python, "-c", probe], check=False).returncode:
        return ""
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(PLACE)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         f"hookspool=={VERSION}"],
    )  # fmt: skip
    for command in commands:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            return f"hookspool {VERSION} cannot be installed from PyPI"
    return ""


@contextlib.contextmanager
def serving(folder: Path, *, at_once: bool = False) -> Iterator[tuple[int, int]]:
    """Run its intake on a new spool; yield its port and its process id.

    Args:
        folder: A new folder for it.
        at_once: With TCP_NODELAY. It sends an answer's head and body by two writes, and without,
            the second waits until the client's system has acknowledged the first: 40 ms on Linux.
    """
    folder.mkdir()
    port = free_port()
    (folder / "config.toml").write_text(_CONFIG.format(port=port))
    environment = {"HOOKSPOOL_HOME": str(folder), "BENCH_SECRET": payloads.SECRET}
    python = [str(PLACE / "bin" / "python")]
    usual = [*python, "-m", "hookspool"]
    migrate = [*usual, "--home", str(folder), "migrate"]
    subprocess.run(migrate, check=True, capture_output=True, env=environment)
    command = [*python, "-c", _AT_ONCE] if at_once else usual
    with running([*command, "intake"], port, folder / "log", environment) as pid:
        yield port, pid
