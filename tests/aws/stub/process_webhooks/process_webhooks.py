"""A Lambda of the tests: answers with the event that it was handed, or fails as it is told."""

from __future__ import annotations

import base64
from typing import Any

from spigot.errors import SpigotError


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Return the event, unless its body says how to fail."""
    body = base64.b64decode(event["body"])
    if body.startswith(b"fail "):
        raise SpigotError(body.removeprefix(b"fail ").decode())
    return {"event": event}
