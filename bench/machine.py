"""The machine that figures come from, and what a process takes of it (Linux; zeros elsewhere)."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
from pathlib import Path

_PROC = Path("/proc")


def describe(folder: Path) -> dict[str, str]:
    """Return what figures depend on, name to value: for a person to read.

    Args:
        folder: Where the stores are written; its file system is named.
    """
    return {
        "CPU": f"{os.cpu_count()} x {_cpu()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": _file_system(folder),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "wrk": _version("wrk", "-v"),
        "nginx": _version("nginx", "-v"),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def cpu_seconds(pid: int) -> float:
    """Return the processor seconds that a process and its children have taken so far."""
    total = 0.0
    for each in (pid, *_children(pid)):
        try:
            fields = (_PROC / str(each) / "stat").read_text("ascii").rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def memory(pid: int, *, peak: bool = False) -> int:
    """Return the bytes of memory that a process has in use, or has had in use at most."""
    name = "VmHWM:" if peak else "VmRSS:"
    try:
        lines = (_PROC / str(pid) / "status").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def _children(pid: int) -> list[int]:
    try:
        text = (_PROC / str(pid) / "task" / str(pid) / "children").read_text("ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


def _cpu() -> str:
    try:
        lines = (_PROC / "cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")),
        platform.machine(),
    )


def _file_system(folder: Path) -> str:
    """Return the type of the mount that holds a folder."""
    try:
        mounts = (_PROC / "mounts").read_text("utf-8").splitlines()
    except OSError:
        return "unknown"
    at, kind = "", "unknown"
    for fields in map(str.split, mounts):
        if folder.is_relative_to(fields[1]) and len(fields[1]) >= len(at):
            at, kind = fields[1], fields[2]
    return kind


def _version(program: str, option: str) -> str:
    if shutil.which(program) is None:
        return "missing"
    done = subprocess.run([program, option], capture_output=True, text=True, check=False)
    line = (done.stdout + done.stderr).splitlines()[0]
    return line.partition(" [")[0].removeprefix("nginx version: nginx/").removeprefix("wrk ")
