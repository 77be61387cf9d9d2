"""What probes and answers say of Jenkins, state by state."""

from __future__ import annotations

from itertools import product

import pytest

from spigot.ports import Asked
from spigot.readiness import (
    DOUBT_SECONDS,
    Moment,
    Readiness,
    Sight,
    State,
    after_failure,
    after_no_connection,
    after_probe,
    after_taken,
    read,
    unknown,
)

SEEN = Sight(State.READY, "200 with X-Jenkins", "s1")
AWAY = Sight(State.NOT_READY, "503, starting or under maintenance")
MUTE = Sight(State.UNKNOWN, "302 without X-Jenkins")

THEN = Moment(1000.0, 10.0)
NOW = Moment(2000.0, 110.0)


def moment(seconds: float) -> Moment:
    """So many seconds after NOW."""
    return Moment(NOW.now + seconds, NOW.tick + seconds)


FIRST = unknown(THEN)
BY_PROBE = Readiness(State.READY, *THEN, "200 with X-Jenkins", streak=2, session="s1")
BY_DELIVERIES = Readiness(State.READY, *THEN, "it takes webhooks", proven=True, session="s1")
DOUBTED = after_failure(BY_DELIVERIES, "500 to a webhook", NOW)
DOWN = Readiness(State.NOT_READY, *THEN, "connection refused", session="s1")

STATES = {
    "at first": FIRST,
    "ready by the probe": BY_PROBE,
    "ready by deliveries": BY_DELIVERIES,
    "in doubt": DOUBTED,
    "down": DOWN,
}


class TestReading:
    @pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 500])
    def test_x_jenkins_on_the_answer_says_ready_whatever_the_status(self, status: int) -> None:
        sight = read(Asked(status, {"x-jenkins": "2.579", "x-jenkins-session": "abc"}))
        assert sight == Sight(State.READY, f"{status} with X-Jenkins", "abc")

    def test_a_jenkins_that_names_no_session_is_ready_too(self) -> None:
        assert read(Asked(200, {"x-jenkins": "1.400"})).session == ""

    @pytest.mark.parametrize("headers", [{}, {"x-jenkins": "2.579"}])
    def test_a_503_says_not_ready_even_if_jenkins_signed_it(self, headers: dict[str, str]) -> None:
        assert read(Asked(503, headers)).state is State.NOT_READY

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 401, 403, 404])
    def test_where_single_sign_on_answers_nothing_is_known(self, status: int) -> None:
        sight = read(Asked(status, {"x-jenkins-session": "somebody else's"}))
        assert sight.state is State.UNKNOWN
        assert sight.evidence.startswith(f"{status} without X-Jenkins")
        assert sight.session == ""

    def test_a_good_page_that_is_not_jenkins_own_is_a_maintenance_page(self) -> None:
        sight = read(Asked(200, {"server": "nginx"}))
        assert sight.state is State.NOT_READY
        assert "not Jenkins' own page" in sight.evidence

    @pytest.mark.parametrize("status", [400, 429, 500, 502, 504])
    def test_other_errors_say_not_ready(self, status: int) -> None:
        assert read(Asked(status, {})) == Sight(State.NOT_READY, f"{status} from the probe")

    def test_no_answer_says_not_ready_and_why(self) -> None:
        assert read(Asked(0, {}, error="timed out")) == Sight(State.NOT_READY, "timed out")


AFTER_ONE_SIGHT = {
    ("at first", SEEN): State.UNKNOWN,
    ("at first", AWAY): State.NOT_READY,
    ("at first", MUTE): State.UNKNOWN,
    ("ready by the probe", SEEN): State.READY,
    ("ready by the probe", AWAY): State.NOT_READY,
    ("ready by the probe", MUTE): State.UNKNOWN,
    ("ready by deliveries", SEEN): State.READY,
    ("ready by deliveries", AWAY): State.NOT_READY,
    ("ready by deliveries", MUTE): State.READY,
    ("in doubt", SEEN): State.UNKNOWN,
    ("in doubt", AWAY): State.NOT_READY,
    ("in doubt", MUTE): State.UNKNOWN,
    ("down", SEEN): State.NOT_READY,
    ("down", AWAY): State.NOT_READY,
    ("down", MUTE): State.UNKNOWN,
}


class TestProbes:
    def test_the_table_of_states_and_sights_has_no_gap(self) -> None:
        assert set(AFTER_ONE_SIGHT) == set(product(STATES, (SEEN, AWAY, MUTE)))

    @pytest.mark.parametrize(
        ("name", "sight"), AFTER_ONE_SIGHT, ids=lambda v: getattr(v, "state", v)
    )
    def test_after_one_sight(self, name: str, sight: Sight) -> None:
        before, expected = STATES[name], AFTER_ONE_SIGHT[name, sight]
        known = after_probe(before, sight, NOW)
        assert known.state is expected
        changed = expected is not before.state
        assert Moment(known.since, known.since_tick) == (
            NOW if changed else Moment(before.since, before.since_tick)
        )
        assert known.ready_for(NOW.tick + 5) == (
            None if expected is not State.READY else NOW.tick + 5 - known.since_tick
        )

    @pytest.mark.parametrize("name", STATES)
    def test_ready_must_be_seen_twice_in_a_row(self, name: str) -> None:
        once = after_probe(STATES[name], SEEN, NOW)
        twice = after_probe(once, SEEN, moment(1))
        assert twice.state is State.READY
        assert twice.evidence == SEEN.evidence
        assert not twice.proven

    @pytest.mark.parametrize("name", ["at first", "in doubt", "down"])
    @pytest.mark.parametrize("between", [AWAY, MUTE], ids=lambda s: s.state)
    def test_two_sights_with_another_between_them_are_not_in_a_row(
        self, name: str, between: Sight
    ) -> None:
        known = STATES[name]
        for seconds, sight in enumerate([SEEN, between, SEEN]):
            known = after_probe(known, sight, moment(seconds))
        assert known.state is not State.READY

    def test_the_first_good_probe_is_shown_as_such(self) -> None:
        assert after_probe(DOWN, SEEN, NOW).evidence == "200 with X-Jenkins, once so far"

    def test_the_time_of_ready_begins_with_the_second_good_probe(self) -> None:
        known = after_probe(after_probe(DOWN, SEEN, NOW), SEEN, moment(1))
        assert Moment(known.since, known.since_tick) == moment(1)

    def test_a_ready_jenkins_stays_ready_since_then(self) -> None:
        known = BY_PROBE
        for seconds in range(5):
            known = after_probe(known, SEEN, moment(seconds))
        assert (known.since, known.ready_for(NOW.tick)) == (1000.0, 100.0)

    def test_what_deliveries_proved_the_probe_confirms_without_a_new_beginning(self) -> None:
        known = after_probe(after_probe(BY_DELIVERIES, SEEN, NOW), SEEN, moment(1))
        assert (known.state, known.proven, known.since) == (State.READY, False, THEN.now)

    @pytest.mark.parametrize("name", [name for name in STATES if name != "at first"])
    def test_the_session_is_kept_until_another_is_seen(self, name: str) -> None:
        known = STATES[name]
        for sight in (MUTE, AWAY, Sight(State.READY, "")):
            known = after_probe(known, sight, NOW)
            assert known.session == "s1"
        assert after_probe(known, SEEN._replace(session="s2"), NOW).session == "s2"


class TestDeliveries:
    @pytest.mark.parametrize("name", ["ready by the probe", "ready by deliveries", "down"])
    def test_a_webhook_taken_is_no_news_where_something_is_known(self, name: str) -> None:
        assert after_taken(STATES[name], NOW) is STATES[name]

    def test_a_webhook_taken_proves_an_unknown_jenkins_ready(self) -> None:
        known = after_taken(after_probe(FIRST, MUTE, NOW), moment(1))
        assert (known.state, known.proven) == (State.READY, True)
        assert known.evidence == "it takes webhooks; 302 without X-Jenkins"
        assert Moment(known.since, known.since_tick) == moment(1)

    def test_what_was_proven_stays_while_the_probe_cannot_judge(self) -> None:
        known = BY_DELIVERIES
        for seconds in range(100):
            known = after_probe(known, MUTE, moment(seconds))
        assert (known.state, known.since, known.evidence) == (
            State.READY,
            THEN.now,
            "it takes webhooks",
        )

    @pytest.mark.parametrize("name", [name for name in STATES if name != "ready by deliveries"])
    def test_a_failure_is_no_news_where_the_probe_judges_or_nothing_is_believed(
        self, name: str
    ) -> None:
        assert after_failure(STATES[name], "500 to a webhook", NOW) is STATES[name]

    def test_a_failure_shakes_what_only_deliveries_proved(self) -> None:
        known = after_failure(BY_DELIVERIES, "500 to a webhook", NOW)
        assert (known.state, known.evidence) == (State.UNKNOWN, "500 to a webhook")
        assert known.ready_for(NOW.tick) is None
        assert known.session == "s1"

    @pytest.mark.parametrize("seconds", [0.0, 1.0, DOUBT_SECONDS])
    def test_a_doubt_that_is_soon_dispelled_leaves_the_beginning_as_it_was(
        self, seconds: float
    ) -> None:
        known = after_taken(after_probe(DOUBTED, MUTE, moment(seconds)), moment(seconds))
        assert known.state is State.READY
        assert Moment(known.since, known.since_tick) == THEN

    def test_a_doubt_that_lasted_makes_a_new_beginning(self) -> None:
        known = after_taken(DOUBTED, moment(DOUBT_SECONDS + 0.1))
        assert Moment(known.since, known.since_tick) == moment(DOUBT_SECONDS + 0.1)

    def test_a_dispelled_doubt_is_forgotten(self) -> None:
        again = after_taken(DOUBTED, moment(1))
        assert (again.proven, again.doubt_tick) == (True, None)
        later = after_failure(again, "reset", moment(60))
        assert after_taken(later, moment(61)).since == THEN.now

    @pytest.mark.parametrize("away", [AWAY, None], ids=["seen away", "no connection"])
    def test_a_jenkins_that_was_away_meanwhile_makes_a_new_beginning(
        self, away: Sight | None
    ) -> None:
        gone = after_probe(DOUBTED, away, NOW) if away else after_no_connection(DOUBTED, "", NOW)
        known = after_taken(after_probe(gone, MUTE, moment(1)), moment(2))
        assert Moment(known.since, known.since_tick) == moment(2)

    @pytest.mark.parametrize("name", STATES)
    def test_without_a_connection_jenkins_is_not_ready(self, name: str) -> None:
        known = after_no_connection(STATES[name], "connection refused", NOW)
        assert (known.state, known.evidence) == (State.NOT_READY, "connection refused")
        assert (known.streak, known.proven, known.doubt_tick) == (0, False, None)
        assert known.session == STATES[name].session


def test_at_first_nothing_is_known() -> None:
    assert Readiness(State.UNKNOWN, 1000.0, 10.0, "not asked yet") == FIRST
    assert FIRST.ready_for(99.0) is None
