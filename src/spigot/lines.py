"""Who is next: the lanes in memory, each in order, and the paths that are held. Pure.

A lane's head is either ready, on its way, or asleep until it is due; the rest of the lane waits
behind it. Lanes that were empty when their first webhook came take turns with those of the backlog:
half of the places are theirs as long as both want one. A held path lets one of its lanes try at a
time, another lane each time. Ticks are seconds of a monotonic clock.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from spigot.lane import Hold, Line, Path
from spigot.webhook import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

    from spigot.webhook import Decision


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


class Lines:
    """All lanes with something waiting. Not safe for threads: its owner has a lock.

    Args:
        gap: Seconds at least between two webhooks of one repository.
    """

    def __init__(self, gap: float = 0.0) -> None:
        self._gap = gap
        self._sent: OrderedDict[str, float] = OrderedDict()  # repository: when last, a tick
        self._lanes: dict[str, Line] = {}
        self._paths: dict[str, Path] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        self._alarms: list[tuple[float, int, str, str]] = []
        self._number = count()

    @property
    def holds(self) -> dict[str, Hold]:
        """The paths that are held, and why."""
        return {path: queue.hold for path, queue in self._paths.items() if queue.hold}

    def add(
        self,
        lane: str,
        path: str,
        position: int,
        *,
        due: float = 0.0,
        live: bool = False,
        tick: float,
    ) -> None:
        """Put a waiting webhook into its lane, by its position: mostly at the end.

        Args:
            lane: Its lane.
            path: Its path at Jenkins.
            position: Its position.
            due: As a lane's head it sleeps until then, a tick.
            live: It came while webhooks flowed; if its lane is empty, it waits for no backlog.
            tick: Now.
        """
        line = self._lanes.get(lane)
        if line is not None:
            self._insert(lane, line, position, tick)
            return
        line = self._lanes[lane] = Line(path, live=live)
        self._path(path).lanes += 1
        line.positions.append(position)
        if due > tick:
            self._sleep(lane, line, due)
        else:
            self._make_ready(lane, line, tick)

    def _insert(self, lane: str, line: Line, position: int, tick: float) -> None:
        if position > line.positions[-1]:
            line.positions.append(position)
            return
        line.insert(position)  # one that Jenkins forgot goes before all others
        if line.state == "asleep" and line.first == position:
            self._make_ready(lane, line, tick)

    def take(self, tick: float, full: Collection[str] = ()) -> Job | None:
        """Return the next head that may go, and count it as on its way; None if there is none.

        Args:
            tick: Now.
            full: Paths that have enough on their way; they keep their turns.
        """
        self._wake(tick)
        while (path := next((path for path in self._turns if path not in full), None)) is not None:
            del self._turns[path]
            queue = self._path(path)
            lane = queue.pop()
            line = self._lanes[lane]
            due = self._due_by_gap(lane, tick)
            if due > tick:
                self._sleep(lane, line, due)
                self._queue_up(path, queue, tick)
                continue
            line.state = "away"
            queue.trial = None if queue.hold is None else line.first
            self._queue_up(path, queue, tick)
            return Job(lane, path, line.first, queue.hold)
        return None

    def _due_by_gap(self, lane: str, tick: float) -> float:
        """Return when a lane's repository may have its next; if that is now, count it as sent."""
        repository = _repository(lane)
        if not (self._gap and repository):
            return tick
        while self._sent and next(iter(self._sent.values())) + self._gap <= tick:
            self._sent.popitem(last=False)
        if (before := self._sent.get(repository)) is not None:
            return before + self._gap
        self._sent[repository] = tick
        return tick

    def unsent(self, lane: str) -> None:
        """What was taken from a lane did not go: its repository may have its next at once."""
        self._sent.pop(_repository(lane), None)

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
        self._lanes[job.lane].dues[job.position] = due
        self._alarm(due, "lane", job.lane)
        self.back(job, tick)

    def back(self, job: Job, tick: float) -> None:
        """The webhook stays the head, and may go when its path and the flow let it."""
        line = self._lanes[job.lane]
        line.come_back()
        self._come_back(job, line, tick)

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
        """Return those that are not to go before they are due, position to lane."""
        return {position: lane for lane, line in self._lanes.items() for position in line.dues}

    def rouse(self, lane: str, position: int, tick: float) -> None:
        """Let a sleeper go at once: it was dropped, and what is behind it shall not wait."""
        line = self._lanes.get(lane)
        if line is None or line.dues.pop(position, None) is None:
            return
        if line.state == "asleep" and line.first == position:
            self._make_ready(lane, line, tick)

    def next_alarm(self) -> float | None:
        """Return the tick at which `take` may have something new; None if time changes nothing."""
        return self._alarms[0][0] if self._alarms else None

    def _path(self, path: str) -> Path:
        queue = self._paths.get(path)
        if queue is None:
            queue = self._paths[path] = Path()
        return queue

    def _come_back(self, job: Job, line: Line, tick: float) -> None:
        queue = self._returned(job)
        if len(line):
            self._make_ready(job.lane, line, tick)
        else:
            del self._lanes[job.lane]
            queue.lanes -= 1
            self._queue_up(job.path, queue, tick)

    def _returned(self, job: Job) -> Path:
        """Return a job's path; if the job was the trial, another may try."""
        queue = self._path(job.path)
        if queue.trial == job.position:
            queue.trial = None
        return queue

    def _make_ready(self, lane: str, line: Line, tick: float) -> None:
        queue = self._path(line.path)
        if line.due > tick:
            line.state = "asleep"  # its alarm is set
        else:
            line.state = "ready"
            (queue.live if line.live else queue.backlog).append(lane)
        self._queue_up(line.path, queue, tick)

    def _sleep(self, lane: str, line: Line, due: float) -> None:
        line.state = "asleep"
        line.dues[line.first] = due
        self._alarm(due, "lane", lane)

    def _queue_up(self, path: str, queue: Path, tick: float) -> None:
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
            elif key in self._lanes:
                line = self._lanes[key]
                if line.state == "asleep" and line.due <= tick:
                    self.rouse(key, line.first, tick)  # an alarm of an earlier sleep wakes nobody


def _repository(lane: str) -> str:
    """Return the repository of a lane; empty if it has none."""
    return lane.partition(" ")[2]
