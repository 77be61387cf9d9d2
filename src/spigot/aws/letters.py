"""The dead letters of a stack: list, show, replay, drop.

SQS lets nobody look without touching: letters are received, looked at and given back. Whoever looks
at the same moment does not see those that are in this hand.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from spigot import envelope
from spigot.aws.sdk import explained, tolerated
from spigot.envelope import MalformedEnvelope
from spigot.errors import StoreError
from spigot.stores.dead_letter import DeadLetter
from spigot.stores.history import Detail, Entry, Selection
from spigot.stores.objects import Objects
from spigot.stores.sqs import send
from spigot.webhook import State, Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spigot.stores.sqs import Places

MOST = 1000
"""How many letters are looked at at once at most."""

IN_HAND = 120
"""Seconds for which letters in hand are hidden from others, should this process die."""

LONG_POLL = 1
"""Seconds that a receive waits for a letter: SQS then asks all of its servers."""

_BATCH = 10


class _Letter(NamedTuple):
    letter: DeadLetter
    receipt: str
    webhook: Webhook | None
    body_at: str
    entry: Entry


class DeadLetters:
    """What `ports.History` promises, for the dead ones alone: SQS shows nobody what waits.

    Args:
        sqs: boto3's client.
        s3: boto3's client.
        places: The queues and the bucket.
        say: Tells a person what else there is to know.
    """

    def __init__(self, sqs: Any, s3: Any, places: Places, *, say: Callable[[str], None]) -> None:
        self._sqs = sqs
        self._objects = Objects(s3, places.bucket)
        self._at = places
        self._say = say

    def entries(self, selection: Selection) -> list[Entry]:
        """Return the selected dead letters, the last that died first.

        Raises:
            StoreError: Others than dead ones are selected.
        """
        _only_dead(selection, "listed")
        if selection.state is None and selection.names is None:
            self._say("On AWS only dead letters can be listed; `spigot status` counts what waits.")
        with self._in_hand(selection) as letters:
            return [each.entry for each in letters]

    def show(self, name: str) -> list[Detail]:
        """Return the dead letter of that id, or all of that delivery id, the last first."""
        with self._in_hand(Selection(names=(name,))) as letters:
            if not letters:
                self._say("On AWS only dead letters can be shown; `spigot status` counts others.")
            return [self._detail(each) for each in letters]

    def replay(self, selection: Selection, *, dry_run: bool = False) -> Iterator[int]:
        """Let dead letters wait again, at the end of their lanes, in the order of their coming.

        Each is sent to the queue first and then taken out of the dead letters: a crash in between
        leaves it in both.

        Yields:
            How many were changed (or would be), step by step; each step is safe.

        Raises:
            StoreError: Others than dead ones are selected, or AWS refused.
        """
        _only_dead(selection, "replayed")
        return self._each(selection, self._replay, dry_run=dry_run)

    def drop(self, selection: Selection, *, dry_run: bool = False) -> Iterator[int]:
        """Throw dead letters away: nothing is left of them.

        Yields:
            How many were changed (or would be), step by step; each step is done.

        Raises:
            StoreError: Others than dead ones are selected, or AWS refused.
        """
        if selection.state is None and selection.names is None:
            selection = selection._replace(state=State.WAITING)
        _only_dead(selection, "dropped")
        return self._each(selection, self._drop, dry_run=dry_run)

    # --- inside ------------------------------------------------------------------------------

    def _each(
        self, selection: Selection, change: Callable[[_Letter], None], *, dry_run: bool
    ) -> Iterator[int]:
        with self._in_hand(selection) as letters:
            letters.sort(key=lambda each: (each.entry.received_at, each.entry.id))
            if dry_run:
                if letters:
                    yield len(letters)
                return
            while letters:
                change(letters[0])
                del letters[0]
                yield 1

    def _replay(self, one: _Letter) -> None:
        lane = one.webhook.lane if one.webhook else one.entry.id
        with explained(f"replay {one.entry.id}; it is a dead letter still"):
            self._hide([one], IN_HAND)  # it must not slip out of the hand in between
            send(self._sqs, self._at.queue, one.letter.text, lane)
        with explained(
            f"take {one.entry.id} out of the dead letters although it waits again; `spigot drop"
            f" {one.entry.id}` does, so that nobody replays it twice"
        ):
            self._delete(one)

    def _drop(self, one: _Letter) -> None:
        # A body in S3 stays until it is forgotten there: a copy that was replayed may need it.
        with explained(f"drop {one.entry.id}"):
            self._delete(one)

    def _delete(self, one: _Letter) -> None:
        self._sqs.delete_message(QueueUrl=self._at.dead, ReceiptHandle=one.receipt)

    @contextlib.contextmanager
    def _in_hand(self, selection: Selection) -> Iterator[list[_Letter]]:
        """Take all letters in hand, and give back those that are still there in the end.

        What is taken out of the list is not given back.
        """
        letters: list[_Letter] = []
        chosen: list[_Letter] = []
        rest: list[_Letter] = []
        try:
            with explained("look at the dead letters"):
                self._receive(letters)
            chosen = [each for each in letters if selection.takes(each.entry)]
            chosen.sort(key=lambda each: each.entry.ended_at or 0.0, reverse=True)
            chosen = chosen[: selection.limit]
            kept = {id(each) for each in chosen}
            rest = [each for each in letters if id(each) not in kept]
            letters = []
            yield chosen
        finally:
            self._give_back(letters + rest + chosen)

    def _receive(self, letters: list[_Letter]) -> None:
        counted = self._counted()
        while len(letters) < MOST:
            found = self._sqs.receive_message(
                QueueUrl=self._at.dead,
                MaxNumberOfMessages=_BATCH,
                WaitTimeSeconds=LONG_POLL,
                VisibilityTimeout=IN_HAND,
                AttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            letters += map(self._read, found)
            if not found:
                break
        if counted > len(letters):
            self._say(
                f"SQS counts about {counted - len(letters)} dead letters more than can be seen now:"
                f" it counts late, others may be looking, at most {MOST} are looked at, and of"
                " those that SQS itself moved there only ten of a lane."
            )

    def _counted(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._at.dead, AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)

    def _read(self, message: dict[str, Any]) -> _Letter:
        letter, receipt = DeadLetter.of(message), message["ReceiptHandle"]
        try:
            body_at = envelope.body_at(letter.text)
            webhook = envelope.unseal(letter.text, body=b"" if body_at else None)
        except MalformedEnvelope:
            return _Letter(letter, receipt, None, "", _entry_of_strange(message, letter))
        size = self._objects.size(body_at) if body_at else len(webhook.body)
        return _Letter(letter, receipt, webhook, body_at, _entry(webhook, letter, size))

    def _detail(self, one: _Letter) -> Detail:
        webhook = one.webhook
        if webhook is None:
            return Detail(one.entry, "", "", (), one.letter.text.encode(), 0.0, [])
        body: bytes | None = webhook.body
        if one.body_at:
            with explained(f"read the body of {webhook.id}"):
                body = self._objects.get(one.body_at)
            if body is None:
                raise StoreError(f"The body of {webhook.id} is no longer in S3 ({one.body_at}).")
        return Detail(
            one.entry, webhook.method, webhook.query, webhook.headers, body or b"", 0.0, []
        )

    def _give_back(self, letters: list[_Letter]) -> None:
        with tolerated(f"Dead letters were not given back; they are seen again in {IN_HAND}s"):
            for start in range(0, len(letters), _BATCH):
                self._hide(letters[start : start + _BATCH], 0)

    def _hide(self, letters: list[_Letter], seconds: int) -> None:
        answer = self._sqs.change_message_visibility_batch(
            QueueUrl=self._at.dead,
            Entries=[
                {"Id": str(at), "ReceiptHandle": each.receipt, "VisibilityTimeout": seconds}
                for at, each in enumerate(letters)
            ],
        )
        if seconds and answer.get("Failed"):
            said = answer["Failed"][0].get("Message", "no reason given")
            raise StoreError(f"{letters[0].entry.id} has slipped out of the hand ({said}): again.")


def _only_dead(selection: Selection, done: str) -> None:
    if selection.state in (None, State.DEAD):
        return
    why = (
        "SQS shows nobody what waits" if selection.state is State.WAITING
        else f"nothing is kept of what was {selection.state}"
    )  # fmt: skip
    raise StoreError(
        f"On AWS only dead letters can be {done} (--state dead): {why}. `spigot status` counts."
    )


def _entry(webhook: Webhook, letter: DeadLetter, size: int) -> Entry:
    return Entry(
        0, webhook.id, State.DEAD, webhook.received_at, webhook.hook, webhook.path,
        webhook.provider, webhook.event, webhook.delivery, webhook.lane, size, letter.attempts,
        letter.reason, letter.status, letter.died_at, None,
    )  # fmt: skip


def _entry_of_strange(message: dict[str, Any], letter: DeadLetter) -> Entry:
    """Return what can be said of a message that is no webhook."""
    sent_at = int(message["Attributes"]["SentTimestamp"]) / 1000
    return Entry(
        0, message["MessageId"], State.DEAD, sent_at, "-", "-", "unknown", None, None, "-",
        len(letter.text.encode()), letter.attempts, letter.reason, letter.status, letter.died_at,
        None,
    )  # fmt: skip
