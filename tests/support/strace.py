"""Runs a program under strace, so that `support.calls` can tell what it wrote, synced and sent."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from support.gateway import PATIENCE, wait_until

if TYPE_CHECKING:
    from pathlib import Path

_SENT_AND_SYNCED = (
    "write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg", "fsync",
    "fdatasync", "copy_file_range", "sendfile",
)  # fmt: skip

_FILES = (
    "openat", "unlinkat", "renameat", "renameat2", "ftruncate", "truncate", "fallocate", "mmap",
    "mkdirat", "linkat", "?open", "?creat", "?unlink", "?rename", "?mkdir", "?link", "?symlink",
    "?rmdir",
)  # fmt: skip
"""Not every machine has those with a mark."""

_LONGEST = 64 * 1024 * 1024
"""Bytes of one call that are shown; all of them."""


TRIAL_SECONDS = 5.0
"""What a trial may take at most until it is plain that nothing was traced."""


def strace(output: Path, *, files: bool = False) -> list[str]:
    """Return the command that the traced program's own command is appended to.

    The program takes the place of this command, process id included; the tracer runs beside it and
    ends with it.

    Args:
        output: Where the calls are written, in the order in which they began and ended.
        files: Show not only what is written, synced and sent, but all that changes files. A start
            takes longer so: each import opens and maps some.
    """
    calls = _SENT_AND_SYNCED + (_FILES if files else ())
    return [
        "strace", "-D", "-f", "-ttt", "-y", "-xx", "-s", str(_LONGEST), "--seccomp-bpf",
        "-e", f"trace={','.join(calls)}", "-o", str(output),
    ]  # fmt: skip


def why_no_strace(directory: Path) -> str:
    """Say why nothing can be traced here; empty if it can.

    Args:
        directory: For a trial.
    """
    if shutil.which("strace") is None:
        return "strace is not installed"
    output = directory / "trial"
    with (directory / "errors").open("w+b") as errors:
        trial = subprocess.Popen([*strace(output), "true"], stderr=errors)
        status = trial.wait(PATIENCE)
        end = time.monotonic() + TRIAL_SECONDS
        while not _has_ended(output, trial.pid) and time.monotonic() < end:
            time.sleep(0.01)
        errors.seek(0)
        said = errors.read().decode().strip().rpartition("\n")[2]
    if status or not _has_ended(output, trial.pid):
        return f"strace may not trace here: {said or 'it saw nothing'}"
    return ""


def traced_lines(output: Path, pid: int) -> list[str]:
    """Wait until the tracer of an ended program has written all, and return the lines.

    Args:
        output: The file given to `strace`.
        pid: Which process the program was.
    """
    wait_until(lambda: _has_ended(output, pid))
    return output.read_text("ascii").splitlines()


def _has_ended(output: Path, pid: int) -> bool:
    """Tell whether the end of the process stands in the output, as that of the last thread does."""
    if not output.exists():
        return False
    with output.open("rb") as file:
        file.seek(max(0, output.stat().st_size - 4096))
        lines = file.read().splitlines()
    return any(line.startswith(b"%d " % pid) and b" +++ " in line for line in lines)
