"""utils/toggle_spigot.py: the variable first, then the rule; whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from aws.bed.deployed import run
from spigot.errors import SpigotError
from stack import Valve
from toggle_spigot import toggle

if TYPE_CHECKING:
    from aws.bed.deployed import Deployed


def stands(stack: Deployed) -> tuple[str, str]:
    """Return the variable and the rule's state."""
    stage = boto3.client("apigateway").get_stage(restApiId=stack.outputs["ApiId"], stageName="prod")
    rule = boto3.client("events").describe_rule(Name=stack.outputs["RuleName"])
    return stage["variables"]["spigot_state"], rule["State"]


class Scripted(Valve):
    """The real valve, with steps that fail as told, and a list of what was done."""

    def __init__(self, stack: Deployed, *failing: str) -> None:
        super().__init__(stack.outputs)
        self.failing = failing
        self.done: list[str] = []

    def _step(self, step: str) -> None:
        self.done.append(step)
        if step in self.failing:
            denied = {"Error": {"Code": "AccessDenied", "Message": "not allowed"}}
            raise ClientError(denied, "Change")

    def set_variable(self, state: str) -> None:
        self._step(f"variable {state}")
        super().set_variable(state)

    def set_rule(self, state: str) -> None:
        self._step(f"rule {state}")
        super().set_rule(state)


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
    toggle(valve, state)
    assert valve.done == [f"variable {state}", f"rule {state}"]


def test_twice_is_as_once(stack: Deployed) -> None:
    stack.toggle("OFF")
    stack.toggle("OFF")
    assert stands(stack) == ("OFF", "DISABLED")


def test_a_variable_that_cannot_be_set_changes_nothing(stack: Deployed) -> None:
    valve = Scripted(stack, "variable OFF")
    with pytest.raises(SpigotError, match=r"not allowed.*nothing was changed, the valve is ON"):
        toggle(valve, "OFF")
    assert valve.done == ["variable OFF"]
    assert stands(stack) == ("ON", "ENABLED")


def test_a_rule_that_cannot_be_set_puts_the_variable_back(stack: Deployed) -> None:
    with pytest.raises(SpigotError, match=r"could not be disabled.*was put back to ON"):
        toggle(Scripted(stack, "rule OFF"), "OFF")
    assert stands(stack) == ("ON", "ENABLED")


def test_what_cannot_be_put_back_is_said(stack: Deployed) -> None:
    with pytest.raises(SpigotError, match=r"could not be put back to ON.*it is OFF now"):
        toggle(Scripted(stack, "rule OFF", "variable ON"), "OFF")
    assert stands(stack) == ("OFF", "ENABLED")


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
