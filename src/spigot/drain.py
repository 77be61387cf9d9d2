"""The loop that lets webhooks flow: lanes side by side, each in order, while the valve is open.

One thread watches the store, the valve and Jenkins and hands out work; a worker makes attempts and
takes the next piece itself as long as there is one. Nothing of it is asynchronous: Jenkins needs
tens of deliveries at a time, not thousands.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from spigot.errors import StoreError
from spigot.lines import Hold, Job, Lines
from spigot.log import Log
from spigot.masking import mask_path
from spigot.pool import Pool
from spigot.readiness import State
from spigot.valve import ValveRow, effective
from spigot.webhook import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spigot.delivery import Delivery
    from spigot.guard import Guard
    from spigot.meters import Meters
    from spigot.ports import Clock, Loaded, Queue
    from spigot.webhook import Attempt

Result = TypeVar("Result")

LOOK_EVERY = 0.05
"""Seconds between two looks for what other processes changed: a command's OFF, a replay."""

CHUNK = 2000
"""Places read from the store at a time."""

SLOW = 5.0
"""Seconds after which an attempt, one that hangs perhaps, fills no `parallel` place any more."""

SLOW_MOST = 4
"""How many times `parallel` attempts there are at most, slow ones included."""

SETTLE_RETRY = 1.0
"""Seconds between two tries to record an attempt that the store could not take."""

_log = Log(__name__)


class Drain:
    """Delivers what waits; `start` it, and `stop` it.

    Args:
        store: The queue.
        delivery: Makes attempts.
        guard: Knows whether Jenkins is ready.
        clock: Tells the time.
        parallel: How many attempts run at once.
        meters: Counts what happens.
        on_state: Hears of a changed flow, hold or rest, on the drain's own thread.
    """

    def __init__(
        self,
        store: Queue,
        delivery: Delivery,
        guard: Guard,
        clock: Clock,
        *,
        parallel: int,
        meters: Meters,
        on_state: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._guard = guard
        self._clock = clock
        self._parallel = parallel
        self._meters = meters
        self._on_state = on_state
        self._lock = threading.Lock()
        self._lines = Lines()
        self._running: dict[int, tuple[float, str]] = {}  # position: begun at, path
        self._pool = Pool(self._do, self._take, most=parallel * SLOW_MOST)
        self._valve = ValveRow()
        self._seen = 0
        self._newest = 0
        self._edits = -1
        self._stale = True
        self._ready_since: float | None = None
        self._halted = ""
        self._flows = False
        self._stopping = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spigot-drain", daemon=True)

    def start(self, holds: Iterable[tuple[str, str, float, int]] = ()) -> None:
        """Begin.

        Args:
            holds: Paths held before a restart: path, why, since when (UNIX seconds), trials. Each
                may try at once.
        """
        now, tick = self._clock.now(), self._clock.monotonic()
        for path, why, since, times in holds:
            ago = max(0.0, now - since)
            self._lines.hold(path, Hold(why, since, tick - ago, times, tick), tick)
        self._thread.start()

    def wake(self) -> None:
        """Hear that Jenkins changed, or something else that matters; never waits."""
        self._wake.set()

    def arrived(self) -> None:
        """Hear that a webhook was stored; while none may flow, the next look is soon enough."""
        if self._flows:
            self._wake.set()

    def stop(self, patience: float) -> bool:
        """Start no further attempts and wait for those that run.

        Args:
            patience: Seconds to wait at most.

        Returns:
            Whether all ended. The others wait in the store and are sent again at the next start.
        """
        self._stopping = True
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
        return len(self._running)

    @property
    def flowing(self) -> bool:
        """Whether webhooks may flow: valve ON, Jenkins not known to be unready, store working."""
        return self._flows

    @property
    def halted(self) -> str:
        """Why no attempt is made although all else is well; empty if none is the matter."""
        return self._halted

    @property
    def resting(self) -> int | None:
        """The version of the valve for which all rests: OFF, and not one attempt runs."""
        valve = effective(self._valve, self._clock.now())
        with self._lock:  # whoever has seen the flow running is in `_running` by now
            return None if valve.on or self._flows or self._running else valve.version

    @property
    def holds(self) -> dict[str, Hold]:
        """The paths that are held, and why."""
        with self._lock:
            return self._lines.holds

    # --- the watching thread -----------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._look()
                self._hand_out()
                self._on_state()
            except Exception as error:  # noqa: BLE001 - whoever obeys the valve must not end
                _log.error("The drain could not look or hand out work; trying again", exc=error)
                time.sleep(SETTLE_RETRY)
            self._wake.wait(self._pause())
            self._wake.clear()

    def _look(self) -> None:
        """Take in what changed: the valve, new webhooks, what people edited, Jenkins."""
        # A change is told once: until all of it was taken in, it stays to be taken in.
        self._stale = self._store.changed() or self._stale
        if self._stale:
            signs = self._store.signs()
            self._newest = signs.position
            self._set_valve(signs.valve)
            if signs.edits != self._edits:
                self._rouse_dropped()
                self._edits = signs.edits
            self._stale = False
        known = self._guard.readiness
        ready = known.state is State.READY
        if ready and known.since_tick != self._ready_since:  # it is back, or has restarted
            self._ready_since = known.since_tick
            with self._lock:
                self._lines.try_held(self._clock.monotonic())
        flows = (
            effective(self._valve, self._clock.now()).on
            and known.state is not State.NOT_READY
            and not self._halted
        )
        if flows and not self._flows and not ready:
            self._guard.look()
        with self._lock:
            self._flows = flows
        if flows:
            self._read_places(self._newest)
            with self._lock:
                self._lines.forget_idle_holds()

    def _set_valve(self, valve: ValveRow) -> None:
        if valve != self._valve:
            _log.info(f"Valve {valve.word}", reason=valve.reason, until=valve.until)
            self._valve = valve

    def _read_places(self, newest: int) -> None:
        while self._seen < newest:
            places = self._store.places_after(self._seen, CHUNK)
            now, tick = self._clock.now(), self._clock.monotonic()
            with self._lock:
                for place in places:
                    # A clock that jumped must not stretch a delay.
                    wait = min(place.due_at - now, place.delay) if place.due_at else 0.0
                    self._lines.add(
                        place.lane, place.path, place.position, due=tick + wait, tick=tick
                    )
            last = places[-1].position if places else 0
            # What came since `newest` was read is in here too, and need not be read again.
            self._seen = last if len(places) == CHUNK else max(last, newest)
            self._hand_out()

    def _rouse_dropped(self) -> None:
        """A sleeping head that a person dropped must not keep its lane asleep."""
        with self._lock:
            asleep = self._lines.asleep()
        still = self._store.still_waiting(list(asleep))
        with self._lock:
            for position, lane in asleep.items():
                if position not in still:
                    self._lines.rouse(lane, self._clock.monotonic())

    def _hand_out(self) -> None:
        while (job := self._take()) is not None:
            try:
                self._pool.give(job)
            except BaseException:
                with self._lock:
                    self._lines.back(job, self._clock.monotonic())
                    self._running.pop(job.position, None)
                raise

    def _pause(self) -> float:
        with self._lock:
            alarm = self._lines.next_alarm()
        left = 0.0 if alarm is None else alarm - self._clock.monotonic()
        # What is due and still here waits for the valve, for Jenkins or for a free place.
        return min(LOOK_EVERY, left) if left > 0 else LOOK_EVERY

    # --- the workers -------------------------------------------------------------------------

    def _take(self) -> Job | None:
        tick = self._clock.monotonic()
        with self._lock:
            if self._stopping or not self._flows or self._halted:
                return None
            if self._guard.readiness.state is State.NOT_READY:
                return None
            alone = self._guard.readiness.state is State.UNKNOWN
            busy = sum(alone or tick - began < SLOW for began, _ in self._running.values())
            most = 1 if alone else self._parallel
            if busy >= most or len(self._running) >= self._parallel * SLOW_MOST:
                return None
            # A path that hangs must leave places to the others.
            paths = Counter(path for _, path in self._running.values())
            full = {path for path, number in paths.items() if number >= self._parallel}
            job = self._lines.take(tick, full)
            if job is not None:
                self._running[job.position] = (tick, job.path)
            return job

    def _do(self, job: Job) -> None:
        try:
            loaded = self._insist(lambda: self._store.load(job.position))
            if loaded is None:  # dropped by a person
                self._delivery.forget(job.position)
                self._finish(job, None, None)
                return
            attempt = self._delivery.attempt(loaded, job.hold)
            self._insist(lambda: self._store.settle(loaded, attempt))
            self._finish(job, loaded, attempt)
        except Exception as error:  # noqa: BLE001 - a worker must not die silently
            _log.error("An attempt failed inside Spigot; it will be made again", exc=error)
            with self._lock:
                self._lines.again(job, self._clock.monotonic() + 60.0, self._clock.monotonic())
                self._running.pop(job.position, None)
            self._wake.set()

    def _insist(self, work: Callable[[], Result]) -> Result:
        """Have the store do something, however long it needs; nothing is sent meanwhile."""
        while True:
            try:
                result = work()
            except StoreError as error:
                self._halt(error)
            else:
                self._halted = ""
                return result

    def _halt(self, error: StoreError) -> None:
        if not self._halted and not self._stopping:
            _log.error("The store fails: no attempt is made until it works", exc=error)
        self._halted = str(error)
        time.sleep(SETTLE_RETRY)

    def _finish(self, job: Job, loaded: Loaded | None, attempt: Attempt | None) -> None:
        tick = self._clock.monotonic()
        with self._lock:
            self._running.pop(job.position, None)
            if attempt is None:
                self._lines.ended(job, tick)
                return
            decision = attempt.decision
            lifted = self._lines.settled(job, decision, self._clock.now(), tick)
        assert loaded is not None
        self._meters.attempted(attempt)
        if decision.verdict not in (Verdict.DELIVERED, Verdict.HOLD_FLOW) or lifted:
            self._say(loaded, attempt, lifted=lifted)
        if lifted or not self._flows or decision.verdict is not Verdict.DELIVERED:
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
