"""What the public listener answers: status, headers and JSON, and the refusals it makes itself."""

from __future__ import annotations

import json
from http import HTTPStatus

from spigot.errors import Refused

HEADER_BYTES = 32 * 1024
"""Request line and headers together; Jenkins itself takes 8 KiB of headers."""

RETRY_SECONDS = 30
"""The ``Retry-After`` of a 503."""

STORED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 57\r\n"
"""The head of the usual answer: a ULID has 26 characters, so its length never changes."""


def stored(id_: str) -> bytes:
    """Return the body that goes with `STORED`."""
    return b'{"status": "stored", "id": "%b"}\n' % id_.encode()


def answer(
    status: int, content: dict[str, object], headers: tuple[tuple[str, str], ...] = ()
) -> tuple[bytes, bytes]:
    """Return an answer's head, without the empty line at its end, and its body."""
    body = json.dumps(content).encode() + b"\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{lines}"
    )
    return head.encode("latin-1"), body


def no_room(error: str) -> Refused:
    """Refuse what cannot be stored now."""
    retry = (("Retry-After", str(RETRY_SECONDS)),)
    return Refused(503, f"{error} Send it again later.", reason="no_room", headers=retry)


def too_large(most: int) -> Refused:
    """Refuse a body of more than `most` bytes."""
    error = (
        f"The body is larger than {most} bytes. If the provider may send such bodies, raise "
        "max_body (SPIGOT_MAX_BODY)."
    )
    return Refused(413, error, reason="too_large")


def too_long_head() -> Refused:
    """Refuse a head of more than `HEADER_BYTES`."""
    error = (
        f"The request line and headers are larger than {HEADER_BYTES} bytes. Remove headers that a "
        "proxy adds."
    )
    return Refused(431, error, reason="headers")


def unreadable() -> Refused:
    """Refuse what is no HTTP."""
    error = (
        "This is not a readable HTTP/1.1 request. Is something else than a webhook sender "
        "connected, or TLS sent to the plain port?"
    )
    return Refused(400, error, reason="framing")


def unknown_coding(coding: bytes) -> Refused:
    """Refuse a transfer coding: 400 if it hides where the body ends (RFC 9112, 6.1 and 6.3)."""
    shown = coding[:50].decode("ascii", "backslashreplace")
    chunked_last = coding.rpartition(b",")[2].strip() == b"chunked"
    return Refused(
        501 if chunked_last else 400,
        f"Transfer-Encoding {shown!r} is not known; send the body chunked or whole.",
        reason="coding",
    )  # fmt: skip


def fault() -> Refused:
    """Refuse a webhook that Spigot itself fails on."""
    error = "Spigot could not read this webhook; its log says why. Send it again later."
    return Refused(500, error, reason="fault")


def slow(seconds: float) -> Refused:
    """Refuse a request that did not come in time."""
    error = f"The request was not complete within {seconds:.0f} seconds."
    return Refused(408, error, reason="slow")
