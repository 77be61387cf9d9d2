"""The plan of a soak."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from faults.launcher import POINTS
from faults.mishaps import MISHAPS
from faults.plan import everything, lives

if TYPE_CHECKING:
    from faults.plan import Life, Step


def drawn(seed: int) -> tuple[list[Life], list[list[Step]]]:
    plan = everything(seed)
    return list(islice(plan.lives, 500)), [list(islice(steps, 500)) for steps in plan.strands]


def test_the_same_seed_gives_the_same_plan() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_an_hour_has_everything_in_it() -> None:
    hour = list(islice(lives(1), 1000))
    assert {life.faults.point for life in hour} == {"", *POINTS}
    assert {step.what for life in hour for step in life.steps} == set(MISHAPS)
    assert {life.ends for life in hour} == {"kill", "stop", "stop, kill"}
    assert any(life.faults.clock for life in hour)
    assert any(life.faults.readonly for life in hour)
    assert any(life.old for life in hour)
    assert {life.direct for life in hour} == {True, False}
