"""What must never be shown: tokens in paths, queries and headers, and what misleads a terminal.

For display and logs only; what goes to Jenkins is never masked.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spigot.webhook import Headers

MASK = "***"

TOKEN_PATHS = ("/dockerhub-webhook/", "/dockerregistry-webhook/", "/acr-webhook/")
"""Paths below which the next segment is an API token (dockerhub-notification-plugin)."""

_TOKEN_SEGMENT = re.compile(f"({'|'.join(map(re.escape, TOKEN_PATHS))})(/*)([^/?#]+)")
_SECRET_PARAMETER = re.compile(
    r"token|secret|key|passw|passphrase|pwd|auth|signature|credential|session|jwt|\bsig\b",
    re.IGNORECASE,
)
_SECRET_HEADER = re.compile(
    r"authorization|cookie|token|secret|passw|credential|(api|auth|access|private)-?key|x-auth|jwt",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"//([^/?#]*)@")
_SHORTEST = 4  # masking shorter secrets would tear holes into ordinary words


def printable(text: str) -> str:
    r"""Return text that is safe in a terminal or a log: the unprintable is escaped.

    ``\n``, ``\x1b``, ``\u202e``: control characters, so terminal sequences and line breaks, and the
    marks that turn the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def without_userinfo(url: str) -> str:
    """Return a URL without the user and password before its host."""
    return _USERINFO.sub("//", url)


def mask_path(path: str) -> str:
    """Return a path with the API tokens in it masked, with or without a context path before it."""
    return _TOKEN_SEGMENT.sub(rf"\1\2{MASK}", path)


def mask_query(query: str) -> str:
    """Return a query string with its secrets masked.

    These are the values of parameters whose name sounds like one (token, secret, key, password,
    auth, signature…), and in values that are URLs the user and password and such parameters.
    """
    return "&".join(map(_mask_parameter, query.split("&")))


def mask_headers(headers: Headers) -> list[tuple[str, str]]:
    """Return header lines for display, in their order: secret values masked, the others printable.

    Secret are credentials, cookies, and whatever is called token, secret, password or API key.
    Signatures are shown: they do not reveal the secret.
    """
    return [
        (printable(name), MASK if _SECRET_HEADER.search(name) else printable(_mask_url(value)))
        for name, value in _decoded(headers)
    ]


def masks_header(name: str) -> bool:
    """Tell whether ``mask_headers`` hides the value of a header of this name."""
    return _SECRET_HEADER.search(name) is not None


def secrets_of(path: str, query: str, headers: Headers) -> tuple[str, ...]:
    """Return the secrets that the other functions would mask, for ``mask_text``; each one once.

    Credentials are listed whole and without their scheme, a Basic password and each cookie's value
    by itself. Those of less than four characters are left out.
    """
    found = [
        *(match[3] for match in _TOKEN_SEGMENT.finditer(path)),
        *_secrets_in_query(query),
        *_secrets_in_headers(headers),
    ]
    return tuple(dict.fromkeys(secret for secret in found if len(secret) >= _SHORTEST))


def mask_text(text: str, secrets: Iterable[str]) -> str:
    """Return a text, such as Jenkins' answer, with each occurrence of the secrets masked.

    Found as given and percent-decoded, also where the text encodes them for a URL, HTML or JSON.
    """
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    for spelling in sorted(spellings, key=len, reverse=True):
        if len(spelling) >= _SHORTEST:
            text = text.replace(spelling, MASK)
    return text


def _decoded(headers: Headers) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        yield name.decode("latin-1"), value.decode("latin-1")


def _is_secret(parameter: str) -> bool:
    return _SECRET_PARAMETER.search(unquote_plus(parameter)) is not None


def _mask_named(part: str) -> str:
    name, _, value = part.partition("=")
    return f"{name}={MASK}" if value and _is_secret(name) else part


def _mask_parameter(part: str) -> str:
    masked = _mask_named(part)
    if masked != part:
        return masked
    name, equals, value = part.partition("=")
    decoded = unquote_plus(value)
    shown = _mask_url(decoded)
    return part if shown == decoded else f"{name}{equals}{quote(shown, safe=':/@*?=')}"


def _mask_url(text: str) -> str:
    head, mark, query = text.partition("?")
    head = mask_path(_USERINFO.sub(f"//{MASK}@", head))
    return head + mark + "&".join(map(_mask_named, query.split("&")))


def _secrets_in_query(query: str) -> Iterator[str]:
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if _is_secret(name):
            yield value
        else:
            yield from _secrets_in_url(unquote_plus(value))


def _secrets_in_url(text: str) -> Iterator[str]:
    head, _, query = text.partition("?")
    for match in _USERINFO.finditer(head):
        user, _, password = match[1].partition(":")
        yield password or user
    yield from (match[3] for match in _TOKEN_SEGMENT.finditer(head))
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if _is_secret(name):
            yield value


def _secrets_in_headers(headers: Headers) -> Iterator[str]:
    for name, value in _decoded(headers):
        if not _SECRET_HEADER.search(name):
            yield from _secrets_in_url(value)
            continue
        yield value.strip()
        if "cookie" in name.lower():
            yield from (pair.partition("=")[2].strip() for pair in value.split(";"))
        elif "authorization" in name.lower():
            scheme, _, credentials = value.strip().partition(" ")
            yield credentials.strip()
            if scheme.lower() == "basic":
                yield _basic_password(credentials)


def _basic_password(credentials: str) -> str:
    try:
        return b64decode(credentials).decode("latin-1").partition(":")[2]
    except ValueError:
        return ""


def _spellings(secret: str) -> Iterator[str]:
    import html  # its table of entities takes long, and few answers hold a secret

    for plain in (secret, unquote(secret), unquote_plus(secret)):
        yield plain
        yield quote(plain, safe="")
        yield quote_plus(plain)
        yield html.escape(plain)
        yield html.escape(plain, quote=False)
        yield json.dumps(plain)[1:-1]
