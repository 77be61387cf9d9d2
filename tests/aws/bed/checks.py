"""What a deployed stack has to do, one check for each: for the stack, and for spoilt ones."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import boto3

from aws.bed.gateway import may_invoke
from spigot.aws.valve import StageValve
from spigot.practice.faults import Fault
from support.provider import github

if TYPE_CHECKING:
    from aws.bed.deployed import Deployed
    from spigot.practice import PracticeJenkins

PUSH = json.dumps(
    {"repository": {"full_name": "acme/widget"}, "size": 1.50, "who": "O'Brien"}
).encode()
PATH = "/github-webhook/"


def forwards(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """While the valve is ON, a webhook is at Jenkins when it is answered, its bytes as sent."""
    request = github("push", PUSH)
    answer = stack.send(request)
    assert (answer.status, answer.body.get("status")) == (200, "forwarded"), answer
    assert [one.body for one in jenkins.taken] == [PUSH]
    assert stack.waiting() == 0


def takes_forms(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """A form-encoded webhook comes through; Jenkins' own signature check passes."""
    request = github("push", PUSH, form=True)
    answer = stack.send(request)
    assert (answer.status, answer.body.get("status")) == (200, "forwarded"), answer
    assert [one.body for one in jenkins.taken] == [request.body]


def bears_apostrophes(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """A header with apostrophe, quote and backslash arrives as it was sent."""
    value = "it's \"so\" \\' \\"
    answer = stack.send(github("push", PUSH, extra=(("X-Odd", value),)))
    assert (answer.status, answer.body.get("status")) == (200, "forwarded"), answer
    assert (b"x-odd", value.encode()) in jenkins.taken[0].headers


def bears_injection(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """A query that looks like JSON closes no valve."""
    target = f"{PATH}?from_queue=%22%2C%22spigot_state%22%3A%22OFF"
    answer = stack.send(github("push", PUSH, target=target))
    assert (answer.status, answer.body.get("status")) == (200, "forwarded"), answer
    assert len(jenkins.taken) == 1


def queues(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """While the valve is OFF, a webhook is in the queue when it is answered."""
    stack.toggle("OFF")
    stack.rest()
    answer = stack.send(github("push", PUSH, target="/webhooks"))
    assert (answer.status, answer.body.get("status")) == (200, "stored"), answer
    assert jenkins.hooks == []
    assert stack.waiting() == 1


def drains(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """What waits goes to Jenkins once the valve is ON."""
    queues(stack, jenkins)
    stack.toggle("ON")
    assert stack.drain() == {"delivered": 1, "dead": 0}
    assert [one.body for one in jenkins.taken] == [PUSH]
    assert stack.waiting() == 0


def carries_large(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """A body that fits into no message goes by way of S3, and leaves nothing there."""
    stack.toggle("OFF")
    body = json.dumps({"noise": os.urandom(1_200_000).hex()}).encode()
    answer = stack.send(github("push", body))
    assert (answer.status, answer.body.get("status")) == (200, "stored"), answer
    assert [key.split("/")[0] for key in stack.kept()] == ["payloads"]
    stack.toggle("ON")
    assert stack.drain() == {"delivered": 1, "dead": 0}
    assert [one.body for one in jenkins.taken] == [body]
    assert not [key for key in stack.kept() if key.startswith("payloads/")]


def refuses(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """What is no hook gets a 500 that says why."""
    answer = stack.send(github("push", PUSH, target="/script"))
    assert answer.status == 500, answer
    assert "is not a hook path" in answer.body["error"], answer
    assert jenkins.hooks == []


def buries(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """A message that is no webhook goes to the dead letters with its reason; nothing waits."""
    stack.sqs.send_message(
        QueueUrl=stack.outputs["QueueUrl"],
        MessageBody="rubbish",
        MessageGroupId="strange",
        MessageDeduplicationId=os.urandom(8).hex(),
    )
    stack.drain()
    assert stack.waiting() == 0
    letters = stack.dead()
    assert [one["Body"] for one in letters] == ["rubbish"]
    assert letters[0]["MessageAttributes"]["reason"]["StringValue"]
    assert jenkins.hooks == []


def obeys(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """A drain that runs although the valve is OFF delivers nothing."""
    queues(stack, jenkins)
    stack.drain()
    assert jenkins.hooks == []
    assert stack.waiting() == 1


def reopens(stack: Deployed, jenkins: PracticeJenkins) -> None:  # noqa: ARG001
    """A drain sets a valve to ON whose OFF is over."""
    valve = StageValve(boto3.client("apigateway"), stack.outputs["ApiId"])
    row = valve.row()
    valve.put(row._replace(on=False, until=time.time() - 1, version=row.version + 1))
    stack.drain()
    assert valve.row().on


def counts(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """A webhook that a Jenkins long since ready fails on is tried again; its attempts are kept."""
    stack.keep("jenkins.json", json.dumps({"session": jenkins.session, "since": 0}).encode())
    stack.toggle("OFF")
    stack.send(github("push", PUSH))
    stack.toggle("ON")
    jenkins.fault(PATH, Fault(status=500))
    try:
        stack.drain()
    finally:
        jenkins.fault(PATH, None)
    notes = [json.loads(text) for key, text in stack.kept().items() if key.startswith("attempts/")]
    # The first delay is two seconds: a slow run tries once more before it ends.
    assert [note["attempts"] >= 1 for note in notes] == [True]
    assert stack.waiting() == 1


def remembers(stack: Deployed, jenkins: PracticeJenkins) -> None:
    """Since when this boot of Jenkins is known outlives the Lambda."""
    stack.drain()
    assert json.loads(stack.kept()["jenkins.json"])["session"] == jenkins.session


def ticks(stack: Deployed, jenkins: PracticeJenkins) -> None:  # noqa: ARG001
    """The rule is allowed to start the drain, names it, and is enabled."""
    events = boto3.client("events")
    rule = events.describe_rule(Name=stack.outputs["RuleName"])
    targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    name = stack.outputs["SendFromQueueName"]
    assert rule["State"] == "ENABLED"
    assert [one["Arn"].rsplit(":", 1)[1] for one in targets] == [name]
    assert may_invoke(stack.functions, name, "events.amazonaws.com", rule["Arn"])


ALL = (forwards, takes_forms, bears_apostrophes, bears_injection, queues, drains, carries_large,
       refuses, buries, obeys, reopens, counts, remembers, ticks)  # fmt: skip
