"""Who goes to Jenkins next: lanes, places and pace behind one lock, for many threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from spigot.decide import shakes
from spigot.lane import Hold
from spigot.lines import Lines
from spigot.sight import State
from spigot.slots import ASK_SECONDS, Slots
from spigot.webhook import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spigot.lines import Job
    from spigot.pace import Pace
    from spigot.ports import Clock
    from spigot.webhook import Attempt, Place


class Dispatch:
    """Hands out the heads of lanes and takes in what became of them; safe for many threads.

    Args:
        clock: Tells the time.
        pace: Says how many attempts run at once, and when the next may go.
        gap: Seconds at least between two webhooks of one repository.

    Attributes:
        most: How many attempts run at once at most.
    """

    def __init__(self, clock: Clock, pace: Pace, *, gap: float = 0.0) -> None:
        self._clock = clock
        self._pace = pace
        self._lines = Lines(gap)
        self._slots = Slots(pace.most)
        self._lock = threading.Lock()
        self._flows = False
        self._looked = float("-inf")
        self.most = self._slots.most

    @property
    def flows(self) -> bool:
        """Whether anything is handed out."""
        return self._flows

    @property
    def running(self) -> int:
        """How many attempts run now."""
        return len(self._slots)

    @property
    def rests(self) -> bool:
        """Whether nothing is handed out and not one attempt runs."""
        with self._lock:  # whoever has seen it flow has a slot by now
            return not (self._flows or self._slots)

    @property
    def holds(self) -> dict[str, Hold]:
        """The paths that are held, and why."""
        with self._lock:
            return self._lines.holds

    # --- for whoever watches -----------------------------------------------------------------

    def let_flow(self, *, flows: bool) -> None:
        """Hand out from now on, or no more; it begins with one at a time."""
        with self._lock:
            if flows and not self._flows:
                self._pace.begin_gently()
            self._flows = flows

    def begin_gently(self) -> None:
        """Hear that Jenkins has just come back: held paths may try, and all goes one at a time."""
        with self._lock:
            self._lines.try_held(self._clock.monotonic())
            self._pace.begin_gently()

    def look(self, *, queue_is_long: bool) -> bool:
        """Take in Jenkins' queue; tell, once a second, whether an attempt has become slow."""
        tick = self._clock.monotonic()
        with self._lock:
            self._pace.queue_is_long = queue_is_long
            if tick < self._looked + ASK_SECONDS:
                return False
            before, self._looked = self._looked, tick
            return self._slots.slowed_since(before, tick)

    def restore(self, holds: Iterable[tuple[str, str, float, int]]) -> None:
        """Hold paths as before a restart: path, why, since (UNIX seconds), trials; each may try."""
        now, tick = self._clock.now(), self._clock.monotonic()
        with self._lock:
            for path, why, since, times in holds:
                ago = max(0.0, now - since)
                self._lines.hold(path, Hold(why, since, tick - ago, times, tick), tick)

    def add(self, places: Iterable[Place], *, backlog: int) -> None:
        """Put waiting webhooks into their lanes.

        Args:
            places: Where they wait.
            backlog: Up to this position they came while none flowed.
        """
        now, tick = self._clock.now(), self._clock.monotonic()
        with self._lock:
            for place in places:
                # A clock that jumped must not stretch a delay.
                wait = min(place.due_at - now, place.delay) if place.due_at else 0.0
                self._lines.add(
                    place.lane, place.path, place.position,
                    due=tick + wait, live=place.position > backlog, tick=tick,
                )  # fmt: skip

    def asleep(self) -> dict[int, str]:
        """Return those that sleep until they are due, position to lane."""
        with self._lock:
            return self._lines.asleep()

    def rouse(self, sleepers: Iterable[tuple[int, str]]) -> None:
        """Let sleepers go at once: they were dropped, and what is behind them shall not wait.

        Args:
            sleepers: Position and lane of each.
        """
        with self._lock:
            for position, lane in sleepers:
                self._lines.rouse(lane, position, self._clock.monotonic())

    def forget_idle_holds(self) -> None:
        """Lift the holds of paths for which nothing waits any more."""
        with self._lock:
            self._lines.forget_idle_holds()

    def pause(self, most: float) -> float:
        """Return for how many seconds nothing new can go by itself, `most` at most.

        What is due and still here waits for the valve, for Jenkins or for a free place.
        """
        tick = self._clock.monotonic()
        with self._lock:
            alarms = (self._lines.next_alarm(), self._pace.next_tick)
        left = [alarm - tick for alarm in alarms if alarm is not None and alarm > tick]
        return min([most, *left])

    # --- for whoever works -------------------------------------------------------------------

    def take(self, state: State) -> Job | None:
        """Return the next webhook that may go, as Jenkins stands; None if none may now."""
        tick = self._clock.monotonic()
        with self._lock:
            if not self._flows or state is State.NOT_READY or tick < self._pace.next_tick:
                return None
            alone = state is State.UNKNOWN
            full = self._slots.full(
                1 if alone else self._pace.window, tick, None if alone else self._pace.slow_after
            )
            job = None if full is None else self._lines.take(tick, full)
            if job is not None:
                self._slots.take(job.position, job.path, tick)
                self._pace.went(tick)
            return job

    def back(self, job: Job) -> None:
        """Take a job back as it was: no attempt was made."""
        with self._lock:
            self._stayed(job)
            self._lines.back(job, self._clock.monotonic())

    def _stayed(self, job: Job) -> None:
        """Nothing went to Jenkins: the next need not keep a distance from it."""
        self._slots.leave(job.position)
        self._pace.stayed()
        self._lines.unsent(job.lane)

    def again(self, job: Job, seconds: float) -> None:
        """Take a job back for so long: it failed inside Spigot."""
        tick = self._clock.monotonic()
        with self._lock:
            self._lines.again(job, tick + seconds, tick)
            self._slots.leave(job.position)

    def gone(self, job: Job) -> None:
        """Hear that a webhook waits no more: a person dropped it."""
        with self._lock:
            self._stayed(job)
            self._lines.ended(job, self._clock.monotonic())

    def settled(self, job: Job, attempt: Attempt, *, failed_before: bool = False) -> bool:
        """Hear what became of an attempt.

        Args:
            job: What `take` returned.
            attempt: What came of it.
            failed_before: An earlier attempt counted against the webhook.

        Returns:
            Whether its path was held and now works again.
        """
        outcome, decision = attempt.outcome, attempt.decision
        tick = self._clock.monotonic()
        with self._lock:
            self._slots.leave(job.position)
            if decision.verdict is Verdict.DELIVERED:
                self._pace.answered_well(job.path, attempt.took)
            elif (shakes(outcome) or outcome.status == 429) and not (job.hold or failed_before):
                # What a held path's trial meets, or a webhook that failed before, is no news.
                self._pace.answered_badly()
            return self._lines.settled(job, decision, self._clock.now(), tick)
