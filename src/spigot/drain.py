"""The loop that lets webhooks flow: lanes side by side, each in order, while the valve is open.

One thread watches the store, the valve and Jenkins and hands out work; a worker makes attempts and
takes the next piece itself as long as there is one. Nothing of it is asynchronous: Jenkins needs
tens of deliveries at a time, not thousands.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from spigot.dispatch import Dispatch
from spigot.errors import StoreError
from spigot.log import Log
from spigot.masking import mask_path
from spigot.plugins import repeat_is_harmless
from spigot.pool import Pool
from spigot.sight import State
from spigot.steady import RETRY_SECONDS, Steady
from spigot.times import iso
from spigot.valve import ValveRow, effective
from spigot.webhook import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spigot.delivery import Delivery
    from spigot.guard import Guard
    from spigot.lane import Hold
    from spigot.lines import Job
    from spigot.meters import Meters
    from spigot.pace import Pace
    from spigot.ports import Clock, Loaded, Queue
    from spigot.readiness import Readiness, Restart
    from spigot.webhook import Attempt

LOOK_EVERY = 0.05
"""Seconds between two looks for what other processes changed: a command's OFF, a replay."""

CHUNK = 1000
"""Places read from the store in one look: after a restart with many, deliveries go on between."""

ALL = sys.maxsize
"""A position behind every webhook."""

BREATH = 0.002
"""Seconds between two looks while places are left to be read: lanes wait for that."""

CALM = 0.02
"""The same while nothing flows, and nobody waits but who hands webhooks in: a million in 20 s."""

FAULT_SECONDS = 60.0
"""Seconds until a webhook is tried again on which something failed inside Spigot."""

_log = Log(__name__)


class Drain:
    """Delivers what waits; `start` it, and `stop` it.

    Args:
        store: The queue.
        delivery: Makes attempts.
        guard: Knows whether Jenkins is ready.
        clock: Tells the time.
        pace: Says how many attempts run at once, and when the next may go.
        meters: Counts what happens.
        recall: What Jenkins took in so many seconds before it went away for a restart, it may have
            forgotten: it is delivered once more. 0 for nothing.
        gap: Seconds at least between two webhooks of one repository.
        on_state: Hears of a changed flow, hold or rest, on the drain's own thread.
    """

    def __init__(
        self,
        store: Queue,
        delivery: Delivery,
        guard: Guard,
        clock: Clock,
        *,
        pace: Pace,
        meters: Meters,
        recall: float = 0.0,
        gap: float = 0.0,
        on_state: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._guard = guard
        self._clock = clock
        self._steady = Steady(store)
        self._meters = meters
        self._recall_within = recall
        self._on_state = on_state
        self._dispatch = Dispatch(clock, pace, gap=gap)
        self._pool = Pool(self._do, self._take, most=self._dispatch.most)
        self._valve = ValveRow()
        self._told = ValveRow()
        self._seen = 0
        self._newest = 0
        self._backlog = 0  # up to this position webhooks came while none flowed
        self._edits = -1
        self._stale = True
        self._ready_since: float | None = None
        self._recall_after = float("-inf")
        self._stopping = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spigot-drain", daemon=True)

    def start(self, holds: Iterable[tuple[str, str, float, int]] = ()) -> None:
        """Begin.

        Args:
            holds: Paths held before a restart: path, why, since when (UNIX seconds), trials. Each
                may try at once.
        """
        self._dispatch.restore(holds)
        self._thread.start()

    def wake(self) -> None:
        """Hear that Jenkins changed, or something else that matters; never waits."""
        self._wake.set()

    def arrived(self) -> None:
        """Hear that a webhook was stored; while none may flow, the next look is soon enough."""
        if self.flowing:
            self._wake.set()

    def stop(self, patience: float) -> bool:
        """Start no further attempts and wait for those that run.

        Args:
            patience: Seconds to wait at most.

        Returns:
            Whether all ended. The others wait in the store and are sent again at the next start.
        """
        self._stopping = self._steady.stopping = True
        self._wake.set()
        end = time.monotonic() + patience
        self._thread.join(patience)
        while self.running and time.monotonic() < end:
            time.sleep(0.01)
        self._pool.close()
        return not self.running

    @property
    def running(self) -> int:
        """How many attempts run now."""
        return self._dispatch.running

    @property
    def flowing(self) -> bool:
        """Whether webhooks may flow: valve ON, Jenkins not known to be unready, store working."""
        return self._dispatch.flows

    @property
    def halted(self) -> str:
        """Why no attempt is made although all else is well; empty if none is the matter."""
        return self._steady.halted

    @property
    def slow(self) -> str:
        """Why webhooks go slowly on purpose; empty if they do not."""
        return "Jenkins' build queue is long" if self._guard.queue_is_long else ""

    @property
    def resting(self) -> int | None:
        """The version of the valve for which all rests: OFF, and not one attempt runs."""
        valve = effective(self._valve, self._clock.now())
        return valve.version if not valve.on and self._dispatch.rests else None

    @property
    def holds(self) -> dict[str, Hold]:
        """The paths that are held, and why."""
        return self._dispatch.holds

    # --- the watching thread -----------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._look()
                self._hand_out()
                self._on_state()
            except Exception as error:  # noqa: BLE001 - whoever obeys the valve must not end
                _log.error("The drain could not look or hand out work; trying again", exc=error)
                time.sleep(RETRY_SECONDS)
            if self.flowing and self._unread:
                time.sleep(BREATH)
                continue
            self._wake.wait(self._dispatch.pause(CALM if self._unread else LOOK_EVERY))
            self._wake.clear()

    def _look(self) -> None:
        """Take in what changed: the valve, new webhooks, what people edited, Jenkins."""
        # A change is told once: until all of it was taken in, it stays to be taken in.
        self._stale = self._store.changed() or self._stale
        if self._stale:
            signs = self._store.signs()
            self._newest = signs.position
            self._valve = signs.valve
            if signs.edits != self._edits:
                self._rouse_dropped()
                self._edits = signs.edits
            self._stale = False
        valve = effective(self._valve, self._clock.now())
        self._tell(valve)
        known = self._guard.readiness
        flows = self._look_at_jenkins(known) and valve.on and not self.halted
        if flows and not self.flowing:
            self._backlog = self._newest
            if known.state is not State.READY:
                self._guard.look()
        self._guard.watch(closely=not flows)
        self._dispatch.let_flow(flows=flows)
        if self._unread:  # also while nothing flows, so that little is left to be read when it does
            if not flows:
                self._on_state()  # whoever waits for rest hears of it even if reading fails
            self._read_places(backlog=self._backlog if flows else ALL)
        if flows and not self._unread:  # what waits on a path is known now
            self._dispatch.forget_idle_holds()

    def _look_at_jenkins(self, known: Readiness) -> bool:
        """Take in that Jenkins is back, has restarted, has a long queue, or lets attempts hang.

        Returns:
            Whether webhooks may flow as far as Jenkins is concerned.
        """
        if known.state is State.READY and known.since_tick != self._ready_since:
            self._ready_since = known.since_tick
            self._dispatch.begin_gently()
        if self._dispatch.look(queue_is_long=self._guard.queue_is_long):
            self._guard.look()
        if known.state is State.NOT_READY or not self._guard.has_asked:
            return False
        return known.restart is None or self._recall(known.restart)

    def _recall(self, restart: Restart) -> bool:
        """Let wait again what Jenkins may have forgotten; return whether that is done.

        Until then nothing flows: it goes before all that came later, and what the former boot has
        taken must be on record first.
        """
        tick = self._clock.monotonic()
        if self._dispatch.running or self.halted or tick < self._recall_after:
            return False
        if self._recall_within:
            since = restart.gone_at - self._recall_within
            until = max(restart.gone_at, restart.back_at)  # a clock may have been set back
            try:
                for places in self._store.recall(since, until, repeat_is_harmless):
                    known = [place for place in places if place.position <= self._seen]
                    # The others are still to be read.
                    self._dispatch.add(known, backlog=ALL)
                    _log.info(
                        "Jenkins has restarted: what it may have forgotten is delivered once more",
                        webhooks=len(places),
                    )
            except StoreError as error:
                _log.error("What Jenkins forgot cannot be found; trying again", exc=error)
                self._recall_after = tick + RETRY_SECONDS
                return False
        self._guard.recalled(restart)
        # On record before anything flows: else a kill would have it recalled, too.
        self._on_state()
        return True

    def _tell(self, valve: ValveRow) -> None:
        if valve != self._told:
            _log.info(f"Valve {valve.word}", reason=valve.reason, until=iso(valve.until))
            self._told = valve

    @property
    def _unread(self) -> bool:
        """Whether there are places that were not read yet."""
        return self._seen < self._newest

    def _read_places(self, backlog: int) -> None:
        places = self._store.places_after(self._seen, CHUNK)
        self._dispatch.add(places, backlog=backlog)
        last = places[-1].position if places else 0
        # What came since `newest` was read is in here too, and need not be read again.
        self._seen = last if len(places) == CHUNK else max(last, self._newest)

    def _rouse_dropped(self) -> None:
        """A sleeping head that a person dropped must not keep its lane asleep."""
        asleep = self._dispatch.asleep()
        still = self._store.still_waiting(list(asleep))
        self._dispatch.rouse(one for one in asleep.items() if one[0] not in still)

    def _hand_out(self) -> None:
        while (job := self._take()) is not None:
            try:
                self._pool.give(job)
            except BaseException:
                self._dispatch.back(job)
                raise

    # --- the workers -------------------------------------------------------------------------

    def _take(self) -> Job | None:
        if self._stopping or self.halted:
            return None
        return self._dispatch.take(self._guard.readiness.state)

    def _do(self, job: Job) -> None:
        try:
            loaded = self._steady.load(job.position)
            if loaded is None:  # dropped by a person
                self._delivery.forget(job.position)
                self._dispatch.gone(job)
                return
            attempt = self._delivery.attempt(loaded, job.hold)
            self._steady.settle(loaded, attempt)
            self._finish(job, loaded, attempt)
        except Exception as error:  # noqa: BLE001 - a worker must not die silently
            _log.error("An attempt failed inside Spigot; it will be made again", exc=error)
            self._dispatch.again(job, FAULT_SECONDS)
            self._wake.set()

    def _finish(self, job: Job, loaded: Loaded, attempt: Attempt) -> None:
        verdict = attempt.decision.verdict
        failed_before = loaded.place.attempts > 0
        lifted = self._dispatch.settled(job, attempt, failed_before=failed_before)
        self._meters.attempted(attempt)
        if verdict not in (Verdict.DELIVERED, Verdict.HOLD_FLOW) or lifted:
            self._say(loaded, attempt, lifted=lifted)
        if lifted or not self.flowing or verdict is not Verdict.DELIVERED:
            self._wake.set()

    def _say(self, loaded: Loaded, attempt: Attempt, *, lifted: bool) -> None:
        webhook, decision = loaded.webhook, attempt.decision
        if lifted:
            _log.info("Path works again", path=mask_path(webhook.path))
            return
        _log.warning(
            f"Webhook: {decision.verdict}",
            id=webhook.id,
            lane=webhook.lane,
            event=webhook.event,
            reason=decision.reason,
            attempt=loaded.place.attempts + 1,
            again_in_s=round(decision.delay, 1) or None,
        )
