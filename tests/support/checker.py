"""Holds what was promised against what Jenkins took. Pure: records in, findings out.

`compare` is for tests that know each request and each visit. `Checker` goes through a million
records with some tens of bytes for each, and asks of each repetition where it comes from.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from support.records import OF_ONE_CONNECTION, Sent, Taken, digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from spigot.practice import Visit
    from support.provider import Request
    from support.records import Cause

SLACK = 0.02
"""Seconds by which what a dying gateway had sent may reach Jenkins after its end is noted."""

CLOCK_SECONDS = 30.0
"""For so many seconds a clock that was moved makes a gateway err about when Jenkins restarted."""

NEVER = 0xFFFF
"""In place of a boot: Jenkins has not taken it."""

_KEYS = (b"x-github-delivery", b"x-test-key")


class Findings(NamedTuple):
    """What the comparison found; keys are those of `Request`, or delivery ids.

    Attributes:
        lost: Promised, and never at Jenkins.
        strange: At Jenkins, and never sent.
        altered: What arrived otherwise than it was sent.
        overtaken: Those that came only after a later one of their lane.
        unexplained: Repetitions that nothing explains, in words.
        duplicates: How many arrivals were repetitions.
    """

    lost: list[str]
    strange: list[str]
    altered: list[str]
    overtaken: list[str]
    unexplained: list[str]
    duplicates: int

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


PERFECT = Findings([], [], [], [], [], 0)
"""Everything once, untouched and in order."""


class Rules(NamedTuple):
    """What a repetition may come from, besides the causes that were written down.

    Attributes:
        patience: Seconds after which Spigot takes an answer for lost.
        recall: Seconds before the end of a boot of Jenkins whose webhooks may be recalled.
        notice: Seconds until Spigot sees that Jenkins has begun a new boot.
        harmless: How the lanes begin in which that may happen.
        parallel: How many webhooks are on their way to Jenkins at once at most.
    """

    patience: float
    recall: float
    notice: float
    harmless: str
    parallel: int


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

    def add(self, one: Sent) -> None:
        """Add the next that was sent."""
        assert one.number == len(self.digests), f"what was sent in {one.lane} has a gap"
        self.digests.append(int(one.digest, 16))
        self.times.append(min(one.times, 0xFFFF))
        self.promised.append(one.promised)
        self.at.append(0.0)
        self.took.append(0.0)
        self.boots.append(NEVER)

    def take(self, one: Taken) -> None:
        """Remember that Jenkins took one."""
        number = self.last = one.number
        self.latest = max(self.latest, number)
        self.at[number] = one.at
        self.took[number] = one.until - one.at
        self.boots[number] = one.boot


class Checker:
    """Takes in what was sent, then what Jenkins took in its order; `findings` says the rest.

    Args:
        rules: What a repetition may come from; None: nobody asks.
        causes: What else it may come from, the earliest first.

    Attributes:
        explained: How many repetitions there were, by what explains them.
        promised: How many webhooks were answered 2xx; from `findings` on.
        taken: How many of them Jenkins took; from `findings` on.
        ended: How many of them are dead or were dropped instead; from `findings` on.
    """

    def __init__(self, rules: Rules | None = None, causes: Iterable[Cause] = ()) -> None:
        self._rules = rules
        self._lanes: dict[str, Lane] = defaultdict(Lane)
        self._replays: dict[str, list[float]] = defaultdict(list)
        self._dropped: set[str] = set()
        self._boots: list[float] = []
        self._clocks: list[float] = []
        self._ends: list[tuple[float, str]] = []
        self._used: Counter[int] = Counter()
        for at, kind, key in causes:
            match kind:
                case "replay":
                    self._replays[key].append(at)
                case "drop":
                    self._dropped.add(key)
                case "boot":
                    self._boots.append(at)
                case "clock":
                    self._clocks.append(at)
                case _:
                    self._ends.append((at, kind))
        self._found = Findings([], [], [], [], [], 0)
        self.explained: Counter[str] = Counter()
        self.promised = self.taken = self.ended = 0

    def add_sent(self, sent: Iterable[Sent]) -> None:
        """Take in what was sent, each lane in its order."""
        for one in sent:
            self._lanes[one.lane].add(one)

    def add_taken(self, taken: Iterable[Taken]) -> None:
        """Take in what Jenkins took, in its order."""
        for one in taken:
            lane = self._lanes.get(one.lane)
            if lane is None or one.number >= len(lane.digests):
                self._found.strange.append(one.key)
                continue
            if int(one.digest, 16) != lane.digests[one.number]:
                self._found.altered.append(one.key)
            if lane.boots[one.number] != NEVER:
                self._repeated(lane, one)
            elif one.number < lane.latest and one.key not in self._replays:
                self._found.overtaken.append(one.key)
            lane.take(one)

    def _repeated(self, lane: Lane, one: Taken) -> None:
        why = self._explain(lane, one, self._rules) if self._rules else "not asked"
        self.explained[why or "nothing"] += 1
        if not why:
            self._found.unexplained.append(
                f"{one.key} at {lane.at[one.number]:.3f} in boot {lane.boots[one.number]} and "
                f"at {one.at:.3f} in boot {one.boot}"
            )

    def _explain(self, lane: Lane, one: Taken, rules: Rules) -> str:
        """Say where a repetition comes from; empty if from nothing that is known."""
        before = lane.at[one.number]
        if one.lane.startswith(rules.harmless):
            # Until it sees the new boot, Spigot takes what that one took for the old one's.
            index = bisect_left(self._boots, before - rules.notice)
            if index < len(self._boots) and self._boots[index] <= min(
                before + rules.recall, one.at
            ):
                return "restart of Jenkins"
            # How far back that was, a gateway knows by a clock that people may move.
            index = bisect_left(self._clocks, before - CLOCK_SECONDS)
            moved = index < len(self._clocks) and self._clocks[index] <= one.at
            if moved and one.boot != lane.boots[one.number]:
                return "restart of Jenkins, the clock moved"
        # As long as one is not settled, nothing else of its lane is sent.
        if lane.last == one.number:
            if cause := self._between(before, one.at, rules.parallel):
                return cause
            if lane.took[one.number] >= rules.patience:
                return "timeout"
        replays = self._replays.get(one.key)
        if replays and replays[0] <= one.at:
            replays.pop(0)
            return "replay"
        if lane.times[one.number] > 1:
            lane.times[one.number] -= 1
            return "sent again by its sender"
        return ""

    def _between(self, since: float, until: float, most: int) -> str:
        """Return what happened between two arrivals; empty if nothing did.

        One cause explains `most` repetitions: no more were on their way.
        """
        for index in range(bisect_right(self._ends, (since - SLACK, "")), len(self._ends)):
            at, kind = self._ends[index]
            if at > until:
                break
            if self._used[index] < most:
                self._used[index] += 1
                return kind
        return ""

    def findings(self, dead: Collection[str] = ()) -> Findings:
        """Return what was found, once all was taken in.

        Args:
            dead: The keys of those that are dead with a reason.
        """
        for name, lane in self._lanes.items():
            for number, promised in enumerate(lane.promised):
                self.promised += promised
                if lane.boots[number] != NEVER:
                    self.taken += promised
                elif promised:
                    key = f"{name}#{number}"
                    gone = key in dead or key in self._dropped
                    self.ended += gone
                    if not gone:
                        self._found.lost.append(key)
        return self._found._replace(duplicates=self.explained.total())


def key_of(visit: Visit) -> str:
    """Return the key of the request that a visit brought."""
    fields = {name.lower(): value for name, value in visit.headers}
    return next(fields[name].decode() for name in _KEYS if name in fields)


def compare(
    promised: Sequence[Request], visits: Iterable[Visit], *, also_sent: Iterable[Request] = ()
) -> Findings:
    """Compare the webhooks that were answered 200 with what came to Jenkins.

    Args:
        promised: In the order in which each lane's were answered.
        visits: In the order of arrival.
        also_sent: What was sent without an answer: it may have arrived, or not.
    """
    checker = Checker()
    known: dict[str, tuple[Request, Sent]] = {}
    counts: Counter[str] = Counter()
    for request in promised:
        if request.key in known:
            continue
        known[request.key] = (request, _sent(request, request.lane, counts[request.lane]))
        counts[request.lane] += 1
    for request in also_sent:
        known.setdefault(request.key, (request, _sent(request, request.key, 0, promised=False)))
    checker.add_sent(sent for _, sent in known.values())
    names = {(sent.lane, sent.number): key for key, (_, sent) in known.items()}
    altered = []
    for visit in visits:
        key = key_of(visit)
        mark = digest(visit.method.encode(), visit.target, visit.headers, visit.body)
        lane, number = known[key][1][:2] if key in known else (key, 0)
        names[lane, number] = key
        checker.add_taken([Taken(visit.at, visit.at, 0, lane, number, mark)])
        if key in known:
            altered += _differences(known[key][0], visit)
    found = checker.findings()

    def named(keys: list[str]) -> list[str]:
        parts = (key.rpartition("#") for key in keys)
        return [names[lane, int(number)] for lane, _, number in parts]

    return found._replace(
        lost=named(found.lost),
        strange=named(found.strange),
        overtaken=named(found.overtaken),
        altered=altered,
    )


def _sent(request: Request, lane: str, number: int, *, promised: bool = True) -> Sent:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in request.headers]
    mark = digest(request.method.encode(), request.target.encode(), headers, request.body)
    return Sent(lane, number, mark, 1, promised)


def _differences(request: Request, visit: Visit) -> list[str]:
    sent = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers]
    came = [(name.lower(), value) for name, value in visit.headers]
    pairs: dict[str, tuple[object, object]] = {
        "method": (request.method, visit.method),
        "target": (request.target.encode(), visit.target),
        "headers": tuple(
            [line for line in lines if line[0] not in OF_ONE_CONNECTION] for lines in (sent, came)
        ),  # type: ignore[dict-item] # two of them
        "body": (request.body, visit.body),
    }
    return [
        f"{request.key}: {what} {before!r} became {after!r}"
        for what, (before, after) in pairs.items()
        if before != after
    ]
