"""A dead letter as a message of SQS: the webhook's envelope, and why nobody could deliver it.

Each is a message group of its own. In the group of its lane it would keep those behind it out of
sight: SQS hands out no more of a group while some of it are with somebody.
"""

from __future__ import annotations

import re
import uuid
from typing import Any, NamedTuple

_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REASON_LONGEST = 1000
_MOVED = "SQS moved it here unseen: it was received too often without an end"


class DeadLetter(NamedTuple):
    """Why and when a message died.

    Attributes:
        text: The message: an envelope, if it is a webhook.
        reason: Why, in words.
        status: The last HTTP status; 0 if there was none.
        attempts: How many attempts have counted.
        died_at: When, UNIX seconds.
    """

    text: str
    reason: str
    status: int
    attempts: int
    died_at: float

    def message(self) -> dict[str, Any]:
        """Return what `send_message` takes, but for the queue."""
        return {
            "MessageBody": self.text,
            "MessageGroupId": uuid.uuid4().hex,
            "MessageDeduplicationId": uuid.uuid4().hex,
            "MessageAttributes": {
                "reason": _text(self.reason[:_REASON_LONGEST] or "unknown"),
                "status": _number(str(self.status)),
                "attempts": _number(str(self.attempts)),
                "died_at": _number(f"{self.died_at:.3f}"),
            },
        }

    @classmethod
    def of(cls, message: dict[str, Any]) -> DeadLetter:
        """Read what `receive_message` handed out, with all its attributes.

        One that SQS itself has moved brings no reason; it says when it was moved.
        """
        attributes = message.get("MessageAttributes", {})

        def said(name: str, default: str) -> str:
            return str(attributes.get(name, {}).get("StringValue", default))

        moved_at = int(message["Attributes"]["SentTimestamp"]) / 1000
        return cls(
            message["Body"],
            said("reason", _MOVED),
            int(said("status", "0")),
            int(said("attempts", "0")),
            float(said("died_at", str(moved_at))),
        )


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": _sendable(value)}


def _number(value: str) -> dict[str, str]:
    return {"DataType": "Number", "StringValue": value}


def _sendable(text: str) -> str:
    """Return a text without the characters that SQS refuses (SendMessage's reference)."""
    return _REFUSED.sub("\ufffd", text)
