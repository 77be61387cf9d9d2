"""What a gateway may exchange while it runs, made from the settings as a whole.

A reload makes all of it anew before it changes anything: what is wrong shows while the old one
still stands.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

from spigot.decide import Policy
from spigot.errors import SettingsError
from spigot.github import GitHub
from spigot.intake import Intake
from spigot.notices import Mode
from spigot.teller import Voice
from spigot.web.access import Access
from spigot.web.limits import Limits
from spigot.web.tls import server_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Collection

    from spigot.address import Address
    from spigot.guard import Probe
    from spigot.hooks import Hooks
    from spigot.ports import Clock
    from spigot.settings import Settings

FIXED = (
    "target", "listen", "admin", "data", "parallel", "recall", "repository_gap", "ca_file", "proxy",
)  # fmt: skip
"""The options that a reload cannot change."""


class Live(NamedTuple):
    """What follows from one set of settings.

    Attributes:
        settings: The settings.
        intake: Reads requests.
        access: Who may send.
        limits: What the public listener puts up with.
        policy: What decisions go by.
        probe: How Jenkins is asked.
        voice: How pull requests are told; None for not at all.
        tls: What the public listener serves; None for plain HTTP.
        admin_tls: What the admin listener serves; None for plain HTTP.
    """

    settings: Settings
    intake: Intake
    access: Access
    limits: Limits
    policy: Policy
    probe: Probe
    voice: Voice | None
    tls: ssl.SSLContext | None
    admin_tls: ssl.SSLContext | None

    @classmethod
    def of(cls, settings: Settings, hooks: Hooks, probe: Probe, clock: Clock) -> Live:
        """Make all of it.

        Args:
            settings: The settings; `target` must be set.
            hooks: The hook paths that they ask for.
            probe: How they ask Jenkins.
            clock: Tells the time.

        Raises:
            SettingsError: Something in them cannot be used.
        """
        assert settings.target is not None
        allow = {hook.path: hook.allow for hook in settings.hooks if hook.allow}
        _check_cover(allow, hooks)
        return cls(
            settings,
            Intake(hooks, settings.routes, context=settings.target.context, clock=clock),
            Access(
                clock,
                allow=allow,
                trusted=settings.trusted_proxies,
                rate=settings.rate_per_address,
            ),
            Limits(*(getattr(settings, name) for name in Limits._fields)),
            Policy(settings.retry_delays, settings.settle_after),
            probe,
            voice_of(settings, clock),
            _context(settings, ""),
            _context(settings, "admin_"),
        )


def voice_of(settings: Settings, clock: Clock) -> Voice | None:
    """Return how pull requests are told; None for not at all.

    Raises:
        SettingsError: The environment names a proxy that is of no use.
    """
    if settings.notices is Mode.OFF or settings.notices_token is None:
        return None
    github = GitHub(settings.notices_api, settings.notices_token, clock)
    return Voice(settings.notices, settings.notices_after, github)


def kept_fixed(old: Settings, read: Settings) -> tuple[Settings, list[str]]:
    """Return new settings as far as a reload can follow them.

    Args:
        old: What the gateway runs with.
        read: What the configuration says now.

    Returns:
        The new settings with what is fixed kept as it is, and the options for which that matters.
    """
    names = [name for name in FIXED if getattr(old, name) != getattr(read, name)]
    for prefix in ("", "admin_"):
        option = f"{prefix}tls_certificate"
        if (getattr(old, option) is None) is not (getattr(read, option) is None):
            names += [option, f"{prefix}tls_key"]  # between TLS and plain HTTP
    return dataclasses.replace(read, **{name: getattr(old, name) for name in names}), names


def check_admin(address: Address, token: str | None) -> None:
    """Make sure that the admin listener is not open to other machines, wherever it really is.

    Raises:
        SettingsError: It is, without a token.
    """
    if token is None and not address.loopback:
        raise SettingsError(
            f"The admin address is {address}, which other machines may reach, and there is no "
            "admin_token; set SPIGOT_ADMIN_TOKEN, or let it listen on 127.0.0.1"
        )


def _check_cover(allow: Collection[str], hooks: Hooks) -> None:
    """Refuse an `allow` that another spelling of its path gets around; see `check_cover`."""
    for outer in hooks.all:
        for path in allow:
            inside = outer.below and path != outer.path and path.startswith(outer.path)
            if inside and outer.path not in allow:
                raise SettingsError(
                    f"hooks: {path} has `allow`, but {outer.path}, which covers it, has not: "
                    "another spelling of the path would be taken from everywhere. Give "
                    f"{outer.path} an `allow` too, or close it with only_hooks = true"
                )


def _context(settings: Settings, prefix: str) -> ssl.SSLContext | None:
    option = f"{prefix}tls_certificate"
    certificate = getattr(settings, option)
    if certificate is None:
        return None
    return server_context(certificate, getattr(settings, f"{prefix}tls_key"), option=option)
