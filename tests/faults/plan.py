"""The plan of a soak: what goes wrong, and when. Pure; the same seed gives the same plan.

The lives of the gateway follow one another. Beside them run strands of steps, each with its own
chance: the weather at Jenkins, the network, and people. All go on for as long as somebody asks.
"""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any, NamedTuple

from faults.launcher import POINTS, Faults
from spigot.practice import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator


class Step(NamedTuple):
    """Something to do.

    Attributes:
        after: Seconds after the step before it.
        what: What to do.
        how: What else has to be said.
    """

    after: float
    what: str
    how: dict[str, Any]


class Life(NamedTuple):
    """One life of the gateway.

    Attributes:
        faults: What goes wrong by itself.
        seconds: How long it lasts, unless it kills itself before; None: until its last step.
        steps: What is done to it meanwhile.
        ends: How it ends: ``kill``, ``stop``, or ``stop, kill`` so many seconds later.
        grace: Those seconds.
        from_launch: Count the seconds from the launch; else from the first good health.
        direct: It reaches Jenkins without the faulty network.
        old: Its database is taken back to this schema version before; 0: it is left as it is.
    """

    faults: Faults
    seconds: float | None
    steps: tuple[Step, ...] = ()
    ends: str = "kill"
    grace: float = 0.0
    from_launch: bool = False
    direct: bool = False
    old: int = 0


class Plan(NamedTuple):
    """All that goes wrong in a soak.

    Attributes:
        lives: Of the gateway, one after the other.
        strands: Of steps, beside each other.
        power: Each kill is a power cut.
    """

    lives: Iterator[Life]
    strands: tuple[Iterator[Step], ...]
    power: bool = False


def everything(seed: int) -> Plan:
    """Return the plan of a soak."""
    return Plan(lives(seed), (weather(seed), network(seed), people(seed)))


def trial(broken: str = "", *, power: bool = False) -> Plan:
    """Return the plan of a short trial of the checker, which goes by what happens, not by time.

    Jenkins goes down until something waits, then comes up with one path out of order, and is well
    again; the gateway is killed while webhooks come. All of it twice.

    Args:
        broken: A promise that the gateway breaks on purpose.
        power: Each kill is a power cut.
    """
    # Before a kill all shall have been tried again (due within a second), before a power cut much
    # shall still wait.
    backlog, pause = (60, 0.0) if power else (240, 2.0)
    most = 8.0  # where a promise is broken, what is waited for may never be
    errs = {"to": "errors", "times": 10_000, "paths": ["/generic-webhook-trigger/"]}
    steps = (
        Step(0.0, "wait", {"what": "delivered", "count": 20, "seconds": most}),
        Step(0.0, "phase", {"to": str(Phase.DOWN)}),
        Step(0.0, "wait", {"what": "waiting", "count": backlog, "seconds": most}),
        Step(0.0, "phase", errs),
        Step(0.0, "wait", {"what": "failed", "count": 6, "seconds": most}),
        Step(0.0, "phase", {"to": str(Phase.READY)}),
        Step(pause, "wait", {"what": "delivered", "count": 60, "seconds": most}),
    )
    life = Life(Faults(broken=broken, prune_every=0.2), None, steps, direct=True)
    return Plan(itertools.repeat(life, 2), (), power)


_PASSINGS = {"checkpoint": 60, "prune": 8, "recall": 3, "start": 1, "shutdown": 1, "migration": 12}
"""How often a point is passed at most before it kills; 1500 for the others."""


def lives(seed: int) -> Iterator[Life]:
    """Yield the lives of the gateway."""
    chance = random.Random(f"{seed} lives")
    kinds = {
        _random: 20, _point: 42, _start: 8, _shutdown: 6, _stop: 5, _disk: 8, _stall: 8, _long: 3,
    }  # fmt: skip
    while True:
        faults = Faults(prune_every=chance.choice((0.3, 1.0)), log_frames=chance.choice((50, 2000)))
        if chance.random() < 0.15:
            faults = faults._replace(clock=_jumps(chance))
        life = Life(faults, chance.uniform(0.5, 4.0), direct=chance.random() < 0.5)
        (kind,) = chance.choices(list(kinds), list(kinds.values()))
        yield kind(chance, life)


def _random(_: random.Random, life: Life) -> Life:
    """Kill it at any moment."""
    return life


def _point(chance: random.Random, life: Life) -> Life:
    """Let it kill itself at a named point."""
    point = chance.choice(sorted(POINTS))
    most = _PASSINGS.get(point.partition(":")[0], 1500)
    nth = 1 + int((most - 1) * chance.random() ** 2)
    faults = life.faults._replace(point=point, nth=nth, after=chance.uniform(0, 0.01))
    if point.startswith("shutdown"):
        return life._replace(faults=faults, ends="stop, kill", grace=10.0)
    if point == "migration":
        return life._replace(faults=faults, old=chance.randint(1, 3))
    return life._replace(faults=faults, seconds=4.0)


def _start(chance: random.Random, life: Life) -> Life:
    """Kill it before it has started, or soon after."""
    old = chance.randint(1, 3) if chance.random() < 0.3 else 0
    return life._replace(seconds=chance.uniform(0.05, 0.7), from_launch=True, old=old)


def _shutdown(chance: random.Random, life: Life) -> Life:
    """Kill it while it stops."""
    return life._replace(ends="stop, kill", grace=chance.uniform(0, 0.4))


def _stop(_: random.Random, life: Life) -> Life:
    """Let it stop in peace."""
    return life._replace(ends="stop")


def _long(chance: random.Random, life: Life) -> Life:
    """Let it live long enough to work off what waits."""
    return life._replace(seconds=chance.uniform(12, 20))


def _stall(chance: random.Random, life: Life) -> Life:
    """Freeze it, or keep it from writing."""
    what = chance.choice(("freeze", "lock"))
    step = Step(chance.uniform(0.2, 1.0), what, {"seconds": chance.uniform(0.2, 1.5)})
    return life._replace(seconds=4.0, steps=(step,))


def _disk(chance: random.Random, life: Life) -> Life:
    """Fill the disk, make it read-only, or let the room that must stay free be gone."""
    what = chance.choice(("full", "full", "nothing writable", "readonly", "no room"))
    begins, lasts = chance.uniform(0.2, 1.0), chance.uniform(0.3, 1.5)
    life = life._replace(seconds=begins + lasts + chance.uniform(-0.3, 1.5))
    if what == "readonly":
        spell = (begins + 0.5, begins + lasts + 0.5)
        return life._replace(faults=life.faults._replace(readonly=spell))
    return life._replace(steps=(Step(begins, what, {"seconds": lasts}),))


def _jumps(chance: random.Random) -> tuple[tuple[float, float], ...]:
    hours = (-90 * 86400.0, -3600.0, -7.0, 7.0, 3600.0, 90 * 86400.0)
    return ((chance.uniform(0.0, 0.5), chance.choice(hours)), (chance.uniform(1, 3), 0.0))


def weather(seed: int) -> Iterator[Step]:
    """Yield what becomes of Jenkins: up for most of the time, and all that it can be besides."""
    chance = random.Random(f"{seed} weather")
    while True:
        yield Step(chance.uniform(6, 24), "phase", {"to": _way_down(chance)})
        yield from _way_up(chance)


def _way_down(chance: random.Random) -> str:
    return chance.choices(
        (Phase.DOWN, Phase.CLEANING_UP, Phase.HANGING, Phase.PROXY_502, Phase.PROXY_503,
         Phase.PROXY_504, Phase.MAINTENANCE, Phase.STARTING, "blink", "slow", "errors", "busy"),
        (6, 3, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2),
    )[0]  # fmt: skip


def _way_up(chance: random.Random) -> Iterator[Step]:
    for phase in (Phase.DOWN, Phase.STARTING, Phase.EARLY_BOOT):
        if chance.random() < 0.6:
            yield Step(chance.uniform(0.2, 1.2), "phase", {"to": str(phase)})
    yield Step(chance.uniform(0.2, 1.2), "phase", {"to": str(Phase.READY)})


def network(seed: int) -> Iterator[Step]:
    """Yield what goes wrong on the way to Jenkins and on the way to the gateway."""
    chance = random.Random(f"{seed} network")
    while True:
        where = chance.choice(("jenkins", "gateway"))
        what = chance.choice(("cut", "reset", "slow", "halves"))
        after = chance.uniform(0.3, 2.0)
        if what == "slow":
            yield Step(after, "network", {"network": where, "slow": chance.uniform(0.01, 0.2)})
            yield Step(chance.uniform(0.3, 1.0), "network", {"network": where, "slow": 0.0})
        elif what == "halves":
            yield Step(after, "network", {"network": where, "halves": chance.randint(1, 5)})
        else:
            yield Step(after, "network", {"network": where, "cut": what})


def people(seed: int) -> Iterator[Step]:
    """Yield what people do: close and open the valve, replay, drop."""
    chance = random.Random(f"{seed} people")
    while True:
        what = chance.choice(("valve", "replay", "replay dead", "drop"))
        after = chance.uniform(1.0, 5.0)
        if what == "valve":
            yield Step(after, "off", {})
            yield Step(chance.uniform(0.2, 2.0), "on", {})
        else:
            yield Step(after, what, {"count": chance.randint(1, 20)})
