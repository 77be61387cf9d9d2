"""Where a webhook goes at Jenkins, and which webhooks it must stay in order with."""

from __future__ import annotations

from hashlib import blake2s
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from spigot.errors import Refused
from spigot.masking import without_userinfo
from spigot.providers import PROVIDERS
from spigot.repository import tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spigot.hook import Hook
    from spigot.providers import Fields, Sender

_DEFAULTS = {
    "github": "/github-webhook/",
    "gitlab": "/gitlab-webhook/post",
    "bitbucket": "/bitbucket-scmsource-hook/notify",
    "bitbucket-dc": "/bitbucket-scmsource-hook/notify",
    "gitea": "/gitea-webhook/post",
    "forgejo": "/gitea-webhook/post",
}
_SYSTEM_HOOK = "/gitlab-systemhook/post"


def route(sender: Sender, routes: Mapping[str, str]) -> str:
    """Return the path at Jenkins for a webhook that came to ``/webhooks``.

    Args:
        sender: What its headers say.
        routes: Paths by event, as the provider writes it (``pull_request``, ``Push Hook``); they
            come before the provider's default.

    Raises:
        Refused: 400, nothing says where it belongs.
    """
    provider, event, _ = sender
    path = routes.get(event) if event is not None else None
    if path is None and provider == "gitlab" and event == "System Hook":
        path = _SYSTEM_HOOK
    if path is None:
        path = _DEFAULTS.get(provider)
    if path is None:
        raise Refused(400, _nowhere(sender), reason="no_route")
    return path


def _nowhere(sender: Sender) -> str:
    advice = "Point the webhook straight at its Jenkins hook path instead of /webhooks"
    if sender.provider in {row.name for row in PROVIDERS}:
        event = f" event {sender.event!r}" if sender.event else ""
        return (
            f"No route for {sender.provider}{event}: Jenkins has no usual path for it. {advice}, or"
            " name its event in [routes]."
        )
    headers = ", ".join(
        name.decode().title()
        for name in dict.fromkeys(row.event or row.marks[0] for row in PROVIDERS)
    )
    return f"The headers name no provider (looked for {headers}). {advice}."


def lane_of(hook: Hook, path: str, query: str, fields: Fields, repository: str | None) -> str:
    """Return a webhook's lane: the path with what names its job there, then the repository.

    Args:
        hook: What ``Hooks.find`` returned for the path.
        path: Below Jenkins' context path, as received.
        query: As received, without the question mark.
        fields: The headers.
        repository: What the body names, if anything. The hook of ``notifyCommit`` goes by its
            parameter ``url`` instead.

    Returns:
        Such as ``/github-webhook/ octo/hello`` or ``/generic-webhook-trigger/invoke#1f0c92ab``. A
        token shows as ``#`` and eight hexadecimal digits of its BLAKE2s digest, never itself.
    """
    job = hook.job
    if job == "token":
        path += _digest(_token(query, fields))
    elif job == "path-token":
        token, slash, rest = path.removeprefix(hook.path).partition("/")
        path = hook.path + _digest(token) + slash + rest
    elif job == "url":
        url = (_parameter(query, "url") or "").partition("?")[0]
        repository = tidy(without_userinfo(url))
    return f"{path} {repository}" if repository else path


def _digest(token: str) -> str:
    if not token:
        return ""
    return "#" + blake2s(token.encode(errors="replace"), digest_size=4).hexdigest()


def _token(query: str, fields: Fields) -> str:
    """Find the token where GenericWebHookRequestReceiver.getGivenToken does, in its order."""
    token = _parameter(query, "token")
    if token is not None:
        return token
    value = fields.get(b"token")
    if value is None:
        authorization = fields.get(b"authorization", b"")
        if authorization.startswith(b"Bearer "):
            value = authorization[7:]
        else:
            value = fields.get(b"x-gitlab-token", b"")
    return value.decode("latin-1")


def _parameter(query: str, name: str) -> str | None:
    """Return a parameter's decoded value, the first one's as servlets do; None if there is none."""
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if unquote_plus(key) == name:
            return unquote_plus(value)
    return None
