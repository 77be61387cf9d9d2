"""Nothing sticks: whatever one endpoint or one webhook meets, everything else flows."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from spigot.practice import Fault, Phase, PracticeJenkins
from spigot.practice.plugins import KNOWN
from spigot.stores.history import Selection
from spigot.webhook import State
from support.checker import PERFECT, compare
from support.gateway import GatewayProcess
from support.provider import SECRET, Request, numbered, plain, send, send_all

if TYPE_CHECKING:
    from pathlib import Path

UNSETTLED = {"SPIGOT_SETTLE_AFTER": "300"}
GITEA = (("X-Gitea-Event", "push"),)
NO_ENTRY = Fault(status=403, body=b"<h1>Forbidden</h1>", html=True)
UNAVAILABLE = Fault(status=503, body=b"<h1>Unavailable</h1>", html=True)
RESET = Fault(reset=True)


def pushes(repository: str, count: int, start: int = 0) -> list[Request]:
    return [numbered(repository, number) for number in range(start, start + count)]


def until_ready(gateway: GatewayProcess) -> None:
    gateway.until(lambda status: status["jenkins"] == "ready")


def dead_letters(gateway: GatewayProcess) -> list[tuple[str | None, str]]:
    """Return delivery id and reason of each."""
    store = gateway.store()
    try:
        entries = store.history.entries(Selection(state=State.DEAD))
        return [(entry.delivery, entry.reason) for entry in entries]
    finally:
        store.close()


def waiting_for(gateway: GatewayProcess) -> list[str]:
    """Return the last reason of each webhook that waits."""
    with closing(gateway.store()) as store:
        return [entry.reason for entry in store.history.entries(Selection(state=State.WAITING))]


class TestOneEndpoint:
    @pytest.mark.parametrize(
        ("fault", "why"),
        [(NO_ENTRY, "403"), (UNAVAILABLE, "503"), (RESET, "")],
        ids=["403", "503", "reset"],
    )
    def test_that_fails_while_jenkins_may_still_load_is_held_and_the_others_flow(
        self, tmp_path: Path, jenkins: PracticeJenkins, fault: Fault, why: str
    ) -> None:
        jenkins.fault("/gitea-webhook/", fault)
        held = [plain("/gitea-webhook/post", GITEA) for _ in range(5)]
        others = pushes("octo/hello", 20)
        with GatewayProcess(tmp_path, jenkins.url, UNSETTLED) as gateway:
            until_ready(gateway)
            send_all(gateway.port, [*held, *others])
            status = gateway.until(
                lambda status: status["delivered"] == len(others) and status["paths_held"]
            )

            assert (status["jenkins"], status["flowing"]) == ("ready", True)
            assert why in status["paths_held"]["/gitea-webhook/post"]
            assert (status["waiting"], status["dead"]) == (len(held), 0)

            jenkins.fault("/gitea-webhook/", None)
            gateway.until_delivered(len(held) + len(others))
            status = gateway.until(lambda status: not status["paths_held"])

            assert status["dead"] == 0
            assert compare([*held, *others], jenkins.taken) == PERFECT

    def test_that_a_proxy_refuses_for_good_buries_its_webhooks_and_the_others_flow(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        until_ready(gateway)
        jenkins.fault("/gitea-webhook/", NO_ENTRY)
        refused = [plain("/gitea-webhook/post", GITEA) for _ in range(3)]
        others = pushes("octo/hello", 20)

        send_all(gateway.port, [*refused, *others])
        status = gateway.until_delivered(len(others))

        assert status["dead"] == len(refused)
        assert {reason for _, reason in dead_letters(gateway)} == {"403"}
        assert compare(others, jenkins.taken) == PERFECT

    @pytest.mark.parametrize("fault", [UNAVAILABLE, RESET], ids=["503", "reset"])
    def test_that_fails_at_a_settled_jenkins_is_tried_as_often_as_the_delays_say(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins, fault: Fault
    ) -> None:
        until_ready(gateway)
        jenkins.fault("/gitea-webhook/", fault)
        failing = plain("/gitea-webhook/post", GITEA)
        others = pushes("octo/hello", 20)

        send_all(gateway.port, [failing, *others])
        status = gateway.until_delivered(len(others))

        assert status["dead"] == 1
        tries = [visit for visit in jenkins.hooks if visit.target == b"/gitea-webhook/post"]
        assert len(tries) == 3
        ((_, reason),) = dead_letters(gateway)
        assert reason.endswith("3 attempts failed")
        assert compare(others, jenkins.taken) == PERFECT

    def test_whose_plugin_is_missing_is_held_and_served_once_it_is_installed(
        self, tmp_path: Path
    ) -> None:
        held = [plain("/gitea-webhook/post", GITEA) for _ in range(3)]
        others = pushes("octo/hello", 10)
        without = PracticeJenkins(plugins=KNOWN - {"gitea"}, github_secrets=[SECRET])
        no_recall = {"SPIGOT_RECALL": "0"}
        with without, GatewayProcess(tmp_path, without.url, no_recall) as gateway:
            until_ready(gateway)
            send_all(gateway.port, [*held, *others])
            status = gateway.until(
                lambda status: status["delivered"] == len(others) and status["paths_held"]
            )

            assert "no plugin answers here" in status["paths_held"]["/gitea-webhook/post"]
            assert (status["waiting"], status["dead"]) == (len(held), 0)
            assert compare(others, without.taken) == PERFECT

            without.phase = Phase.DOWN
            gateway.until(lambda status: status["jenkins"] == "not ready")
            without.stop()
            with PracticeJenkins(port=without.port) as complete:
                gateway.until_delivered(len(held) + len(others))
                gateway.until(lambda status: not status["paths_held"])

                assert compare(held, complete.taken) == PERFECT

    def test_that_asks_to_wait_is_left_alone_so_long_and_the_others_flow(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        until_ready(gateway)
        busy = Fault(status=429, headers=(("Retry-After", "1"),), times=1)
        jenkins.fault("/gitea-webhook/", busy)
        waiting = [plain("/gitea-webhook/post", GITEA) for _ in range(3)]
        others = pushes("octo/hello", 20)

        send_all(gateway.port, [*waiting, *others])
        status = gateway.until(
            lambda status: status["delivered"] == len(others) and status["paths_held"]
        )

        assert "asks to wait" in status["paths_held"]["/gitea-webhook/post"]
        gateway.until_delivered(len(waiting) + len(others))
        tries = [visit for visit in jenkins.hooks if visit.target == b"/gitea-webhook/post"]
        assert [visit.status for visit in tries] == [429, 200, 200, 200]
        assert tries[1].at - tries[0].at >= 1.0
        assert compare([*waiting, *others], jenkins.taken) == PERFECT

    def test_that_is_unavailable_and_says_for_how_long_is_left_alone_so_long(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        until_ready(gateway)
        busy = Fault(status=503, headers=(("Retry-After", "1"),), times=1)
        jenkins.fault("/gitea-webhook/", busy)
        request = plain("/gitea-webhook/post", GITEA)

        send(gateway.port, request)
        gateway.until_delivered(1)

        tries = jenkins.hooks
        assert [visit.status for visit in tries] == [503, 200]
        assert tries[1].at - tries[0].at >= 1.0


class TestOneJob:
    def test_that_hangs_does_not_hold_up_the_others(
        self, tmp_path: Path, jenkins: PracticeJenkins
    ) -> None:
        jenkins.fault("/project/slow", Fault(hang=True))
        event = (("X-Gitlab-Event", "Push Hook"),)
        hanging = [plain(f"/project/slow-{number}", event) for number in range(3)]
        quick = [plain("/project/practice", event) for _ in range(10)]
        others = pushes("octo/hello", 20)
        # Longer than it takes until an attempt that hangs fills no place any more.
        settings = {"SPIGOT_READ_TIMEOUT": "6", "SPIGOT_RETRY_DELAYS": "1h"}
        with GatewayProcess(tmp_path, jenkins.url, settings) as gateway:
            until_ready(gateway)
            send_all(gateway.port, [*hanging, *quick, *others])
            status = gateway.until(lambda status: status["delivered"] == len(quick) + len(others))

            assert (status["waiting"], status["dead"]) == (len(hanging), 0)
            assert compare([*quick, *others], jenkins.taken) == PERFECT
            gateway.until(lambda _: waiting_for(gateway) == ["timed out"] * len(hanging))
            assert gateway.status()["jenkins"] == "ready"

    def test_that_hangs_may_not_take_all_places_for_long(
        self, tmp_path: Path, jenkins: PracticeJenkins
    ) -> None:
        jenkins.fault("/project/slow", Fault(hang=True))
        event = (("X-Gitlab-Event", "Push Hook"),)
        hanging = [plain(f"/project/slow-{number}", event) for number in range(2)]
        others = pushes("octo/hello", 20)
        settings = {"SPIGOT_PARALLEL": "2", "SPIGOT_READ_TIMEOUT": "60"}
        with GatewayProcess(tmp_path, jenkins.url, settings) as gateway:
            until_ready(gateway)
            send_all(gateway.port, hanging)
            send_all(gateway.port, others)
            status = gateway.until(lambda status: status["delivered"] == len(others))

            assert (status["waiting"], status["dead"]) == (len(hanging), 0)


class TestOneWebhook:
    def test_that_jenkins_refuses_is_dead_with_its_reason_and_its_lane_flows(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        until_ready(gateway)
        refusal = Fault(status=400, body=b"Hook should contain payload", times=1)
        jenkins.fault("/github-webhook/", refusal)
        first, *rest = pushes("octo/hello", 10)
        others = pushes("octo/other", 10)

        answer = send(gateway.port, first)
        gateway.until(lambda status: status["dead"] == 1)
        send_all(gateway.port, [*rest, *others])
        gateway.until_delivered(len(rest) + len(others))

        assert dead_letters(gateway) == [(first.key, "400 Hook should contain payload")]
        assert compare([*rest, *others], jenkins.taken) == PERFECT

        store = gateway.store()
        try:
            replayed = sum(store.history.replay(Selection(names=(answer.body["id"],))))
        finally:
            store.close()
        assert replayed == 1
        status = gateway.until_delivered(1 + len(rest) + len(others))

        assert status["dead"] == 0
        assert compare([*rest, *others, first], jenkins.taken) == PERFECT

    def test_with_a_token_that_no_job_has_is_dead_and_the_others_flow(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        until_ready(gateway)
        stray = plain("/generic-webhook-trigger/invoke?token=nobody-has-this-one")
        good = [plain("/generic-webhook-trigger/invoke?token=practice") for _ in range(5)]

        send_all(gateway.port, [stray, *good])
        status = gateway.until_delivered(len(good))

        assert status["dead"] == 1
        ((_, reason),) = dead_letters(gateway)
        assert reason.startswith("404 ")
        assert "No job has this token." in reason
        assert compare(good, jenkins.taken) == PERFECT
        assert "nobody-has-this-one" not in gateway.log_text()

    def test_that_jenkins_knows_no_event_of_counts_as_delivered(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        until_ready(gateway)
        jenkins.fault("/github-webhook/", None)
        event = (("X-GitHub-Event", "dependabot_alert"),)
        send(gateway.port, plain("/github-webhook/", event))

        status = gateway.until_delivered(1)

        assert (status["dead"], [visit.status for visit in jenkins.hooks]) == (0, [400])
