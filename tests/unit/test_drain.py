"""The drain when something it needs fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from spigot.drain import Drain
from spigot.errors import StoreError
from spigot.meters import Meters
from spigot.pace import Pace
from spigot.ports import Signs
from spigot.readiness import Moment, unknown
from spigot.valve import ValveRow
from spigot.webhook import Place
from support.stores import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def drain(clock: HandClock) -> Drain:
    nobody = cast("None", object())
    return Drain(nobody, nobody, nobody, clock, pace=Pace(1), meters=Meters())  # type: ignore[arg-type]


def quiet_guard() -> SimpleNamespace:
    return SimpleNamespace(
        readiness=unknown(Moment(0.0, 0.0)),
        queue_is_long=False,
        has_asked=True,
        look=lambda: None,
        watch=lambda **_: None,
    )


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
    guard = quiet_guard()
    drain = Drain(Failing(), nobody, guard, clock, pace=Pace(1), meters=Meters())  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        drain._look()
    drain._look()
    assert (drain.flowing, drain.resting) == (False, 7)


def test_a_job_for_which_there_is_no_thread_is_not_lost(
    drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "_guard", quiet_guard())
    drain._dispatch.let_flow(flows=True)
    drain._dispatch.add([Place(1, "lane", "/path", 0.0, 0.0, 0)], backlog=0)

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(drain._pool, "give", refuse)
    with pytest.raises(RuntimeError):
        drain._hand_out()
    assert drain.running == 0
    job = drain._take()
    assert job is not None
    assert job.position == 1
