"""What probes and answers say of Jenkins, state by state."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

import pytest

from spigot.readiness import (
    DOUBT_SECONDS,
    SESSIONS,
    Moment,
    Readiness,
    Restart,
    after_failure,
    after_no_connection,
    after_probe,
    after_recall,
    after_taken,
    after_word,
    unknown,
)
from spigot.sight import Sight, State

if TYPE_CHECKING:
    from collections.abc import Callable

SEEN = Sight(State.READY, "200 with X-Jenkins", "s1")
AWAY = Sight(State.NOT_READY, "503, starting")
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
        assert after_probe(DOWN, SEEN, NOW).evidence == "200 with X-Jenkins once, coming back"

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
    assert Readiness(State.UNKNOWN, 1000.0, 10.0, "not asked yet", 1000.0) == FIRST
    assert FIRST.ready_for(99.0) is None


QUIET = Sight(State.NOT_READY, "quietingDown, quieting down", "s1")
REBORN = SEEN._replace(session="s2")


def at_each_second(known: Readiness, *sights: Sight) -> Readiness:
    """Let one sight a second follow, from NOW on."""
    for seconds, sight in enumerate(sights):
        known = after_probe(known, sight, moment(seconds))
    return known


class TestRestarts:
    BEFORE = at_each_second(unknown(THEN), SEEN, SEEN)  # seen alive at NOW + 1

    def test_it_counts_from_the_first_sign_of_the_end(self) -> None:
        known = at_each_second(self.BEFORE, SEEN, AWAY, AWAY, REBORN, REBORN)
        assert known.restart == Restart(gone_at=NOW.now + 1, back_at=NOW.now + 3)

    def test_where_the_outage_was_missed_it_counts_from_the_last_sight_of_the_old_boot(
        self,
    ) -> None:
        known = after_probe(self.BEFORE, REBORN, moment(30))
        assert known.restart == Restart(gone_at=NOW.now + 1, back_at=NOW.now + 30)
        assert known.since == NOW.now + 30

    def test_a_quiet_down_is_no_end(self) -> None:
        known = at_each_second(self.BEFORE, QUIET, QUIET, AWAY, REBORN)
        assert known.restart == Restart(gone_at=NOW.now + 2, back_at=NOW.now + 3)

    def test_a_boot_that_comes_back_has_forgotten_nothing(self) -> None:
        known = at_each_second(self.BEFORE, AWAY, SEEN, SEEN)
        assert (known.restart, known.gone_at) == (None, None)

    def test_an_outage_after_which_the_same_boot_was_seen_does_not_count(self) -> None:
        known = at_each_second(self.BEFORE, AWAY, SEEN, SEEN, AWAY, REBORN)
        assert known.restart == Restart(gone_at=NOW.now + 3, back_at=NOW.now + 4)

    def test_boots_that_take_turns_behind_a_load_balancer_are_no_restarts(self) -> None:
        known = at_each_second(self.BEFORE, REBORN)
        assert known.restart is not None
        known = after_recall(known, known.restart)
        assert at_each_second(known, SEEN, REBORN, SEEN, REBORN, AWAY, SEEN).restart is None

    def test_of_replicas_the_one_that_was_not_seen_for_longest_has_restarted(self) -> None:
        known = at_each_second(self.BEFORE, REBORN, SEEN)  # two take turns; s1 last at NOW + 1
        assert known.restart is not None
        known = after_recall(known, known.restart)
        for seconds in range(2, 240):
            known = after_probe(known, REBORN, moment(seconds))
        known = after_probe(known, SEEN._replace(session="s3"), moment(240))
        assert known.restart == Restart(gone_at=NOW.now + 1, back_at=NOW.now + 240)

    def test_the_first_boot_ever_seen_is_no_restart(self) -> None:
        assert at_each_second(unknown(THEN), AWAY, REBORN, REBORN).restart is None

    def test_a_sign_on_in_between_tells_nothing(self) -> None:
        known = at_each_second(self.BEFORE, MUTE, MUTE, REBORN)
        assert known.restart == Restart(gone_at=NOW.now + 1, back_at=NOW.now + 2)

    def test_of_two_restarts_the_earlier_end_counts_until_it_was_recalled(self) -> None:
        third = SEEN._replace(session="s3")
        known = at_each_second(self.BEFORE, AWAY, REBORN, AWAY, third)
        assert known.restart == Restart(gone_at=NOW.now, back_at=NOW.now + 3)

    def test_what_was_recalled_is_done_with_unless_it_has_restarted_again(self) -> None:
        known = at_each_second(self.BEFORE, AWAY, REBORN)
        first = known.restart
        assert first is not None
        assert after_recall(known, first).restart is None
        later = after_probe(known, SEEN._replace(session="s3"), moment(9))
        assert after_recall(later, first).restart == Restart(first.gone_at, NOW.now + 9)

    def test_what_was_seen_outlives_the_process(self) -> None:
        before = at_each_second(self.BEFORE, SEEN, AWAY)
        again = unknown(moment(60), json.loads(json.dumps(before.memory)))
        assert (again.state, again.evidence) == (State.UNKNOWN, "not asked yet")
        assert after_probe(again, SEEN, moment(61)).restart is None
        back = after_probe(again, REBORN, moment(61))
        assert back.restart == Restart(gone_at=NOW.now + 1, back_at=NOW.now + 61)
        assert unknown(moment(70), json.loads(json.dumps(back.memory))).restart == back.restart

    def test_only_so_many_boots_are_remembered(self) -> None:
        sights = [SEEN._replace(session=f"s{number}") for number in range(100)]
        known = at_each_second(self.BEFORE, *sights)
        assert len(known.sessions) == SESSIONS
        assert known.session == known.sessions[-1] == "s99"

    @pytest.mark.parametrize("memory", [{}, None, {"pid": 7, "jenkins": "ready"}])
    def test_without_a_memory_nothing_is_known(self, memory: dict[str, object] | None) -> None:
        assert unknown(THEN, memory) == FIRST


OBSERVATIONS: dict[str, Callable[[Readiness, Moment], Readiness]] = {
    "seen": lambda known, at: after_probe(known, SEEN, at),
    "reborn": lambda known, at: after_probe(known, REBORN, at),
    "quiet": lambda known, at: after_probe(known, QUIET, at),
    "away": lambda known, at: after_probe(known, AWAY, at),
    "mute": lambda known, at: after_probe(known, MUTE, at),
    "refused": lambda known, at: after_no_connection(known, "connection refused", at),
    "taken": after_taken,
    "failed": lambda known, at: after_failure(known, "500 to a webhook", at),
}


@pytest.mark.parametrize("first", OBSERVATIONS)
def test_whatever_is_observed_in_whatever_order_the_rules_hold(first: str) -> None:
    good, bad = {"seen", "reborn"}, {"quiet", "away", "refused"}
    for rest in product(OBSERVATIONS, repeat=4):
        names = (first, *rest)
        known = unknown(THEN)
        boots: list[str] = []
        for seconds, name in enumerate(names):
            before, at = known, moment(seconds)
            known = OBSERVATIONS[name](before, at)
            boot = {"seen": "s1", "quiet": "s1", "reborn": "s2"}.get(name)
            new_boot = boot is not None and bool(boots) and boot not in boots
            boots += [boot] if boot else []
            if name in bad:
                assert known.state is State.NOT_READY, names
            if before.state is State.NOT_READY and known.state is State.READY:
                assert name in good, names
                assert names[seconds - 1] in good | {"taken", "failed"}, names
            if known.state is not before.state and name != "failed" and not before.doubt_tick:
                assert Moment(known.since, known.since_tick) == at, names
            assert (known.restart != before.restart) == new_boot, names
            assert known.sessions == tuple(dict.fromkeys(reversed(boots)))[::-1], names
            if known.restart:
                assert known.restart.gone_at <= known.restart.back_at <= at.now, names
            if name in {"away", "refused"}:
                assert known.gone_at is not None, names
            elif boot:
                assert (known.gone_at, known.seen_at) == (None, at.now), names


def test_a_boot_that_somebody_has_seen_before_has_been_ready_for_as_long() -> None:
    known = after_word(BY_PROBE, 3600.0, NOW)
    assert known.ready_for(NOW.tick) == 3600.0
    assert known.since == NOW.now - 3600.0
    assert after_word(known, 1.0, NOW) == known


def test_what_others_have_seen_of_a_boot_says_nothing_of_the_next_one() -> None:
    known = after_probe(after_word(BY_PROBE, 3600.0, NOW), Sight(State.READY, "200", "s2"), NOW)
    assert known.ready_for(NOW.tick) == 0.0


@pytest.mark.parametrize("known", [FIRST, DOWN, DOUBTED])
def test_what_others_have_seen_makes_no_jenkins_ready(known: Readiness) -> None:
    assert after_word(known, 3600.0, NOW) == known
