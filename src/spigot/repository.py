"""Which repository a webhook is about, read from its body.

The lane needs one name out of kilobytes of JSON, on every request. So the body is read into types
that name only the fields of interest, and the rest is skipped, checked but not built. Where msgspec
is not at hand (a package of pure Python only), or where a field is not of the expected type, the
body is read in full; both ways follow the same table and give the same answer.
"""

from __future__ import annotations

import json
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING, Any

from spigot.form import payload_of

try:
    import msgspec
except ImportError:
    _TYPED = False
else:
    _TYPED = True

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Way = tuple[str, ...]
"""The keys that lead from a payload to a value."""


def _ways(rule: str) -> tuple[Way, ...]:
    return tuple(tuple(way.split(".")) for way in rule.split("/"))


_NAMES = (
    _ways("repository.full_name"),  # GitHub, Gitea, Forgejo, Gogs, Bitbucket Cloud
    _ways("project.path_with_namespace"),  # GitLab
    _ways("path_with_namespace"),  # GitLab's system hooks
    _ways("repository.project.key/repository.slug"),  # Bitbucket Data Center
    _ways("pullRequest.toRef.repository.project.key/pullRequest.toRef.repository.slug"),
    _ways("repository.repo_name"),  # Docker Hub
    _ways("resource.repository.name"),  # Azure DevOps
)
_HOMEPAGE: Way = ("repository", "homepage")  # GitLab before it sent project; the path is the name

_FORM = b"application/x-www-form-urlencoded"
_CAP = 300
_CHUNK = 1 << 20
_PATIENCE = 256 * 1024  # reading in full builds every value: up to 30 times the body's size


def repository_of(body: bytes, content_type: bytes) -> str | None:
    """Return the full name of the repository that a webhook is about, such as ``octo/hello``.

    Args:
        body: The body as received: JSON, or a form with the JSON in its field ``payload``.
        content_type: The value of ``Content-Type``; only a form's matters, all else is tried as
            JSON.

    Returns:
        The name without control characters, at most 300 characters; None where the body names no
        repository, is not JSON in UTF-8, or is too deeply nested. Never raises.
    """
    if content_type.lower().startswith(_FORM):
        body = payload_of(body)
    return _read(body) if _is_utf8(body) else None


def tidy(name: str) -> str | None:
    """Return a name fit for a lane: printable, at most 300 characters; None if nothing is left."""
    name = name[:_CAP]
    if not name.isprintable():
        name = "".join(filter(str.isprintable, name))
    return name.strip() or None


def _is_utf8(body: bytes) -> bool:
    if body.isascii():
        return True
    decoder = getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(body), _CHUNK):  # never 25 MB as text at once
            decoder.decode(body[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _name_in(find: Callable[[Way], str | None]) -> str | None:
    for ways in _NAMES:
        parts = [part for way in ways if (part := find(way))]
        if len(parts) == len(ways):
            return tidy("/".join(parts))
    homepage = find(_HOMEPAGE) or ""
    return tidy(homepage.partition("://")[2].partition("/")[2])


def _read_in_full(body: bytes) -> str | None:
    try:
        payload = _decode_in_full(body.decode())
    except (ValueError, RecursionError):
        return None

    def find(way: Way) -> str | None:
        value = payload
        for key in way:
            if type(value) is not dict:
                return None
            value = value.get(key)
        return value if type(value) is str else None

    return _name_in(find)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# Integers as floats: Python refuses to read very long ones, and no number is of interest.
_decode_in_full: Callable[[str], Any] = json.JSONDecoder(
    parse_int=float, parse_constant=_no_constant
).decode


def _type_for(ways: Iterable[Way]) -> Any:
    """Make the type that names exactly the fields on these ways, each of them optional."""
    below: dict[str, list[Way]] = {}
    for key, *rest in ways:
        below.setdefault(key, []).append(tuple(rest))
    fields = [
        (key, (str if rests == [()] else _type_for(rests)) | None, None)
        for key, rests in below.items()
    ]
    return msgspec.defstruct("Payload", fields, gc=False)


def _typed_reader() -> Callable[[bytes], str | None]:
    ways = dict.fromkeys(way for ways in (*_NAMES, (_HOMEPAGE,)) for way in ways)
    decode = msgspec.json.Decoder(_type_for(ways)).decode

    def read(body: bytes) -> str | None:
        try:
            payload = decode(body)
        except (msgspec.DecodeError, RecursionError):
            return _read_in_full(body) if len(body) <= _PATIENCE else None

        def find(way: Way) -> Any:
            value = payload
            for key in way:
                value = getattr(value, key)
                if value is None:
                    return None
            return value

        return _name_in(find)

    return read


_read = _typed_reader() if _TYPED else _read_in_full
