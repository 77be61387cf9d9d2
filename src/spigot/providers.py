"""Who sent a webhook, told by its headers: one row a provider."""

from __future__ import annotations

from typing import NamedTuple

Fields = dict[bytes, bytes]
"""Header values by lower-case name; of repeated headers, the first."""

UNKNOWN = "unknown"
"""The provider of a webhook whose headers name none, such as Docker Hub's."""

_EVENT_CAP = 100
_DELIVERY_CAP = 200


class Sender(NamedTuple):
    """What the headers say of a webhook's origin.

    Attributes:
        provider: A row's name, or ``unknown``.
        event: The event as the provider writes it, such as ``pull_request`` or ``Push Hook``.
        delivery: The id that stays the same when the provider sends this webhook again.
    """

    provider: str
    event: str | None
    delivery: str | None


class Provider(NamedTuple):
    """One provider's ways. How it signs belongs here too, as one more field.

    Attributes:
        name: As in ``Webhook.provider`` and the configuration.
        marks: The headers that give it away, lower-case; all of them must be there.
        event: The header that names the event, if one does.
        delivery: The headers that may hold the delivery id; the first one present counts.
    """

    name: str
    marks: tuple[bytes, ...]
    event: bytes | None
    delivery: tuple[bytes, ...]


# The order matters: Forgejo sends Gitea's, Gogs' and GitHub's headers too, Gitea those of Gogs and
# GitHub; proxies add X-Request-Id, so Cloud is asked before Data Center; GitLab may add webhook-id.
PROVIDERS: tuple[Provider, ...] = (
    Provider("forgejo", (b"x-forgejo-event",), b"x-forgejo-event", (b"x-forgejo-delivery",)),
    Provider("gitea", (b"x-gitea-event",), b"x-gitea-event", (b"x-gitea-delivery",)),
    Provider("gogs", (b"x-gogs-event",), b"x-gogs-event", (b"x-gogs-delivery",)),
    Provider("github", (b"x-github-event",), b"x-github-event", (b"x-github-delivery",)),
    # X-Gitlab-Webhook-UUID is new on each attempt, X-Gitlab-Event-UUID shared by several hooks.
    Provider(
        "gitlab", (b"x-gitlab-event",), b"x-gitlab-event", (b"idempotency-key", b"webhook-id")
    ),
    Provider(
        "bitbucket", (b"x-event-key", b"x-request-uuid"), b"x-event-key", (b"x-request-uuid",)
    ),
    Provider("bitbucket-dc", (b"x-event-key", b"x-request-id"), b"x-event-key", (b"x-request-id",)),
    Provider("standard-webhooks", (b"webhook-id", b"webhook-signature"), None, (b"webhook-id",)),
)
"""Every provider that its headers give away, in the order in which they are asked."""


def identify(fields: Fields) -> Sender:
    """Tell who sent a webhook, which event it is, and its delivery id.

    An event over 100 or an id over 200 characters, or one with anything but printable ASCII, counts
    as absent: a shortened id could pass for another's. Never raises.
    """
    for provider in PROVIDERS:
        for mark in provider.marks:
            if mark not in fields:
                break
        else:
            return Sender(
                provider.name,
                _word(fields.get(provider.event), _EVENT_CAP) if provider.event else None,
                _delivery(provider, fields),
            )
    return Sender(UNKNOWN, None, None)


def _delivery(provider: Provider, fields: Fields) -> str | None:
    for name in provider.delivery:
        if name in fields:
            return _word(fields[name], _DELIVERY_CAP)
    return None


def _word(value: bytes | None, cap: int) -> str | None:
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    return text if 0 < len(text) <= cap and text.isascii() and text.isprintable() else None
