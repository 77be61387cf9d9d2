"""Whatever is done to the lanes, they do what a naive model of them does."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spigot.lane import Hold
from spigot.lines import Job, Lines


class _Waiting(NamedTuple):
    position: int
    due: float


PATHS = ("/p", "/q")
LANES = {"/p a": "/p", "/p b": "/p", "/p c": "/p", "/q a": "/q"}


class LinesMachine(RuleBasedStateMachine):
    """Does anything to `Lines`, and to a naive model of them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = Lines()
        self.tick = 0.0
        self.position = 0
        self.lowest = 0
        self.lanes: dict[str, deque[_Waiting]] = {lane: deque() for lane in LANES}
        self.away: dict[str, Job] = {}
        self.until: dict[str, float] = {}
        self.since_hold: dict[str, set[str]] = {}

    def may_go(self, lane: str) -> bool:
        waiting, path = self.lanes[lane], LANES[lane]
        if lane in self.away or not waiting or waiting[0].due > self.tick:
            return False
        return path not in self.until or (
            self.until[path] <= self.tick and not self.since_hold[path]
        )

    def gone(self, job: Job) -> None:
        del self.away[job.lane]
        for lanes in self.since_hold.values():
            lanes.discard(job.lane)

    @rule(lane=st.sampled_from(sorted(LANES)), wait=st.sampled_from([0.0, 0.0, 5.0]))
    def add(self, lane: str, wait: float) -> None:
        self.position += 1
        # Only a head can have been tried before; what comes behind it is new.
        due = self.tick + wait if wait and not self.lanes[lane] else 0.0
        self.lines.add(lane, LANES[lane], self.position, due=due, tick=self.tick)
        self.lanes[lane].append(_Waiting(self.position, due))

    @rule(lane=st.sampled_from(sorted(LANES)))
    def recall(self, lane: str) -> None:
        self.lowest -= 1
        self.lines.add(lane, LANES[lane], self.lowest, tick=self.tick)
        # Those behind one on its way are in order among themselves.
        first = [self.lanes[lane].popleft()] if lane in self.away else []
        rest = sorted([*self.lanes[lane], _Waiting(self.lowest, 0.0)])
        self.lanes[lane] = deque([*first, *rest])

    @rule()
    def take(self) -> None:
        able = {lane for lane in LANES if self.may_go(lane)}
        job = self.lines.take(self.tick)
        assert (job is not None) == bool(able)
        if job is None:
            return
        assert job.lane in able
        assert job.path == LANES[job.lane]
        assert job.position == self.lanes[job.lane][0].position
        assert (job.hold is not None) == (job.path in self.until)
        self.away[job.lane] = job
        if job.path in self.until:
            self.since_hold[job.path].add(job.lane)

    @precondition(lambda self: self.away)
    @rule(data=st.data(), how=st.sampled_from(["ended", "again", "back"]))
    def come_back(self, data: st.DataObject, how: str) -> None:
        job = self.away[data.draw(st.sampled_from(sorted(self.away)))]
        self.gone(job)
        if how == "ended":
            self.lines.ended(job, self.tick)
            self.lanes[job.lane].popleft()
        elif how == "again":
            self.lines.again(job, self.tick + 3.0, self.tick)
            self.lanes[job.lane][0] = _Waiting(job.position, self.tick + 3.0)
        else:
            self.lines.back(job, self.tick)
            self.lanes[job.lane][0] = _Waiting(job.position, 0.0)
        self.lanes[job.lane] = deque(sorted(self.lanes[job.lane]))

    @rule(path=st.sampled_from(PATHS), wait=st.sampled_from([0.0, 2.0, 7.0]))
    def hold(self, path: str, wait: float) -> None:
        hold = Hold("500", since=0.0, since_tick=0.0, times=1, until=self.tick + wait)
        self.lines.hold(path, hold, self.tick)
        self.until[path] = self.tick + wait
        self.since_hold.setdefault(path, set())

    @rule()
    def forget_idle_holds(self) -> None:
        self.lines.forget_idle_holds()
        busy = {LANES[lane] for lane, waiting in self.lanes.items() if waiting}
        for path in set(self.until) - busy:
            del self.until[path], self.since_hold[path]

    @rule(path=st.sampled_from(PATHS))
    def lift(self, path: str) -> None:
        assert self.lines.lift(path, self.tick) == (path in self.until)
        self.until.pop(path, None)
        self.since_hold.pop(path, None)

    @rule()
    def try_held(self) -> None:
        self.lines.try_held(self.tick)
        self.until = dict.fromkeys(self.until, self.tick)

    @rule(lane=st.sampled_from(sorted(LANES)))
    def rouse(self, lane: str) -> None:
        for number, one in enumerate(self.lanes[lane]):
            if one.due > self.tick:
                self.lines.rouse(lane, one.position, self.tick)
                self.lanes[lane][number] = one._replace(due=0.0)

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.tick += seconds

    @invariant()
    def holds_and_sleepers_are_told(self) -> None:
        assert set(self.lines.holds) == set(self.until)
        late = {
            waiting[0].position: lane
            for lane, waiting in self.lanes.items()
            if waiting and lane not in self.away and waiting[0].due > self.tick
        }
        assert late.items() <= self.lines.asleep().items()

    @invariant()
    def a_held_path_has_one_trial_at_most(self) -> None:
        assert all(len(lanes) <= 1 for lanes in self.since_hold.values())

    @invariant()
    def an_alarm_is_set_for_all_that_waits_for_its_time(self) -> None:
        alarm = self.lines.next_alarm()
        for lane, waiting in self.lanes.items():
            if waiting and lane not in self.away and waiting[0].due > self.tick:
                assert alarm is not None
                assert alarm <= waiting[0].due

    def teardown(self) -> None:
        """Once nothing is held and all are due, everything comes out, each lane in order."""
        self.tick += 1000.0
        for path in PATHS:
            self.lines.lift(path, self.tick)
        for job in self.away.values():
            self.lines.back(job, self.tick)
        taken: dict[str, list[int]] = {lane: [] for lane in LANES}
        while (job_ := self.lines.take(self.tick)) is not None:
            taken[job_.lane].append(job_.position)
            self.lines.ended(job_, self.tick)
        assert taken == {
            lane: [one.position for one in sorted(waiting)] for lane, waiting in self.lanes.items()
        }
        assert self.lines.holds == {}
        assert self.lines.asleep() == {}


TestAnything = LinesMachine.TestCase
TestAnything.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
