"""Watches Jenkins: asks the probe, hears what deliveries met, knows whether Jenkins is ready."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from spigot import readiness as rules
from spigot.log import Log
from spigot.readiness import Moment, Readiness, Restart
from spigot.sight import (
    QUIET_QUESTION,
    Expected,
    Sight,
    State,
    queue_length,
    queue_question,
    read,
    with_quiet_down,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from spigot.ports import Clock, Sender

CANDIDATES = ("/whoAmI/api/json", "/login")
"""Questions any Jenkins answers to anybody (WhoAmI of its core; each /login costs a session)."""

HELD_EVERY = 1.0
"""Seconds between two probes while webhooks are held: Jenkins is not known to be ready, or OFF."""

LOGIN_EVERY = 5.0
"""Seconds between two probes at most where a login lets see that Jenkins is quieting down."""

_log = Log(__name__)


class Probe(NamedTuple):
    """How Jenkins is asked.

    Attributes:
        path: The path to ask; empty to find one of `CANDIDATES`.
        expected: What a good answer is.
        every: Seconds between two probes while webhooks flow.
        login: The ``Authorization`` of somebody who may see more; empty for nobody.
        queue_most: How many builds may wait in Jenkins' queue before it counts as too long; 0 if
            that does not matter. It takes a login.
    """

    path: str = ""
    expected: Expected = Expected()
    every: float = 30.0
    login: str = ""
    queue_most: int = 0


USUAL = Probe()
"""How Jenkins is asked where nothing is configured."""


class Guard:
    """What is known of Jenkins now; safe for many threads.

    Args:
        sender: The way to Jenkins.
        clock: Tells the time.
        probe: How Jenkins is asked.
        memory: What `Readiness.memory` said in an earlier life.
        changed: Called after the state changed; must only wake somebody.

    Attributes:
        taken_tick: When Jenkins last took a webhook, a tick.
        has_asked: Whether a probe was answered already, or a delivery told more.
        queue_is_long: Whether too many builds wait in Jenkins' queue.
    """

    def __init__(
        self,
        sender: Sender,
        clock: Clock,
        *,
        probe: Probe = USUAL,
        memory: dict[str, Any] | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._sender = sender
        self._clock = clock
        self.ask_so(probe)
        self._changed = changed
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._probes = 0
        self._now = rules.unknown(self._moment(), memory)
        self._closely = False
        self.taken_tick = float("-inf")
        self.has_asked = False
        self._stop = threading.Event()
        self._soon = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spigot-guard", daemon=True)

    def ask_so(self, probe: Probe) -> None:
        """Ask Jenkins in another way from the next probe on."""
        self._paths = [probe.path] if probe.path else list(CANDIDATES)
        self._every = min(probe.every, LOGIN_EVERY) if probe.login else probe.every
        self._probe = probe
        self._login_works = True
        self.queue_is_long = False

    @property
    def readiness(self) -> Readiness:
        """What is known now."""
        return self._now

    def start(self) -> None:
        """Begin to probe in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop probing; a probe under way may still end."""
        self._stop.set()
        self._soon.set()

    def watch(self, *, closely: bool) -> None:
        """Hear whether webhooks are held for another reason: then Jenkins is asked every second."""
        if closely is not self._closely:
            self._closely = closely
            self._soon.set()

    def look(self) -> None:
        """Have the probe asked soon, without waiting for it."""
        self._soon.set()

    def ask(self) -> Readiness:
        """Ask the probe and return what is known then.

        Several that ask at once share one probe; nobody is served one that was sent before asking.
        """
        begun = self._probes
        with self._asking:
            if self._probes == begun:
                self._probes += 1
                sight = self._look_at_jenkins()
                self._update(lambda known, at: rules.after_probe(known, sight, at))
            return self._now

    def taken(self) -> None:
        """Hear that Jenkins took a webhook."""
        self.taken_tick = self._clock.monotonic()
        if self._now.state is State.UNKNOWN:
            self._update(rules.after_taken)

    def failed(self, evidence: str) -> None:
        """Hear that a delivery broke or met a server error; the probe was asked before."""
        self._update(lambda known, at: rules.after_failure(known, evidence, at))

    def no_connection(self, error: str) -> None:
        """Hear that not even a connection could be made."""
        self._update(lambda known, at: rules.after_no_connection(known, error, at))
        self._soon.set()

    def there_for(self, seconds: float) -> None:
        """Hear that Jenkins' present boot has been there for so long: another process knows it."""
        self._update(lambda known, at: rules.after_word(known, seconds, at))

    def recalled(self, restart: Restart) -> None:
        """Hear that all that Jenkins may have forgotten in that restart waits again."""
        self._update(lambda known, _: rules.after_recall(known, restart))

    def _look_at_jenkins(self) -> Sight:
        paths = self._paths
        for path in list(paths):
            asked = self._sender.ask("GET", path, {"User-Agent": "spigot"})
            sight = read(asked, self._probe.expected)
            if sight.state is not State.UNKNOWN:
                # What worked is asked first from now on.
                paths.remove(path)
                paths.insert(0, path)
                break
        if sight.state is State.READY and self._probe.login:
            return self._look_with_login(sight)
        return sight

    def _look_with_login(self, sight: Sight) -> Sight:
        headers = {"User-Agent": "spigot", "Authorization": self._probe.login}
        asked = self._sender.ask("GET", QUIET_QUESTION, headers)
        self._hear_of_login(asked.status)
        if most := self._probe.queue_most:
            queue = self._sender.ask("GET", queue_question(most + 1), headers)
            length = queue_length(queue)
            self._hear_of_queue(is_long=length is not None and length > most)
        return with_quiet_down(sight, asked)

    def _hear_of_login(self, status: int) -> None:
        works = status not in (401, 403)
        if works is not self._login_works and status in (200, 401, 403):
            self._login_works = works
            if works:
                _log.info("Jenkins takes the API token again")
            else:
                _log.warning(
                    "Jenkins refuses the API token, so a quiet-down goes unseen: set `api_token` "
                    "to USER:TOKEN of a user with Overall/Read",
                    status=status,
                )

    def _hear_of_queue(self, *, is_long: bool) -> None:
        if is_long is not self.queue_is_long:
            self.queue_is_long = is_long
            most = self._probe.queue_most
            if is_long:
                _log.warning("Jenkins' build queue is long: webhooks go slowly", more_than=most)
            else:
                _log.info("Jenkins' build queue is short enough again", at_most=most)
            self._changed()

    def _moment(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())

    def _update(self, step: Callable[[Readiness, Moment], Readiness]) -> None:
        with self._lock:
            before = self._now
            after = self._now = step(before, self._moment())
            self.has_asked = True
        if after.state is not before.state:
            _log.info(f"Jenkins is {after.state}", was=str(before.state), evidence=after.evidence)
            self._soon.set()  # the pace of probing changes with it
        if after.restart not in (None, before.restart):
            _log.info("Jenkins has restarted", evidence=after.evidence)
        if _news(after) != _news(before):
            self._changed()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.ask()
            except Exception as error:  # noqa: BLE001 - without probes nothing would ever resume
                _log.error("The probe failed inside Spigot; trying again", exc=error)
            # Ready and flowing: now and then will do. Everything else is urgent.
            calm = self._now.state is State.READY and not self._closely
            self._soon.wait(self._every if calm else min(HELD_EVERY, self._every))
            self._soon.clear()


def _news(known: Readiness) -> Readiness:
    """Leave out what changes with each probe and matters to nobody."""
    return known._replace(seen_at=0.0, alive=(), streak=0)
