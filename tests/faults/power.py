"""A power cut: what was written and never synced is gone.

The gateway runs under strace, which writes down each write and each sync. After the kill, the
write-ahead log ends where the first write lies that no sync had covered. That is one of the states
in which a real power cut may leave the file, and the simplest; that the database itself keeps what
it was given is another part of the same one.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from support.gateway import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

_CALL = re.compile(r"^\d+ +(\w+)\(\d+<([^>]*)>(?:, \"\"\.*, (\d+), (\d+))?")
_RESUMED = re.compile(r"^\d+ +<\.\.\. (fdatasync|fsync) resumed>")
_END = re.compile(r"^\d+ +\+\+\+ (killed by|exited with)", re.MULTILINE)


def traced(trace: Path) -> list[str]:
    """Return the words before a command that let its writes and syncs be written down."""
    return [
        "strace", "-D", "-f", "-y", "-s", "0", "--seccomp-bpf", "-o", str(trace),
        "-e", "trace=pwrite64,fdatasync,fsync",
    ]  # fmt: skip


def cut(database: Path, trace: Path) -> None:
    """Leave of the write-ahead log what a power cut leaves; its process has been killed."""
    log = database.with_name(f"{database.name}-wal")
    if log.exists():
        keep = unsynced_from(_whole(trace), str(log))
        if keep is not None and keep < log.stat().st_size:
            os.truncate(log, keep)
    trace.unlink()


def unsynced_from(trace: str, path: str) -> int | None:
    """Return where the first write to a file begins that no later sync has covered; None: nowhere.

    A sync that had not returned has not happened.
    """
    pending: set[int] = set()
    covered: dict[str, set[int]] = {}
    for line in trace.splitlines():
        thread = line.partition(" ")[0]
        if found := _CALL.match(line):
            call, name, _, offset = found.groups()
            if name != path:
                continue
            if call == "pwrite64":
                pending.add(int(offset))
            elif "unfinished" in line:
                covered[thread] = set(pending)
            elif line.endswith("= 0"):
                pending.clear()
        elif _RESUMED.match(line) and line.endswith("= 0"):
            pending -= covered.pop(thread, set())
    return min(pending, default=None)


def _whole(trace: Path) -> str:
    """Return the trace once it tells the end of each thread."""
    end = time.monotonic() + PATIENCE
    while True:
        text = trace.read_text("utf-8", "replace")
        threads = {line.partition(" ")[0] for line in text.splitlines()}
        if len(_END.findall(text)) >= len(threads):
            return text
        assert time.monotonic() < end, "strace did not end"
        time.sleep(0.01)
