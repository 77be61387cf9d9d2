"""A request's head as RFC 9112 wants it, beyond what the parser sees to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spigot.web import answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httptools

    from spigot.providers import Fields


def check_head(version: str, headers: Sequence[tuple[bytes, bytes]], fields: Fields) -> None:
    """Refuse a head that another server, such as a proxy before us, might read in another way.

    Args:
        version: As the parser read it, such as ``1.1``.
        headers: All header lines.
        fields: The first value of each header.

    Raises:
        Refused: 400; 501 for a coding of the body that is not known, but does not hide its end.
    """
    if version not in ("1.0", "1.1"):  # the parser takes 0.9 and 2.0 too
        raise answers.unreadable()
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (version == "1.1" and not hosts):  # section 3.2
        raise answers.unreadable()
    coding = fields.get(b"transfer-encoding")
    if coding is not None:
        coding = coding.strip().lower()
        if version == "1.0":  # section 6.1: older proxies do not know it
            raise answers.unreadable()
        if coding != b"chunked":
            raise answers.unknown_coding(coding)


def without_upgrade(
    parser: httptools.HttpRequestParser, target: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> bytes:
    """Return a head again without its wish for another protocol, so that HTTP/1.1 goes on.

    A server may do so (RFC 9110, section 7.8). The parser takes no body for such a request, but
    Java's client sends one, and asks for HTTP/2 by itself.
    """
    version = parser.get_http_version().encode()
    lines = [parser.get_method() + b" " + target + b" HTTP/" + version]
    lines += [name + b": " + value for name, value in headers if name != b"upgrade"]
    return b"\r\n".join(lines) + b"\r\n\r\n"
