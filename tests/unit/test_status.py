"""The status object: every key of the contract, and words that say what happens next."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from spigot.status import status, summary
from spigot.stores.panel import Counts
from spigot.valve import ValveRow

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1772366400.0  # 2026-03-01 12:00 UTC
ON = ValveRow(since=NOW - 60)
OFF = ValveRow(on=False, reason="upgrade", since=NOW - 60, until=NOW + 90, version=3)
NONE = Counts(0, 0, 0, 0, None)
THREE = Counts(stored=9, waiting=3, delivered=5, dead=1, oldest_received_at=NOW - 12.3456)
READY = {
    "jenkins": "ready",
    "jenkins_since": NOW - 3600,
    "evidence": "200 with X-Jenkins",
    "halted": "",
    "paths_held": {},
}


def of(
    valve: ValveRow = ON, counts: Counts = NONE, *, serving: bool = True, **report: Any
) -> dict[str, Any]:
    return status(valve, counts, READY | report, serving=serving, now=NOW)


KEYS = [
    "valve", "reason", "since", "until", "jenkins", "jenkins_since", "evidence", "flowing",
    "paths_held", "waiting", "dead", "delivered", "oldest_waiting_s", "next",
]  # fmt: skip


@pytest.mark.parametrize("serving", [True, False])
@pytest.mark.parametrize("report", [{}, READY], ids=["nothing reported", "reported"])
def test_it_has_every_key_of_the_contract_and_no_other(
    serving: bool, report: dict[str, Any]
) -> None:
    known = status(OFF, THREE, report, serving=serving, now=NOW)
    assert list(known) == KEYS
    assert json.loads(json.dumps(known)) == known


def test_all_is_well() -> None:
    assert of() == {
        "valve": "ON",
        "reason": None,
        "since": "2026-03-01T11:59:00.000Z",
        "until": None,
        "jenkins": "ready",
        "jenkins_since": "2026-03-01T11:00:00.000Z",
        "evidence": "200 with X-Jenkins",
        "flowing": True,
        "paths_held": {},
        "waiting": 0,
        "dead": 0,
        "delivered": 0,
        "oldest_waiting_s": None,
        "next": "webhooks flow straight to Jenkins",
    }


def test_a_valve_that_is_off_says_why_and_until_when() -> None:
    known = of(OFF, THREE)
    assert (known["valve"], known["reason"], known["flowing"]) == ("OFF", "upgrade", False)
    assert known["until"] == "2026-03-01T12:01:30.000Z"
    assert known["next"] == "3 webhooks kept until `spigot on`, or by itself in 1m30s"
    assert of(OFF._replace(until=None))["next"] == "0 webhooks kept until `spigot on`"


def test_an_off_that_ends_this_moment_does_not_end_in_no_time() -> None:
    assert of(OFF._replace(until=NOW + 0.01))["next"].endswith("in 1s")


def test_what_waits_is_counted_and_aged() -> None:
    known = of(counts=THREE)
    assert [known[key] for key in ("waiting", "delivered", "dead")] == [3, 5, 1]
    assert known["oldest_waiting_s"] == 12.346
    assert known["next"] == "3 webhooks on the way to Jenkins"
    assert of(counts=THREE._replace(waiting=1))["next"] == "1 webhook on the way to Jenkins"


def test_a_clock_that_went_back_makes_no_negative_age() -> None:
    assert of(counts=THREE._replace(oldest_received_at=NOW + 5))["oldest_waiting_s"] == 0.0


def test_a_jenkins_that_is_away_is_asked_every_second() -> None:
    known = of(counts=THREE, jenkins="not ready", evidence="503, starting")
    assert (known["flowing"], known["evidence"]) == (False, "503, starting")
    assert known["next"] == "3 webhooks kept until Jenkins is ready; it is asked every second"


def test_an_unknown_jenkins_gets_one_at_a_time() -> None:
    known = of(counts=THREE, jenkins="unknown")
    assert known["flowing"]
    assert known["next"] == "3 webhooks delivered one at a time until Jenkins is known to be ready"


def test_held_paths_are_named_with_their_reason() -> None:
    known = of(paths_held={"/a": "404", "/b": "302"})
    assert known["paths_held"] == {"/a": "404", "/b": "302"}
    assert known["next"].endswith("; 2 paths are held and tried again by itself")
    assert of(paths_held={"/a": "404"})["next"].endswith(
        "; 1 path is held and tried again by itself"
    )


def test_a_store_that_fails_stops_all_attempts() -> None:
    known = of(counts=THREE, halted="The disk is full.")
    assert not known["flowing"]
    assert known["next"] == "no attempt is made until the store works again: The disk is full."


def test_an_off_comes_before_everything_else_that_stops_the_flow() -> None:
    assert "spigot on" in of(OFF, halted="The disk is full.", jenkins="not ready")["next"]


@pytest.mark.parametrize(("valve", "rest"), [(ON, "on the way to Jenkins"), (OFF, "spigot on")])
def test_that_pull_requests_cannot_be_told_is_said_last(valve: ValveRow, rest: str) -> None:
    said = of(valve, THREE, notices="GitHub says 401 Bad credentials")["next"]
    assert rest in said
    assert said.endswith("; pull requests are not told: GitHub says 401 Bad credentials")


def test_without_a_gateway_its_report_is_history() -> None:
    known = of(counts=THREE, serving=False, paths_held={"/a": "404"}, notices="no")
    assert (known["jenkins"], known["jenkins_since"]) == ("unknown", None)
    assert (known["flowing"], known["paths_held"]) == (False, {})
    assert known["evidence"] == "`spigot serve` is not running"
    assert known["next"] == (
        "nothing is taken in or delivered until `spigot serve` runs; 3 webhooks waiting"
    )


def test_a_gateway_that_has_reported_nothing_yet_has_not_asked() -> None:
    known = status(ON, NONE, {}, serving=True, now=NOW)
    assert (known["jenkins"], known["evidence"]) == ("unknown", "not asked yet")
    assert known["jenkins_since"] is None


class TestSummary:
    @pytest.fixture(autouse=True)
    def utc(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "UTC")
            time.tzset()
            yield
        time.tzset()

    def test_it_says_what_is_going_on_in_one_line(self) -> None:
        starting: dict[str, Any] = {
            "jenkins": "not ready",
            "jenkins_since": NOW - 40,
            "evidence": "503, starting",
        }
        assert summary(of(OFF, THREE, **starting), NOW) == (
            "OFF since 11:59 (upgrade), on again at 12:01; Jenkins starting for 40s; "
            "3 webhooks waiting, the oldest for 12s"
        )

    def test_it_is_short_where_all_is_well(self) -> None:
        assert summary(of(), NOW) == "ON since 11:59; Jenkins ready for 1h; 0 webhooks waiting"

    @pytest.mark.parametrize(
        ("evidence", "phase"),
        [
            ("503, starting", "starting"),
            ("quietingDown, quieting down (upgrade)", "quieting down (upgrade)"),
            ("connection refused", "not ready"),
            ("200 with X-Jenkins once, coming back", "coming back"),
        ],
    )
    def test_it_names_what_jenkins_is_doing(self, evidence: str, phase: str) -> None:
        known = of(jenkins="not ready", evidence=evidence)
        assert f"Jenkins {phase} for 1h" in summary(known, NOW)

    def test_without_a_gateway_nothing_is_known_of_jenkins(self) -> None:
        assert "; Jenkins unknown; " in summary(of(serving=False), NOW)

    def test_the_evidence_says_since_when(self) -> None:
        assert of(evidence="503, starting", evidence_since=NOW - 9)["evidence"] == (
            "503 since 11:59:51, starting"
        )
        assert of(evidence="connection refused", evidence_since=NOW - 9)["evidence"] == (
            "connection refused since 11:59:51"
        )


def test_webhooks_that_go_slowly_on_purpose_are_said_to() -> None:
    assert of(counts=THREE, slow="Jenkins' build queue is long")["next"] == (
        "3 webhooks delivered one a second at most: Jenkins' build queue is long"
    )
