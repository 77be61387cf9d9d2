"""The command line itself, and ``spigot serve``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from spigot import __version__
from spigot.stores.sqlite import SqliteStore
from support.commands import STATUS_KEYS, done, run
from support.gateway import FAST, PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("bare")


class TestGroup:
    def test_the_help_names_every_command(self) -> None:
        shown = done("--help").partition("Commands:")[2]
        names = [line.split()[0] for line in shown.splitlines() if line[2:3].strip()]
        assert " ".join(names) == (
            "serve on off status list show replay drop hold drain backup restore send check demo"
        )

    def test_it_tells_its_version(self) -> None:
        assert done("--version") == f"spigot {__version__}\n"

    def test_an_unknown_command_is_wrong_usage(self) -> None:
        assert run("flush").exit_code == 2

    def test_python_m_spigot_is_the_same(self) -> None:
        command = [sys.executable, "-m", "spigot", "status"]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        assert process.returncode == 1
        assert process.stderr.startswith("spigot: There is no Spigot store in ")
        assert process.stdout == ""

    def test_a_wrong_configuration_is_one_line_and_exit_status_2(self, tmp_path: Path) -> None:
        (tmp_path / "other.toml").write_text('datta = "x"')
        result = run("--config", "other.toml", "status")
        assert result.exit_code == 2
        assert result.stderr.startswith("spigot: other.toml")
        assert result.stderr.count("\n") == 1

    def test_the_data_directory_on_the_command_line_wins(self, tmp_path: Path) -> None:
        SqliteStore(tmp_path / "elsewhere").close()
        assert run("status").exit_code == 1
        assert run("status", "--data", "elsewhere").exit_code == 0

    @pytest.mark.usefixtures("store")
    def test_an_interrupt_is_130(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(_: float) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(time, "sleep", interrupted)
        result = run("status", "--watch", "--json")
        assert result.exit_code == 130
        assert list(json.loads(result.stdout)) == STATUS_KEYS

    @pytest.mark.parametrize("name", ["status", "list", "show x", "replay x", "drop x"])
    def test_without_a_store_nothing_is_made(self, name: str, tmp_path: Path) -> None:
        result = run(*name.split())
        assert result.exit_code == 1
        assert "There is no Spigot store" in result.stderr
        assert not (tmp_path / "data").exists()


class TestServe:
    def test_without_a_target_it_is_wrong_configuration(self) -> None:
        result = run("serve")
        assert result.exit_code == 2
        assert "TARGET_URL" in result.stderr

    def test_practice_and_a_target_exclude_each_other(self) -> None:
        assert run("serve", "--practice", "--target", "http://jenkins.example").exit_code == 2

    def test_practice_brings_a_jenkins_and_says_what_to_try(self, tmp_path: Path) -> None:
        words = ["serve", "--practice", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "spigot", *words], stdout=subprocess.PIPE, stderr=log,
                text=True, env={**os.environ, **FAST},
            )  # fmt: skip
        with process:
            try:
                assert process.stdout is not None
                text = _startup_text(process)
                url = text.partition("takes webhooks at ")[2].partition(";")[0]
                assert f"spigot send example:push --url {url}" in text
                assert "/practice/phase?to=down&for=30s" in text
                done("send", "example:push", "--url", url)
                took = process.stdout.readline()
                assert took == "The practice Jenkins took: push Codertocat/Hello-World 200\n"
            finally:
                process.terminate()
            assert process.wait(PATIENCE) == 0


def _startup_text(process: subprocess.Popen[str]) -> str:
    """Read the start-up text, which ends after the line on Ctrl-C with a blank one."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "\n" and any(said.startswith("Ctrl-C") for said in lines):
            break
    return "".join(lines)
