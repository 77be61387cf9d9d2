"""The commands on a stack: the valve, the counts, and the dead letters."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import boto3
import pytest

from aws.bed import checks
from aws.bed.desk import DATA, done, json_of
from spigot.aws.stack import Stack
from spigot.aws.store import StackStore
from spigot.practice.pages import Phase
from support.commands import STATUS_KEYS, run
from support.held import Held
from support.provider import github
from support.stores import HandClock

if TYPE_CHECKING:
    from pathlib import Path

    from aws.bed.deployed import Deployed
    from spigot.practice import PracticeJenkins


@pytest.fixture
def stack(commanded: Deployed) -> Deployed:
    return commanded


# --- the valve -----------------------------------------------------------------------------------


def stands(stack: Deployed) -> tuple[str, str]:
    stage = boto3.client("apigateway").get_stage(restApiId=stack.outputs["ApiId"], stageName="prod")
    rule = boto3.client("events").describe_rule(Name=stack.outputs["RuleName"])
    return stage["variables"]["spigot_state"], rule["State"]


def test_off_and_on(stack: Deployed) -> None:
    said = done("off", "--no-wait", "--reason", "upgrade to 2.500")
    assert said.startswith("Valve OFF since ")
    assert "(upgrade to 2.500); Jenkins " in said
    assert stands(stack) == ("OFF", "DISABLED")
    assert done("on").startswith("Valve ON since ")
    assert stands(stack) == ("ON", "ENABLED")


@pytest.fixture
def store(stack: Deployed) -> tuple[StackStore, HandClock]:
    """The store as the commands open it, with a clock in the hand; Jenkins has 60 seconds."""
    clock = HandClock()
    outputs = Stack(stack.name).outputs()
    return StackStore(outputs, 60.0, lambda _: None, clock, every=0), clock


def test_off_rests_once_nothing_can_be_forwarded_and_nothing_is_in_hand(
    store: tuple[StackStore, HandClock],
) -> None:
    on_aws, clock = store
    version = on_aws.panel.set_valve(on=False).version
    assert not on_aws.rests(version)
    clock.advance(8.9)  # the 7 seconds of a forward, and the stage's own delay
    assert not on_aws.rests(version)
    clock.advance(0.1)
    assert on_aws.rests(version)


def test_off_rests_when_jenkins_time_to_answer_is_over_whatever_is_hidden(
    store: tuple[StackStore, HandClock], stack: Deployed, practice: PracticeJenkins
) -> None:
    on_aws, clock = store
    checks.queues(stack, practice)
    version = on_aws.panel.set_valve(on=False).version
    stack.sqs.receive_message(QueueUrl=stack.outputs["QueueUrl"], VisibilityTimeout=900)
    clock.adjust(on_aws.panel.valve().since - clock.now())
    clock.advance(62.9)
    assert not on_aws.rests(version)
    clock.advance(0.1)
    assert on_aws.rests(version)


def test_status_is_the_contracts_object_and_says_that_it_is_about(
    stack: Deployed, practice: PracticeJenkins
) -> None:
    checks.queues(stack, practice)
    known = json_of("status")
    assert list(known) == [*STATUS_KEYS[:-1], "approximate", "next"]
    assert (known["valve"], known["waiting"], known["dead"]) == ("OFF", 1, 0)
    assert (known["delivered"], known["approximate"]) == (None, True)
    assert known["next"] == "about 1 webhook kept until `spigot on`"
    assert "about 1 waiting, about 0 dead\n" in done("status")


def test_status_tells_what_the_last_drain_saw_of_jenkins_and_when(
    stack: Deployed, practice: PracticeJenkins
) -> None:
    stack.drain()
    known = json_of("status")
    assert (known["jenkins"], known["flowing"]) == ("ready", True)
    assert " (asked " in known["evidence"]
    note = json.loads(stack.kept()["jenkins.json"])
    stack.keep("jenkins.json", json.dumps(note | {"asked_at": time.time() - 1500}).encode())
    known = json_of("status")
    assert (known["jenkins"], known["jenkins_since"]) == ("unknown", None)
    assert known["evidence"].startswith("ready when last asked, 25m")
    assert practice.hooks == []


def test_a_drain_looks_at_jenkins_behind_a_closed_valve_too(
    stack: Deployed, practice: PracticeJenkins
) -> None:
    checks.queues(stack, practice)
    done("off", "--no-wait", "--for", "30m")
    practice.phase = Phase.DOWN
    stack.drain()
    assert json_of("status")["jenkins"] == "not ready"
    practice.phase = Phase.READY
    stack.drain()
    assert json_of("status")["jenkins"] == "ready"
    assert (stack.waiting(), practice.hooks) == (1, [])


def test_status_names_a_rule_that_somebody_has_disabled(stack: Deployed) -> None:
    boto3.client("events").disable_rule(Name=stack.outputs["RuleName"])
    known = json_of("status")
    assert known["flowing"] is False
    assert "until the rule that drains the queue is enabled" in known["next"]


def test_status_tells_the_age_of_the_oldest_as_cloudwatch_has_it(
    stack: Deployed, practice: PracticeJenkins
) -> None:
    checks.queues(stack, practice)
    assert json_of("status")["oldest_waiting_s"] is None
    boto3.client("cloudwatch").put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[{
            "MetricName": "ApproximateAgeOfOldestMessage",
            "Dimensions": [
                {"Name": "QueueName", "Value": stack.outputs["QueueUrl"].rsplit("/", 1)[-1]}
            ],
            "Value": 600.0, "Timestamp": time.time() - 120, "Unit": "Seconds",
        }],
    )  # fmt: skip
    assert json_of("status")["oldest_waiting_s"] == pytest.approx(720, abs=65)


def test_an_off_whose_time_is_over_is_opened_by_the_drain(
    stack: Deployed, practice: PracticeJenkins
) -> None:
    done("off", "--no-wait", "--for", "1s", "--reason", "short")
    assert stack.send(github("push", checks.PUSH)).body["status"] == "stored"
    assert stands(stack) == ("OFF", "ENABLED")
    time.sleep(1.1)
    known = json_of("status")
    assert (known["valve"], known["reason"], known["until"]) == ("ON", None, None)
    stack.drain()
    assert stands(stack) == ("ON", "ENABLED")
    assert [one.body for one in practice.taken] == [checks.PUSH]
    assert stack.send(github("push", checks.PUSH)).body["status"] == "forwarded"


def test_a_deploy_keeps_reason_and_end(stack: Deployed) -> None:
    done("off", "--no-wait", "--for", "30m", "--reason", "long work")
    before = json_of("status")
    assert "UPDATE_COMPLETE" in stack.deploy("--set", "LogDays=7").stdout
    after = json_of("status")
    assert [after[key] for key in STATUS_KEYS[:4]] == [before[key] for key in STATUS_KEYS[:4]]
    assert stands(stack) == ("OFF", "ENABLED")
    stack.deploy("--set", "LogDays=30")


# --- hold ----------------------------------------------------------------------------------------


def test_hold_keeps_webhooks_while_jenkins_restarts_and_lets_them_flow(
    stack: Deployed, practice: PracticeJenkins, tmp_path: Path
) -> None:
    stack.drain()
    with Held(tmp_path, *DATA) as held:
        held.until_command_runs()
        assert stands(stack) == ("OFF", "ENABLED")
        assert stack.send(github("push", checks.PUSH)).body["status"] == "stored"
        practice.restart()
        held.end_command()
        held.until_said("Jenkins is ready again")
        assert held.status() == 0, held.said
    assert "Valve ON." in held.said
    assert "The backlog is through: 1 webhook" in held.said
    assert stands(stack) == ("ON", "ENABLED")
    assert [one.body for one in practice.taken] == [checks.PUSH]


# --- what is missing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken_out", "said", "status"),
    [
        ("AWS_ACCESS_KEY_ID", "No AWS credentials found", 2),
        ("AWS_REGION", "No AWS region is set", 2),
    ],
)
def test_what_it_takes_to_get_to_aws_is_named(
    stack: Deployed,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    taken_out: str,
    said: str,
    status: int,
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in (
        taken_out,
        {"AWS_REGION": "AWS_DEFAULT_REGION"}.get(taken_out, "AWS_SECRET_ACCESS_KEY"),
    ):
        monkeypatch.delenv(name)
    done = subprocess.run(
        [sys.executable, "-m", "spigot", "status", *DATA],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(f"spigot: {said}")
    assert done.stderr.count("\n") == 1


def test_a_stack_that_is_not_there_is_named(stack: Deployed) -> None:  # noqa: ARG001
    result = run("status", "--data", "aws://other")
    assert result.exit_code == 1
    assert result.stderr.startswith("spigot: There is no stack other in us-east-1")


def test_a_stack_that_is_not_spigots_is_refused(stack: Deployed) -> None:  # noqa: ARG001
    result = run("on", "--data", "aws://spigot-code")
    assert result.exit_code == 1
    assert "puts out no QueueUrl, so it is not Spigot's" in result.stderr
