"""A hook's secrets: where they are kept, and what they must be to be checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from spigot.errors import SettingsError
from spigot.signatures import BY_PROVIDER, NAMES, Verifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spigot.hooks import Hooks
    from spigot.option import Given
    from spigot.signatures import Scheme

KEPT = '"env:NAME" (an environment variable) or "file:PATH" (a file that holds only it)'
"""Where a secret may be kept, in words."""


def follow(given: Given) -> str | None:
    """Return a secret from where a setting says it is kept; None if it says no place.

    A file's last line break does not belong to the secret.

    Raises:
        SettingsError: Nothing is there; it names the place.
        ValueError: The file is not UTF-8.
    """
    scheme, colon, place = given.text.partition(":")
    if not colon or scheme not in ("env", "file"):
        return None
    if scheme == "env":
        found = given.environ.get(place, "")
    else:
        try:
            found = (given.cwd / place).read_text("utf-8").rstrip("\r\n")
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise SettingsError(f"{given.source} points at {place!r}: {why}") from None
    if not found:
        raise SettingsError(f"{given.source} points at {place!r}, which is not set or is empty")
    return found


def places(tables: Any) -> Iterator[str]:
    """Yield what stands as ``secret`` in ``[[hooks]]`` tables, whatever else is wrong with them."""
    for table in tables if isinstance(tables, list) else []:
        secret = table.get("secret") if isinstance(table, dict) else None
        yield from (one for one in _listed(secret) if isinstance(one, str))


def verifier_of(given: Given, scheme: Scheme | None, provider: str | None) -> Verifier | None:
    """Return what checks the webhooks of a hook; None if it has no secret.

    Args:
        given: The hook's table.
        scheme: What its ``signature`` names, if anything.
        provider: Who sends to it, if the table or the path says so.

    Raises:
        SettingsError: A secret is not where it should be or not of use, or nothing says how
            webhooks are signed with it. Shows no secret.
    """
    if "secret" not in given.value:
        if scheme is not None:
            raise SettingsError(
                f"{given.source} has a signature but no secret to check it with; set secret to "
                f"{KEPT}, or remove signature"
            )
        return None
    scheme = scheme or BY_PROVIDER.get(provider or "")
    if scheme is None:
        raise SettingsError(
            f"{given.source} has a secret, and nothing says how its webhooks are signed; set "
            f"signature to one of {', '.join(NAMES)} (the sender must not choose)"
        )
    inner = given.inner("secret", given.value["secret"])
    listed = isinstance(inner.value, list)
    entries = [
        inner.inner(number, one) if listed else inner
        for number, one in enumerate(_listed(inner.value), 1)
    ]
    if not entries:
        raise SettingsError(f"{inner.source} is an empty list; name a secret, or remove the key")
    return Verifier(scheme, tuple(_key(entry, scheme) for entry in entries))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _key(given: Given, scheme: Scheme) -> bytes:
    if not isinstance(given.value, str) or not re.match("(env|file):.", given.value):
        raise SettingsError(f"{given.source} is written out, and belongs into {KEPT}")
    # The errors go without their causes, which may quote the secret.
    try:
        secret = follow(given) or ""
    except ValueError:
        raise SettingsError(f"{given.source} points at a file that is not UTF-8") from None
    try:
        return scheme.key(secret)
    except ValueError as error:
        raise SettingsError(
            f"{given.source} points at a secret that does not fit {scheme.name} (it is not shown): "
            f"it {error}"
        ) from None


def check_cover(hooks: Hooks) -> None:
    """Refuse a secret that a differently spelt path would get around.

    Jenkins knows a path below a prefix by many spellings (case, percent-encoding, a slash at its
    end), and any that is not this hook's own belongs to the prefix.

    Raises:
        SettingsError: A hook with a secret lies below an open one without.
    """
    for hook in hooks.all:
        for outer in hooks.all:
            inside = outer.below and outer is not hook and hook.path.startswith(outer.path)
            if hook.verifier and inside and not outer.verifier:
                raise SettingsError(
                    f"hooks: {hook.path} has a secret, but {outer.path}, which covers it, has "
                    "none: another spelling of the path would be taken unsigned. Give "
                    f"{outer.path} a secret too, or close it with only_hooks = true"
                )
