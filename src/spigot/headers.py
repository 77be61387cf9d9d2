"""Header lines that concern one connection, and those that go on with the request. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)
"""RFC 9110, section 7.6.1: they concern one connection, never the next."""

_SAID_ANEW = frozenset((b"host", b"content-length", b"expect"))


def named_by_connection(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """Return the headers, in lower case, that ``Connection`` keeps from going on."""
    values = [value for name, value in headers if name == b"connection"]
    return {word.strip().lower() for value in values for word in value.split(b",")}


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the lines that are for the next hop too, without those that each hop says anew.

    Args:
        headers: Header lines, names in lower case.
    """
    headers = list(headers)
    dropped = named_by_connection(headers) | _HOP_BY_HOP | _SAID_ANEW
    return [(name, value) for name, value in headers if name not in dropped]
