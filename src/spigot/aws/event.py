"""What API Gateway hands to the Lambda: a request, and how the valve stands. Pure.

Two mapping templates are in use. Ours hands over method, path, query and the exact body. The older
one hands over the parsed body and the headers only: its request counts as one to ``/webhooks``.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from spigot.errors import Refused
from spigot.intake import ROUTED

if TYPE_CHECKING:
    from spigot.webhook import Headers

_ADDED = frozenset(
    b"via x-amzn-trace-id x-amz-cf-id x-forwarded-for x-forwarded-port x-forwarded-proto".split()
)
"""Header lines that CloudFront and API Gateway put in; Jenkins gets what the provider sent."""


class Event(NamedTuple):
    """A request as the mapping template hands it over.

    Attributes:
        on: The valve: ``spigot_state`` is ``ON``.
        from_queue: It comes from the queue, and must not go there again.
        method: The method.
        path: The path, without the stage.
        query: The query string: equivalent to what was sent.
        headers: The header lines, names in lower case, those of AWS taken out.
        body: The body.
        exact: The body is as it was sent, to the byte: a signature can be checked.
    """

    on: bool
    from_queue: bool
    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    exact: bool


def read(event: dict[str, Any]) -> Event:
    """Read an event of either shape.

    Raises:
        Refused: 400, it is of neither.
    """
    headers = event.get("headers")
    if not isinstance(headers, dict) or "body" not in event:
        raise Refused(
            400,
            "The event holds no headers or no body: the API's mapping template is not Spigot's. "
            "Deploy infra/template.yaml again.",
            reason="event",
        )
    encoded = event.get("encoding") == "base64"
    query = event.get("query") if encoded else None
    return Event(
        on=str(event.get("spigot_state", "")).upper() != "OFF",
        from_queue=bool(event.get("from_queue")),
        method=str(event.get("method", "POST")) if encoded else "POST",
        path=str(event.get("path", ROUTED)) if encoded else ROUTED,
        query=_query(query if isinstance(query, dict) else {}),
        headers=_headers(headers),
        body=_decoded(event["body"]) if encoded else _written(event["body"]),
        exact=encoded,
    )


def _query(parameters: dict[str, Any]) -> str:
    """Write the parameters as a query; ``from_queue`` is between the Lambdas alone."""
    return urlencode([(name, text) for name, text in parameters.items() if name != "from_queue"])


def _headers(headers: dict[str, Any]) -> Headers:
    lines = (
        (str(name).lower().encode("latin-1", "replace"), _bytes(str(value)))
        for name, value in headers.items()
    )
    return tuple((name, value) for name, value in lines if not _is_added(name))


def _bytes(value: str) -> bytes:
    """Return a value's bytes: as Latin-1 where it is, as HTTP has it, else as UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def _is_added(name: bytes) -> bool:
    return name in _ADDED or name.startswith(b"cloudfront-")


def _decoded(body: object) -> bytes:
    try:
        return base64.b64decode(str(body), validate=True)
    except (binascii.Error, ValueError):
        raise Refused(
            400, "The event's body is not in base64, as its encoding says.", reason="event"
        ) from None


def _written(body: object) -> bytes:
    """Write a body that the older template has parsed; its exact bytes are lost."""
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
