"""What the running gateway tells the store about itself, so that any command can show it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from spigot.errors import StoreError
from spigot.log import Log
from spigot.masking import mask_path

if TYPE_CHECKING:
    from spigot.drain import Drain
    from spigot.guard import Guard
    from spigot.ports import Clock
    from spigot.stores.panel import Panel
    from spigot.teller import Teller

LEAST_GAP = 0.2
"""Seconds between two reports, so that a quick change of evidence does not busy the disk."""

SEEN_GAP = 10.0
"""Seconds between two reports that tell nothing but that Jenkins was seen again."""

RETRY_GAP = 1.0
"""Seconds after a report that the store could not take."""

URGENT = ("resting", "sessions", "restart")
"""What is reported at once: a command waits for it, or a kill must not undo it."""

_log = Log(__name__)


class Reporter:
    """Writes a report whenever it would differ from the last one.

    Args:
        panel: Where it goes.
        drain: What flows, is held, rests.
        guard: What is known of Jenkins.
        clock: Tells the time.
        teller: Tells pull requests.
    """

    def __init__(
        self, panel: Panel, drain: Drain, guard: Guard, clock: Clock, teller: Teller
    ) -> None:
        self._panel = panel
        self._drain = drain
        self._guard = guard
        self._clock = clock
        self._teller = teller
        self._last: dict[str, Any] = {}
        self._next_tick = float("-inf")
        self._failed = False

    def report(self) -> None:
        """Write a report if there is news; what is `URGENT` at once."""
        known = self._guard.readiness
        holds = self._drain.holds
        current = {
            "pid": os.getpid(),
            "jenkins": str(known.state),
            "jenkins_since": known.since,
            "evidence": known.evidence,
            "evidence_since": known.evidence_since,
            "slow": self._drain.slow,
            "halted": self._drain.halted,
            "paths_held": {mask_path(path): hold.why for path, hold in holds.items()},
            # A path with a token in it is not remembered: after a restart it is tried once more.
            "holds": [
                [path, hold.why, hold.since, hold.times]
                for path, hold in holds.items()
                if mask_path(path) == path
            ],
            "notices": self._teller.error,
            "resting": self._drain.resting,
            **known.memory,
        }
        tick = self._clock.monotonic()
        urgent = any(current[name] != self._last.get(name) for name in URGENT)
        too_soon = tick < self._next_tick and (self._failed or not urgent)
        if current == self._last or too_soon:
            return
        sights = {name: self._last.get(name) for name in ("seen_at", "alive")}
        seen_again = {**current, **sights} == self._last
        if seen_again and tick < self._next_tick + SEEN_GAP:
            return
        try:
            self._panel.set_report(current)
        except StoreError as error:
            _log.error("The gateway could not report what it knows", exc=error)
            self._failed, self._next_tick = True, tick + RETRY_GAP
            return
        self._last = current
        self._failed, self._next_tick = False, tick + LEAST_GAP
