"""Who is next: the lanes in memory, each in order, and the paths that are held. Pure.

A lane's head is either ready, on its way, or asleep until a retry is due; the rest of the lane
waits behind it. A held path lets one of its lanes try at a time, another lane each time. Ticks are
seconds of a monotonic clock.
"""

from __future__ import annotations

import heapq
from array import array
from collections import OrderedDict, deque
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from spigot.webhook import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

    from spigot.webhook import Decision


class Hold(NamedTuple):
    """Why nothing flows to a path now.

    Attributes:
        why: The evidence, in words.
        since: Since when, UNIX seconds; for people.
        since_tick: The same as a tick; for rules.
        times: How many trials in a row have failed.
        until: When the next one may try, a tick.
    """

    why: str
    since: float
    since_tick: float
    times: int
    until: float


class Job(NamedTuple):
    """The head of a lane, on its way.

    Attributes:
        lane: Its lane.
        path: Its path at Jenkins.
        position: Its position.
        hold: The hold that this attempt tries to lift, if it is a trial.
    """

    lane: str
    path: str
    position: int
    hold: Hold | None


class _Line:
    """One lane: its positions in order. Eight bytes each, so that a million may wait."""

    __slots__ = ("due", "head", "path", "positions", "state")

    def __init__(self, path: str) -> None:
        self.path = path
        self.positions = array("q")
        self.head = 0
        self.state = "ready"
        self.due = 0.0

    def __len__(self) -> int:
        return len(self.positions) - self.head

    def pop(self) -> None:
        self.head += 1
        if self.head > 1000 and self.head * 2 > len(self.positions):
            del self.positions[: self.head]
            self.head = 0


class _Path:
    """One endpoint: how many lanes it has, those whose head may go, its hold, the one on trial."""

    __slots__ = ("hold", "lanes", "ready", "trial")

    def __init__(self) -> None:
        self.lanes = 0
        self.ready: deque[str] = deque()
        self.hold: Hold | None = None
        self.trial: int | None = None


class Lines:
    """All lanes with something waiting. Not safe for threads: its owner has a lock."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Line] = {}
        self._paths: dict[str, _Path] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        self._alarms: list[tuple[float, int, str, str]] = []
        self._number = count()

    @property
    def holds(self) -> dict[str, Hold]:
        """The paths that are held, and why."""
        return {path: queue.hold for path, queue in self._paths.items() if queue.hold}

    def add(self, lane: str, path: str, position: int, *, due: float = 0.0, tick: float) -> None:
        """Put a waiting webhook at its lane's end; a head that is due later sleeps until then."""
        line = self._lanes.get(lane)
        if line is not None:
            line.positions.append(position)
            return
        line = self._lanes[lane] = _Line(path)
        self._path(path).lanes += 1
        line.positions.append(position)
        if due > tick:
            self._sleep(lane, line, due)
        else:
            self._make_ready(lane, line, tick)

    def take(self, tick: float, full: Collection[str] = ()) -> Job | None:
        """Return the next head that may go, and count it as on its way; None if there is none.

        Args:
            tick: Now.
            full: Paths that have enough on their way; they keep their turns.
        """
        self._wake(tick)
        path = next((path for path in self._turns if path not in full), None)
        if path is None:
            return None
        del self._turns[path]
        queue = self._path(path)
        lane = queue.ready.popleft()
        line = self._lanes[lane]
        line.state = "away"
        position = line.positions[line.head]
        queue.trial = None if queue.hold is None else position
        self._queue_up(path, queue, tick)
        return Job(lane, path, position, queue.hold)

    def settled(self, job: Job, decision: Decision, now: float, tick: float) -> bool:
        """Carry out here what was decided: who is the head, and what of its path is held.

        Args:
            job: What `take` returned.
            decision: What became of it.
            now: UNIX seconds, for people.
            tick: The same as a tick.

        Returns:
            Whether the path was held and now works again.
        """
        if decision.verdict in (Verdict.DELIVERED, Verdict.DEAD):
            self.ended(job, tick)
        elif decision.verdict is Verdict.AGAIN:
            self.again(job, tick + decision.delay, tick)
        else:
            self.back(job, tick)
        if decision.verdict is Verdict.DELIVERED:
            return self.lift(job.path, tick)
        before = job.hold
        if decision.verdict is Verdict.HOLD_PATH:
            if before is None and job.path in self.holds:
                return False  # one of several that ran at once; the first has said it
            hold = Hold(decision.reason, now, tick, 1, tick + decision.delay)
            if before is not None:
                hold = hold._replace(
                    since=before.since, since_tick=before.since_tick, times=before.times + 1
                )
            self.hold(job.path, hold, tick)
        elif before is not None and decision.verdict is not Verdict.HOLD_FLOW:
            # The endpoint answers this one webhook: the path may work, and the next will say.
            self.hold(job.path, before._replace(until=tick), tick)
        return False

    def ended(self, job: Job, tick: float) -> None:
        """The webhook waits no longer: the next of its lane is the head."""
        line = self._lanes[job.lane]
        line.pop()
        self._come_back(job, line, tick)

    def again(self, job: Job, due: float, tick: float) -> None:
        """The webhook stays the head and sleeps until `due`."""
        self._sleep(job.lane, self._lanes[job.lane], due)
        self._queue_up(job.path, self._returned(job), tick)

    def back(self, job: Job, tick: float) -> None:
        """The webhook stays the head, and may go when its path and the flow let it."""
        self._come_back(job, self._lanes[job.lane], tick)

    def hold(self, path: str, hold: Hold, tick: float) -> None:
        """Hold a path, or hold it for longer."""
        queue = self._path(path)
        queue.hold = hold
        self._alarm(hold.until, "path", path)
        self._queue_up(path, queue, tick)

    def lift(self, path: str, tick: float) -> bool:
        """Lift a path's hold; say whether it had one."""
        queue = self._paths.get(path)
        if queue is None or queue.hold is None:
            return False
        queue.hold = queue.trial = None
        self._queue_up(path, queue, tick)
        return True

    def try_held(self, tick: float) -> None:
        """Let each held path try at once."""
        for path, queue in self._paths.items():
            if queue.hold is not None:
                queue.hold = queue.hold._replace(until=tick)
                self._queue_up(path, queue, tick)

    def forget_idle_holds(self) -> None:
        """Lift the holds of paths for which nothing waits any more."""
        for path in self.holds:
            if not self._paths[path].lanes:
                del self._paths[path]

    def asleep(self) -> dict[int, str]:
        """Return the heads that sleep, position to lane."""
        return {
            line.positions[line.head]: lane
            for lane, line in self._lanes.items()
            if line.state == "asleep"
        }

    def rouse(self, lane: str, tick: float) -> None:
        """Let a sleeping head go at once: it was dropped, and what is behind it shall not wait."""
        line = self._lanes.get(lane)
        if line is not None and line.state == "asleep":
            self._make_ready(lane, line, tick)

    def next_alarm(self) -> float | None:
        """Return the tick at which `take` may have something new; None if time changes nothing."""
        return self._alarms[0][0] if self._alarms else None

    def _path(self, path: str) -> _Path:
        queue = self._paths.get(path)
        if queue is None:
            queue = self._paths[path] = _Path()
        return queue

    def _come_back(self, job: Job, line: _Line, tick: float) -> None:
        queue = self._returned(job)
        if len(line):
            self._make_ready(job.lane, line, tick)
        else:
            del self._lanes[job.lane]
            queue.lanes -= 1
            self._queue_up(job.path, queue, tick)

    def _returned(self, job: Job) -> _Path:
        """Return a job's path; if the job was the trial, another may try."""
        queue = self._path(job.path)
        if queue.trial == job.position:
            queue.trial = None
        return queue

    def _make_ready(self, lane: str, line: _Line, tick: float) -> None:
        line.state = "ready"
        queue = self._path(line.path)
        queue.ready.append(lane)
        self._queue_up(line.path, queue, tick)

    def _sleep(self, lane: str, line: _Line, due: float) -> None:
        line.state, line.due = "asleep", due
        self._alarm(due, "lane", lane)

    def _queue_up(self, path: str, queue: _Path, tick: float) -> None:
        """Give a path its turn if one of its lanes may go now."""
        free = queue.hold is None or (queue.trial is None and queue.hold.until <= tick)
        if queue.ready and free:
            self._turns.setdefault(path)
        else:
            self._turns.pop(path, None)
            if not queue.lanes and queue.hold is None:
                self._paths.pop(path, None)

    def _alarm(self, tick: float, kind: str, key: str) -> None:
        heapq.heappush(self._alarms, (tick, next(self._number), kind, key))

    def _wake(self, tick: float) -> None:
        while self._alarms and self._alarms[0][0] <= tick:
            _, _, kind, key = heapq.heappop(self._alarms)
            if kind == "path":
                queue = self._paths.get(key)
                if queue is not None:
                    self._queue_up(key, queue, tick)
            elif key in self._lanes and self._lanes[key].due <= tick:
                self.rouse(key, tick)  # an alarm of an earlier sleep wakes nobody
