"""The paths at which Jenkins' plugins take webhooks, and which requests belong to which.

A webhook keeps its path, so these are Spigot's own addresses too. Nothing but a hook can be reached
through Spigot: paths match exactly, and what may follow a prefix is checked.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from spigot.errors import Refused, SettingsError
from spigot.masking import MASK, TOKEN_PATHS, mask_path, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spigot.signatures import Verifier


class Presence(StrEnum):
    """Whether a hook's plugin is loaded at Jenkins."""

    LOADED = "loaded"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Question(NamedTuple):
    """A request that changes nothing at Jenkins and tells whether a hook's plugin is loaded.

    Ask only a ready Jenkins: one that boots answers 403 and 404 too.

    Attributes:
        method: ``GET`` or ``POST``; the body is empty.
        path: Path and query, below Jenkins' context path.
        loaded: The statuses with which the plugin itself answers.
        absent: The statuses with which Jenkins answers in its place. A POST meets the crumb filter,
            403, where no plugin claims the path.
        headers: Header lines to send.
        json: The plugin answers in JSON; any other answer is not its own.
    """

    method: str
    path: str
    loaded: tuple[int, ...]
    absent: tuple[int, ...] = (404,)
    headers: tuple[tuple[str, str], ...] = ()
    json: bool = False

    def understand(self, status: int, content_type: str) -> Presence:
        """Say what an answer means; a proxy's or a login page's means nothing.

        Args:
            status: The answer's HTTP status; redirects are not followed.
            content_type: Its media type in lower case without parameters.
        """
        if status in self.loaded and (not self.json or content_type == "application/json"):
            return Presence.LOADED
        return Presence.ABSENT if status in self.absent else Presence.UNKNOWN


class Hook(NamedTuple):
    """A path at which Jenkins takes webhooks.

    Attributes:
        path: Below Jenkins' context path, percent-encoded; its trailing slash, or none, matters.
        methods: What the plugin acts on.
        below: The path is a prefix, ends in a slash, and everything below it belongs to the hook.
        provider: Whose webhooks come here; None where the headers have to tell.
        job: How a request names its job: ``path`` in what follows the prefix, ``path-token`` by a
            token in the segment that follows it, ``token`` by a token in query or header, ``url``
            by the repository in the parameter ``url``; empty if it does not.
        repeat_harmless: A second delivery builds nothing that the first did not.
        question: How to find out whether the plugin is loaded; None if nothing harmless tells.
        verifier: Takes only what was signed with the hook's secret; None: it has none.
    """

    path: str
    methods: tuple[str, ...] = ("POST",)
    below: bool = False
    provider: str | None = None
    job: Literal["", "path", "path-token", "token", "url"] = ""
    repeat_harmless: bool = False
    question: Question | None = None
    verifier: Verifier | None = None


_NO_TOKEN = "token=spigot-asks-whether-this-plugin-is-loaded"  # noqa: S105 - no job has it
_NO_REPOSITORY = "url=https%3A%2F%2Fspigot.invalid%2Fno-job-uses-this"  # RFC 2606: never a host

KNOWN: tuple[Hook, ...] = (
    # GitHubWebHook: push polls, branch sources ask GitHub again; neither builds a commit twice.
    Hook(
        "/github-webhook/",
        provider="github",
        repeat_harmless=True,
        question=Question("GET", "/github-webhook/", loaded=(405,)),
    ),
    # GhprbRootAction: a comment seen again may build again.
    Hook(
        "/ghprbhook/",
        provider="github",
        question=Question("GET", "/ghprbhook/", loaded=(400, 415)),
    ),
    # GenericWebHookRequestReceiver: each call is a build of its own; a token that no job has: 404.
    Hook(
        "/generic-webhook-trigger/invoke",
        methods=("POST", "GET"),
        job="token",
        question=Question(
            "POST",
            f"/generic-webhook-trigger/invoke?{_NO_TOKEN}",
            loaded=(200, 403, 404, 500),
            absent=(403, 404),
            headers=(("gwt-dry-run", "true"),),
            json=True,
        ),
    ),
    # ComputedFolderWebHookRequestReceiver: asks for a scan; a token of no folder does nothing.
    Hook(
        "/multibranch-webhook-trigger/invoke",
        methods=("POST", "GET"),
        job="token",
        question=Question(
            "POST",
            f"/multibranch-webhook-trigger/invoke?{_NO_TOKEN}",
            loaded=(200,),
            absent=(403, 404),
        ),
    ),
    # ActionResolver of gitlab-plugin: an unknown job is 404, as if the plugin were absent.
    Hook("/project/", below=True, provider="gitlab", job="path"),
    # GitLabWebHookAction, GitLabSystemHookAction: anything but POST is 400.
    Hook(
        "/gitlab-webhook/post",
        provider="gitlab",
        repeat_harmless=True,
        question=Question("GET", "/gitlab-webhook/post", loaded=(400,)),
    ),
    Hook(
        "/gitlab-systemhook/post",
        provider="gitlab",
        repeat_harmless=True,
        question=Question("GET", "/gitlab-systemhook/post", loaded=(400,)),
    ),
    # BitbucketHookReceiver: polls; an empty body is 200 and a line in Jenkins' log.
    Hook(
        "/bitbucket-hook/",
        repeat_harmless=True,
        question=Question("GET", "/bitbucket-hook/", loaded=(200,)),
    ),
    # BitbucketSCMSourcePushHookReceiver: without an event header 400.
    Hook(
        "/bitbucket-scmsource-hook/notify",
        repeat_harmless=True,
        question=Question("GET", "/bitbucket-scmsource-hook/notify", loaded=(400,)),
    ),
    # GiteaWebhookAction: anything but POST is 400.
    Hook(
        "/gitea-webhook/post",
        provider="gitea",
        repeat_harmless=True,
        question=Question("GET", "/gitea-webhook/post", loaded=(400,)),
    ),
    # GitStatus: with sha1 exactly that commit is built, however old; without a token 401.
    Hook(
        "/git/notifyCommit",
        methods=("POST", "GET"),
        job="url",
        question=Question("GET", f"/git/notifyCommit?{_NO_REPOSITORY}", loaded=(200, 400, 401)),
    ),
    # JSONWebHook of dockerhub-notification-plugin: a pushed image builds.
    *(
        Hook(
            path,
            below=True,
            provider="dockerhub" if path == "/dockerhub-webhook/" else None,
            job="path-token",
        )
        for path in TOKEN_PATHS
    ),
)
"""The hooks of the plugins that Spigot knows."""


_HARMLESS = {hook.path for hook in KNOWN if hook.repeat_harmless}
_NOTIFY_COMMIT = "/git/notifyCommit"


def repeat_is_harmless(path: str, query: str) -> bool:
    """Tell whether a second delivery of a webhook builds nothing that the first did not."""
    if path == _NOTIFY_COMMIT:
        return not any(unquote(part).startswith("sha1=") for part in query.split("&"))
    return path in _HARMLESS


def question_of(path: str) -> Question | None:
    """Return how to find out whether the plugin at a known hook's path is loaded."""
    return next((hook.question for hook in KNOWN if hook.path == path), None)


class Hooks:
    """The hooks that are open here.

    Args:
        extra: Hooks of the configuration; one with the path of a known hook replaces it.
        only: Leave the known hooks closed.

    Raises:
        SettingsError: An extra hook's path is not a usable path.
    """

    def __init__(self, extra: Iterable[Hook] = (), *, only: bool = False) -> None:
        hooks = {} if only else {hook.path: hook for hook in KNOWN}
        for hook in extra:
            _check(hook)
            hooks[hook.path] = hook
        self._exact = {path: hook for path, hook in hooks.items() if not hook.below}
        # Longest first: of two prefixes, the more precise one counts.
        self._prefixes = sorted(
            (hook for hook in hooks.values() if hook.below), key=lambda hook: -len(hook.path)
        )

    @property
    def all(self) -> tuple[Hook, ...]:
        """Every open hook."""
        return (*self._exact.values(), *self._prefixes)

    def find(self, method: str, path: str) -> Hook:
        """Return the hook that a request belongs to.

        Args:
            method: As received.
            path: Below the target's context path, percent-encoded as received, without query.

        Raises:
            Refused: 404 if the path belongs to no hook, or could lead elsewhere at Jenkins; 405
                with ``Allow`` if the hook does nothing on this method.
        """
        hook = self._exact.get(path) or self._above(path)
        if method not in hook.methods:
            allowed = ", ".join(hook.methods)
            raise Refused(
                405,
                f"{hook.path} takes {allowed}, not {_shown(method)}: set the webhook's method.",
                reason="method",
                headers=(("Allow", allowed),),
            )
        return hook

    def _above(self, path: str) -> Hook:
        for hook in self._prefixes:
            rest = path.removeprefix(hook.path)
            if rest and rest != path:
                flaw = _flaw(rest)
                if flaw:
                    shown = f"{hook.path}{MASK}" if hook.job == "path-token" else _shown(path)
                    raise Refused(
                        404,
                        f"{shown} is not taken, for it has {flaw}: below {hook.path} write the path"
                        " as Jenkins shows it, percent-encoded.",
                        reason="unsafe_path",
                    )
                return hook
        raise Refused(404, f"{_shown(path)} is not a hook path: {self._hint(path)}", reason="path")

    def _hint(self, path: str) -> str:
        if f"{path}/" in self._exact:
            return (
                f"the webhook's path has to be {path}/ with a slash at the end; Jenkins would only"
                " redirect there, and providers do not follow."
            )
        for hook in self._prefixes:
            if hook.path in {path, f"{path}/"}:
                return f"what it is for has to follow, as in {hook.path}…"
        for known in self._exact:
            if path.rstrip("/") == known:
                return f"the webhook's path has to be {known} without a slash at the end."
            if path.endswith(known):
                return (
                    f"{known} is, but {_shown(path.removesuffix(known))} before it is not the"
                    " context path of the target."
                )
        names = ", ".join(f"{hook.path}…" if hook.below else hook.path for hook in self.all)
        return (
            f"use the path that Jenkins' plugin documents, one of {names}, or POST /webhooks; open"
            " others with [[hooks]] in the configuration."
        )


_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_SEPARATORS = re.compile(r"[/\\;]")
_SHOWN = 200


def _shown(text: str) -> str:
    return printable(mask_path(text))[:_SHOWN]


def _check(hook: Hook) -> None:
    inner = hook.path[1:].removesuffix("/")
    if not hook.path.startswith("/") or _flaw(inner) or (hook.below and hook.path[-1] != "/"):
        raise SettingsError(
            f"hooks: path {_shown(hook.path)!r} is not usable: write an absolute, percent-encoded"
            " path without query, with a slash at the end if everything below it belongs to it."
        )


def _flaw(rest: str) -> str:
    """Say what in the path after a prefix could lead out of the hook; empty if nothing does.

    One slash at the end is fine (ActionResolver drops empty segments). A slash encoded twice,
    ``%252F``, is how Jenkins writes the slash in a branch job's name.
    """
    if not (rest.isascii() and rest.isprintable()) or " " in rest:
        return "a character that must be percent-encoded"
    if "?" in rest or "#" in rest or _BAD_ESCAPE.search(rest):
        return "a broken percent-encoding, ? or #"
    for segment in rest.removesuffix("/").split("/"):
        flaw = _flaw_of_segment(segment)
        if flaw:
            return flaw
    return ""


def _flaw_of_segment(segment: str) -> str:
    if not segment:
        return "an empty segment"
    try:
        name = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return "a percent-encoding that is not UTF-8"
    if _SEPARATORS.search(name):
        return "an encoded slash, a backslash or a semicolon"
    # Whatever decodes a second time must not find a way out either.
    twice = unquote(name)
    if any(char < " " or char == "\x7f" for char in twice):
        return "a control character"
    if any(part in {".", ".."} for part in _SEPARATORS.split(twice)):
        return "a dot segment"
    return ""
