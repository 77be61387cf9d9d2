"""``spigot hold``: the real command, before a real gateway and a practice Jenkins."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spigot.errors import StoreError
from spigot.practice import Fault, Phase
from spigot.stores.panel import Panel
from support.commands import run, until
from support.held import LASTS, Held
from support.provider import github, send_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spigot.practice import PracticeJenkins
    from spigot.stores.sqlite import SqliteStore
    from spigot.valve import ValveRow
    from support.gateway import GatewayProcess

pytestmark = pytest.mark.usefixtures("bare")


@pytest.fixture
def hold(gateway: GatewayProcess, tmp_path: Path) -> Iterator[Callable[..., Held]]:
    """Begins a hold, before a gateway that knows its Jenkins to be ready."""
    begun: list[Held] = []

    def begin(*options: str, script: str = LASTS) -> Held:
        begun.append(Held(tmp_path, *options, script=script))
        return begun[-1]

    gateway.until(lambda status: status["jenkins"] == "ready")
    yield begin
    for each in begun:
        each.close()


@pytest.fixture
def store(gateway: GatewayProcess) -> Iterator[SqliteStore]:
    """The gateway's store."""
    with contextlib.closing(gateway.store()) as store:
        yield store


def send(gateway: GatewayProcess, count: int) -> None:
    sent = send_over(gateway.port, [github("push", b"{}") for _ in range(count)], 1)
    assert {each.answer.status for each in sent} == {200}


class TestHold:
    def test_webhooks_wait_for_the_restart_and_are_through_when_it_ends(
        self,
        hold: Callable[..., Held],
        gateway: GatewayProcess,
        jenkins: PracticeJenkins,
        store: SqliteStore,
    ) -> None:
        held = hold(script=f"{LASTS}; echo done").until_command_runs()
        valve = store.panel.valve()
        assert (valve.on, valve.reason) == (False, "spigot hold: sh …")
        assert valve.until == pytest.approx(valve.since + 1800, abs=1)
        send(gateway, 5)
        assert jenkins.hooks == []
        jenkins.restart()
        held.end_command()
        assert held.status() == 0
        assert len(jenkins.taken) == 5
        assert store.panel.valve().on
        assert held.process.communicate()[0] == "done\n"
        said = held.said.splitlines()
        assert said[:3] == [
            "Valve OFF for at most 30m: webhooks are kept.",
            "No attempt runs any more.",
            "Running sh …",
        ]
        assert said[3].startswith("sh … ended with 0 after ")
        after, on, through, state = said[-4:]
        assert after.startswith("Jenkins is ready again")
        assert after.endswith("; it has restarted.")
        assert on == "Valve ON."
        assert through.startswith("The backlog is through: 5 webhooks in ")
        assert state.startswith("Valve ON since ")
        assert state.endswith("; 0 webhooks waiting.")

    def test_an_outage_after_the_command_is_waited_for(
        self, hold: Callable[..., Held], jenkins: PracticeJenkins, store: SqliteStore
    ) -> None:
        held = hold("--reason", "up\x1bgrade", "--no-wait").until_command_runs()
        held.end_command()
        held.until_said("has not gone away yet")
        jenkins.phase = Phase.DOWN
        held.until_said("Jenkins: ")
        assert store.panel.valve().reason == "up\x1bgrade"
        jenkins.phase = Phase.READY
        assert held.status() == 0
        assert store.panel.valve().on
        assert "Jenkins is ready again" in held.said

    def test_a_command_that_fails_opens_the_valve_at_once_and_lends_its_status(
        self, hold: Callable[..., Held], jenkins: PracticeJenkins, store: SqliteStore
    ) -> None:
        held = hold(script=f"{LASTS}; exit 7").until_command_runs()
        jenkins.phase = Phase.DOWN
        held.end_command()
        assert held.status() == 7
        assert store.panel.valve().on
        assert "sh … ended with 7 after " in held.said

    def test_a_command_that_a_signal_ends_fails_as_in_a_shell(
        self, hold: Callable[..., Held]
    ) -> None:
        assert hold(script="kill -9 $$").status() == 128 + signal.SIGKILL

    @pytest.mark.parametrize(("name", "status"), [("missing", 127), ("plain", 126)])
    def test_a_command_that_cannot_be_run_is_named(
        self,
        name: str,
        status: int,
        gateway: GatewayProcess,
        store: SqliteStore,
        tmp_path: Path,
    ) -> None:
        gateway.until(lambda status: status["jenkins"] == "ready")
        (tmp_path / "plain").write_text("not a program")
        result = run("hold", "--", f"./{name}")
        assert result.exit_code == status
        assert f"'./{name}' cannot be run: " in result.stderr
        assert store.panel.valve().on

    def test_no_restart_is_no_failure_unless_one_insists(
        self, hold: Callable[..., Held], store: SqliteStore
    ) -> None:
        calm = hold("--timeout", "2s", script="true")
        assert calm.status() == 0, calm.said
        assert "Jenkins is ready; it did not restart." in calm.said
        strict = hold("--timeout", "2s", "--restart", script="true")
        assert strict.status() == 1
        assert "Jenkins is ready, but has not restarted within 2s." in strict.said
        assert store.panel.valve().on


class TestTimeOver:
    def test_a_jenkins_that_does_not_come_back_in_time_is_a_failure_and_all_is_kept(
        self,
        hold: Callable[..., Held],
        gateway: GatewayProcess,
        jenkins: PracticeJenkins,
        store: SqliteStore,
    ) -> None:
        held = hold("--timeout", "2s").until_command_runs()
        jenkins.phase = Phase.DOWN
        send(gateway, 1)
        gateway.until(lambda status: status["jenkins"] == "not ready")
        held.end_command()
        assert held.status() == 1
        assert store.panel.valve().on
        assert "Jenkins was not ready within 2s: " in held.said
        assert "; 1 webhook waiting" in held.state
        assert held.state.endswith(": kept until Jenkins is ready.")

    def test_a_command_that_takes_too_long_finds_the_valve_open(
        self, hold: Callable[..., Held], jenkins: PracticeJenkins, store: SqliteStore
    ) -> None:
        held = hold("--timeout", "2s").until_command_runs()
        until(lambda: store.panel.valve().on)
        jenkins.restart()
        held.end_command()
        assert held.status() == 0
        assert "Valve ON: its time was over." in held.said
        assert store.panel.valve().until is None

    def test_a_gateway_that_dies_meanwhile_is_told(
        self, hold: Callable[..., Held], gateway: GatewayProcess
    ) -> None:
        held = hold("--timeout", "2s").until_command_runs()
        gateway.kill()
        held.end_command()
        assert held.status() == 1
        assert "Jenkins was not ready within 2s: `spigot serve` is not running." in held.said
        assert held.state.startswith("Valve ON since ")

    def test_an_attempt_that_does_not_end_keeps_the_command_from_running(
        self,
        hold: Callable[..., Held],
        gateway: GatewayProcess,
        jenkins: PracticeJenkins,
        store: SqliteStore,
    ) -> None:
        jenkins.fault("/github-webhook/", Fault(hang=True))
        send(gateway, 1)
        until(lambda: len(jenkins.hooks) == 1)
        held = hold("--timeout", "2s")
        assert held.status() == 1
        assert held.process.communicate()[0] == ""
        assert "An attempt still runs after 1s: sh … was not run." in held.said
        assert store.panel.valve().on


class TestStopped:
    def test_ctrl_c_reaches_both_and_the_valve_is_opened(
        self, hold: Callable[..., Held], store: SqliteStore
    ) -> None:
        held = hold().until_command_runs()
        os.killpg(held.process.pid, signal.SIGINT)
        assert held.status() == 130
        assert store.panel.valve().on
        assert "sh … ended with 130 after " in held.said
        assert held.state.startswith("Valve ON since ")

    def test_ctrl_c_is_130_even_if_the_command_makes_nothing_of_it(
        self, hold: Callable[..., Held], store: SqliteStore
    ) -> None:
        held = hold(script=f"trap 'exit 0' INT; {LASTS}").until_command_runs()
        os.killpg(held.process.pid, signal.SIGINT)
        assert held.status() == 130
        assert store.panel.valve().on
        assert "sh … ended with 0 after " in held.said

    @pytest.mark.parametrize(
        ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["TERM", "HUP"]
    )
    def test_whoever_ends_it_ends_the_command_too(
        self, number: int, status: int, hold: Callable[..., Held], store: SqliteStore
    ) -> None:
        held = hold().until_command_runs()
        held.process.send_signal(number)
        assert held.status() == status
        assert store.panel.valve().on
        assert f"sh … ended with {status} after " in held.said
        assert f"Stopped by {signal.Signals(number).name}." in held.said

    def test_a_command_that_does_not_heed_it_is_left_at_the_next_signal(
        self, hold: Callable[..., Held], store: SqliteStore
    ) -> None:
        held = hold(script=f"trap 'echo begun' TERM; {LASTS}; read line").until_command_runs()
        held.process.terminate()
        held.until_command_runs()  # it has heard of it, and goes on
        held.process.terminate()
        assert held.status() == 143
        assert "sh … still runs, after " in held.said
        assert store.panel.valve().on

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_it_can_be_stopped_while_it_waits_for_jenkins(
        self,
        number: int,
        hold: Callable[..., Held],
        jenkins: PracticeJenkins,
        store: SqliteStore,
    ) -> None:
        held = hold().until_command_runs()
        jenkins.phase = Phase.DOWN
        held.end_command()
        held.until_said("Jenkins: ")
        held.process.send_signal(number)
        assert held.status() == 128 + number
        assert store.panel.valve().on
        assert held.state.endswith(": kept until Jenkins is ready.")

    def test_it_can_be_stopped_while_the_backlog_flows(
        self,
        hold: Callable[..., Held],
        gateway: GatewayProcess,
        jenkins: PracticeJenkins,
        store: SqliteStore,
    ) -> None:
        held = hold().until_command_runs()
        send(gateway, 2)
        jenkins.restart()
        jenkins.fault("/github-webhook/", Fault(hang=True))
        held.end_command()
        held.until_said("Valve ON.")
        until(lambda: len(jenkins.hooks) > 0)
        held.process.send_signal(signal.SIGINT)
        assert held.status() == 130
        assert store.panel.valve().on
        assert "; 2 webhooks waiting" in held.state

    def test_nobody_has_to_hear_what_it_says(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins, store: SqliteStore
    ) -> None:
        gateway.until(lambda status: status["jenkins"] == "ready")
        command = [sys.executable, "-m", "spigot", "hold", "--", "sh", "-c", "read line"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith(b"Valve OFF")
            process.stderr.close()
            until(lambda: store.panel.report()["resting"] == store.panel.valve().version)
            jenkins.restart()
            process.communicate(b"\n")
        assert process.returncode == 0
        assert store.panel.valve().on


class TestOthers:
    def test_a_valve_that_was_off_stays_as_it_was(
        self, hold: Callable[..., Held], jenkins: PracticeJenkins, store: SqliteStore
    ) -> None:
        before = store.panel.set_valve(on=False, reason="mine")
        held = hold().until_command_runs()
        jenkins.restart()
        held.end_command()
        assert held.status() == 0
        assert store.panel.valve() == before
        assert held.said.startswith("The valve is OFF already (mine), and stays as it is.\n")
        assert "it has restarted" in held.said
        assert held.state.startswith("Valve OFF since ")

    @pytest.mark.parametrize("on", [True, False])
    def test_a_valve_that_somebody_turned_meanwhile_is_left_so(
        self, on: bool, hold: Callable[..., Held], jenkins: PracticeJenkins, store: SqliteStore
    ) -> None:
        held = hold().until_command_runs()
        theirs = store.panel.set_valve(on=on, reason="" if on else "theirs")
        jenkins.restart()
        held.end_command()
        assert held.status() == 0
        assert store.panel.valve() == theirs
        stays = f"it stays {theirs.word}."
        assert f"Somebody has turned the valve meanwhile: {stays}" in held.said
        assert held.state.startswith(f"Valve {theirs.word} since ")

    def test_without_a_gateway_nothing_is_done(self, gateway: GatewayProcess) -> None:
        gateway.terminate()
        result = run("hold", "--", "touch", "ran")
        assert result.exit_code == 1
        assert "No `spigot serve` runs on " in result.stderr
        assert "touch ran was not run." in result.stderr
        assert not Path("ran").exists()
        with contextlib.closing(gateway.store()) as store:
            assert store.panel.valve().version == 0

    def test_a_store_that_fails_is_told_with_when_the_valve_opens_by_itself(
        self, gateway: GatewayProcess, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: Panel, *, on: bool, **more: Any) -> ValveRow:
            if on:
                raise StoreError("The disk is full.")
            return set_valve(store.panel, on=on, **more)

        gateway.until(lambda status: status["jenkins"] == "ready")
        set_valve = Panel.set_valve
        monkeypatch.setattr(Panel, "set_valve", fail)
        result = run("hold", "--", "false")
        assert result.exit_code == 1
        assert "spigot: The disk is full. The valve opens by itself at " in result.stderr
        assert "Valve OFF since " in result.stderr

    @pytest.mark.parametrize("words", ["", "--timeout 0 -- true", "--for 1m -- true"])
    def test_wrong_usage_is_2(self, words: str) -> None:
        assert run("hold", *words.split()).exit_code == 2

    def test_the_options_of_the_command_are_its_own(self) -> None:
        result = run("hold", "sh", "--timeout", "never")
        assert result.exit_code == 1
        assert "There is no Spigot store" in result.stderr
