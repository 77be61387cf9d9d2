"""Watches Jenkins: asks the probe, hears what deliveries met, knows whether Jenkins is ready."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from spigot import readiness as rules
from spigot.log import Log
from spigot.readiness import Moment, Readiness, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.ports import Clock, Sender

CANDIDATES = ("/whoAmI/api/json", "/login")
"""Questions any Jenkins answers to anybody (WhoAmI of its core; each /login costs a session)."""

HELD_EVERY = 1.0
"""Seconds between two probes while Jenkins is not known to be ready."""

_log = Log(__name__)


class Guard:
    """What is known of Jenkins now; safe for many threads.

    Args:
        sender: The way to Jenkins.
        clock: Tells the time.
        probe: The path to ask; empty to find one of `CANDIDATES`.
        probe_every: Seconds between two probes while Jenkins is ready.
        changed: Called after the state changed; must only wake somebody.
    """

    def __init__(
        self,
        sender: Sender,
        clock: Clock,
        *,
        probe: str = "",
        probe_every: float = 30.0,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._sender = sender
        self._clock = clock
        self._paths = [probe] if probe else list(CANDIDATES)
        self._every = probe_every
        self._changed = changed
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._probes = 0
        self._now = rules.unknown(self._moment())
        self.taken_tick = float("-inf")
        """When Jenkins last took a webhook, a tick."""
        self._stop = threading.Event()
        self._soon = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spigot-guard", daemon=True)

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
                sight = self._probe()
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

    def _probe(self) -> rules.Sight:
        for path in list(self._paths):
            sight = rules.read(self._sender.ask("GET", path, {"User-Agent": "spigot"}))
            if sight.state is not State.UNKNOWN:
                # What worked is asked first from now on.
                self._paths.remove(path)
                self._paths.insert(0, path)
                return sight
        return sight

    def _moment(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())

    def _update(self, step: Callable[[Readiness, Moment], Readiness]) -> None:
        with self._lock:
            before = self._now
            after = self._now = step(before, self._moment())
        if after.state is not before.state:
            _log.info(f"Jenkins is {after.state}", was=str(before.state), evidence=after.evidence)
            self._soon.set()  # the pace of probing changes with it
        elif after.since_tick != before.since_tick:
            _log.info("Jenkins has restarted", evidence=after.evidence)
        if (after.since_tick, after.evidence) != (before.since_tick, before.evidence):
            self._changed()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.ask()
            except Exception as error:  # noqa: BLE001 - without probes nothing would ever resume
                _log.error("The probe failed inside Spigot; trying again", exc=error)
            known = self._now
            # Judged by a probe and ready: now and then will do. Everything else is urgent.
            calm = known.state is State.READY
            self._soon.wait(self._every if calm else min(HELD_EVERY, self._every))
            self._soon.clear()
