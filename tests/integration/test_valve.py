"""The valve and what people change, from another process, while a gateway runs."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from spigot.practice import Fault
from spigot.stores.history import Selection
from spigot.webhook import State
from support.checker import PERFECT, compare
from support.gateway import GatewayProcess, wait_until
from support.provider import numbered, send, send_all

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.practice import PracticeJenkins
    from spigot.stores.sqlite import SqliteStore

LONG = {"SPIGOT_RETRY_DELAYS": "3600"}


def turn_off(store: SqliteStore, *, until_: float | None = None) -> int:
    """Turn the valve OFF, wait until the gateway says that it rests, and return the version."""
    version = store.panel.set_valve(on=False, reason="upgrade", until=until_).version
    wait_until(lambda: store.panel.report().get("resting") == version)
    return version


class TestValve:
    def test_off_keeps_what_comes_and_on_lets_it_flow(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        requests = [numbered("octo/hello", number) for number in range(20)]
        with closing(gateway.store()) as store:
            turn_off(store)
            send_all(gateway.port, requests)
            status = gateway.status()

            assert (status["valve"], status["reason"]) == ("OFF", "upgrade")
            assert (status["flowing"], status["waiting"]) == (False, len(requests))
            assert jenkins.hooks == []

            store.panel.set_valve(on=True)
            status = gateway.until_delivered(len(requests))

        assert (status["valve"], status["flowing"]) == ("ON", True)
        assert compare(requests, jenkins.taken) == PERFECT

    def test_off_rests_only_once_the_attempts_that_ran_have_ended(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        jenkins.delay = 0.5
        requests = [numbered(f"octo/{number % 3}", number) for number in range(9)]
        send_all(gateway.port, requests)
        wait_until(lambda: len(jenkins.hooks) >= 1)

        with closing(gateway.store()) as store:
            turn_off(store)
            delivered = store.panel.counts().delivered
            arrived = len(jenkins.hooks)

            # Nothing is under way any more: what Jenkins got it has answered, and that is recorded.
            assert all(visit.status for visit in jenkins.hooks)
            assert delivered == arrived < len(requests)

            jenkins.delay = 0.0
            store.panel.set_valve(on=True)
            gateway.until_delivered(len(requests))

        assert compare(requests, jenkins.taken) == PERFECT

    def test_on_again_never_rests(self, gateway: GatewayProcess) -> None:
        with closing(gateway.store()) as store:
            turn_off(store)
            store.panel.set_valve(on=True)
            wait_until(lambda: store.panel.report()["resting"] is None)

    def test_off_whose_time_ended_while_no_gateway_ran_is_on(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        requests = [numbered("octo/hello", number) for number in range(5)]
        with closing(gateway.store()) as store:
            turn_off(store)
            send_all(gateway.port, requests)
            gateway.kill()
            store.panel.set_valve(on=False, until=time.time() - 1)
        gateway.start()

        gateway.until_delivered(len(requests))

        assert gateway.status()["valve"] == "ON"
        assert compare(requests, jenkins.taken) == PERFECT

    def test_off_ends_by_itself_when_its_time_is_over(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        requests = [numbered("octo/hello", number) for number in range(5)]
        with closing(gateway.store()) as store:
            turn_off(store, until_=time.time() + 1)
        send_all(gateway.port, requests)

        gateway.until_delivered(len(requests))

        assert gateway.status()["valve"] == "ON"
        assert compare(requests, jenkins.taken) == PERFECT
        said = [record["event"] for record in gateway.log() if record["event"].startswith("Valve")]
        assert said[-2:] == ["Valve OFF", "Valve ON"]

    def test_off_survives_kill_and_start(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        with closing(gateway.store()) as store:
            version = turn_off(store)
            send(gateway.port, numbered("octo/hello", 1))
            gateway.kill()
            store.panel.set_report({})
            gateway.start()
            wait_until(lambda: store.panel.report().get("resting") == version)

        assert (gateway.status()["valve"], gateway.status()["waiting"]) == ("OFF", 1)
        assert jenkins.hooks == []


class TestEdits:
    def test_a_replay_is_delivered_at_the_end_of_its_lane(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        requests = [numbered("octo/hello", number) for number in range(3)]
        send_all(gateway.port, requests)
        gateway.until_delivered(len(requests))

        with closing(gateway.store()) as store:
            again = store.history.replay(Selection(names=(requests[0].key,)))
            assert sum(again) == 1
            gateway.until_delivered(len(requests) + 1)

            (shown,) = store.history.show(requests[0].key)
            assert (shown.entry.state, shown.entry.attempts) == (State.DELIVERED, 2)
        assert [visit.body for visit in jenkins.taken] == [
            request.body for request in [*requests, requests[0]]
        ]

    def test_dropping_a_sleeping_head_lets_its_lane_flow_at_once(
        self, tmp_path: Path, jenkins: PracticeJenkins
    ) -> None:
        head, *rest = [numbered("octo/hello", number) for number in range(5)]
        with GatewayProcess(tmp_path, jenkins.url, LONG) as gateway:
            gateway.until(lambda status: status["jenkins"] == "ready")
            jenkins.fault("/github-webhook/", Fault(status=500, times=1))
            send_all(gateway.port, [head, *rest])
            with closing(gateway.store()) as store:
                wait_until(lambda: bool(store.history.show(head.key)[0].due_at))
                assert gateway.status()["waiting"] == 5

                assert sum(store.history.drop(Selection(names=(head.key,)))) == 1
                gateway.until_delivered(len(rest))

                assert store.history.show(head.key)[0].entry.state is State.DROPPED
        assert compare(rest, jenkins.taken) == PERFECT

    def test_dropping_what_waits_behind_a_sleeping_head_leaves_the_head(
        self, tmp_path: Path, jenkins: PracticeJenkins
    ) -> None:
        head, dropped, last = [numbered("octo/hello", number) for number in range(3)]
        settings = {"SPIGOT_RETRY_DELAYS": "1"}
        with GatewayProcess(tmp_path, jenkins.url, settings) as gateway:
            gateway.until(lambda status: status["jenkins"] == "ready")
            jenkins.fault("/github-webhook/", Fault(status=500, times=1))
            send_all(gateway.port, [head, dropped, last])
            with closing(gateway.store()) as store:
                assert sum(store.history.drop(Selection(names=(dropped.key,)))) == 1
            gateway.until_delivered(2)
        assert compare([head, last], jenkins.taken) == PERFECT

    def test_dropping_all_that_waits_while_off_leaves_nothing_to_flow(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        requests = [numbered(f"octo/{number % 7}", number) for number in range(1200)]
        late = numbered("octo/1", 5000)
        with closing(gateway.store()) as store:
            turn_off(store)
            send_all(gateway.port, requests)
            assert list(store.history.drop(Selection())) == [500, 500, 200]
            assert gateway.status()["waiting"] == 0
            send(gateway.port, late)
            store.panel.set_valve(on=True)
            gateway.until_delivered(1)
        assert compare([late], jenkins.taken) == PERFECT

    def test_replaying_one_that_is_on_its_way_changes_nothing(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        jenkins.delay = 0.3
        request = numbered("octo/hello", 1)
        send(gateway.port, request)
        wait_until(lambda: len(jenkins.hooks) == 1)
        with closing(gateway.store()) as store:
            assert sum(store.history.replay(Selection(names=(request.key,)))) == 0
        gateway.until_delivered(1)
        assert compare([request], jenkins.taken) == PERFECT

    def test_dropping_one_that_is_on_its_way_ends_it_although_jenkins_took_it(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        jenkins.delay = 0.3
        first, second = numbered("octo/hello", 1), numbered("octo/hello", 2)
        send(gateway.port, first)
        wait_until(lambda: len(jenkins.hooks) == 1)
        with closing(gateway.store()) as store:
            assert sum(store.history.drop(Selection(names=(first.key,)))) == 1
            send(gateway.port, second)
            gateway.until_delivered(1)

            shown = store.history.show(first.key)[0]
        assert (shown.entry.state, len(shown.tries)) == (State.DROPPED, 1)
        assert compare([first, second], jenkins.taken) == PERFECT
