"""The secret of a deployment on AWS: every hook has it, and it is checked as on one machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from spigot.errors import SettingsError
from spigot.hooks import Hooks
from spigot.plugins import KNOWN
from spigot.signatures import BY_PROVIDER, NAMES, Verifier, scheme_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spigot.hook import Hook
    from spigot.signatures import Scheme

USUAL = "github"
"""How webhooks are signed on a path that does not say whose they are, unless it is configured."""


def secured(secret: str, signature: str = USUAL) -> Hooks:
    """Return the known hooks, each of which takes only what is signed.

    Where a path says whose webhooks come there, that provider's way of signing counts.

    Args:
        secret: The secret; or several, any of which may be the right one, as a JSON list.
        signature: One of `signatures.NAMES`: how webhooks are signed on all other paths.

    Raises:
        SettingsError: A secret or the signature is of no use. Shows no secret.
    """
    secrets = list(_listed(secret))
    try:
        usual = scheme_named(signature)
    except ValueError:
        raise SettingsError(
            f"SPIGOT_SIGNATURE is {signature!r}; allowed: one of {', '.join(NAMES)}."
        ) from None
    for one in secrets:
        try:
            usual.key(one)
        except ValueError as error:  # without its cause, which may quote the secret
            raise SettingsError(
                f"SPIGOT_SECRET does not fit {usual.name} (it is not shown): it {error}."
            ) from None

    def closed_to_others(hook: Hook) -> Hook:
        scheme = BY_PROVIDER.get(hook.provider or "", usual)
        return hook._replace(verifier=Verifier(scheme, tuple(_keys(scheme, secrets))))

    return Hooks(map(closed_to_others, KNOWN))


def _listed(secret: str) -> Iterator[str]:
    if not secret:
        raise SettingsError("SPIGOT_SECRET is set and empty: anybody could sign with that.")
    if not secret.startswith("["):
        yield secret
        return
    try:
        found = json.loads(secret)
    except ValueError:
        found = None
    if not found or not all(isinstance(one, str) and one for one in found):
        raise SettingsError(
            'SPIGOT_SECRET begins with [ and is no JSON list of secrets, such as ["new", "old"] (it'
            " is not shown). A secret that begins so is written as a list of one."
        )
    yield from found


def _keys(scheme: Scheme, secrets: list[str]) -> Iterator[bytes]:
    """Yield the keys of a scheme; one without any takes nothing."""
    for one in secrets:
        try:
            yield scheme.key(one)
        except ValueError:
            continue
