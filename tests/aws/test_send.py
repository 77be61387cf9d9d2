"""send_from_queue under AWS's own runtime client, on the queue of the deployed stack."""

from __future__ import annotations

import json
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from aws.bed.backlog import arrived, fill
from aws.bed.checks import PATH
from aws.bed.deployed import TEMPLATE, Deployed
from aws.bed.runtime import Result, Runtime
from spigot.practice.faults import Fault
from spigot.practice.pages import Phase
from support.commands import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spigot.practice import PracticeJenkins

SECONDS = 150.0
"""What a run has; in the last 35 it receives nothing, and a busy machine needs some to begin."""


@pytest.fixture(autouse=True)
def faultless(practice: PracticeJenkins) -> Iterator[None]:
    yield
    practice.fault(PATH, None)


@pytest.fixture
def code(dist: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(dist / "send_from_queue.zip") as archive:
        archive.extractall(tmp_path / "code")
    return tmp_path / "code"


@pytest.fixture
def variables(stack: Deployed, practice: PracticeJenkins) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        "TARGET_URL": practice.url, "LOG_LEVEL": "INFO", "STAGE": "prod",
        "API_ID": stack.outputs["ApiId"], "QUEUE_URL": stack.outputs["QueueUrl"],
        "DEAD_LETTER_URL": stack.outputs["DeadLetterUrl"],
        "CREDENTIALS_BUCKET": stack.outputs["CredentialsBucketName"],
    }  # fmt: skip


def drain(code: Path, variables: dict[str, str]) -> Result:
    with Runtime("send_from_queue.handler", code, variables, timeout=SECONDS) as runtime:
        return runtime.invoke({})


def test_a_backlog_is_delivered_in_order(
    code: Path, variables: dict[str, str], stack: Deployed, practice: PracticeJenkins
) -> None:
    fill(stack, 4, 9)
    assert drain(code, variables) == Result(failed=False, said={"delivered": 36, "dead": 0})
    assert stack.waiting() == 0
    found = arrived(practice)
    assert len(found) == 4
    assert all(numbers == list(range(9)) for numbers in found.values())


def test_one_that_is_killed_in_mid_drain_leaves_all_that_jenkins_has_not_in_the_queue(
    code: Path, variables: dict[str, str], stack: Deployed, practice: PracticeJenkins
) -> None:
    fill(stack, 3, 5)
    practice.fault(PATH, Fault(hang=True))
    with Runtime("send_from_queue.handler", code, variables, timeout=SECONDS) as runtime:
        runtime.start({})
        until(lambda: practice.hooks != [])
    assert stack.waiting() == 15


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("QUEUE_URL", "Cannot receive from the queue: "),
        ("API_ID", "Cannot read the valve: "),
    ],
)
def test_what_aws_refuses_is_an_error_and_no_empty_queue(
    code: Path, variables: dict[str, str], stack: Deployed, name: str, said: str
) -> None:
    fill(stack, 1, 1)
    result = drain(code, {**variables, name: variables[name] + "-not"})
    assert result.failed
    assert result.said["errorMessage"].startswith(said)
    assert stack.waiting() == 1


@pytest.mark.parametrize("name", ["QUEUE_URL", "TARGET_URL", "API_ID", "STAGE"])
def test_a_variable_that_is_missing_is_named(
    code: Path, variables: dict[str, str], name: str
) -> None:
    del variables[name]
    result = drain(code, variables)
    assert result.failed
    assert result.said["errorMessage"].startswith(f"{name} is not set: it names ")


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("sqs:ReceiveMessage", "sqs:GetQueueUrl", "Cannot receive from the queue: "),
        ("sqs:DeleteMessage, ", "", "Cannot record an attempt: "),
    ],
)
def test_a_permission_that_is_missing_is_an_error_of_the_lambda(
    practice: PracticeJenkins, stack: Deployed, dist: Path, was: str, becomes: str, said: str
) -> None:
    del stack  # it has made practice and emulator as new
    template = TEMPLATE.read_text("utf-8").replace(was, becomes)
    name = f"refused-{len(becomes)}"
    with Deployed(name, practice.url, dist, template) as spoilt:
        fill(spoilt, 1, 1)
        answer = spoilt.functions.invoke(
            FunctionName=spoilt.outputs["SendFromQueueName"], Payload=b"{}"
        )
        message = json.loads(answer["Payload"].read())["errorMessage"]
        assert answer["FunctionError"]
        assert message.startswith(said)
        assert "AccessDenied" in message or "not authorized" in message
        assert spoilt.waiting() == 1


def test_while_the_valve_is_off_nothing_is_sent_to_jenkins(
    code: Path, variables: dict[str, str], stack: Deployed, practice: PracticeJenkins
) -> None:
    fill(stack, 1, 1)
    stack.toggle("OFF")
    assert drain(code, variables).said == {"delivered": 0, "dead": 0}
    assert practice.taken == []
    assert stack.waiting() == 1


def test_while_jenkins_is_away_nothing_is_received(
    code: Path, variables: dict[str, str], stack: Deployed, practice: PracticeJenkins
) -> None:
    fill(stack, 1, 1)
    practice.phase = Phase.STARTING
    assert drain(code, variables).said == {"delivered": 0, "dead": 0}
    message = stack.sqs.receive_message(
        QueueUrl=stack.outputs["QueueUrl"], AttributeNames=["ApproximateReceiveCount"]
    )["Messages"][0]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"  # this one


def test_where_somebody_else_drains_nothing_is_taken(
    code: Path, variables: dict[str, str], stack: Deployed, practice: PracticeJenkins
) -> None:
    fill(stack, 1, 1)
    assert drain(code, {**variables, "DRAIN": "outside"}).said == {"delivered": 0, "dead": 0}
    assert practice.visits == []
    assert stack.waiting() == 1


def test_a_boot_that_an_earlier_run_has_seen_need_not_settle_again(
    code: Path, variables: dict[str, str], stack: Deployed, practice: PracticeJenkins
) -> None:
    """What a Jenkins that has been there for long does not know is dead; a new one may load it."""
    fill(stack, 1, 1)
    practice.fault(PATH, Fault(status=404))
    assert drain(code, variables).said == {"delivered": 0, "dead": 0}
    known = json.loads(stack.kept()["jenkins.json"])
    assert known["session"] == practice.session
    stack.empty()
    fill(stack, 1, 1)
    stack.keep("jenkins.json", json.dumps({**known, "since": 0}).encode())
    assert drain(code, variables).said == {"delivered": 0, "dead": 1}
    stack.dead()
