"""``spigot replay`` and ``spigot drop``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.webhook import State, Verdict
from support.commands import done, end, json_of, put, run, until

if TYPE_CHECKING:
    from spigot.practice import PracticeJenkins
    from spigot.stores.sqlite import SqliteStore
    from support.gateway import GatewayProcess

pytestmark = pytest.mark.usefixtures("bare")


class TestChange:
    def test_replay_lets_the_dead_wait_again(self, store: SqliteStore) -> None:
        put(store, 1)
        end(store, Verdict.DEAD)
        put(store, 2)
        end(store, Verdict.DELIVERED)
        assert json_of("replay", "--event", "push") == {"replayed": 1, "dry_run": False}
        assert [entry["state"] for entry in json_of("list")] == ["delivered", "waiting"]

    def test_drop_ends_what_waits(self, store: SqliteStore) -> None:
        put(store, 1)
        put(store, 2, lane="/github-webhook/ octo/other")
        assert done("drop", "--lane", "octo/other") == "1 webhook dropped.\n"
        assert [entry["state"] for entry in json_of("list")] == ["dropped", "waiting"]

    def test_a_limit_takes_the_newest(self, store: SqliteStore) -> None:
        for number in (1, 2, 3):
            put(store, number)
        assert done("drop", "--limit", "2") == "2 webhooks dropped.\n"
        assert json_of("list", "--state", "waiting")[0]["delivery"] == "delivery-1"

    def test_a_dry_run_changes_nothing(self, store: SqliteStore) -> None:
        put(store)
        assert done("drop", "--state", "waiting", "--dry-run") == "1 webhook would be dropped.\n"
        assert json_of("status")["waiting"] == 1

    @pytest.mark.parametrize("verb", ["replay", "drop"])
    def test_naming_nothing_is_wrong_usage(self, verb: str, store: SqliteStore) -> None:
        put(store)
        result = run(verb)
        assert result.exit_code == 2
        assert f"spigot {verb} --state" in result.stderr
        assert json_of("status")["waiting"] == 1

    def test_ids_that_cannot_be_changed_are_named_and_the_others_are(
        self, store: SqliteStore
    ) -> None:
        put(store, 1)
        end(store, Verdict.DEAD)
        waiting = put(store, 2)
        result = run("replay", "delivery-1", waiting, "nobody")
        assert result.exit_code == 1
        assert result.stdout == "1 webhook replayed.\n"
        assert f"{waiting} is waiting: only dead, delivered or dropped ones" in result.stderr
        assert "'nobody'" in result.stderr

    def test_ids_and_a_selection_narrow_each_other(self, store: SqliteStore) -> None:
        first = put(store, 1)
        end(store, Verdict.DEAD)
        second = put(store, 2)
        assert done("drop", first, second, "--state", "dead") == "1 webhook dropped.\n"
        assert json_of("show", second)["state"] == State.WAITING

    @pytest.mark.parametrize("words", ["replay --state waiting", "drop --state delivered"])
    def test_a_state_that_cannot_be_changed_is_wrong_usage(self, words: str) -> None:
        assert run(*words.split()).exit_code == 2

    def test_a_running_gateway_delivers_what_is_replayed(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        run(
            "send", "example:push", "--delivery", "d-1", "--url", f"http://127.0.0.1:{gateway.port}"
        )
        gateway.until(lambda known: bool(known["dead"]))  # Jenkins knows no such signature
        jenkins.clear()
        assert done("replay", "d-1") == "1 webhook replayed.\n"
        until(lambda: len(jenkins.hooks) == 1)
