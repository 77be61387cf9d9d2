"""How fast webhooks go to Jenkins: at a rate, with a gap, slowly, live ones beside the backlog."""

from __future__ import annotations

import itertools
from contextlib import closing
from typing import TYPE_CHECKING

from spigot.practice import Phase, PracticeJenkins
from spigot.stores.sqlite import SqliteStore
from support.backlog import fill, small
from support.checker import PERFECT, compare, key_of
from support.gateway import GatewayProcess
from support.provider import SECRET, numbered, send, send_all

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = {"SPIGOT_API_TOKEN": "practice:token"}


def closed(gateway: GatewayProcess) -> None:
    with closing(SqliteStore(gateway.data)) as store:
        store.panel.set_valve(on=False)


def opened(gateway: GatewayProcess) -> None:
    with closing(gateway.store()) as store:
        store.panel.set_valve(on=True)


def test_no_more_go_in_a_second_than_the_rate_says(
    tmp_path: Path, jenkins: PracticeJenkins
) -> None:
    requests = list(small(60, 20))
    with GatewayProcess(tmp_path, jenkins.url, {"SPIGOT_RATE": "40"}) as gateway:
        gateway.until(lambda status: status["jenkins"] == "ready")
        send_all(gateway.port, requests)
        gateway.until_delivered(len(requests))
        times = [visit.at for visit in jenkins.taken]
        # 60 at 40 a second take 1.5 s; a little is caught up at the beginning.
        assert times[-1] - times[0] >= 1.4
        assert compare(requests, jenkins.taken) == PERFECT


def test_two_webhooks_of_one_repository_keep_their_gap(
    tmp_path: Path, jenkins: PracticeJenkins
) -> None:
    one, others = [numbered("octo/one", number) for number in range(4)], list(small(20, 20))
    with GatewayProcess(tmp_path, jenkins.url, {"SPIGOT_REPOSITORY_GAP": "0.5"}) as gateway:
        gateway.until(lambda status: status["jenkins"] == "ready")
        send_all(gateway.port, [*one, *others])
        gateway.until_delivered(len(one) + len(others))
        times = [visit.at for visit in jenkins.taken if key_of(visit).startswith("octo/one#")]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert min(gaps) >= 0.45
        assert compare([*one, *others], jenkins.taken) == PERFECT


def test_while_jenkins_quiets_down_nothing_goes(tmp_path: Path, jenkins: PracticeJenkins) -> None:
    requests = list(small(10, 2))
    with GatewayProcess(tmp_path, jenkins.url, LOGIN) as gateway:
        gateway.until(lambda status: status["jenkins"] == "ready")
        jenkins.phase = Phase.QUIET_DOWN
        status = gateway.until(lambda status: status["jenkins"] == "not ready")
        assert status["evidence"].startswith("quietingDown since ")
        assert status["evidence"].endswith(", quieting down")
        send_all(gateway.port, requests)
        assert gateway.status()["waiting"] == len(requests)
        assert jenkins.hooks == []
        jenkins.phase = Phase.READY
        gateway.until_delivered(len(requests))
        assert compare(requests, jenkins.taken) == PERFECT


def test_while_builds_queue_up_one_a_second_goes(tmp_path: Path, jenkins: PracticeJenkins) -> None:
    jenkins.queued = 7
    settings = LOGIN | {"SPIGOT_QUEUE_MOST": "6"}
    with GatewayProcess(tmp_path, jenkins.url, settings) as gateway:
        gateway.until(lambda status: status["jenkins"] == "ready")
        send_all(gateway.port, list(small(20, 20)))
        status = gateway.until(lambda status: status["delivered"] >= 3)
        assert status["waiting"] > 0
        assert "one a second at most: Jenkins' build queue is long" in status["next"]
        times = [visit.at for visit in jenkins.taken]
        assert times[2] - times[1] >= 0.9
        jenkins.queued = 6
        gateway.until_delivered(20)


def test_a_live_webhook_does_not_wait_for_the_backlog(tmp_path: Path) -> None:
    backlog, live = list(small(400, 400)), numbered("octo/live", 1)
    with (
        PracticeJenkins(github_secrets=[SECRET], delay=0.02) as jenkins,
        closing(GatewayProcess(tmp_path, jenkins.url, {"SPIGOT_PARALLEL": "2"})) as gateway,
    ):
        fill(gateway.data, iter(backlog))
        closed(gateway)
        gateway.start()
        gateway.until(lambda status: status["jenkins"] == "ready")
        opened(gateway)
        assert jenkins.wait_for(20)
        send(gateway.port, live)
        gateway.until_delivered(len(backlog) + 1)
        place = [key_of(visit) for visit in jenkins.taken].index(live.key)
        assert place < 200
        assert compare([*backlog, live], jenkins.taken) == PERFECT


def test_a_target_that_is_no_jenkins_is_guarded_by_what_its_probe_is_told_to_expect(
    tmp_path: Path, jenkins: PracticeJenkins
) -> None:
    # /health/ never carries X-Jenkins.
    probe = {"SPIGOT_PROBE": "/health/", "SPIGOT_PROBE_STATUS": "200"}
    with GatewayProcess(tmp_path, jenkins.url, probe) as gateway:
        gateway.until(lambda status: "without X-Jenkins" in status["evidence"])
        assert gateway.status()["jenkins"] == "not ready"
    with GatewayProcess(tmp_path, jenkins.url, probe | {"SPIGOT_PROBE_HEADER": "none"}) as gateway:
        gateway.until(lambda status: status["jenkins"] == "ready")
        jenkins.phase = Phase.PROXY_502
        gateway.until(lambda status: status["jenkins"] == "not ready")
