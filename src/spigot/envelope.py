"""A webhook as a message of text: what a queue carries that takes nothing else. Pure.

JSON with the body compressed and in base64: a queue may refuse control characters (SQS does), and
JSON alone would change a body that is no UTF-8. The version says how to read it; an old message
must still be read by a new Spigot.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from spigot.errors import SpigotError
from spigot.webhook import Webhook

VERSION = 1
_TEXTS = ("id", "method", "path", "query", "hook", "provider", "lane")


class MalformedEnvelope(SpigotError):
    """A message is not a webhook in an envelope, or of a newer version."""


def seal(webhook: Webhook, *, body_at: str = "") -> str:
    """Return a webhook as text.

    Args:
        webhook: What to carry.
        body_at: Where its body is kept instead, if it does not fit; `unseal` wants it back.
    """
    value: dict[str, Any] = {"spigot": VERSION, **webhook._asdict()}
    value["headers"] = [
        [name.decode("latin-1"), text.decode("latin-1")] for name, text in webhook.headers
    ]
    if body_at:
        value |= {"body": "", "body_at": body_at}
    else:
        value["body"] = base64.b64encode(zlib.compress(webhook.body, 1)).decode("ascii")
    return json.dumps(value, separators=(",", ":"))


def body_at(text: str) -> str:
    """Return where the body of a message is kept; empty if the message brings it.

    Raises:
        MalformedEnvelope: It is no envelope.
    """
    return str(_read(text).get("body_at", ""))


def unseal(text: str, *, body: bytes | None = None) -> Webhook:
    """Return the webhook that a message carries.

    Args:
        text: What `seal` returned.
        body: The body, where it is kept elsewhere.

    Raises:
        MalformedEnvelope: It is no envelope, of a newer version, or lacks its body.
    """
    value = _read(text)
    try:
        if body is None:
            if value.get("body_at"):
                raise MalformedEnvelope("The message's body is kept elsewhere and was not read.")
            body = zlib.decompress(base64.b64decode(value["body"], validate=True))
        headers = tuple(
            (_text(name).encode("latin-1"), _text(line).encode("latin-1"))
            for name, line in value["headers"]
        )
        return Webhook(
            **{name: _text(value[name]) for name in _TEXTS},
            event=_perhaps(value["event"]),
            delivery=_perhaps(value["delivery"]),
            headers=headers,
            body=body,
            received_at=float(value["received_at"]),
        )
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise MalformedEnvelope(f"The message is no webhook of Spigot's: {error!r}.") from error


def _read(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedEnvelope("The message is no webhook of Spigot's: it is no JSON.") from error
    version = value.get("spigot") if isinstance(value, dict) else None
    if not isinstance(version, int):
        raise MalformedEnvelope("The message is no webhook of Spigot's: it names no version.")
    if version > VERSION:
        raise MalformedEnvelope(
            f"The message is of version {version}, and this Spigot reads {VERSION}: upgrade it."
        )
    assert isinstance(value, dict)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _perhaps(value: object) -> str | None:
    return None if value is None else _text(value)
