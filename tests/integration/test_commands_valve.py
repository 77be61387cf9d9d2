"""``spigot on`` and ``spigot off``."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from spigot.commands import valve
from spigot.practice import Fault, Phase
from support.commands import STATUS_KEYS, done, json_of, run, until
from support.gateway import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.practice import PracticeJenkins
    from spigot.stores.sqlite import SqliteStore
    from support.gateway import GatewayProcess

pytestmark = pytest.mark.usefixtures("bare")


class TestValve:
    @pytest.mark.parametrize("command", ["on", "off"])
    def test_where_no_store_is_nothing_is_made_and_nothing_claimed(
        self, command: str, tmp_path: Path
    ) -> None:
        result = run(command)
        assert result.exit_code == 1
        assert "There is no Spigot store" in result.stderr
        assert not (tmp_path / "data").exists()

    @pytest.mark.usefixtures("store")
    def test_off_says_how_things_stand(self) -> None:
        text = done("off", "--reason", "up\x1bgrade", "--for", "30m")
        assert text.startswith("Valve OFF since ")
        assert "(up\\x1bgrade), on again at " in text
        assert text.endswith("; 0 webhooks waiting. `spigot serve` is not running.\n")

    @pytest.mark.usefixtures("store")
    def test_on_opens_it_again(self) -> None:
        assert json_of("off", "--reason", "upgrade")["reason"] == "upgrade"
        known = json_of("on")
        assert list(known) == STATUS_KEYS
        assert (known["valve"], known["reason"], known["until"]) == ("ON", None, None)

    @pytest.mark.usefixtures("store")
    def test_until_is_kept(self) -> None:
        assert json_of("off", "--until", "2999-01-01T00:00Z")["until"] == "2999-01-01T00:00:00.000Z"

    @pytest.mark.parametrize(
        "words",
        ["--until 2020-01-01", "--until noon", "--for 0", "--for ever", "--for 1m --until 23:00"],
    )
    def test_a_wrong_time_changes_nothing(self, words: str, store: SqliteStore) -> None:
        assert run("off", *words.split()).exit_code == 2
        assert store.panel.valve().on

    def test_off_returns_once_no_attempt_runs(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        jenkins.fault("/github-webhook/", Fault(hang=True))
        assert (
            run("send", "example:push", "--url", f"http://127.0.0.1:{gateway.port}").exit_code == 0
        )
        until(lambda: len(jenkins.hooks) == 1)
        assert run("off", "--no-wait").exit_code == 0
        command = [sys.executable, "-m", "spigot", "off", "--reason", "again"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            until(lambda: gateway.status()["reason"] == "again")
            assert process.poll() is None
            jenkins.phase = Phase.DOWN
            assert process.wait(PATIENCE) == 0
            assert process.stdout is not None
            said = process.stdout.read()
            assert " (again); Jenkins " in said
            assert "; 1 webhook waiting, the oldest for " in said

    def test_off_gives_up_waiting_in_the_end(
        self,
        gateway: GatewayProcess,
        jenkins: PracticeJenkins,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        jenkins.fault("/github-webhook/", Fault(hang=True))
        assert (
            run("send", "example:push", "--url", f"http://127.0.0.1:{gateway.port}").exit_code == 0
        )
        until(lambda: len(jenkins.hooks) == 1)
        monkeypatch.setattr(valve, "SPARE", 0.0)
        monkeypatch.setenv("SPIGOT_READ_TIMEOUT", "0.1")
        result = run("off")
        assert result.exit_code == 1
        assert "An attempt still runs after 0.1s" in result.stderr
        assert result.stdout.startswith("Valve OFF")
