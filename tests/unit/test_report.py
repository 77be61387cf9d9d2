"""The gateway reports what it knows when that has changed, and not too often."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import pytest

from spigot.errors import StoreError
from spigot.lane import Hold
from spigot.ports import Clock
from spigot.readiness import Readiness, Restart
from spigot.report import LEAST_GAP, RETRY_GAP, SEEN_GAP, Reporter
from spigot.sight import State

if TYPE_CHECKING:
    from spigot.drain import Drain
    from spigot.guard import Guard
    from spigot.stores.panel import Panel
    from spigot.teller import Teller


class World(Clock):
    """Panel, drain, guard and clock in one: what the reporter looks at, to be set by hand."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.failing = False
        self.holds: dict[str, Hold] = {}
        self.halted = ""
        self.slow = ""
        self.resting: int | None = None
        self.error = ""
        self.readiness = Readiness(State.READY, 900.0, 0.0, "200 with X-Jenkins")
        self.tick = 0.0

    def monotonic(self) -> float:
        return self.tick

    def set_report(self, report: dict[str, Any]) -> None:
        if self.failing:
            raise StoreError("The disk is full.")
        self.reports.append(report)

    def see(self, evidence: str) -> None:
        self.readiness = self.readiness._replace(evidence=evidence)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def reporter(world: World) -> Reporter:
    return Reporter(
        cast("Panel", world), cast("Drain", world), cast("Guard", world), world,
        cast("Teller", world),
    )  # fmt: skip


def test_it_reports_what_the_status_is_made_of(world: World, reporter: Reporter) -> None:
    world.holds = {
        "/dockerhub-webhook/sesame/notify": Hold("404", 950.0, 5.0, 1, 7.0),
        "/ghprbhook/": Hold("302", 960.0, 15.0, 2, 17.0),
    }
    world.halted, world.resting = "The disk is full.", 4
    world.slow, world.error = "Jenkins' build queue is long", "GitHub says 401"
    world.readiness = Readiness(
        State.READY, 900.0, 0.0, "200 with X-Jenkins", 890.0, session="s1", sessions=("s1",),
        seen_at=899.0, alive=(("s1", 899.0),), restart=Restart(800.0, 820.0),
    )  # fmt: skip
    reporter.report()
    (report,) = world.reports
    assert isinstance(report.pop("pid"), int)
    assert report == {
        "jenkins": "ready",
        "jenkins_since": 900.0,
        "evidence": "200 with X-Jenkins",
        "evidence_since": 890.0,
        "slow": "Jenkins' build queue is long",
        "halted": "The disk is full.",
        "notices": "GitHub says 401",
        "paths_held": {"/dockerhub-webhook/***/notify": "404", "/ghprbhook/": "302"},
        "holds": [["/ghprbhook/", "302", 960.0, 2]],
        "resting": 4,
        "session": "s1",
        "sessions": ["s1"],
        "seen_at": 899.0,
        "alive": [["s1", 899.0]],
        "gone_at": None,
        "restart": [800.0, 820.0],
    }


def test_no_news_is_not_written(world: World, reporter: Reporter) -> None:
    for _ in range(5):
        reporter.report()
        world.tick += 10
    assert len(world.reports) == 1


def test_that_jenkins_was_seen_again_is_written_now_and_then(
    world: World, reporter: Reporter
) -> None:
    for second in range(60):
        world.tick = float(second)
        world.readiness = world.readiness._replace(seen_at=world.tick)
        reporter.report()
    assert len(world.reports) == 60 // (SEEN_GAP + 1) + 1


def test_quick_changes_are_gathered(world: World, reporter: Reporter) -> None:
    reporter.report()
    for number in range(5):
        world.see(f"answer {number}")
        world.tick += LEAST_GAP / 10
        reporter.report()
    assert len(world.reports) == 1
    world.tick += LEAST_GAP
    reporter.report()
    assert world.reports[-1]["evidence"] == "answer 4"


def test_that_all_rests_is_written_at_once(world: World, reporter: Reporter) -> None:
    reporter.report()
    world.resting = 2
    reporter.report()
    assert world.reports[-1]["resting"] == 2


def test_a_restart_is_written_at_once_and_so_is_that_it_was_dealt_with(
    world: World, reporter: Reporter
) -> None:
    reporter.report()
    world.readiness = world.readiness._replace(sessions=("new",), restart=Restart(1.0, 2.0))
    reporter.report()
    world.readiness = world.readiness._replace(restart=None)
    reporter.report()
    assert [report["restart"] for report in world.reports] == [None, [1.0, 2.0], None]


def test_a_store_that_fails_is_tried_again_later(
    world: World, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    world.failing = True
    with caplog.at_level(logging.ERROR):
        reporter.report()
    assert "could not report" in caplog.text
    caplog.clear()
    reporter.report()
    world.failing = False
    world.tick = RETRY_GAP
    reporter.report()
    assert len(world.reports) == 1


def test_what_rests_does_not_make_a_failing_store_busy(
    world: World, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    world.failing, world.resting = True, 1
    for _ in range(10):
        reporter.report()
    assert len(caplog.records) == 1
