"""Packages: the same bytes from the same code, and nothing that a Lambda must not have."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

import package
from aws.bed.deployed import ROOT, run
from spigot.errors import SpigotError

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("process_webhooks", "send_from_queue")


def handler(folder: Path, text: str) -> Path:
    path = folder / "handler.py"
    path.write_text(text, "utf-8")
    return path


def test_the_same_code_makes_the_same_bytes(tmp_path: Path) -> None:
    for name, zone, seed in (("one", "UTC", "1"), ("two", "Asia/Tokyo", "2")):
        done = run("package.py", "--dist", tmp_path / name, TZ=zone, PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
    for lambda_ in NAMES:
        first, second = (tmp_path / name / f"{lambda_}.zip" for name in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()


def test_times_and_modes_of_the_sources_do_not_matter(tmp_path: Path) -> None:
    path = handler(tmp_path, "import json\n")
    before = package.pack(package.sources(path))
    os.utime(path, (0, 0))
    path.chmod(0o600)
    assert package.pack(package.sources(path)) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_package_is_small_and_holds_no_other_deployment(dist: Path, name: str) -> None:
    path = dist / f"{name}.zip"
    assert path.stat().st_size <= 100_000
    names = zipfile.ZipFile(path).namelist()
    assert f"{name}.py" in names
    assert names == sorted(names)
    assert not [one for one in names if "sqlite" in one or "/web/" in one or "/commands/" in one]
    assert all(one == f"{name}.py" or one.startswith("spigot/") for one in names)


@pytest.mark.parametrize("name", NAMES)
def test_a_package_can_be_imported_with_nothing_else_at_hand(
    dist: Path, tmp_path: Path, name: str
) -> None:
    """The interpreter sees no site-packages; boto3, which the runtime has, is an empty module."""
    with zipfile.ZipFile(dist / f"{name}.zip") as archive:
        archive.extractall(tmp_path / "code")
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "boto3.py").touch()
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error", "-c", f"import {name}; {name}.handler"],
        env={"PYTHONPATH": f"{tmp_path / 'code'}:{tmp_path / 'runtime'}"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sqlite3", "sqlite3, which has no place in a Lambda"),
        ("from spigot.web import edge", "spigot.web.edge, which has no place in a Lambda"),
        ("from spigot.stores import sqlite", "sqlite3, which has no place in a Lambda"),
        ("import msgspec", "msgspec, which the Lambda runtime does not have"),
        ("def later():\n    import uvicorn", "uvicorn, which the Lambda runtime does not have"),
        ("import spigot.nothing", "spigot.nothing is imported, but there is no"),
    ],
)
def test_what_a_lambda_cannot_import_is_refused_when_it_is_packed(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(SpigotError, match=said):
        package.sources(handler(tmp_path, text))


def test_what_a_lambda_can_do_without_may_be_missing(tmp_path: Path) -> None:
    text = (
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import sqlite3\n"
        "try:\n    import msgspec\nexcept ImportError:\n    from spigot import units\n"
    )
    assert "spigot/units.py" in package.sources(handler(tmp_path, text))


def test_a_package_that_grew_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "MAX_BYTES", 10_000)
    with pytest.raises(SpigotError, match=r"has [\d,]+ bytes, 10,000 at most"):
        package.build(ROOT / "lambdas", tmp_path)


def test_a_handler_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run("package.py", "--lambdas", tmp_path, "--dist", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: There is no {tmp_path}/process_webhooks")
