"""One attempt: what it tells the guard, what it remembers, and what it hides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.decide import Policy
from spigot.delivery import ANSWER_BYTES, ONCE_MORE, Delivery
from spigot.guard import Guard
from spigot.ports import Asked, Loaded
from spigot.sight import State
from spigot.webhook import Happened, Outcome, Place, Verdict
from support.stores import HandClock, webhook

if TYPE_CHECKING:
    from spigot.webhook import Decision, Webhook

OK = Outcome(Happened.ANSWERED, 200)
BAD = Outcome(Happened.ANSWERED, 500)
SIGN_ON = Asked(302, {"location": "https://sso.example/"})


class Jenkins:
    """Answers as it is told."""

    def __init__(self) -> None:
        self.outcome = OK
        self.asked = SIGN_ON
        self.answers: dict[str, Asked] = {}
        self.questions: list[str] = []

    def send(self, _: Webhook) -> Outcome:
        return self.outcome

    def ask(self, method: str, path: str, _: dict[str, str]) -> Asked:
        self.questions.append(f"{method} {path}")
        return self.answers.get(path, self.asked)


class World:
    """A delivery to a Jenkins behind a single sign-on, where no probe can judge."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.jenkins = Jenkins()
        self.guard = Guard(self.jenkins, self.clock)
        self.attempts = dict.fromkeys((1, 2), 0)
        policy = Policy(retry_delays=(1.0, 1.0), settle_after=300.0)
        self.delivery = Delivery(self.jenkins, self.guard, policy, self.clock, lambda: 0.5)

    def attempt(self, position: int, outcome: Outcome) -> Decision:
        self.clock.advance(1.0)
        self.jenkins.outcome = outcome
        place = Place(position, "lane", "/github-webhook/", 0.0, 0.0, self.attempts[position])
        decision = self.delivery.attempt(Loaded(webhook(), place), None).decision
        self.attempts[position] += decision.counted
        return decision


@pytest.fixture
def world() -> World:
    world = World()
    world.guard.ask()
    assert world.attempt(1, OK).verdict is Verdict.DELIVERED
    return world


def test_a_webhook_that_always_fails_while_others_go_through_dies(world: World) -> None:
    first = world.attempt(2, BAD)
    assert (first.verdict, first.counted) == (Verdict.HOLD_PATH, False)
    verdicts = []
    for _ in range(3):
        world.attempt(1, OK)
        verdicts.append(world.attempt(2, BAD).verdict)
    assert verdicts == [Verdict.AGAIN, Verdict.AGAIN, Verdict.DEAD]


def test_without_others_going_through_it_is_an_outage_and_counts_nothing(world: World) -> None:
    for _ in range(50):
        assert not world.attempt(2, BAD).counted
    assert world.attempt(2, OK).verdict is Verdict.DELIVERED


def test_what_the_probe_sees_away_is_never_blamed_on_a_webhook(world: World) -> None:
    world.attempt(2, BAD)
    world.attempt(1, OK)
    world.jenkins.asked = Asked(503, {})
    decision = world.attempt(2, BAD)
    assert (decision.verdict, decision.counted) == (Verdict.HOLD_FLOW, False)


def test_a_redirect_is_no_evidence_that_jenkins_is_there() -> None:
    fresh = World()
    fresh.guard.ask()
    fresh.attempt(1, Outcome(Happened.ANSWERED, 302, location="https://sso.example/"))
    assert fresh.guard.readiness.state is State.UNKNOWN


def test_a_secret_at_the_edge_of_what_is_kept_is_not_kept_in_part(world: World) -> None:
    token = b"s3cret-token-of-forty-characters-0123456"
    sent = webhook()._replace(headers=((b"x-gitlab-token", token),))
    world.jenkins.outcome = BAD._replace(answer=b"x" * (ANSWER_BYTES - 34) + token + b"y" * 99)
    place = Place(2, "lane", "/github-webhook/", 0.0, 0.0, 0)
    attempt = world.delivery.attempt(Loaded(sent, place), None)
    assert len(attempt.outcome.answer) <= ANSWER_BYTES
    assert token[:8] not in attempt.outcome.answer


def test_of_what_jenkins_says_when_it_took_a_webhook_nothing_is_kept(world: World) -> None:
    sent = webhook()._replace(headers=((b"x-gitlab-token", b"s3cret-token"),))
    loaded = Loaded(sent, Place(2, "lane", "/github-webhook/", 0.0, 0.0, 0))
    world.jenkins.outcome = OK._replace(answer=b"took s3cret-token", length=17)
    assert world.delivery.attempt(loaded, None).outcome.answer == b""
    page = OK._replace(answer=b"<p>s3cret-token", length=15, content_type="text/html")
    world.jenkins.outcome = page
    assert world.delivery.attempt(loaded, None).outcome.answer == b"<p>***"


READY = Asked(200, {"x-jenkins": "2.579", "x-jenkins-session": "s1"})


@pytest.fixture
def young() -> World:
    """A Jenkins that the probe has seen ready, for less time than it takes to load everything."""
    world = World()
    world.jenkins.asked = READY
    world.guard.ask()
    world.guard.ask()
    return world


def test_while_everything_loads_nothing_is_blamed_because_other_paths_work(young: World) -> None:
    for _ in range(5):
        decision = young.attempt(2, BAD)
        assert (decision.verdict, decision.counted) == (Verdict.HOLD_PATH, False)
        assert young.attempt(1, OK).verdict is Verdict.DELIVERED


class TestAPluginThatIsKnownToBeLoaded:
    LOADED = Asked(405, {})

    @pytest.mark.parametrize("outcome", [BAD, Outcome(Happened.BROKEN, error="timed out")])
    def test_an_error_is_the_webhooks_own_even_on_a_young_jenkins(
        self, young: World, outcome: Outcome
    ) -> None:
        young.jenkins.answers["/github-webhook/"] = self.LOADED
        decision = young.attempt(1, outcome)
        assert (decision.verdict, decision.counted) == (Verdict.AGAIN, True)
        assert "GET /github-webhook/" in young.jenkins.questions

    @pytest.mark.parametrize("asked", [Asked(404, {}), Asked(503, {}), Asked(0, {}, error="reset")])
    def test_any_other_answer_says_that_it_may_still_be_loading(
        self, young: World, asked: Asked
    ) -> None:
        young.jenkins.answers["/github-webhook/"] = asked
        decision = young.attempt(1, BAD)
        assert (decision.verdict, decision.counted) == (Verdict.HOLD_PATH, False)

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_refusal_may_still_be_for_a_job_that_loads_and_holds_its_lane_alone(
        self, young: World, status: int
    ) -> None:
        young.jenkins.answers["/github-webhook/"] = self.LOADED
        decision = young.attempt(1, Outcome(Happened.ANSWERED, status))
        assert (decision.verdict, decision.counted) == (Verdict.AGAIN, False)
        assert decision.delay > 0

    def test_nothing_is_asked_of_a_jenkins_that_has_settled(self, young: World) -> None:
        young.clock.advance(300.0)
        assert young.attempt(1, BAD).counted
        assert "GET /github-webhook/" not in young.jenkins.questions


def test_the_history_says_that_a_webhook_was_sent_once_more(young: World) -> None:
    place = Place(1, "lane", "/github-webhook/", 0.0, 0.0, 0, recalled=True)
    attempt = young.delivery.attempt(Loaded(webhook(), place), None)
    assert attempt.decision.verdict is Verdict.DELIVERED
    assert attempt.decision.reason == f"200, {ONCE_MORE}"
    young.jenkins.outcome = Outcome(Happened.ANSWERED, 400)
    attempt = young.delivery.attempt(Loaded(webhook(), place), None)
    assert attempt.decision.reason == "400"
