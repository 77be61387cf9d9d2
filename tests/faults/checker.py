"""Holds what was promised against what Jenkins took. Pure: records in, findings out.

It goes through a million webhooks with some tens of bytes for each.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from faults.records import key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from faults.records import Cause, Sent, Taken

SLACK = 0.25
"""Seconds by which the causes that are written down may be later than what they caused."""

NO_BOOT = 0xFFFF


class Rules(NamedTuple):
    """What a repetition may come from, besides the causes that were written down.

    Attributes:
        patience: Seconds after which Spigot takes an answer for lost.
        recall: Seconds before the end of a boot of Jenkins whose webhooks may be recalled.
        harmless: How the lanes begin in which that may happen.
    """

    patience: float
    recall: float
    harmless: str


class Findings(NamedTuple):
    """What the check found; keys are delivery ids.

    Attributes:
        promised: How many webhooks were answered 2xx.
        taken: How many of them Jenkins took at least once.
        dead: How many are dead, or were dropped, instead.
        lost: Promised, never taken, and neither dead with a reason nor dropped.
        strange: Taken, and never sent.
        altered: Not as they were sent.
        overtaken: Those that came only after a later one of their lane.
        unexplained: Repetitions that nothing explains, in words.
        duplicates: How many repetitions there were, by what explains them.
    """

    promised: int
    taken: int
    dead: int
    lost: list[str]
    strange: list[str]
    altered: list[str]
    overtaken: list[str]
    unexplained: list[str]
    duplicates: dict[str, int]

    @property
    def violations(self) -> list[str]:
        """Every broken promise in words."""
        named = {
            "lost": self.lost,
            "never sent": self.strange,
            "altered": self.altered,
            "overtaken": self.overtaken,
            "repeated without a reason": self.unexplained,
        }
        return [f"{what}: {one}" for what, ones in named.items() for one in ones]


class Lane:
    """What is known of one lane; numbers count from 0."""

    def __init__(self) -> None:
        self.digests = array("Q")
        self.times = array("H")
        self.promised = bytearray()
        self.at = array("d")
        self.took = array("f")
        self.boots = array("H")
        self.latest = -1
        self.last = -1

    def add(self, digest: int, times: int, *, promised: bool) -> None:
        """Add the next that was sent."""
        self.digests.append(digest)
        self.times.append(min(times, 0xFFFF))
        self.promised.append(promised)
        self.at.append(0.0)
        self.took.append(0.0)
        self.boots.append(NO_BOOT)


class Checker:
    """Takes in what was sent, then what Jenkins took in its order; `findings` says the rest.

    Args:
        rules: What a repetition may come from.
        causes: What else it may come from, the earliest first.
    """

    def __init__(self, rules: Rules, causes: Iterable[Cause] = ()) -> None:
        self._rules = rules
        self._lanes: dict[str, Lane] = defaultdict(Lane)
        self._replays: dict[str, list[float]] = defaultdict(list)
        self._dropped: set[str] = set()
        self._boots: list[float] = []
        self._ends: list[tuple[float, str]] = []
        for at, kind, key in causes:
            if kind == "replay":
                self._replays[key].append(at)
            elif kind == "drop":
                self._dropped.add(key)
            elif kind == "boot":
                self._boots.append(at)
            else:
                self._ends.append((at, kind))
        self._strange: list[str] = []
        self._altered: list[str] = []
        self._overtaken: list[str] = []
        self._unexplained: list[str] = []
        self._duplicates: Counter[str] = Counter()

    def sent(self, sent: Iterable[Sent]) -> None:
        """Take in what was sent, each lane in its order."""
        for one in sent:
            lane = self._lanes[one.lane]
            assert one.number == len(lane.digests), f"the log of {one.lane} has a gap"
            lane.add(int(one.digest, 16), one.times, promised=one.promised)

    def taken(self, taken: Iterable[Taken]) -> None:
        """Take in what Jenkins took, in its order."""
        for one in taken:
            self._take(one)

    def _take(self, one: Taken) -> None:
        lane = self._lanes.get(one.lane)
        number = one.number
        if lane is None or number >= len(lane.digests):
            self._strange.append(key_of(one.lane, number))
            return
        if int(one.digest, 16) != lane.digests[number]:
            self._altered.append(key_of(one.lane, number))
        if lane.boots[number] == NO_BOOT:
            key = key_of(one.lane, number)
            if number < lane.latest and key not in self._replays:
                self._overtaken.append(key)
        else:
            why = self._explain(lane, one)
            if why:
                self._duplicates[why] += 1
            else:
                before = lane.at[number]
                self._unexplained.append(
                    f"{key_of(one.lane, number)} at {before:.3f} in boot {lane.boots[number]} and "
                    f"at {one.at:.3f} in boot {one.boot}"
                )
        lane.latest = max(lane.latest, number)
        lane.last = number
        lane.at[number] = one.at
        lane.took[number] = one.until - one.at
        lane.boots[number] = one.boot

    def _explain(self, lane: Lane, one: Taken) -> str:
        number = one.number
        before = lane.at[number]
        # As long as one is not settled, nothing else of its lane is sent.
        if lane.last == number:
            if cause := self._cause(before, one.at):
                return cause
            if lane.took[number] >= self._rules.patience:
                return "timeout"
        key = key_of(one.lane, number)
        if one.boot != lane.boots[number] and one.lane.startswith(self._rules.harmless):
            over = self._boots[one.boot - 1]
            if before >= over - self._rules.recall:
                return "restart of Jenkins"
        replays = self._replays.get(key)
        if replays and replays[0] <= one.at:
            replays.pop(0)
            return "replay"
        if lane.times[number] > 1:
            lane.times[number] -= 1
            return "sent again by its sender"
        return ""

    def _cause(self, since: float, until: float) -> str:
        """Return what happened between two arrivals; empty if nothing did."""
        index = bisect_right(self._ends, (since - SLACK, ""))
        if index < len(self._ends) and self._ends[index][0] <= until:
            return self._ends[index][1]
        return ""

    def findings(self, dead: Collection[str] = ()) -> Findings:
        """Return what was found.

        Args:
            dead: The delivery ids of those that are dead with a reason.
        """
        promised = taken = ended = 0
        lost = []
        for name, lane in self._lanes.items():
            for number, is_promised in enumerate(lane.promised):
                if lane.boots[number] != NO_BOOT:
                    taken += is_promised
                elif is_promised:
                    key = key_of(name, number)
                    if key in dead or key in self._dropped:
                        ended += 1
                    else:
                        lost.append(key)
                promised += is_promised
        return Findings(
            promised,
            taken,
            ended,
            lost,
            self._strange,
            self._altered,
            self._overtaken,
            self._unexplained,
            dict(self._duplicates),
        )
