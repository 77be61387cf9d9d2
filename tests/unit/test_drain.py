"""How long the drain's watching thread rests."""

from __future__ import annotations

from typing import cast

import pytest

from spigot.drain import LOOK_EVERY, Drain
from spigot.meters import Meters
from support.stores import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def drain(clock: HandClock) -> Drain:
    nobody = cast("None", object())
    return Drain(nobody, nobody, nobody, clock, parallel=1, meters=Meters())  # type: ignore[arg-type]


def test_with_nothing_due_it_looks_as_often_as_it_has_to(drain: Drain) -> None:
    assert drain._pause() == LOOK_EVERY


@pytest.mark.parametrize(("due_in", "pause"), [(0.02, 0.02), (30.0, LOOK_EVERY)])
def test_it_is_up_when_something_becomes_due(
    drain: Drain, clock: HandClock, due_in: float, pause: float
) -> None:
    tick = clock.monotonic()
    drain._lines.add("lane", "/path", 1, due=tick + due_in, tick=tick)
    assert drain._pause() == pytest.approx(pause)


def test_what_is_due_and_may_not_go_keeps_it_no_busier(drain: Drain, clock: HandClock) -> None:
    tick = clock.monotonic()
    drain._lines.add("lane", "/path", 1, due=tick + 1.0, tick=tick)
    clock.advance(5.0)
    assert drain._pause() == LOOK_EVERY
