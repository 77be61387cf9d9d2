"""Telling the pull request, on AWS: what is still to be told lies in S3, for the scheduled drain.

SQS has no place for it. An object a notice stands under ``notices/todo/`` while something is to be
told, and under ``notices/told/`` while what was told holds. It is written before the webhook goes
into the queue, and again before it leaves it, so that whatever is killed in between, the end is
told. Of several webhooks at one place the word of the latest counts: there is no table to ask.

Nothing here ever fails a webhook: what goes wrong is logged.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from spigot.address import Target
from spigot.errors import SettingsError
from spigot.github import GitHub
from spigot.log import Log
from spigot.notices import (
    Mode,
    Subject,
    Topic,
    delay_after,
    is_comment,
    is_news,
    notice_of,
    place_of,
    subject_of,
)
from spigot.webhook import State, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from spigot.ports import Clock
    from spigot.webhook import Attempt, Webhook

TOKEN_KEY = "github-token.json"  # noqa: S105 - where it is, not what
AWAY = "Jenkins is away, or the valve is OFF"
"""Why something is kept, as far as a Lambda that takes webhooks in can tell."""

AT_ONCE = 3.0
"""So many seconds after a webhook came there is still time to tell: the provider waits for 10."""

QUICK = (1.0, 2.0)
"""Seconds for a connection to GitHub and for its answer, while a provider waits."""

GAP = 1.0
"""Seconds between two requests."""

SWEEP = 100
"""Notices that one sweep reads at most."""

GIVE_UP = 5
"""Tries after which a pull request that GitHub refuses, and that was told nothing yet, is left."""

REST = 60.0
"""Seconds for which GitHub is left alone when it fails as a whole and names no time."""

KEPT = 15 * 86400.0
"""Seconds after which nothing more can come of a webhook: SQS keeps one for 14 days."""

_TODO, _TOLD, _REST = "notices/todo/", "notices/told/", "notices/rest.json"
_ENDS = {Verdict.DELIVERED: State.DELIVERED, Verdict.DEAD: State.DEAD}

_log = Log(__name__)


class Notices:
    """Tells pull requests of webhooks that went into the queue.

    Args:
        s3: boto3's client.
        bucket: The bucket for credentials and what is kept beside the queue.
        github: The way to GitHub.
        mode: By a status or by a comment.
        clock: Tells the time.
        after: Seconds for which a webhook must have been held before a sweep tells that it is.
    """

    def __init__(
        self, s3: Any, bucket: str, github: GitHub, mode: Mode, clock: Clock, *, after: float = 30.0
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._github = github
        self._mode = mode
        self._clock = clock
        self._after = after

    def close(self) -> None:
        """Close idle connections to GitHub."""
        self._github.close()

    # --- the Lambda that takes webhooks in ---------------------------------------------------

    def keep(self, webhook: Webhook, keep: Callable[[Webhook], None]) -> None:
        """Keep a webhook and tell its pull request; raises what `keep` does, and nothing else.

        Args:
            webhook: The webhook.
            keep: Puts it into the queue.
        """
        begun: tuple[Topic, Topic | None] | None = _tolerant(self._begin, webhook)
        try:
            keep(webhook)
        except BaseException:
            if begun:
                _tolerant(self._undo, *begun)
            raise
        if begun and begun[0].tries:
            _tolerant(self._tell_at_once, begun[0])

    def _begin(self, webhook: Webhook) -> tuple[Topic, Topic | None] | None:
        """Write that a webhook will wait; return that, and what stood there before."""
        subject = subject_of(webhook, self._github.host)
        if subject is None:
            return None
        place = place_of(subject, self._mode)
        known = self._get(place)
        told, comment = (known.told, known.comment) if known else ("", 0)
        at_once = told != State.WAITING and (0 <= self._clock.now() - webhook.received_at < AT_ONCE)
        topic = Topic(
            place, subject, State.WAITING if at_once else told, comment, int(at_once), None, "",
            State.WAITING, webhook.id, webhook.path, webhook.received_at, 0, None,
        )  # fmt: skip
        # As told before it is: nobody else may write it once the webhook is in the queue.
        self._put(topic)
        return topic, known

    def _undo(self, topic: Topic, known: Topic | None) -> None:
        if known:
            self._put(known)
        else:
            self._remove(topic.place)

    def _tell_at_once(self, topic: Topic) -> None:
        said = self._github.tell(topic, notice_of(topic, AWAY))
        if not said.done:
            _log.warning("A pull request could not be told that its webhook waits",
                         place=topic.place, error=said.error)  # fmt: skip

    # --- the drain ---------------------------------------------------------------------------

    def ended(self, webhook: Webhook, attempt: Attempt) -> None:
        """Hear of an attempt, before the queue does; only the ends matter."""
        if state := _ENDS.get(attempt.decision.verdict):
            _tolerant(self._end, webhook, state, attempt.outcome.status)

    def _end(self, webhook: Webhook, state: State, status: int) -> None:
        subject = subject_of(webhook, self._github.host)
        topic = self._get(place_of(subject, self._mode)) if subject else None
        if topic is None:
            return
        topic = topic._replace(
            state=state, id=webhook.id, path=webhook.path, received_at=webhook.received_at,
            status=status, ended_at=self._clock.now(), due_at=None,
        )  # fmt: skip
        if is_news(topic):
            self._put(topic)
        else:
            self._remove(topic.place)

    def sweep(self, end: float, why: str) -> None:
        """Tell what is to be told, the ends first, one request a second.

        Args:
            end: A tick of the monotonic clock at which no further request may begin.
            why: Why webhooks are held, if they are.
        """
        _tolerant(self._sweep, end, why)

    def _sweep(self, end: float, why: str) -> None:
        self._expire()
        rest = self._read(_REST)
        if rest and self._clock.now() < float(rest["until"]) < self._clock.now() + 2 * 3600:
            return
        keys = [key for key, _ in self._listed(_TODO)]
        topics = [topic for key in keys[:SWEEP] if (topic := self._load(key))]
        if len(keys) > SWEEP:
            _log.info("More pull requests are to be told than one run can", left=len(keys) - SWEEP)
        due = sorted(filter(self._is_due, topics), key=lambda one: one.state is State.WAITING)
        for number, topic in enumerate(due):
            if number:
                time.sleep(GAP)
            if self._clock.monotonic() >= end or not self._tell(topic, why):
                return

    def _is_due(self, topic: Topic) -> bool:
        now = self._clock.now()
        if topic.due_at and now < topic.due_at < now + 2 * 3600:
            return False
        young = 0 <= now - topic.received_at < self._after
        return not (topic.state is State.WAITING and young)

    def _tell(self, topic: Topic, why: str) -> bool:
        """Tell a pull request; return whether another one may be told."""
        topic = topic._replace(tries=topic.tries + 1)
        self._put(topic)
        said = self._github.tell(topic, notice_of(topic, why))
        if said.done:
            _log.info("Pull request told", place=topic.place, state=str(topic.state), id=topic.id)
            if topic.state is State.DELIVERED and not is_comment(topic.place):
                self._remove(topic.place)
            else:
                self._put(
                    topic._replace(
                        told=topic.state, tries=0, due_at=None, error="", comment=said.comment
                    )
                )
            return True
        _log.warning("A pull request could not be told; it is tried again", place=topic.place,
                     error=said.error)  # fmt: skip
        now = self._clock.now()
        if not (said.of_all or topic.told) and topic.tries >= GIVE_UP:
            self._remove(topic.place)
        else:
            self._put(topic._replace(due_at=now + delay_after(topic.tries), error=said.error))
        if said.of_all:
            self._write(_REST, {"until": now + (said.pause or REST)})
        return not said.of_all

    def _expire(self) -> None:
        """End what nothing more can come of, so that no status stays pending for ever."""
        for key, at in self._listed(_TOLD):
            if self._clock.now() - at < KEPT or not (topic := self._load(key)):
                continue
            if topic.told == State.WAITING:
                self._put(topic._replace(state=State.DEAD, status=0, ended_at=self._clock.now()))
            else:
                self._remove(topic.place)

    # --- the objects -------------------------------------------------------------------------

    def _get(self, place: str) -> Topic | None:
        return self._load(_key(_TODO, place)) or self._load(_key(_TOLD, place))

    def _put(self, topic: Topic) -> None:
        holds = topic.told == topic.state
        here, other = (_TOLD, _TODO) if holds else (_TODO, _TOLD)
        self._write(_key(here, topic.place), topic._asdict())
        self._s3.delete_object(Bucket=self._bucket, Key=_key(other, topic.place))

    def _remove(self, place: str) -> None:
        for prefix in (_TODO, _TOLD):
            self._s3.delete_object(Bucket=self._bucket, Key=_key(prefix, place))

    def _load(self, key: str) -> Topic | None:
        value = self._read(key)
        if value is None:
            return None
        try:
            subject, state = Subject(*value.pop("subject")), State(value.pop("state"))
            return Topic(**value, subject=subject, state=state)
        except (TypeError, ValueError, KeyError) as error:
            _log.error("What is in S3 is no notice, and is passed over", key=key, exc=error)
            return None

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None
        value: dict[str, Any] = json.loads(found)
        return value

    def _write(self, key: str, value: dict[str, Any]) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=json.dumps(value).encode())

    def _listed(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Yield each key with a prefix, and when it was written, UNIX seconds."""
        pages = self._s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
            for one in page.get("Contents", ()):
                yield one["Key"], one["LastModified"].timestamp()


def notices_of(
    environ: Mapping[str, str], s3: Any, bucket: str, clock: Clock, *, quick: bool = False
) -> Notices | None:
    """Return how a Lambda tells pull requests; None if it tells nobody.

    Args:
        environ: ``NOTICES`` says how (``off``, ``status``, ``comment``), ``NOTICES_API`` names
            another GitHub, ``NOTICES_AFTER`` how many seconds a webhook must have been held.
        s3: boto3's client.
        bucket: The bucket with the token, in ``github-token.json``: ``{"token": …}``.
        clock: Tells the time.
        quick: A provider waits: GitHub gets little time.
    """
    if environ.get("NOTICES", "off") in ("", "off"):
        return None
    made: Notices | None = _tolerant(_made, environ, s3, bucket, clock, quick)
    if made is None:
        _log.error("Pull requests are not told: what is configured cannot be used", key=TOKEN_KEY)
    return made


def _made(
    environ: Mapping[str, str],
    s3: Any,
    bucket: str,
    clock: Clock,
    quick: bool,  # noqa: FBT001
) -> Notices:
    api = Target.parse_private(environ.get("NOTICES_API") or "https://api.github.com")
    value = json.loads(s3.get_object(Bucket=bucket, Key=TOKEN_KEY)["Body"].read())
    token = value.get("token") if isinstance(value, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise SettingsError(f'{TOKEN_KEY} in {bucket} holds no {{"token": …}}')
    connect, answer = QUICK if quick else (3.0, 10.0)
    github = GitHub(api, token, clock, connect_timeout=connect, timeout=answer)
    after = float(environ.get("NOTICES_AFTER") or 30.0)
    return Notices(s3, bucket, github, Mode(environ["NOTICES"]), clock, after=after)


def _key(prefix: str, place: str) -> str:
    return f"{prefix}{quote(place, safe='/@')}.json"


def _tolerant(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do something whose failing must not matter to a webhook; return None if it failed."""
    try:
        return work(*arguments)
    except Exception as error:  # noqa: BLE001 - S3, the token, GitHub: none of it may matter
        _log.warning("A notice failed; the webhook goes its way", exc=error)
        return None
