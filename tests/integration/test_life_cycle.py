"""Jenkins goes through every phase of its life under a steady stream of webhooks: none is lost.

What came of each phase is printed as a table at the end of the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from spigot.practice import Phase, PracticeJenkins
from support.gateway import GatewayProcess
from support.phases import LANES, Course, Stream, github_only, mixed
from support.provider import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from support.provider import Request

SETTINGS = {
    "SPIGOT_PROBE_EVERY": "1",
    "SPIGOT_PROBE_TIMEOUT": "1",
    "SPIGOT_READ_TIMEOUT": "1",
    "SPIGOT_SETTLE_AFTER": "60",
    "SPIGOT_RETRY_DELAYS": "0.5,0.5,0.5,0.5,0.5",
}
"""Held, Jenkins is asked every second, as ever; the rest is shorter than by default."""


TAKES = 0.03
"""Seconds that Jenkins takes for a webhook, so that several are on their way at any time."""


EVENT_DELAY = 0.3
"""Seconds until Jenkins acts on what it took at ``/github-webhook/``; 5 s in a real one."""


class Plan(NamedTuple):
    """How a phase is gone through, and what may come of it.

    Attributes:
        go: Takes Jenkins away and back.
        stops: Whether the flow has to stop.
        hits: How many webhooks may meet a Jenkins that is away: those that were on their way.
        make: Returns the webhook of a number.
        settings: The gateway's, over `SETTINGS`.
    """

    go: Callable[[Course], None]
    stops: bool = True
    hits: float = LANES
    make: Callable[[int], Request] = mixed
    settings: Mapping[str, str] = {}


def outage(phase: Phase) -> Plan:
    """Return the plan of one phase between two in which Jenkins is ready."""

    def go(course: Course) -> None:
        course.hold(phase)
        course.ready()

    return Plan(go)


def down(course: Course) -> None:
    course.hold(Phase.DOWN)
    course.jenkins.boot()
    course.ready()


def early_boot(course: Course) -> None:
    course.hold(Phase.EARLY_BOOT)
    course.stay(Phase.STARTING)
    course.ready()


def always_ready(course: Course) -> None:
    course.stay(Phase.READY)
    course.ready()


def jobs_still_loading(course: Course) -> None:
    course.hold(Phase.DOWN)
    course.jenkins.boot()
    course.stay(Phase.STARTING)
    course.load("/project/")


def safe_restart(course: Course) -> None:
    """Builds end while hooks are taken as ever, then the page, then the process ends."""
    course.jenkins.phase = Phase.QUIET_DOWN
    course.stream.wait_for()
    restart(course)


def restart(course: Course) -> None:
    course.hold(Phase.STARTING)
    course.stay(Phase.DOWN)
    course.jenkins.boot()
    course.stay(Phase.STARTING)
    course.ready()


def exit_while_answering(course: Course) -> None:
    course.stay(Phase.CLEANING_UP)
    course.hold(Phase.DOWN)
    course.jenkins.boot()
    course.stay(Phase.STARTING)
    course.ready()


def slow(course: Course) -> None:
    course.slow_down(0.2)


PLANS = {
    "down": Plan(down),
    "starting": outage(Phase.STARTING),
    "early boot": Plan(early_boot),
    "ready": Plan(always_ready, stops=False, hits=0),
    # A held path is tried now and then, one webhook at a time.
    "jobs still loading": Plan(jobs_still_loading, hits=LANES + 20),
    "quiet-down": outage(Phase.QUIET_DOWN)._replace(
        hits=0, settings={"SPIGOT_API_TOKEN": "practice:token"}
    ),
    "safe restart": Plan(safe_restart),
    "restart": Plan(restart),
    # Nothing tells it from a ready one until it has gone: what it forgets, it is sent again.
    "exit while still answering": Plan(exit_while_answering, hits=float("inf"), make=github_only),
    "proxy 502": outage(Phase.PROXY_502),
    "proxy 503": outage(Phase.PROXY_503),
    "proxy 504": outage(Phase.PROXY_504),
    "hanging": outage(Phase.HANGING),
    "slow": Plan(slow, stops=False, hits=0),
}


@pytest.mark.parametrize("phase", PLANS)
def test_no_webhook_is_lost_dead_or_overtaken_in_phase(
    tmp_path: Path, phase: str, record_property: Callable[[str, object], None]
) -> None:
    plan = PLANS[phase]
    with (
        PracticeJenkins(
            github_secrets=[SECRET],
            gitlab_jobs={"practice": None, "folder/other": None},
            event_delay=EVENT_DELAY,
            delay=TAKES,
        ) as jenkins,
        GatewayProcess(tmp_path, jenkins.url, SETTINGS | dict(plan.settings)) as gateway,
    ):
        since = gateway.until(lambda status: status["jenkins"] == "ready")["jenkins_since"]
        with Stream(gateway.port, plan.make) as stream:
            stream.wait_for()
            course = Course(gateway, jenkins, stream)
            plan.go(course)
            row = course.end(phase)
        stayed = gateway.status()["jenkins_since"] == since

    record_property("life cycle", [list(PLANS).index(phase), *row])
    assert (row.lost, row.dead, row.overtaken, row.strange) == (0, 0, 0, 0), row
    assert row.hits <= plan.hits, row
    assert row.late <= LANES, row
    assert (not stayed, row.stopped_after is not None) == (plan.stops, plan.stops), row
