"""Between a practice Jenkins' sockets and its answers: a request, an answer, its bytes."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Mapping


class Request(NamedTuple):
    """One request as a plugin sees it.

    Attributes:
        method: As received, such as ``POST``.
        context: Jenkins' context path, ``/jenkins`` or empty.
        path: The path below it, percent-encoding as received.
        query: The query string without its question mark.
        fields: Header values by name in lower case; the first of repeated ones.
        body: The body, free of transfer coding.
        inside: Whether it is below the context path at all; else ``path`` is the whole path.
        head_bytes: How many bytes the request line and the header lines take.
    """

    method: str
    context: str
    path: str
    query: str
    fields: Mapping[bytes, bytes]
    body: bytes
    inside: bool = True
    head_bytes: int = 0

    def header(self, name: str) -> str | None:
        """Return the first header of that lower-case name, None if there is none."""
        value = self.fields.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def parameter(self, name: str) -> str | None:
        """Return the first query parameter of that name, None if there is none."""
        return parse_qs(self.query, keep_blank_values=True).get(name, [None])[0]

    def form_payload(self) -> str:
        """Return the decoded ``payload`` of a form-encoded body; empty if there is none."""
        return parse_qs(self.body.decode("utf-8", "replace")).get("payload", [""])[0]


class Answer(NamedTuple):
    """One HTTP answer, without the headers that only its length and connection decide."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain;charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


Headers = tuple[tuple[bytes, bytes], ...]


def read(method: str, target: bytes, headers: Headers, body: bytes, context: str) -> Request:
    """Return a request as Jenkins under that context path sees it."""
    path, _, query = target.decode("latin-1").partition("?")
    inside = path.startswith(f"{context}/") or path == context
    return Request(
        method,
        context,
        path[len(context) :] if inside else path,
        query,
        {name.lower(): value for name, value in reversed(headers)},
        body,
        inside,
        len(target) + sum([len(name) + len(value) + 4 for name, value in headers]),
    )


@lru_cache(maxsize=64)
def wire(answer: Answer, *, head: bool, close: bool) -> bytes:
    """Return the bytes of an HTTP/1.1 answer.

    Args:
        answer: What to send.
        head: Whether it answers a HEAD, so that the body stays away.
        close: Whether the connection ends with it.
    """
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if answer.body:
        lines.append(f"Content-Type: {answer.content_type}")
    if answer.status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(answer.body)}")
    if close:
        lines.append("Connection: close")
    start = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return start if head else start + answer.body
