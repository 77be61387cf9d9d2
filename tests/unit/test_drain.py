"""How long the drain's watching thread rests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from spigot.drain import LOOK_EVERY, Drain
from spigot.errors import StoreError
from spigot.meters import Meters
from spigot.ports import Signs
from spigot.readiness import Moment, unknown
from spigot.valve import ValveRow
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


class Failing:
    """A store that tells of a change once, and fails when it is asked what changed."""

    def __init__(self) -> None:
        self.fails = 1
        self.told = False

    def changed(self) -> bool:
        told, self.told = self.told, True
        return not told

    def signs(self) -> Signs:
        if self.fails:
            self.fails -= 1
            raise StoreError("cannot be read now")
        return Signs(ValveRow(on=False, version=7), 0, 0)

    def still_waiting(self, _: list[int]) -> set[int]:
        return set()


def test_a_change_that_could_not_be_read_is_read_at_the_next_look(clock: HandClock) -> None:
    nobody = cast("None", object())
    guard = SimpleNamespace(readiness=unknown(Moment(0.0, 0.0)))
    drain = Drain(Failing(), nobody, guard, clock, parallel=1, meters=Meters())  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        drain._look()
    drain._look()
    assert (drain.flowing, drain.resting) == (False, 7)


def test_a_job_for_which_there_is_no_thread_is_not_lost(
    drain: Drain, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = SimpleNamespace(readiness=unknown(Moment(0.0, 0.0)))
    monkeypatch.setattr(drain, "_guard", guard)
    monkeypatch.setattr(drain, "_flows", True)
    drain._lines.add("lane", "/path", 1, tick=clock.monotonic())

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(drain._pool, "give", refuse)
    with pytest.raises(RuntimeError):
        drain._hand_out()
    assert drain.running == 0
    job = drain._take()
    assert job is not None
    assert job.position == 1
