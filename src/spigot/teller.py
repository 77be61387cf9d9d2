"""The thread that tells pull requests: looks for who is to hear what, tells one at a time.

What it does is in the store before it is done and again once it is, so that a crash at any moment
leaves nothing untold. Delivery knows nothing of it: whatever GitHub does, only this thread waits.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from spigot.errors import StoreError
from spigot.log import Log
from spigot.notices import Mode, delay_after, is_candidate, is_news, notice_of, place_of, subject_of
from spigot.webhook import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.github import GitHub, Said
    from spigot.notices import Topic
    from spigot.ports import Clock, TellingStore

TICK = 1.0
"""Seconds between two looks."""

GAP = 2.0
"""Seconds between two requests: GitHub asks for one at least. In an hour that is a third of what
GitHub gives a user (5,000), who may be Jenkins' own."""

LOOK = 1000
"""Waiting webhooks that one look passes over at most, ..."""

READ = 100
"""... and the bodies that it reads: 100,000 held pull requests are read in a quarter of an hour."""

BATCH = 500
"""Notices that one look passes over at most."""

GIVE_UP = 5
"""Tries after which a pull request that GitHub refuses, and that was told nothing yet, is left."""

LONGEST_PAUSE = 60.0
"""Seconds between two tries at most while GitHub fails as a whole, unless it names a time."""

_log = Log(__name__)


class Voice(NamedTuple):
    """How pull requests are told.

    Attributes:
        mode: By a status or by a comment.
        after: Seconds for which a webhook must have been held.
        github: The way there.
    """

    mode: Mode
    after: float
    github: GitHub


class Teller:
    """Tells pull requests that their webhooks are held, and how that ended.

    Args:
        store: Keeps the webhooks, and what was told.
        clock: Tells the time.
        why: Says why what goes to a path at Jenkins is held.
        voice: How to tell; None for not at all.

    Attributes:
        error: What failed last; empty if the last request went well.
    """

    def __init__(
        self, store: TellingStore, clock: Clock, why: Callable[[str], str], voice: Voice | None
    ) -> None:
        self._voice = voice
        self.error = ""
        self._store = store
        self._clock = clock
        self._why = why
        self._seen = 0
        self._next_tick = float("-inf")  # the next request, not before this
        self._failures = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spigot-teller", daemon=True)

    def use(self, voice: Voice | None) -> None:
        """Tell so from now on; None: tell nobody."""
        before, self._voice = self._voice, voice
        if before is not None:
            before.github.close()
        if voice is None:
            self.error = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, patience: float = 1.0) -> None:
        """Begin nothing further; a request under way that takes longer is left, and repeated."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(patience)
        self.use(None)

    def look(self) -> None:
        """Look once: find out who is to hear something, and tell one of them.

        Raises:
            StoreError: The store could not be read or written; the next look goes on.
        """
        voice = self._voice
        if voice is None:
            return
        self._find(voice)
        if self._clock.monotonic() < self._next_tick:
            return
        notices = self._store.notices
        topics = [*notices.changed(BATCH), *notices.due(self._clock.now(), BATCH)]
        news = next((topic for topic in topics if is_news(topic)), None)
        self._pass_over(topics[: topics.index(news)] if news else topics)
        if news:
            self._tell(voice, news)

    def _find(self, voice: Voice) -> None:
        """Find pull requests whose webhooks have been held for long enough."""
        found = []
        read = 0
        for held in self._store.notices.held(self._seen, LOOK):
            age = self._clock.now() - held.received_at
            if 0 <= age < voice.after or read >= READ:  # a clock set back makes nothing young
                break
            if is_candidate(held.provider, held.event) and (
                loaded := self._store.load(held.position)
            ):
                read += 1
                if subject := subject_of(loaded.webhook, voice.github.host):
                    found.append((held.position, place_of(subject, voice.mode), subject))
            self._seen = held.position
        if found:
            self._store.notices.add(found)

    def _pass_over(self, topics: list[Topic]) -> None:
        """Forget what is no news: it is as was told, or went through before anybody was told."""
        for topic in topics:
            if topic.told:
                self._store.notices.save(topic._replace(tries=0, due_at=None, error=""))
        untold = [topic.place for topic in topics if not topic.told]
        if untold:
            self._store.notices.forget(untold)
            _log.info(
                "Webhooks of pull requests ended before these could be told that they wait",
                pull_requests=len(untold),
            )

    def _tell(self, voice: Voice, topic: Topic) -> None:
        tries = topic.tries + 1
        due_at = self._clock.now() + delay_after(tries)
        topic = topic._replace(tries=tries, due_at=due_at)
        self._store.notices.save(topic)  # before it is done: a crash must leave nothing untold
        said = voice.github.tell(topic, notice_of(topic, self._why(topic.path)))
        tick = self._clock.monotonic()
        self._next_tick = tick + GAP
        if said.done:
            self._done(topic, said)
            return
        self._say(topic, said)
        if said.of_all:
            self._failures += 1
            pause = said.pause or min(delay_after(self._failures), LONGEST_PAUSE)
            self._next_tick = tick + max(GAP, pause)
            due_at = self._clock.now() + (said.pause or min(delay_after(tries), LONGEST_PAUSE))
        if not (said.of_all or topic.told) and tries >= GIVE_UP:
            _log.warning("A pull request is not told", place=topic.place, error=said.error)
            self._store.notices.forget([topic.place])
        else:
            self._store.notices.save(topic._replace(due_at=due_at, error=said.error))

    def _done(self, topic: Topic, said: Said) -> None:
        self._failures = 0
        if self.error:
            _log.info("Pull requests are told again")
        self.error = ""
        _log.info("Pull request told", place=topic.place, state=str(topic.state), id=topic.id)
        if topic.state is State.DELIVERED and not said.comment:
            self._store.notices.forget([topic.place])  # nothing more will come of it
        else:
            self._store.notices.save(
                topic._replace(
                    told=topic.state, tries=0, due_at=None, error="",
                    comment=said.comment,
                )
            )  # fmt: skip

    def _say(self, topic: Topic, said: Said) -> None:
        if said.error != self.error:
            _log.warning(
                "A pull request could not be told; it is tried again",
                place=topic.place,
                error=said.error,
                pause_s=said.pause,
            )
        self.error = said.error

    def _run(self) -> None:
        while not self._stop.wait(TICK):
            try:
                self.look()
            except StoreError as error:
                _log.warning("The store could not say who is to be told; trying again", exc=error)
            except Exception as error:  # noqa: BLE001 - the thread must go on
                _log.error("Telling failed inside Spigot; trying again", exc=error)
