"""The queue in SQS: what `ports.Queue` promises a drain, as far as a FIFO queue can keep it.

A message group is a lane: SQS hands out no further message of a group while one of it is with
somebody, so several drains may run and each lane is with one of them. Positions are given as
messages come in, and mean something to this process only. What is not delivered is given back, with
all that came after it in its lane. How often a webhook has failed is kept in S3, beside the bodies
that fit into no message, because a message cannot be changed and the times it was received count
outages too.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from spigot import envelope
from spigot.aws.sdk import explained, tolerated
from spigot.envelope import MalformedEnvelope
from spigot.errors import StoreError
from spigot.log import Log
from spigot.ports import Loaded, Signs
from spigot.stores.dead_letter import DeadLetter
from spigot.stores.hand import Hand
from spigot.stores.objects import Objects
from spigot.valve import ValveRow
from spigot.webhook import Receipt, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spigot.stores.hand import Held
    from spigot.webhook import Attempt, Decision, Place, Webhook

MESSAGE_BYTES = 1024 * 1024 - 16 * 1024
"""What a message may hold (SQS: 1 MiB, attributes included); larger bodies go to S3."""

HAND = 10
"""How many messages are in hand at once at most, so that an outage costs few a receive."""

VISIBILITY = 120
"""Seconds for which a message in hand is nobody else's; renewed at a third of it.

So long does a lane wait whose drain was killed; and so long may a stop take, but for that third.
"""

LONGEST_DELAY = 12 * 3600
"""Seconds for which SQS can hide a message at most."""

_log = Log(__name__)


class Places(NamedTuple):
    """Where things are kept.

    Attributes:
        queue: The queue's URL.
        dead: The dead-letter queue's URL.
        bucket: The S3 bucket for what fits into no message.
    """

    queue: str
    dead: str
    bucket: str


class SqsQueue:
    """Puts webhooks into SQS, and takes them out for a drain; safe for threads.

    Args:
        sqs: boto3's client.
        s3: boto3's client.
        places: Where things are kept.
        valve: Tells how the valve stands.
        long_poll: Seconds that a receive waits for a message while none is in hand.
        visibility: Seconds for which a message in hand is nobody else's.

    Attributes:
        on_arrival: Called once a message has come in; only to wake somebody.
        on_end: Called with a webhook and the attempt that ends it, before it leaves the queue.
        held_for: Tells for how many more seconds nothing may go to a path; what comes in for it
            meanwhile goes back at once, so that it takes no room from others.
    """

    def __init__(
        self,
        sqs: Any,
        s3: Any,
        places: Places,
        *,
        valve: Callable[[], ValveRow] = ValveRow,
        long_poll: int = 0,
        visibility: int = VISIBILITY,
    ) -> None:
        self._sqs = sqs
        self._objects = Objects(s3, places.bucket)
        self._at = places
        self._valve = valve
        self._long_poll = long_poll
        self._visibility = visibility
        self._hand = Hand()
        self._renewed = time.monotonic()
        self.on_arrival: Callable[[], None] = lambda: None
        self.on_end: Callable[[Webhook, Attempt], None] = lambda *_: None
        self.held_for: Callable[[str], float] = lambda _: 0.0

    # --- in ----------------------------------------------------------------------------------

    def keep(self, webhook: Webhook) -> None:
        """Put a webhook into the queue; it is safe there once this returns.

        Raises:
            StoreError: It could not be put.
        """
        with explained("put a webhook into the queue"):
            text = envelope.seal(webhook)
            if len(text) > MESSAGE_BYTES:
                key = f"payloads/{webhook.id}"
                self._objects.put(key, webhook.body)
                text = envelope.seal(webhook, body_at=key)
            send(self._sqs, self._at.queue, text, webhook.lane)

    def put(self, webhook: Webhook, done: Callable[[Receipt | Exception], None]) -> None:
        """Keep a webhook; see `ports.Queue.put`. SQS does not know what waits: nothing is twice."""
        try:
            self.keep(webhook)
        except StoreError as error:
            done(error)
        else:
            done(Receipt(webhook.id, duplicate=False))

    # --- out ---------------------------------------------------------------------------------

    def receive(self) -> int:
        """Take further messages in hand, up to `HAND`; return how many came.

        What is no webhook is buried at once.

        Raises:
            StoreError: The queue could not be asked.
        """
        room = HAND - len(self._hand)
        if room <= 0:
            return 0
        with explained("receive from the queue"):
            answer = self._sqs.receive_message(
                QueueUrl=self._at.queue,
                MaxNumberOfMessages=room,
                # Whoever has something in hand comes back soon, but does not ask in circles.
                WaitTimeSeconds=min(self._long_poll, 1) if len(self._hand) else self._long_poll,
                VisibilityTimeout=self._visibility,
                AttributeNames=["ApproximateReceiveCount"],
            )
            messages = answer.get("Messages", [])
            for message in messages:
                self._take_in_hand(message)
        if messages:
            self.on_arrival()
        return len(messages)

    @property
    def in_hand(self) -> int:
        """How many messages are in hand."""
        return len(self._hand)

    def renew(self) -> None:
        """Keep what is in hand from others for longer; call it now and then."""
        if time.monotonic() - self._renewed < self._visibility / 3:
            return
        self._renewed = time.monotonic()
        for one in self._hand.all():
            self._hide(one.receipt, self._visibility)

    def give_back(self) -> None:
        """Give back all that is in hand and not on its way, for whoever comes next."""
        for one in self._hand.leave_resting():
            self._hide(one.receipt, 0)

    # --- ports.Queue -------------------------------------------------------------------------

    def places_after(self, position: int, limit: int) -> list[Place]:
        """Return places of what is in hand; see `ports.Queue.places_after`."""
        places = [held.place for held in self._hand.all()]
        return [place for place in places if place.position > position][:limit]

    def still_waiting(self, positions: list[int]) -> set[int]:
        """Return those in hand; see `ports.Queue.still_waiting`."""
        return {held.place.position for held in self._hand.all()} & set(positions)

    def load(self, position: int) -> Loaded | None:
        """Return what is in hand, which is on its way from now on; see `ports.Queue.load`."""
        held = self._hand.send(position)
        return Loaded(held.webhook, held.place) if held else None

    def settle(self, loaded: Loaded, attempt: Attempt) -> None:
        """Carry out a decision; see `ports.Queue.settle`."""
        held = self._hand.get(loaded.place.position)
        if held is None:
            return
        decision = attempt.decision
        if decision.verdict in (Verdict.DELIVERED, Verdict.DEAD):
            self.on_end(loaded.webhook, attempt)
        with explained("record an attempt"):
            if decision.verdict is Verdict.DELIVERED:
                self._end(held)
            elif decision.verdict is Verdict.DEAD:
                letter = DeadLetter(
                    envelope.seal(held.webhook, body_at=held.body_at),
                    decision.reason,
                    attempt.outcome.status,
                    held.place.attempts + decision.counted,
                    attempt.at + attempt.took,
                )
                self._bury(letter, held.receipt)
                self._end(held, keep_body=True)
            else:
                if decision.counted:
                    self._note_failure(held, decision)
                self._put_off(held, decision)

    def recall(
        self,
        since: float,  # noqa: ARG002
        until: float,  # noqa: ARG002
        chosen: Callable[[str, str], bool],  # noqa: ARG002
    ) -> Iterator[list[Place]]:
        """Recall nothing: SQS keeps no history of what was delivered."""
        return iter(())

    def signs(self) -> Signs:
        """Return what a drain watches; see `ports.Queue.signs`."""
        return Signs(self._valve(), 0, self._hand.position)

    def changed(self) -> bool:
        """Say that something may have changed: nothing is cheaper than to look."""
        return True

    # --- inside ------------------------------------------------------------------------------

    def _take_in_hand(self, message: dict[str, Any]) -> None:
        receipt, attributes = message["ReceiptHandle"], message.get("Attributes", {})
        try:
            body_at = envelope.body_at(message["Body"])
            body = self._objects.get(body_at) if body_at else None
            webhook = envelope.unseal(message["Body"], body=body)
        except MalformedEnvelope as error:
            _log.error("A message that is no webhook was buried", exc=error)
            self._bury(DeadLetter(message["Body"], str(error), 0, 0, time.time()), receipt)
            self._sqs.delete_message(QueueUrl=self._at.queue, ReceiptHandle=receipt)
            return
        if wait := round(self.held_for(webhook.path)):
            self._hide(receipt, wait)
            return
        again = int(attributes.get("ApproximateReceiveCount", "1")) > 1
        self._hand.take(webhook, receipt, body_at, self._failures(webhook.id) if again else 0)

    def _put_off(self, held: Held, decision: Decision) -> None:
        """Give back a message, hidden for a delay, and what has to wait with it."""
        delay = 0 if decision.verdict is Verdict.HOLD_FLOW else round(decision.delay)
        delay = min(delay, LONGEST_DELAY)
        for one in self._hand.leave_from(held):
            # The first alone keeps its lane: SQS hands out none of it while one is hidden.
            self._hide(one.receipt, delay if one is held else 0)
        if decision.verdict is Verdict.HOLD_PATH:
            for one in self._hand.leave_resting(held.place.path):
                self._hide(one.receipt, delay)

    def _end(self, held: Held, *, keep_body: bool = False) -> None:
        try:
            self._sqs.delete_message(QueueUrl=self._at.queue, ReceiptHandle=held.receipt)
        except Exception as error:
            if not _is_lapsed(error):
                raise
            _log.warning(
                "A webhook was in hand for too long: SQS hands it out again, and it may go to "
                "Jenkins twice", id=held.webhook.id,
            )  # fmt: skip
            self._hand.leave(held)
            return
        self._hand.leave(held)
        if held.place.attempts:
            self._objects.delete(f"attempts/{held.webhook.id}")
        if held.body_at and not keep_body:
            self._objects.delete(held.body_at)

    def _bury(self, letter: DeadLetter, receipt: str) -> None:
        if len(letter.text.encode()) > MESSAGE_BYTES:  # of somebody else's making
            text = letter.text.encode()[:MESSAGE_BYTES].decode(errors="ignore")
            letter = letter._replace(text=text, reason=f"{letter.reason} It was too long: cut.")
        # Who has to try this again with the same receipt buries nothing twice.
        once = uuid.uuid5(uuid.NAMESPACE_OID, receipt).hex
        ids = {"MessageGroupId": once, "MessageDeduplicationId": once}
        self._sqs.send_message(QueueUrl=self._at.dead, **letter.message() | ids)

    def _hide(self, receipt: str, seconds: int) -> None:
        with tolerated("How long a message is hidden could not be changed; SQS hands it out then"):
            self._sqs.change_message_visibility(
                QueueUrl=self._at.queue, ReceiptHandle=receipt, VisibilityTimeout=seconds
            )

    def _failures(self, id_: str) -> int:
        text = self._objects.get(f"attempts/{id_}")
        return int(json.loads(text)["attempts"]) if text else 0

    def _note_failure(self, held: Held, decision: Decision) -> None:
        note = {"attempts": held.place.attempts + 1, "reason": decision.reason}
        self._objects.put(f"attempts/{held.webhook.id}", json.dumps(note).encode())


def send(sqs: Any, queue: str, text: str, lane: str) -> None:
    """Send a message to the end of a lane; raises what boto3 does.

    Each gets a deduplication id of its own: SQS would swallow a redelivery by its id.

    Args:
        sqs: boto3's client.
        queue: The queue's URL.
        text: The message.
        lane: The lane.
    """
    sqs.send_message(
        QueueUrl=queue,
        MessageBody=text,
        MessageGroupId=group_of(lane),
        MessageDeduplicationId=uuid.uuid4().hex,
    )


def group_of(lane: str) -> str:
    """Return a lane's message group: SQS takes 128 of some characters (CreateQueue's rules)."""
    return uuid.uuid5(uuid.NAMESPACE_URL, lane).hex


def _is_lapsed(error: Exception) -> bool:
    """Tell whether a message is no longer ours: SQS has handed it out again, or would.

    A FIFO queue deletes nothing then; it answers ``InvalidParameterValue`` for the receipt.
    """
    said = getattr(error, "response", {}).get("Error", {})
    return "ReceiptHandle" in said.get("Code", "") or "ReceiptHandle" in said.get("Message", "")
