"""Setting the valve: the variable first, then the rule; whole or not at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from aws.bed.deployed import run
from spigot.aws.rule import DrainRule
from spigot.aws.toggle import turn
from spigot.aws.valve import StageValve
from spigot.errors import Overtaken, SpigotError

if TYPE_CHECKING:
    from aws.bed.deployed import Deployed
    from spigot.valve import ValveRow


def stands(stack: Deployed) -> tuple[str, str]:
    """Return the variable and the rule's state."""
    stage = boto3.client("apigateway").get_stage(restApiId=stack.outputs["ApiId"], stageName="prod")
    rule = boto3.client("events").describe_rule(Name=stack.outputs["RuleName"])
    return stage["variables"]["spigot_state"], rule["State"]


class Scripted:
    """The real valve, with steps that fail as told, and a list of what was done."""

    def __init__(self, stack: Deployed, *failing: str) -> None:
        self.failing = failing
        self.done: list[str] = []
        scripted = self

        class Stage(StageValve):
            def put(self, row: ValveRow) -> None:
                scripted.step(f"variable {row.word}")
                super().put(row)

        class Rule(DrainRule):
            def put(self, *, enabled: bool) -> None:
                scripted.step(f"rule {'ON' if enabled else 'OFF'}")
                super().put(enabled=enabled)

        self.stage = Stage(boto3.client("apigateway"), stack.outputs["ApiId"])
        self.rule = Rule(boto3.client("events"), stack.outputs["RuleName"])

    def step(self, step: str) -> None:
        self.done.append(step)
        if step in self.failing:
            denied = {"Error": {"Code": "AccessDenied", "Message": "not allowed"}}
            raise ClientError(denied, "Change")

    def turn(self, state: str, **more: Any) -> ValveRow:
        return turn(self.stage, self.rule, on=state == "ON", now=time.time(), **more)


def test_off_and_on_set_the_variable_and_the_rule(stack: Deployed) -> None:
    off = run("toggle_spigot.py", "--toggle-state", "OFF")
    assert (off.returncode, off.stdout) == (
        0,
        "The valve of spigot is OFF: webhooks wait in the queue.\n",
    )
    assert stands(stack) == ("OFF", "DISABLED")
    on = run("toggle_spigot.py", "--toggle-state", "on")
    assert on.returncode == 0
    assert stands(stack) == ("ON", "ENABLED")


@pytest.mark.parametrize("state", ["ON", "OFF"])
def test_the_variable_goes_first(stack: Deployed, state: str) -> None:
    valve = Scripted(stack)
    valve.turn(state)
    assert valve.done == [f"variable {state}", f"rule {state}"]


def test_twice_is_as_once(stack: Deployed) -> None:
    stack.toggle("OFF")
    stack.toggle("OFF")
    assert stands(stack) == ("OFF", "DISABLED")


def test_a_variable_that_cannot_be_set_changes_nothing(stack: Deployed) -> None:
    valve = Scripted(stack, "variable OFF")
    with pytest.raises(SpigotError, match=r"not allowed.*nothing was changed, the valve is ON"):
        valve.turn("OFF")
    assert valve.done == ["variable OFF"]
    assert stands(stack) == ("ON", "ENABLED")


def test_a_rule_that_cannot_be_set_puts_the_variable_back(stack: Deployed) -> None:
    with pytest.raises(SpigotError, match=r"could not be disabled.*was put back to ON"):
        Scripted(stack, "rule OFF").turn("OFF")
    assert stands(stack) == ("ON", "ENABLED")


def test_what_cannot_be_put_back_is_said(stack: Deployed) -> None:
    with pytest.raises(SpigotError, match=r"could not be put back to ON.*it is OFF now"):
        Scripted(stack, "rule OFF", "variable ON").turn("OFF")
    assert stands(stack) == ("OFF", "ENABLED")


def test_an_off_that_ends_keeps_the_rule_for_whoever_opens_it(stack: Deployed) -> None:
    Scripted(stack).turn("OFF", until=time.time() + 600)
    assert stands(stack) == ("OFF", "ENABLED")
    Scripted(stack).turn("OFF")
    assert stands(stack) == ("OFF", "DISABLED")


def test_reason_and_end_are_kept_with_the_valve(stack: Deployed) -> None:
    valve, until = Scripted(stack), time.time() + 600
    row = valve.turn("OFF", reason="upgrade to 2.500 (50% ~ done_soon)", until=until)
    found = valve.stage.row()
    assert found.reason == "upgrade to 2.500 (50% ~ done_soon)"
    assert found.until == pytest.approx(until, abs=0.001)
    assert (found.on, found.version) == (False, row.version)
    again = valve.turn("OFF", reason="once more")
    assert again.since == found.since
    assert valve.turn("ON").version == row.version + 2
    assert (valve.stage.row().reason, valve.stage.row().until) == ("", None)


def test_who_knows_another_version_does_not_set_it(stack: Deployed) -> None:
    valve = Scripted(stack)
    seen = valve.turn("OFF", reason="ours")
    valve.turn("OFF", reason="theirs")
    valve.done.clear()
    with pytest.raises(Overtaken):
        valve.turn("ON", before=seen.version)
    assert valve.done == []


def test_a_reason_that_fits_into_no_variable_changes_nothing(stack: Deployed) -> None:
    with pytest.raises(SpigotError, match="The reason is too long"):
        Scripted(stack).turn("OFF", reason="a word " * 100)
    assert stands(stack) == ("ON", "ENABLED")


def test_a_stack_that_is_not_there_is_named(stack: Deployed) -> None:  # noqa: ARG001
    done = run("toggle_spigot.py", "--toggle-state", "ON", "--stack", "other")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no stack other in us-east-1")


def test_a_stack_that_is_not_spigots_is_refused(stack: Deployed) -> None:  # noqa: ARG001
    done = run("toggle_spigot.py", "--toggle-state", "ON", "--stack", "spigot-code")
    assert done.returncode == 1
    assert "puts out no ApiId" in done.stderr


def test_another_word_is_wrong_usage(emulator: object) -> None:  # noqa: ARG001
    assert run("toggle_spigot.py", "--toggle-state", "MAYBE").returncode == 2
