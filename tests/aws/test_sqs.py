"""The queue in SQS, on the emulator: what a drain may rely on."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from aws.bed.backlog import places_of
from spigot.aws.sdk import client
from spigot.stores.sqs import HAND, MESSAGE_BYTES, SqsQueue
from spigot.webhook import Verdict
from support.stores import attempt, webhook

if TYPE_CHECKING:
    from aws.bed.deployed import Deployed
    from spigot.ports import Loaded

PATIENCE = 20.0


class Queues:
    """Several drains' views of one queue."""

    def __init__(self, stack: Deployed) -> None:
        self.stack = stack
        self.at = places_of(stack)

    def one(self, **options: Any) -> SqsQueue:
        return SqsQueue(client("sqs"), client("s3"), self.at, **options)

    def keep(self, *names: str) -> None:
        """Put webhooks into the queue; each name is a repository and a number."""
        queue = self.one()
        for name in names:
            queue.keep(webhook(repository=name.split("#")[0], delivery=name))


@pytest.fixture
def queues(stack: Deployed) -> Queues:
    return Queues(stack)


def in_hand(queue: SqsQueue) -> list[str]:
    """Receive all there is, and name it in order."""
    while queue.receive():
        pass
    found = [place.position for place in queue.places_after(0, 100)]
    return [str(loaded(queue, position).webhook.delivery) for position in found]


def loaded(queue: SqsQueue, position: int) -> Loaded:
    found = queue.load(position)
    assert found is not None
    return found


def settle(queue: SqsQueue, position: int, verdict: Verdict, **more: Any) -> None:
    queue.settle(loaded(queue, position), attempt(verdict, **more))


def receives(queues: Queues) -> list[int]:
    """Return how often each waiting message was received before now."""
    found: list[int] = []
    while messages := client("sqs").receive_message(
        QueueUrl=queues.at.queue, MaxNumberOfMessages=10, VisibilityTimeout=60,
        AttributeNames=["ApproximateReceiveCount"],
    ).get("Messages"):  # fmt: skip
        found += [int(one["Attributes"]["ApproximateReceiveCount"]) - 1 for one in messages]
    return found


def test_a_lane_is_with_one_drain_and_others_have_the_rest(queues: Queues) -> None:
    queues.keep("a#1", "a#2", "b#1")
    first, second = queues.one(), queues.one()
    assert in_hand(first) == ["a#1", "a#2", "b#1"]
    queues.keep("a#3", "c#1")
    assert in_hand(second) == ["c#1"]


def test_what_is_given_back_comes_again_in_order(queues: Queues) -> None:
    queues.keep("a#1", "a#2", "a#3")
    first, second = queues.one(), queues.one()
    assert first.receive() == 3
    settle(first, 1, Verdict.DELIVERED)
    first.give_back()
    assert in_hand(second) == ["a#2", "a#3"]


def test_an_outage_costs_ten_messages_one_receive_and_the_others_none(queues: Queues) -> None:
    queues.keep(*(f"lane{number}#1" for number in range(HAND + 3)))
    queue = queues.one()
    assert queue.receive() == HAND
    assert queue.receive() == 0
    settle(queue, 1, Verdict.HOLD_FLOW)
    queue.give_back()
    assert receives(queues) == [1] * HAND + [0] * 3
    assert queue.in_hand == 0
    assert queues.stack.waiting() == HAND + 3


def test_what_failed_is_hidden_with_its_lane_and_others_are_not(queues: Queues) -> None:
    queues.keep("a#1", "a#2", "b#1")
    queue = queues.one()
    assert queue.receive() == 3
    settle(queue, 1, Verdict.AGAIN, delay=60.0, counted=True)
    queue.give_back()
    assert in_hand(queue) == ["b#1"]


def test_failures_are_counted_from_drain_to_drain(queues: Queues) -> None:
    queues.keep("a#1")
    for before in range(3):
        queue = queues.one()
        assert queue.receive() == 1
        assert loaded(queue, 1).place.attempts == before
        settle(queue, 1, Verdict.AGAIN, counted=True)


def test_a_held_path_gives_back_its_webhooks_and_leaves_room_for_others(queues: Queues) -> None:
    keep = queues.one().keep
    for number in range(HAND - 1):
        keep(webhook(hook="/held/", repository=str(number), delivery="held"))
    keep(webhook(delivery="other"))
    queue = queues.one()
    assert queue.receive() == HAND
    settle(queue, 1, Verdict.HOLD_PATH, delay=60.0)
    assert queue.in_hand == 1
    keep(webhook(hook="/held/", repository="new", delivery="held"))
    queue.held_for = lambda path: 60.0 if path == "/held/" else 0.0
    assert in_hand(queue) == ["other"]


def test_what_is_on_its_way_is_not_given_back(queues: Queues) -> None:
    queues.keep("a#1", "b#1")
    first, second = queues.one(), queues.one()
    assert first.receive() == 2
    sent = loaded(first, 1)
    first.give_back()
    assert in_hand(second) == ["b#1"]
    first.settle(sent, attempt(Verdict.DELIVERED))
    assert queues.stack.waiting() == 1


def inherit(heir: SqsQueue) -> None:
    """Receive once there is something."""
    end = time.monotonic() + PATIENCE
    while not heir.receive():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_drain_that_died_leaves_its_hand_to_the_next_in_order(queues: Queues) -> None:
    queues.keep("a#1", "a#2")
    assert queues.one(visibility=1).receive() == 2
    heir = queues.one()
    inherit(heir)
    assert in_hand(heir) == ["a#1", "a#2"]


def test_what_was_in_hand_for_too_long_halts_nothing(queues: Queues) -> None:
    """SQS deletes no message of a FIFO queue for a drain that had it before."""
    queues.keep("a#1")
    slow, heir = queues.one(visibility=1), queues.one()
    assert slow.receive() == 1
    sent = loaded(slow, 1)
    inherit(heir)
    slow.settle(sent, attempt(Verdict.DELIVERED))
    assert slow.in_hand == 0
    settle(heir, 1, Verdict.DELIVERED)
    assert queues.stack.waiting() == 0


def test_what_is_in_hand_stays_there_while_it_is_renewed(queues: Queues) -> None:
    queues.keep("a#1")
    queue, other = queues.one(visibility=2), queues.one()
    assert queue.receive() == 1
    end = time.monotonic() + 4.0
    while time.monotonic() < end:
        queue.renew()
        assert other.receive() == 0
        time.sleep(0.1)


def test_who_has_to_bury_once_more_buries_once(queues: Queues) -> None:
    queues.keep("a#1")
    queue = queues.one()
    assert queue.receive() == 1
    (held,) = queue._hand.all()
    settle(queue, 1, Verdict.DEAD, reason="\x00 odd \x1b", status=404)
    queue._hand.take(held.webhook, held.receipt, "", 0)  # as if the deletion had failed
    settle(queue, 2, Verdict.DEAD, reason="\x00 odd \x1b", status=404)
    assert len(queues.stack.dead()) == 1
    assert queues.stack.waiting() == 0


@pytest.mark.parametrize(
    "text", ["rubbish", "{}", '{"spigot": 99}', "x" * (MESSAGE_BYTES + 16_000)]
)
def test_what_is_no_webhook_is_buried_and_blocks_nobody(queues: Queues, text: str) -> None:
    client("sqs").send_message(
        QueueUrl=queues.at.queue, MessageBody=text, MessageGroupId="a",
        MessageDeduplicationId=os.urandom(8).hex(),
    )  # fmt: skip
    queues.keep("b#1")
    queue = queues.one()
    assert in_hand(queue) == ["b#1"]
    (letter,) = queues.stack.dead()
    assert text.startswith(letter["Body"])
    reason = letter["MessageAttributes"]["reason"]["StringValue"]
    assert ("cut" in reason) is (letter["Body"] != text)


def test_a_body_that_fits_into_no_message_comes_back(queues: Queues) -> None:
    queue, body = queues.one(), os.urandom(2_000_000)
    queue.keep(webhook(body=body))
    assert [key.split("/")[0] for key in queues.stack.kept()] == ["payloads"]
    assert queue.receive() == 1
    assert loaded(queue, 1).webhook.body == body
    settle(queue, 1, Verdict.DELIVERED)
    assert queues.stack.kept() == {}


def test_a_body_that_is_gone_buries_its_webhook(queues: Queues) -> None:
    queue = queues.one()
    queue.keep(webhook(body=os.urandom(2_000_000)))
    for key in queues.stack.kept():
        client("s3").delete_object(Bucket=queues.at.bucket, Key=key)
    assert in_hand(queue) == []
    assert len(queues.stack.dead()) == 1
