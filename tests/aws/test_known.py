"""What is known of Jenkins on AWS: what the last drain told, and how old that is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from spigot.aws.boots import Boots
from spigot.aws.panel import FRESH, aged
from spigot.readiness import Moment, unknown
from spigot.sight import State
from spigot.status import status, summary
from spigot.stores.panel import Counts
from spigot.valve import ValveRow
from support.stores import NOW

if TYPE_CHECKING:
    from spigot.readiness import Readiness

COUNTS = Counts(0, 3, 0, 1, None)


class Bucket:
    """An S3 client with one bucket in memory."""

    class exceptions:  # noqa: N801 - boto3's name
        class NoSuchKey(Exception):
            pass

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: ARG002, N803
        if Key not in self.kept:
            raise self.exceptions.NoSuchKey
        return {"Body": io.BytesIO(self.kept[Key])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: ARG002, N803
        self.kept[Key] = Body


def readiness(state: State, evidence: str, at: float, session: str = "one") -> Readiness:
    return unknown(Moment(at, at))._replace(state=state, evidence=evidence, session=session)


@pytest.fixture
def boots() -> Boots:
    return Boots(Bucket(), "bucket")


def told(boots: Boots) -> dict[str, Any]:
    return boots._read()


def test_a_boot_is_known_since_it_was_first_seen(boots: Boots) -> None:
    assert boots.seen_for("one", NOW) == 0
    boots.tell(readiness(State.READY, "200", NOW), NOW)
    assert boots.seen_for("one", NOW + 90) == 90
    assert boots.seen_for("two", NOW + 100) == 0
    assert boots.seen_for("two", NOW + 101) == 1


def test_a_state_is_told_since_it_was_first_seen_and_anew_after_a_restart(boots: Boots) -> None:
    for run in range(3):
        at = NOW + 60 * run
        boots.seen_for("one", at)
        boots.tell(readiness(State.READY, "200", at), at)
    assert (told(boots)["jenkins_since"], told(boots)["asked_at"]) == (NOW, NOW + 120)
    boots.tell(readiness(State.NOT_READY, "503, starting", NOW + 180, ""), NOW + 180)
    assert (told(boots)["jenkins_since"], told(boots)["session"]) == (NOW + 180, "one")
    boots.seen_for("two", NOW + 240)
    boots.tell(readiness(State.READY, "200", NOW + 240, "two"), NOW + 240)
    boots.seen_for("three", NOW + 300)
    boots.tell(readiness(State.READY, "200", NOW + 300, "three"), NOW + 300)
    assert told(boots)["jenkins_since"] == NOW + 300


def test_a_drain_that_goes_on_tells_of_a_restart_by_itself(boots: Boots) -> None:
    """`spigot hold --restart` goes by the session."""
    boots.seen_for("one", NOW)
    boots.tell(readiness(State.READY, "200", NOW), NOW)
    boots.tell(readiness(State.READY, "200", NOW + 60, "two"), NOW + 60)
    note = told(boots)
    assert (note["session"], note["since"], note["jenkins_since"]) == ("two", NOW + 60, NOW + 60)


def report(asked_at: float) -> dict[str, Any]:
    return {
        "jenkins": "not ready", "jenkins_since": NOW, "evidence": "503, starting",
        "evidence_since": NOW, "asked_at": asked_at, "session": "one",
    }  # fmt: skip


def test_what_was_told_lately_is_believed_and_its_age_is_said() -> None:
    now = NOW + 40
    fresh = aged(report(NOW), now)
    known = status(ValveRow(since=NOW), COUNTS, fresh, serving=True, now=now, approximate=True)
    assert known["jenkins"] == "not ready"
    assert known["evidence"].endswith(" (asked 40s ago), starting")
    assert summary(known, now).endswith("; Jenkins starting for 40s; about 3 webhooks waiting")


def test_what_was_told_long_ago_says_nothing_of_now() -> None:
    now = NOW + FRESH + 1
    known = aged(report(NOW), now)
    assert (known["jenkins"], known["jenkins_since"], known["session"]) == ("unknown", None, "one")
    assert known["evidence"] == "not ready when last asked, 5m1s ago (503, starting)"


def test_where_nobody_ever_asked_nothing_is_known() -> None:
    known = status(ValveRow(since=NOW), COUNTS, aged({}, NOW), serving=True, now=NOW)
    assert (known["jenkins"], known["evidence"]) == ("unknown", "not asked yet")
    assert "approximate" not in known
