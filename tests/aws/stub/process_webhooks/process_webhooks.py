"""A Lambda of the tests: answers with the event that it was handed, or fails as it is told."""

from __future__ import annotations

import base64
from typing import Any

from spigot.aws.failure import failed
from spigot.errors import SpigotError


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Return the event, unless its body says how to fail."""
    body = base64.b64decode(event["body"])
    way, _, text = body.partition(b" ")
    if way == b"fail":
        raise SpigotError(text.decode())
    if way == b"explain":
        raise failed(SpigotError(text.decode()))
    return {"event": event}
