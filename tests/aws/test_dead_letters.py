"""The commands on a stack: what is dead, and what SQS cannot tell."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from aws.bed import checks
from aws.bed.desk import done, drain, json_of, numbers, poison, spigot
from spigot import envelope
from spigot.aws.letters import DeadLetters
from spigot.practice.faults import Fault
from support.provider import github
from support.stores import webhook

if TYPE_CHECKING:
    from aws.bed.deployed import Deployed
    from spigot.practice import PracticeJenkins


@pytest.fixture
def stack(commanded: Deployed) -> Deployed:
    return commanded


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
    stack: Deployed,  # noqa: ARG001
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
