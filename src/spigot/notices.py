"""Telling the pull request: whose webhook asks for it, and what is said. Pure.

Only GitHub's. From a webhook come a repository's name, a number and a commit's hash, each of a
strict form, and nothing else: no URL of it is ever followed, no text of it is repeated.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from spigot.form import payload_of
from spigot.masking import mask_path, printable
from spigot.sight import State as Jenkins
from spigot.units import format_duration
from spigot.webhook import State

if TYPE_CHECKING:
    from spigot.lane import Hold
    from spigot.valve import ValveRow
    from spigot.webhook import Webhook

ACTIONS = ("opened", "reopened", "synchronize")
"""What happens to a pull request that gives Jenkins something to build. Its labels, its comments
and the statuses of its commits, and so all that a notice causes itself, are not among it."""

TEXT = 140
"""Characters that the description of a commit status may have; GitHub refuses more (422)."""

BODY = 1024 * 1024
"""The largest body that is read; GitHub's are of some 30 kB."""

LONGEST_DELAY = 600.0
"""Seconds between two tries at most."""

_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_SHA = re.compile("[0-9a-f]{40}")
_FORM = b"application/x-www-form-urlencoded"
_WORDS = {State.WAITING: "pending", State.DELIVERED: "success"}


class Mode(StrEnum):
    """How pull requests are told."""

    OFF = "off"
    STATUS = "status"
    """By a commit status on the head."""
    COMMENT = "comment"
    """By one comment that is updated."""


class Subject(NamedTuple):
    """A pull request as it was when a webhook told of it.

    Attributes:
        repository: Its full name, such as ``octo/hello``; fit for a URL's path.
        number: The pull request's.
        sha: The commit at its head, in hexadecimal.
    """

    repository: str
    number: int
    sha: str


class Topic(NamedTuple):
    """What a pull request was told, and how its webhooks stand. One a place.

    Attributes:
        place: Where it is told; see `place_of`.
        subject: The pull request as its newest webhook has it.
        told: The state that was told last; empty for none.
        comment: The id of the comment; 0 if there is none.
        tries: How often it was begun to tell what is to be told now.
        due_at: When to tell, UNIX seconds; None if there is nothing to tell.
        error: Why it failed last; empty if it did not.
        state: Waiting if one of its webhooks waits, else dead if one died, else dropped if one was
            dropped, else delivered. The following is of the newest one in that state.
        id: Its id.
        path: Its path at Jenkins.
        received_at: When it came, UNIX seconds.
        status: Jenkins' last HTTP status; 0 for none.
        ended_at: When it ended, UNIX seconds; None while it waits.
    """

    place: str
    subject: Subject
    told: str
    comment: int
    tries: int
    due_at: float | None
    error: str
    state: State
    id: str
    path: str
    received_at: float
    status: int
    ended_at: float | None


class Notice(NamedTuple):
    """What is told.

    Attributes:
        word: ``pending``, ``success`` or ``error``: the state of a commit status.
        text: In a person's words, on one line, at most `TEXT` characters.
    """

    word: str
    text: str


def is_candidate(provider: str, event: str | None) -> bool:
    """Tell whether a webhook may ask for a notice, as far as its headers show."""
    return provider == "github" and event == "pull_request"


def subject_of(webhook: Webhook, host: str) -> Subject | None:
    """Return the pull request that is to hear of a webhook; None if none is.

    Args:
        webhook: Any webhook.
        host: The host of GitHub's API: a webhook of another GitHub asks for nothing.
    """
    body = webhook.body
    if not is_candidate(webhook.provider, webhook.event) or len(body) > BODY:
        return None
    fields = dict(reversed(webhook.headers))
    if not _is_of(host, fields.get(b"x-github-enterprise-host", b"").decode("latin-1")):
        return None
    if fields.get(b"content-type", b"").lower().startswith(_FORM):
        body = payload_of(body)
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if _at(payload, "action") not in ACTIONS:
        return None
    repository = _at(payload, "repository", "full_name")
    sha = _at(payload, "pull_request", "head", "sha")
    number = _at(payload, "pull_request", "number")
    if type(number) is not int or not 0 < number < 2**53:
        return None
    if not (_matches(_REPOSITORY, repository) and _matches(_SHA, sha)):
        return None
    return Subject(repository, number, sha)


def place_of(subject: Subject, mode: Mode) -> str:
    """Return where a pull request is told: its head, or the pull request itself."""
    about = f"#{subject.number}" if mode is Mode.COMMENT else f"@{subject.sha}"
    return subject.repository + about


def is_comment(place: str) -> bool:
    """Tell whether a place is a comment's, whatever the mode is now."""
    return "#" in place


def is_news(topic: Topic) -> bool:
    """Tell whether its pull request should hear how things stand now.

    One that was never told that its webhook is held need not hear that it went through. A try that
    began counts as told: an answer that got lost leaves open what GitHub took.
    """
    begun = topic.tries > 0 or topic.told not in ("", State.DELIVERED)
    return topic.state != topic.told and (topic.state is State.WAITING or begun)


def held_because(valve: ValveRow, jenkins: Jenkins, path: str, hold: Hold | None) -> str:
    """Say why a webhook waits.

    Args:
        valve: The valve now.
        jenkins: What is known of Jenkins.
        path: The webhook's path at Jenkins.
        hold: The hold of its path, if there is one.
    """
    if not valve.on:
        reason = f" ({_one_line(valve.reason)})" if valve.reason else ""
        return f"the valve is OFF{reason}"
    if jenkins is Jenkins.NOT_READY:
        return "Jenkins is not ready"
    if hold is not None:
        return f"{mask_path(path)} at Jenkins does not work now"
    return "others are before it, or a try has failed"


def notice_of(topic: Topic, why: str) -> Notice:
    """Return what to tell.

    Nothing that Jenkins answered is in it but its status: anybody may be able to read it.

    Args:
        topic: The pull request, and how its webhooks stand.
        why: Why they are held, if they are.
    """
    if topic.state is State.WAITING:
        text = f"Kept for Jenkins, which hears of it later: {why}"
    elif topic.state is State.DELIVERED:
        waited = max(0.0, (topic.ended_at or topic.received_at) - topic.received_at)
        text = f"Delivered to Jenkins after {format_duration(round(waited))}"
    elif topic.state is State.DROPPED:
        text = "Not delivered to Jenkins: dropped by a person"
    else:
        answer = f"it answered {topic.status}" if topic.status else "it gave no answer"
        text = f"Not delivered to Jenkins: {answer}. Spigot can replay it: {topic.id}"
    return Notice(_WORDS.get(topic.state, "error"), clipped(text, TEXT))


def mark_of(topic: Topic) -> str:
    """Return a line that nobody sees and by which a comment is found again."""
    return f"<!-- spigot {topic.place} -->"


def comment_of(topic: Topic, notice: Notice) -> str:
    """Return the text of a comment. What a person wrote stands as code: it calls nobody."""
    text = notice.text.replace("`", "'")
    about = f"Spigot, the valve in front of Jenkins, about `{topic.subject.sha[:7]}`"
    return f"{mark_of(topic)}\n{about}: **{notice.word}**. `{text}`"


def delay_after(tries: int) -> float:
    """Return how many seconds to wait after so many tries that failed."""
    return min(2.0 ** min(tries, 20), LONGEST_DELAY)


def clipped(text: str, most: int) -> str:
    """Return text on one line, printable, and with at most so many characters."""
    text = _one_line(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _is_of(host: str, enterprise: str) -> bool:
    """Tell whether a webhook of a GitHub Enterprise Server, which names its host, is of ours."""
    named = enterprise.lower()
    return not named or named == host or host.endswith(f".{named}")


def _at(payload: Any, *way: str) -> Any:
    for key in way:
        payload = payload.get(key) if type(payload) is dict else None
    return payload


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return type(value) is str and pattern.fullmatch(value) is not None
