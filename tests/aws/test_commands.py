"""The commands on a stack: the valve, the counts, and the dead letters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from aws.bed import checks
from aws.bed.deployed import Deployed
from spigot import envelope
from spigot.aws import letters
from spigot.aws.letters import DeadLetters
from spigot.aws.rule import DrainRule
from spigot.aws.stack import Stack
from spigot.aws.store import StackStore
from spigot.aws.toggle import turn
from spigot.aws.valve import StageValve
from spigot.practice.faults import Fault
from spigot.practice.pages import Phase
from support.commands import STATUS_KEYS, run
from support.held import Held
from support.provider import github
from support.stores import HandClock, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from spigot.practice import PracticeJenkins

NAME = "commands"
DATA = ("--data", f"aws://{NAME}")


@pytest.fixture(scope="module")
def deployed(
    emulator: object,  # noqa: ARG001
    practice: PracticeJenkins,
    dist: Path,
) -> Iterator[Deployed]:
    """A stack of these tests' own: the drains that they rouse may go on for a while."""
    with Deployed(NAME, practice.url, dist) as deployed:
        yield deployed


@pytest.fixture
def stack(deployed: Deployed, practice: PracticeJenkins) -> Deployed:
    """The stack as if it were new, but for what is known of Jenkins."""
    outputs = Stack(NAME).outputs()
    stage = StageValve(boto3.client("apigateway"), outputs["ApiId"])
    turn(stage, DrainRule(boto3.client("events"), outputs["RuleName"]), on=True, now=time.time())
    deployed.empty()
    practice.phase = Phase.READY
    practice.clear()
    return deployed


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator has one server: nothing is gained by asking it for a second."""
    monkeypatch.setattr(letters, "LONG_POLL", 0)


def spigot(command: str, *words: str) -> Result:
    return run(command, *DATA, *words)


def done(command: str, *words: str) -> str:
    result = spigot(command, *words)
    assert result.exit_code == 0, result.output
    return result.stdout


def json_of(command: str, *words: str) -> Any:
    return json.loads(done(command, *words, "--json"))


def poison(stack: Deployed, jenkins: PracticeJenkins, number: int = 1) -> None:
    """Have webhooks kept that Jenkins refuses, and drain them: their signature is forged."""
    done("off", "--no-wait")
    stack.rest()
    for at in range(number):
        body = json.dumps({"repository": {"full_name": "acme/widget"}, "number": at}).encode()
        signed = github("push", checks.PUSH, key=f"poison-{at}")
        assert stack.send(signed._replace(body=body)).body["status"] == "stored"
    done("on")
    drain(stack)
    jenkins.clear()


def drain(stack: Deployed) -> None:
    """Drain until nothing waits: one that was roused may have the lane in its hand meanwhile."""
    stack.drain()
    for _ in range(50):
        if not stack.waiting():
            return
        stack.drain()
    assert stack.waiting() == 0


def numbers(jenkins: PracticeJenkins) -> list[int]:
    """Return what Jenkins was sent, by number."""
    return [json.loads(one.body)["number"] for one in jenkins.hooks]


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


# --- dead letters --------------------------------------------------------------------------------


def test_a_poisoned_one_is_found_with_its_reason_and_replayed(
    stack: Deployed, practice: PracticeJenkins
) -> None:
    poison(stack, practice)
    (entry,) = json_of("list", "--state", "dead")
    assert (entry["state"], entry["delivery"], entry["event"]) == ("dead", "poison-0", "push")
    assert (entry["lane"], entry["attempts"]) == ("/github-webhook/ acme/widget", 1)
    assert (entry["status"], entry["reason"][:4]) == (400, "400 ")
    assert "No valid signature found" in entry["reason"]
    (again,) = json_of("list", "--state", "dead")  # a peek leaves it where it is
    assert again == entry
    shown = done("show", entry["id"])
    assert "State     dead at " in shown
    assert "x-github-delivery: poison-0" in shown
    assert json_of("show", "poison-0")["id"] == entry["id"]
    assert json_of("status")["dead"] == 1
    assert done("replay", entry["id"], "--dry-run") == "1 webhook would be replayed.\n"
    assert len(json_of("list", "--state", "dead")) == 1
    practice.fault(checks.PATH, Fault(status=200))  # somebody has mended Jenkins
    try:
        assert done("replay", entry["id"]) == "1 webhook replayed.\n"
        assert json_of("list", "--state", "dead") == []
        drain(stack)
    finally:
        practice.fault(checks.PATH, None)
    assert numbers(practice) == [0]
    assert stack.waiting() == 0
    assert json_of("status")["dead"] == 0


def test_more_dead_letters_of_a_lane_than_sqs_hands_out_at_once_are_all_seen_and_replayed_in_order(
    stack: Deployed, practice: PracticeJenkins
) -> None:
    poison(stack, practice, 23)
    found = json_of("list", "--state", "dead")
    assert [one["delivery"] for one in found] == [f"poison-{at}" for at in reversed(range(23))]
    assert len(json_of("list", "--state", "dead", "--limit", "5")) == 5
    assert json_of("list", "--state", "dead", "--lane", "acme/gadget") == []
    assert json_of("replay", "--state", "dead", "--lane", "acme/widget")["replayed"] == 23
    drain(stack)
    assert numbers(practice) == list(range(23))


def test_a_dropped_one_is_gone(stack: Deployed, practice: PracticeJenkins) -> None:
    poison(stack, practice, 2)
    assert done("drop", "poison-0") == "1 webhook dropped.\n"
    (left,) = json_of("list", "--state", "dead")
    assert left["delivery"] == "poison-1"
    assert done("drop", "--state", "dead") == "1 webhook dropped.\n"
    assert stack.dead() == []


def test_a_large_body_is_shown_and_comes_back_by_a_replay(
    stack: Deployed, practice: PracticeJenkins
) -> None:
    body = json.dumps({"noise": os.urandom(1_200_000).hex()}).encode()
    done("off", "--no-wait")
    stack.rest()
    stack.send(github("push", checks.PUSH, key="large")._replace(body=body))
    done("on")
    drain(stack)
    (entry,) = json_of("list", "--state", "dead")
    assert entry["size"] == len(body)
    assert spigot("show", "large", "--body").stdout_bytes == body
    done("replay", "large")
    practice.clear()
    drain(stack)
    assert [one.body for one in practice.hooks] == [body]


def test_a_message_that_is_no_webhook_is_listed_shown_and_dropped(
    stack: Deployed, practice: PracticeJenkins
) -> None:
    stack.sqs.send_message(
        QueueUrl=stack.outputs["QueueUrl"], MessageBody="rubbish", MessageGroupId="strange",
        MessageDeduplicationId=os.urandom(8).hex(),
    )  # fmt: skip
    drain(stack)
    (entry,) = json_of("list", "--state", "dead")
    assert (entry["provider"], entry["size"]) == ("unknown", 7)
    assert "it is no JSON" in entry["reason"]
    assert spigot("show", entry["id"], "--body").stdout_bytes == b"rubbish"
    done("drop", entry["id"])
    assert stack.dead() == []
    assert practice.hooks == []


def test_what_sqs_itself_has_moved_is_listed_with_that_reason(stack: Deployed) -> None:
    stack.sqs.send_message(
        QueueUrl=stack.outputs["DeadLetterUrl"], MessageBody=envelope.seal(webhook(delivery="d")),
        MessageGroupId="lane", MessageDeduplicationId=os.urandom(8).hex(),
    )  # fmt: skip
    (entry,) = json_of("list")
    assert (entry["delivery"], entry["status"], entry["attempts"]) == ("d", 0, 0)
    assert entry["reason"].startswith("SQS moved it here unseen")
    assert entry["ended"] is not None


def test_one_that_cannot_be_taken_out_is_in_both_and_that_is_said(
    stack: Deployed, practice: PracticeJenkins, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(stack, practice)
    (entry,) = json_of("list", "--state", "dead")
    done("off", "--no-wait")  # what waits again shall stay where it can be counted
    stack.rest()

    def refused(*_: object) -> None:
        raise ClientError(
            {"Error": {"Code": "AccessDenied", "Message": "not you"}}, "DeleteMessage"
        )

    with monkeypatch.context() as patch:
        patch.setattr(DeadLetters, "_delete", refused)
        result = spigot("replay", entry["id"])
    assert result.exit_code == 1
    assert f"although it waits again; `spigot drop {entry['id']}` does" in result.stderr
    assert "DeleteMessage: not you" in result.stderr
    assert (stack.waiting(), len(json_of("list", "--state", "dead"))) == (1, 1)


def test_letters_that_another_holds_are_counted_and_that_is_said(
    stack: Deployed, practice: PracticeJenkins
) -> None:
    poison(stack, practice, 2)
    stack.sqs.receive_message(QueueUrl=stack.outputs["DeadLetterUrl"], VisibilityTimeout=60)
    result = spigot("list", "--state", "dead", "--json")
    assert len(json.loads(result.stdout)) == 1
    assert "SQS counts about 1 dead letters more than can be seen now" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "--state", "waiting"), "only dead letters can be listed"),
        (("list", "--state", "delivered"), "nothing is kept of what was delivered"),
        (("replay", "--state", "dropped"), "only dead letters can be replayed"),
        (("drop", "--lane", "acme/widget"), "only dead letters can be dropped"),
        (("show", "nobody"), "There is no webhook with the id or delivery id 'nobody'"),
        (("replay", "nobody"), "There is no webhook with the id or delivery id 'nobody'"),
    ],
)
def test_what_sqs_cannot_is_refused_in_a_line(
    deployed: Deployed,  # noqa: ARG001
    words: tuple[str, ...],
    said: str,
) -> None:
    result = spigot(words[0], *words[1:])
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_list_of_everything_says_that_it_is_of_the_dead_alone(stack: Deployed) -> None:  # noqa: ARG001
    result = spigot("list", "--json")
    assert result.stdout == "[]\n"
    assert "On AWS only dead letters can be listed" in result.stderr


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
    deployed: Deployed,  # noqa: ARG001
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


def test_a_stack_that_is_not_there_is_named(deployed: Deployed) -> None:  # noqa: ARG001
    result = run("status", "--data", "aws://other")
    assert result.exit_code == 1
    assert result.stderr.startswith("spigot: There is no stack other in us-east-1")


def test_a_stack_that_is_not_spigots_is_refused(deployed: Deployed) -> None:  # noqa: ARG001
    result = run("on", "--data", "aws://spigot-code")
    assert result.exit_code == 1
    assert "puts out no QueueUrl, so it is not Spigot's" in result.stderr
