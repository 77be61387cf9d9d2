"""What an answer of Jenkins means: the decision table, row by row, and what holds for all of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.decide import (
    HOLD_MOST,
    JITTER,
    MISROUTED_DEAD,
    MISROUTED_RETRY,
    RETRY_AFTER_MOST,
    Circumstances,
    Policy,
    asks_probe,
    decide,
    shakes,
)
from spigot.sight import State
from spigot.webhook import Decision, Happened, Outcome, Verdict

GITHUB = "/github-webhook/"
GWT = "/generic-webhook-trigger/invoke"
DOCKERHUB = "/dockerhub-webhook/token/notify"
POLICY = Policy()

READY = Circumstances(State.READY, ready_for=3600.0)
YOUNG = Circumstances(State.READY, ready_for=299.0)
AWAY = Circumstances(State.NOT_READY, ready_for=None)
UNKNOWN = Circumstances(State.UNKNOWN, ready_for=None)

REFUSED = Outcome(Happened.NO_CONNECTION, error="connection refused")
RESET = Outcome(Happened.BROKEN, error="connection reset")
TIMED_OUT = Outcome(Happened.BROKEN, error="timed out")
CRUMB = b"No valid crumb was included in the request"


def answered(status: int, answer: bytes = b"", **other: Any) -> Outcome:
    known = Outcome(Happened.ANSWERED, status, answer=answer, length=len(answer))
    return known._replace(**other)


PAGE = answered(200, b"<h1>Back soon</h1>", content_type="text/html")
UNSURE = [RESET, TIMED_OUT, answered(500), answered(502), answered(503), answered(504)]
DENIED = [answered(403), answered(404)]


def after(outcome: Outcome, known: Circumstances = READY, path: str = GITHUB) -> Decision:
    return decide(outcome, path, known, POLICY)


def saying(outcome: Outcome) -> str:
    return outcome.error or f"{outcome.status}{' page' if outcome.content_type else ''}"


anyone = pytest.mark.parametrize("known", [READY, YOUNG, AWAY, UNKNOWN], ids=lambda k: k.jenkins)
unsure = pytest.mark.parametrize("outcome", UNSURE, ids=saying)
denied = pytest.mark.parametrize("outcome", DENIED, ids=saying)
doubtful = pytest.mark.parametrize("outcome", [*UNSURE, *DENIED], ids=saying)


class TestTaken:
    @anyone
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_a_2xx_is_delivered_whatever_else_is_known(
        self, status: int, known: Circumstances
    ) -> None:
        assert after(answered(status), known) == Decision(Verdict.DELIVERED, f"{status}")

    def test_a_page_from_a_ready_jenkins_is_delivered(self) -> None:
        assert after(PAGE, YOUNG).verdict is Verdict.DELIVERED

    def test_a_page_while_jenkins_is_away_is_a_maintenance_page(self) -> None:
        assert after(PAGE, AWAY) == Decision(Verdict.HOLD_FLOW, "200", maybe_taken=True)

    def test_a_page_where_no_probe_can_judge_holds_the_path(self) -> None:
        decision = after(PAGE, UNKNOWN)
        assert decision.verdict is Verdict.HOLD_PATH
        assert decision.maybe_taken
        assert not decision.counted

    def test_an_empty_page_and_a_page_that_is_not_html_are_plain_answers(self) -> None:
        for outcome in (PAGE._replace(length=0), PAGE._replace(content_type="text/plain")):
            assert after(outcome, UNKNOWN).verdict is Verdict.DELIVERED

    @pytest.mark.parametrize("known", [READY, YOUNG], ids=["settled", "young"])
    def test_docker_hubs_endpoint_answers_what_it_took_with_a_redirect(
        self, known: Circumstances
    ) -> None:
        taken = answered(302, location="/jenkins/")
        assert after(taken, known, DOCKERHUB).verdict is Verdict.DELIVERED

    @pytest.mark.parametrize(
        "known", [AWAY, UNKNOWN, READY._replace(probed=False)], ids=["away", "unknown", "proven"]
    )
    def test_a_redirect_is_no_delivery_unless_the_probe_has_seen_jenkins(
        self, known: Circumstances
    ) -> None:
        sign_on = answered(302, location="https://sso.example/authorize")
        assert after(sign_on, known, DOCKERHUB).verdict is not Verdict.DELIVERED

    @pytest.mark.parametrize("where", ["/login?from=x", "/securityRealm/go", DOCKERHUB + "/"])
    def test_a_redirect_to_a_login_or_a_slash_is_no_delivery(self, where: str) -> None:
        decision = after(answered(302, location=where), READY, DOCKERHUB)
        assert decision.verdict is Verdict.HOLD_PATH

    @anyone
    def test_an_event_that_no_plugin_knows_is_delivered_and_noted_as_ignored(
        self, known: Circumstances
    ) -> None:
        decision = after(answered(400, b"Hook should contain event type"), known)
        assert decision.verdict is Verdict.DELIVERED
        assert "ignored by Jenkins" in decision.reason

    def test_the_same_words_from_another_endpoint_are_a_refusal(self) -> None:
        decision = after(answered(400, b"Hook should contain event type"), path=GWT)
        assert decision.verdict is Verdict.DEAD


class TestJenkinsAway:
    @anyone
    def test_no_connection_holds_the_flow_and_counts_nothing(self, known: Circumstances) -> None:
        assert after(REFUSED, known) == Decision(Verdict.HOLD_FLOW, "connection refused")

    @unsure
    def test_what_broke_or_failed_holds_the_flow_as_maybe_taken(self, outcome: Outcome) -> None:
        decision = after(outcome, AWAY)
        assert decision.verdict is Verdict.HOLD_FLOW
        assert decision.maybe_taken
        assert not decision.counted

    @pytest.mark.parametrize(
        "outcome",
        [*DENIED, answered(400), answered(401), answered(302), answered(429, retry_after=9.0)],
        ids=saying,
    )
    def test_what_was_refused_holds_the_flow_and_was_not_taken(self, outcome: Outcome) -> None:
        decision = after(outcome, AWAY)
        assert decision.verdict is Verdict.HOLD_FLOW
        assert not decision.maybe_taken
        assert not decision.counted

    def test_a_path_held_for_days_does_not_die_of_an_outage(self) -> None:
        known = AWAY._replace(held_for=10 * MISROUTED_DEAD, attempts=99)
        for outcome in (answered(302), answered(403, CRUMB)):
            assert after(outcome, known).verdict is Verdict.HOLD_FLOW


class TestNotSettled:
    @doubtful
    @pytest.mark.parametrize("known", [YOUNG, UNKNOWN], ids=["young", "unknown"])
    def test_a_bad_answer_holds_the_path_and_counts_nothing(
        self, outcome: Outcome, known: Circumstances
    ) -> None:
        decision = after(outcome, known)
        assert decision.verdict is Verdict.HOLD_PATH
        assert not decision.counted
        assert decision.maybe_taken is (outcome in UNSURE)

    def test_the_reason_tells_young_from_unknown(self) -> None:
        assert "may still be loading" in after(answered(500), YOUNG).reason
        assert "unknown" in after(answered(500), UNKNOWN).reason

    def test_trials_follow_the_delay_list_but_come_every_minute_at_least(self) -> None:
        delays = [after(RESET, YOUNG._replace(held_times=times)).delay for times in range(7)]
        assert delays == [2.0, 10.0, 60.0, 60.0, 60.0, 60.0, 60.0]

    def test_without_a_delay_list_it_tries_every_minute(self) -> None:
        assert decide(RESET, GITHUB, YOUNG, Policy(retry_delays=())).delay == HOLD_MOST

    def test_a_young_jenkins_that_says_when_is_obeyed(self) -> None:
        decision = after(answered(503, retry_after=20.0), YOUNG)
        assert (decision.verdict, decision.delay) == (Verdict.HOLD_PATH, 20.0)
        assert not decision.counted

    def test_a_proxys_retry_after_does_not_hold_up_an_unknown_jenkins(self) -> None:
        assert after(answered(503, retry_after=300.0), UNKNOWN).delay == 2.0

    def test_a_jenkins_is_settled_once_it_was_ready_for_the_time_set(self) -> None:
        assert after(answered(404), READY._replace(ready_for=300.0)).verdict is Verdict.DEAD
        at_once = decide(
            answered(404), GITHUB, READY._replace(ready_for=0.0), Policy(settle_after=0)
        )
        assert at_once.verdict is Verdict.DEAD


class TestSettled:
    @unsure
    def test_what_may_have_been_taken_is_sent_again_on_the_delay_list(
        self, outcome: Outcome
    ) -> None:
        for attempts, delay in enumerate(POLICY.retry_delays):
            decision = after(outcome, READY._replace(attempts=attempts))
            assert (decision.verdict, decision.delay) == (Verdict.AGAIN, delay)
            assert decision.counted
            assert decision.maybe_taken

    @unsure
    def test_after_the_last_delay_it_is_dead_and_says_how_often_it_was_tried(
        self, outcome: Outcome
    ) -> None:
        decision = after(outcome, READY._replace(attempts=5))
        assert decision.verdict is Verdict.DEAD
        assert decision.counted
        assert decision.maybe_taken
        assert decision.reason.endswith("; 6 attempts failed")

    def test_without_a_delay_list_the_first_failure_is_the_last(self) -> None:
        decision = decide(RESET, GITHUB, READY, Policy(retry_delays=()))
        assert decision.verdict is Verdict.DEAD
        assert decision.reason == "connection reset; 1 attempt failed"

    @denied
    def test_a_404_and_a_403_are_dead(self, outcome: Outcome) -> None:
        decision = after(outcome)
        assert decision.verdict is Verdict.DEAD
        assert decision.counted
        assert not decision.maybe_taken

    def test_an_answer_that_http_does_not_know_is_tried_again(self) -> None:
        assert after(answered(103)).verdict is Verdict.AGAIN


class TestMisrouted:
    @pytest.mark.parametrize("known", [READY, YOUNG], ids=["settled", "young"])
    def test_a_missing_crumb_says_that_no_plugin_answers(self, known: Circumstances) -> None:
        decision = after(answered(403, b"Error 403 " + CRUMB), known)
        assert (decision.verdict, decision.delay) == (Verdict.HOLD_PATH, MISROUTED_RETRY)
        assert "no plugin answers" in decision.reason
        assert not decision.counted

    def test_a_missing_crumb_may_come_from_a_booting_jenkins_while_that_is_unknown(self) -> None:
        decision = after(answered(403, CRUMB), UNKNOWN._replace(held_for=2 * MISROUTED_DEAD))
        assert (decision.verdict, decision.delay) == (Verdict.HOLD_PATH, 2.0)

    @pytest.mark.parametrize("known", [READY, YOUNG, UNKNOWN], ids=["settled", "young", "unknown"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_says_that_the_path_is_wrong_and_where_it_points(
        self, status: int, known: Circumstances
    ) -> None:
        decision = after(answered(status, location="/github-webhook/"), known, "/github-webhook")
        assert (decision.verdict, decision.delay) == (Verdict.HOLD_PATH, MISROUTED_RETRY)
        assert "/github-webhook/" in decision.reason
        assert "missing slash" in decision.reason
        assert not decision.counted

    @pytest.mark.parametrize("outcome", [answered(403, CRUMB), answered(302)], ids=saying)
    def test_after_a_day_of_trials_it_is_dead(self, outcome: Outcome) -> None:
        day = READY._replace(held_for=MISROUTED_DEAD, held_times=288)
        for almost in (
            day._replace(held_for=MISROUTED_DEAD - 1),
            day._replace(held_times=287),  # the valve was OFF, or Jenkins or Spigot was away
            day._replace(ready_for=1.0),  # it may still be loading
        ):
            assert after(outcome, almost).verdict is Verdict.HOLD_PATH
        decision = after(outcome, day)
        assert decision.verdict is Verdict.DEAD
        assert "24 hours" in decision.reason
        assert decision.counted


class TestAskedToWait:
    @pytest.mark.parametrize("known", [READY, YOUNG, UNKNOWN], ids=["settled", "young", "unknown"])
    def test_a_429_holds_the_path_as_long_as_asked_and_counts(self, known: Circumstances) -> None:
        decision = after(answered(429, retry_after=7.0), known)
        assert (decision.verdict, decision.delay) == (Verdict.HOLD_PATH, 7.0)
        assert decision.counted
        assert not decision.maybe_taken

    def test_a_429_that_names_no_time_goes_by_the_delay_list(self) -> None:
        assert after(answered(429), READY._replace(attempts=1)).delay == 10.0
        assert after(answered(429), READY._replace(attempts=4)).delay == RETRY_AFTER_MOST

    @pytest.mark.parametrize("status", [400, 403, 404, 500, 503])
    def test_retry_after_of_a_settled_jenkins_holds_the_path_whatever_the_status(
        self, status: int
    ) -> None:
        decision = after(answered(status, retry_after=12.0))
        assert (decision.verdict, decision.delay) == (Verdict.HOLD_PATH, 12.0)
        assert decision.counted
        assert decision.maybe_taken is (status >= 500)

    def test_five_minutes_are_the_most(self) -> None:
        assert after(answered(429, retry_after=86400.0)).delay == RETRY_AFTER_MOST

    def test_who_asks_to_wait_once_too_often_gets_a_dead_one(self) -> None:
        decision = after(answered(429, retry_after=1.0), READY._replace(attempts=5))
        assert decision.verdict is Verdict.DEAD
        assert decision.counted


def test_a_page_is_believed_only_where_the_probe_itself_has_seen_jenkins() -> None:
    page = answered(200, b"<html>down for maintenance", content_type="text/html")
    assert after(page, READY).verdict is Verdict.DELIVERED
    proven = READY._replace(probed=False)
    assert after(page, proven).verdict is not Verdict.DELIVERED


class TestRefused:
    @pytest.mark.parametrize("status", [401, 407])
    @pytest.mark.parametrize("known", [UNKNOWN, READY._replace(probed=False)])
    def test_what_a_sign_on_may_have_said_holds_the_path(
        self, status: int, known: Circumstances
    ) -> None:
        decision = after(answered(status), known)
        assert (decision.verdict, decision.counted) == (Verdict.HOLD_PATH, False)

    def test_a_401_of_a_jenkins_that_the_probe_sees_is_dead(self) -> None:
        assert after(answered(401), YOUNG).verdict is Verdict.DEAD

    @pytest.mark.parametrize("known", [READY, YOUNG, UNKNOWN], ids=["settled", "young", "unknown"])
    @pytest.mark.parametrize("status", [400, 405, 409, 410, 413, 415, 422, 499])
    def test_other_4xx_are_dead_with_the_answer_as_reason(
        self, status: int, known: Circumstances
    ) -> None:
        decision = after(answered(status, b"  no \n signature "), known)
        assert decision.verdict is Verdict.DEAD
        assert decision.reason == f"{status} no signature"
        assert decision.counted
        assert not decision.maybe_taken

    def test_pages_are_not_quoted_and_long_answers_are_cut(self) -> None:
        page = answered(400, b"<html>", content_type="text/html")
        assert after(page).reason == "400"
        assert len(after(answered(400, b"x" * 1024)).reason) == len("400 ") + 200

    def test_bytes_that_are_no_text_do_no_harm(self) -> None:
        assert after(answered(400, b"\xff\xfe")).reason == "400 \ufffd\ufffd"


class TestAsking:
    @doubtful
    def test_the_probe_is_asked_what_a_doubtful_outcome_means(self, outcome: Outcome) -> None:
        assert asks_probe(outcome)

    def test_the_probe_is_asked_about_a_page_and_a_redirect(self) -> None:
        assert asks_probe(PAGE)
        assert asks_probe(answered(302))
        assert not asks_probe(PAGE._replace(length=0))

    @pytest.mark.parametrize("status", [200, 204, 400, 401, 413, 429])
    def test_the_probe_is_not_asked_where_the_answer_speaks_for_itself(self, status: int) -> None:
        assert not asks_probe(answered(status))

    def test_the_probe_is_not_asked_when_there_was_no_connection(self) -> None:
        assert not asks_probe(REFUSED)

    @unsure
    def test_a_break_or_a_server_error_casts_doubt_on_jenkins(self, outcome: Outcome) -> None:
        assert shakes(outcome)

    @pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 429])
    def test_an_answer_below_500_casts_none(self, status: int) -> None:
        assert not shakes(answered(status))


statuses = st.one_of(
    st.sampled_from([200, 302, 400, 403, 404, 429, 500, 503]), st.integers(100, 599)
)
answers = st.builds(
    answered,
    statuses,
    st.one_of(st.sampled_from([b"", CRUMB, b"event type", b"<html>"]), st.binary(max_size=40)),
    content_type=st.sampled_from(["", "text/html", "text/plain", "application/json"]),
    retry_after=st.one_of(st.none(), st.floats(0, 1e8)),
    location=st.sampled_from(["", "/login"]),
)
outcomes = st.one_of(st.sampled_from([REFUSED, RESET, TIMED_OUT]), answers)
paths = st.sampled_from([GITHUB, GWT, DOCKERHUB, "/project/a"])
policies = st.builds(
    Policy,
    st.lists(st.floats(0, 1e6), max_size=6).map(tuple),
    st.floats(0, 3600),
)
chances = st.floats(0, 1)


def circumstances(state: State) -> st.SearchStrategy[Circumstances]:
    return st.builds(
        Circumstances,
        st.just(state),
        st.floats(0, 1e6) if state is State.READY else st.none(),
        attempts=st.integers(0, 10),
        held_times=st.integers(0, 100),
        held_for=st.floats(0, 1e6),
        chance=chances,
    )


known_somehow = st.sampled_from(list(State)).flatmap(circumstances)


class TestAlways:
    @given(outcomes, paths, circumstances(State.NOT_READY), policies)
    def test_an_outage_counts_no_attempt_and_kills_nothing(
        self, outcome: Outcome, path: str, known: Circumstances, policy: Policy
    ) -> None:
        decision = decide(outcome, path, known, policy)
        assert decision.verdict in (Verdict.DELIVERED, Verdict.HOLD_FLOW)
        assert not decision.counted

    @given(paths, known_somehow, policies)
    def test_no_connection_counts_no_attempt_and_kills_nothing(
        self, path: str, known: Circumstances, policy: Policy
    ) -> None:
        decision = decide(REFUSED, path, known, policy)
        assert decision == Decision(Verdict.HOLD_FLOW, REFUSED.error)

    @given(outcomes, paths, known_somehow, policies)
    def test_what_is_dead_or_sent_again_was_counted_and_says_why(
        self, outcome: Outcome, path: str, known: Circumstances, policy: Policy
    ) -> None:
        decision = decide(outcome, path, known, policy)
        if decision.verdict in (Verdict.DEAD, Verdict.AGAIN):
            assert decision.counted or "may still be loading" in decision.reason
        if decision.verdict in (Verdict.DELIVERED, Verdict.HOLD_FLOW):
            assert not decision.counted
        assert decision.reason

    @given(outcomes, paths, known_somehow, policies)
    def test_delays_are_never_negative_and_a_held_path_is_tried_within_five_minutes(
        self, outcome: Outcome, path: str, known: Circumstances, policy: Policy
    ) -> None:
        decision = decide(outcome, path, known, policy)
        assert decision.delay >= 0
        if decision.verdict is Verdict.HOLD_PATH:
            assert decision.delay <= 300
        elif decision.verdict is not Verdict.AGAIN:
            assert decision.delay == 0

    @given(st.integers(0, 4), chances)
    def test_the_jitter_is_a_fifth_at_most(self, attempts: int, chance: float) -> None:
        usual = POLICY.retry_delays[attempts]
        known = READY._replace(attempts=attempts, chance=chance)
        assert abs(after(RESET, known).delay - usual) <= usual * JITTER * 1.000001

    @given(outcomes, paths, known_somehow, policies)
    def test_only_what_jenkins_refused_outright_is_known_not_to_be_taken(
        self, outcome: Outcome, path: str, known: Circumstances, policy: Policy
    ) -> None:
        decision = decide(outcome, path, known, policy)
        if decision.maybe_taken:
            assert outcome.happened is not Happened.NO_CONNECTION
        if shakes(outcome):
            assert decision.maybe_taken

    @given(st.data(), paths, policies)
    def test_on_a_settled_jenkins_a_webhook_ends_in_time_unless_its_path_is_held(
        self, data: st.DataObject, path: str, policy: Policy
    ) -> None:
        known = READY._replace(ready_for=policy.settle_after)
        for _ in range(len(policy.retry_delays) + 1):
            decision = decide(data.draw(outcomes), path, known, policy)
            if not decision.counted:  # delivered, or the flow or the path is held
                return
            known = known._replace(attempts=known.attempts + 1)
        assert decision.verdict is Verdict.DEAD
