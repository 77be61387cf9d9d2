"""boto3 is for AWS alone: nothing else imports it, and without it AWS is refused in a line."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HIDDEN = "import sys; sys.modules['boto3'] = None\n"
RUN = """
import runpy, sys
sys.argv = ["spigot", *sys.argv[1:]]
runpy.run_module("spigot", run_name="__main__")
"""


def spigot(*words: str, code: str = "", cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code + RUN, *words],
        cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["on", "status", "list"])
def test_what_to_install_is_said(command: str, tmp_path: Path) -> None:
    done = spigot(command, "--data", "aws://spigot", code=HIDDEN, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "spigot: A Spigot on AWS needs boto3, which is not installed: pip install 'spigot[aws]'.\n"
    )


@pytest.mark.parametrize("words", [("check",), ("serve",), ("backup", "file"), ("restore", "file")])
def test_what_needs_a_directory_refuses_a_stack(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    target = ("--target", "http://127.0.0.1:9") if words[0] in ("check", "serve") else ()
    done = spigot(*words, "--data", "aws://spigot", *target, code=HIDDEN, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("spigot: data is aws://spigot: this needs a directory")
    assert done.stderr.count("\n") == 1


def test_a_directory_needs_no_boto3(tmp_path: Path) -> None:
    made = "from pathlib import Path; from spigot.stores.sqlite import SqliteStore\n"
    made += "SqliteStore(Path('data')).close()\n"
    done = spigot("status", "--data", "data", code=HIDDEN + made, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Valve ")
