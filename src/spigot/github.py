"""GitHub's API as far as notices need it: a commit status, a comment, and whether the token works.

Every path is made here of checked parts; nothing from a webhook is followed, nor is a redirect.
Endpoints and limits: docs.github.com/rest (commit statuses, issue comments, rate limits).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from spigot.client import UNFIT, Client
from spigot.masking import mask_text
from spigot.notices import clipped, comment_of, is_comment, mark_of
from spigot.times import iso

if TYPE_CHECKING:
    from spigot.address import Target
    from spigot.notices import Notice, Subject, Topic
    from spigot.ports import Clock, Passed

CONTEXT = "spigot"
"""The name of the commit status: one a head, whoever else has one there."""

LONGEST_PAUSE = 3600.0
"""Seconds that GitHub is left alone at most on its own word; its limits are by the hour."""

SECONDARY_PAUSE = 60.0
"""Seconds to wait at a limit for which GitHub names no time, as its documentation asks."""

_ERROR = 300


class Said(NamedTuple):
    """What GitHub said.

    Attributes:
        done: It did what was asked.
        error: Why not, in words, without the token.
        status: The HTTP status; 0 for no answer.
        pause: For how many seconds to ask nothing at all: GitHub has said so. None if it has not.
        comment: The id of the comment; 0 if there is none.
        scopes: What a classic token may do; None if GitHub does not tell.
    """

    done: bool
    error: str = ""
    status: int = 0
    pause: float | None = None
    comment: int = 0
    scopes: str | None = None

    @property
    def of_all(self) -> bool:
        """Whether it would have failed whatever was told: a limit, the token, GitHub itself."""
        return self.pause is not None or self.status in (0, 401) or self.status >= 500


class GitHub:
    """Tells pull requests; for one thread.

    Args:
        api: The base URL of the API.
        token: Sent with each request, and nowhere else.
        clock: Tells the time.
        connect_timeout: Seconds a connection may take.
        timeout: Seconds a request may take once connected.

    Raises:
        SettingsError: The environment names a proxy that is of no use.
    """

    def __init__(
        self,
        api: Target,
        token: str,
        clock: Clock,
        *,
        connect_timeout: float = 3.0,
        timeout: float = 10.0,
    ) -> None:
        self.host = api.host
        self._client = Client(api, connect_timeout=connect_timeout, proxy="", clock=clock)
        self._token = token
        self._clock = clock
        self._timeout = timeout

    def tell(self, topic: Topic, notice: Notice) -> Said:
        """Tell a pull request how its webhooks stand, at its place; may be repeated."""
        if is_comment(topic.place):
            return self._comment(topic, notice)
        return self._status(topic.subject, notice)

    def check(self) -> Said:
        """Ask something that changes nothing and counts nowhere: whether the token is taken."""
        return self._ask("GET", "/rate_limit")

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def _status(self, subject: Subject, notice: Notice) -> Said:
        value = {"state": notice.word, "description": notice.text, "context": CONTEXT}
        said = self._ask("POST", f"/repos/{subject.repository}/statuses/{subject.sha}", value)
        return said._replace(comment=0)

    def _comment(self, topic: Topic, notice: Notice) -> Said:
        subject, value = topic.subject, {"body": comment_of(topic, notice)}
        known = topic.comment
        if not known and topic.tries > 1:
            known, failed = self._find(topic)
            if failed:
                return failed
        if known:
            said = self._ask("PATCH", f"/repos/{subject.repository}/issues/comments/{known}", value)
            if said.status not in (404, 410):  # somebody deleted it
                return said._replace(comment=known)
        path = f"/repos/{subject.repository}/issues/{subject.number}/comments"
        return self._ask("POST", path, value)

    def _find(self, topic: Topic) -> tuple[int, Said | None]:
        """Look for a comment of which it is not known whether GitHub took it."""
        since = (iso(topic.received_at) or "")[:19] + "Z"
        subject = topic.subject
        path = f"/repos/{subject.repository}/issues/{subject.number}/comments"
        passed = self._send("GET", f"{path}?since={since}&per_page=30")
        said = self._read(passed)
        if not said.done:
            # Too many and too long ones to be read: one comment more is better than none.
            return 0, said if passed.error != UNFIT else None
        found = _json(passed.body)
        for one in found if isinstance(found, list) else []:
            if isinstance(one, dict) and str(one.get("body", "")).startswith(mark_of(topic)):
                return _id(one), None
        return 0, None

    def _ask(self, method: str, path: str, value: Any = None) -> Said:
        return self._read(self._send(method, path, value))

    def _send(self, method: str, path: str, value: Any = None) -> Passed:
        headers = [
            (b"user-agent", b"spigot"),
            (b"accept", b"application/vnd.github+json"),
            (b"x-github-api-version", b"2022-11-28"),
            (b"authorization", b"Bearer " + self._token.encode("latin-1")),
        ]
        if value is None:
            return self._client.request(method, path, headers, b"", self._timeout)
        headers.append((b"content-type", b"application/json"))
        body = json.dumps(value).encode()
        return self._client.request(method, path, headers, body, self._timeout)

    def _read(self, passed: Passed) -> Said:
        said = read(passed, self._clock.now())
        return said._replace(error=mask_text(said.error, [self._token]))


def read(passed: Passed, now: float) -> Said:
    """Say what an answer means. Pure.

    Args:
        passed: The answer.
        now: UNIX seconds.
    """
    status, value = passed.status, _json(passed.body)
    if 200 <= status < 300:
        fields = dict(passed.headers)
        return Said(
            done=True, status=status, comment=_id(value), scopes=fields.get("x-oauth-scopes")
        )
    if not status:
        return Said(done=False, error=f"GitHub cannot be reached: {passed.error}")
    message = value.get("message") if isinstance(value, dict) else None
    words = f"{status} {message if isinstance(message, str) else passed.reason}"
    if 300 <= status < 400:
        words += ": the repository or the API has moved, and a redirect is not followed"
    return Said(
        done=False, error=clipped(f"GitHub says {words}", _ERROR), status=status,
        pause=_pause(passed, words, now),
    )  # fmt: skip


def _pause(passed: Passed, words: str, now: float) -> float | None:
    """Return for how long GitHub wants to be left alone; its rules are for 403 and 429 alone."""
    fields = dict(passed.headers)
    after, reset = fields.get("retry-after", ""), fields.get("x-ratelimit-reset", "")
    if passed.status not in (403, 429, 503):
        return None
    if _is_number(after):
        wanted = float(after)
    elif fields.get("x-ratelimit-remaining") == "0" and _is_number(reset):
        wanted = float(reset) - now
    elif passed.status == 429 or "rate limit" in words.lower():
        wanted = SECONDARY_PAUSE
    else:
        return None
    return min(max(wanted, 1.0), LONGEST_PAUSE)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 12


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _id(value: Any) -> int:
    found = value.get("id") if isinstance(value, dict) else None
    return found if type(found) is int and 0 < found < 2**63 else 0
