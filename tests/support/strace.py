"""Runs a program under strace, so that `support.calls` can tell what it wrote, synced and sent."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from support.gateway import wait_until

if TYPE_CHECKING:
    from pathlib import Path

_CALLS = (
    "write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg", "fsync",
    "fdatasync", "openat", "unlinkat", "renameat", "renameat2", "ftruncate", "truncate",
    "fallocate", "mmap", "mkdirat", "?open", "?creat", "?unlink", "?rename", "?mkdir", "?link",
    "?symlink", "linkat", "copy_file_range", "sendfile", "?rmdir",
)  # fmt: skip
"""Whatever changes a file or leaves by a socket; not every machine has those with a mark."""

_LONGEST = 64 * 1024 * 1024
"""Bytes of one call that are shown; all of them."""


def strace(output: Path) -> list[str]:
    """Return the command that the traced program's own command is appended to.

    The program takes the place of this command, process id included; the tracer runs beside it and
    ends with it.

    Args:
        output: Where the calls are written, in the order in which they began and ended.
    """
    return [
        "strace", "-D", "-f", "-ttt", "-y", "-xx", "-s", str(_LONGEST), "--seccomp-bpf",
        "-e", f"trace={','.join(_CALLS)}", "-o", str(output),
    ]  # fmt: skip


def why_no_strace(directory: Path) -> str:
    """Say why nothing can be traced here; empty if it can.

    Args:
        directory: For a trial.
    """
    if shutil.which("strace") is None:
        return "strace is not installed"
    output = directory / "trial"
    trial = subprocess.run(
        [*strace(output), "true"], capture_output=True, text=True, check=False, timeout=30
    )
    if trial.returncode or not output.exists():
        return f"strace may not trace here: {trial.stderr.strip() or trial.returncode}"
    return ""


def traced_lines(output: Path, pid: int) -> list[str]:
    """Wait until the tracer of an ended program has written all, and return the lines.

    Args:
        output: The file given to `strace`.
        pid: Which process the program was.
    """
    ends = tuple(f"{pid} {end}".encode() for end in ("exited", "killed"))

    def ended() -> bool:
        with output.open("rb") as file:
            file.seek(max(0, output.stat().st_size - 4096))
            lines = file.read().splitlines()
        return any(_end_of(line).startswith(ends) for line in lines)

    wait_until(ended)
    return output.read_text("ascii").splitlines()


def _end_of(line: bytes) -> bytes:
    """Return ``PID exited…`` of a line that tells a process's end."""
    pid, _, rest = line.partition(b" ")
    return pid + b" " + rest.partition(b"+++ ")[2]
