"""A path at which Jenkins takes webhooks."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
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
