"""The guard shares probes among those who ask, and knows which question Jenkins answers."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from spigot.guard import CANDIDATES, Guard, Probe
from spigot.ports import Asked, Clock
from spigot.readiness import DOUBT_SECONDS
from spigot.sight import QUIET_QUESTION, State, queue_question
from spigot.webhook import Happened, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.webhook import Webhook

WHOAMI, LOGIN = CANDIDATES
PATIENCE = 5.0

JENKINS = Asked(200, {"x-jenkins": "2.579", "x-jenkins-session": "s1"})
STARTING = Asked(503, {})
SIGN_ON = Asked(302, {"location": "https://sso.example.com/"})
GONE = Asked(0, {}, error="connection refused")


class HandClock(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return 1000.0 + self.seconds

    def monotonic(self) -> float:
        return self.seconds


class FakeSender:
    """Answers questions by path, and remembers them."""

    def __init__(self) -> None:
        self.answers = {WHOAMI: JENKINS, LOGIN: JENKINS}
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.on_ask: Callable[[], None] = lambda: None

    def send(self, webhook: Webhook) -> Outcome:
        return Outcome(Happened.NO_CONNECTION, error=f"{webhook.id} is not sent here")

    def ask(self, method: str, path: str, headers: dict[str, str]) -> Asked:
        assert method == "GET"
        self.asked.append(path)
        self.headers = headers
        self.on_ask()
        return self.answers[path]

    def answer(self, whoami: Asked, login: Asked) -> None:
        self.answers = {WHOAMI: whoami, LOGIN: login}


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def guard(sender: FakeSender, clock: HandClock) -> Guard:
    return Guard(sender, clock)


class TestQuestions:
    def test_a_login_page_is_not_asked_for_while_the_first_question_is_answered(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        for _ in range(3):
            guard.ask()
        assert sender.asked == [WHOAMI] * 3
        assert guard.readiness.state is State.READY

    @pytest.mark.parametrize("answer", [STARTING, GONE, Asked(200, {}), Asked(502, {})])
    def test_a_jenkins_that_is_away_is_not_asked_twice(
        self, guard: Guard, sender: FakeSender, answer: Asked
    ) -> None:
        sender.answer(answer, JENKINS)
        assert guard.ask().state is State.NOT_READY
        assert sender.asked == [WHOAMI]

    def test_what_is_unknown_after_the_first_question_the_second_may_tell(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        sender.answer(SIGN_ON, JENKINS)
        guard.ask()
        assert guard.ask().state is State.READY
        assert sender.asked[:2] == [WHOAMI, LOGIN]

    def test_what_worked_is_asked_first_from_then_on(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        sender.answer(SIGN_ON, JENKINS)
        for _ in range(3):
            guard.ask()
        assert sender.asked == [WHOAMI, LOGIN, LOGIN, LOGIN]
        sender.answer(JENKINS, SIGN_ON)
        guard.ask()
        guard.ask()
        assert sender.asked[4:] == [LOGIN, WHOAMI, WHOAMI]

    def test_where_no_question_is_answered_both_are_asked_each_time(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        sender.answer(SIGN_ON, SIGN_ON)
        guard.ask()
        assert guard.ask().state is State.UNKNOWN
        assert sender.asked == [WHOAMI, LOGIN] * 2

    def test_a_path_of_the_configuration_is_the_only_question(
        self, sender: FakeSender, clock: HandClock
    ) -> None:
        sender.answers["/health/"] = SIGN_ON
        Guard(sender, clock, probe=Probe("/health/")).ask()
        assert sender.asked == ["/health/"]

    def test_questions_carry_no_credentials(self, guard: Guard, sender: FakeSender) -> None:
        guard.ask()
        assert sender.headers == {"User-Agent": "spigot"}


QUIET = QUIET_QUESTION
QUEUE = queue_question(3)


def told(value: object) -> Asked:
    return Asked(200, {}, json.dumps(value).encode())


class TestWithALogin:
    @pytest.fixture
    def guard(self, sender: FakeSender, clock: HandClock) -> Guard:
        sender.answers |= {QUIET: told({"quietingDown": False}), QUEUE: told({"items": []})}
        return Guard(sender, clock, probe=Probe(login="Basic eA==", queue_most=2))

    def test_only_what_takes_a_login_is_asked_with_it(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        seen: list[tuple[str, bool]] = []
        sender.on_ask = lambda: seen.append((sender.asked[-1], "Authorization" in sender.headers))
        guard.ask()
        assert seen == [(WHOAMI, False), (QUIET, True), (QUEUE, True)]

    def test_a_jenkins_that_is_not_there_is_not_asked_for_more(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        sender.answer(STARTING, STARTING)
        guard.ask()
        assert sender.asked == [WHOAMI]

    def test_a_quiet_down_holds_and_its_end_releases(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        guard.ask()
        assert guard.ask().state is State.READY
        sender.answers[QUIET] = told({"quietingDown": True})
        known = guard.ask()
        assert (known.state, known.evidence) == (State.NOT_READY, "quietingDown, quieting down")
        sender.answers[QUIET] = told({"quietingDown": False})
        assert guard.ask().state is State.NOT_READY
        assert guard.ask().state is State.READY

    def test_a_refused_login_is_said_once_and_changes_nothing(
        self, guard: Guard, sender: FakeSender, caplog: pytest.LogCaptureFixture
    ) -> None:
        sender.answers[QUIET] = Asked(401, {})
        with caplog.at_level("INFO", "spigot.guard"):
            for _ in range(3):
                guard.ask()
            sender.answers[QUIET] = told({"quietingDown": False})
            guard.ask()
        assert guard.readiness.state is State.READY
        said = [message for message in caplog.messages if "API token" in message]
        assert [message.partition(":")[0] for message in said] == [
            "Jenkins refuses the API token, so a quiet-down goes unseen",
            "Jenkins takes the API token again",
        ]
        assert "eA==" not in caplog.text

    def test_a_long_queue_is_noticed_and_its_end_too(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        seen = []
        for items in ([1, 2], [1, 2, 3], [1, 2, 3], [], None):
            sender.answers[QUEUE] = told({"items": items})
            guard.ask()
            seen.append(guard.queue_is_long)
        assert seen == [False, True, True, False, False]

    def test_without_a_number_the_queue_is_not_asked_for(
        self, sender: FakeSender, clock: HandClock
    ) -> None:
        sender.answers[QUIET] = told({})
        Guard(sender, clock, probe=Probe(login="Basic eA==")).ask()
        assert sender.asked == [WHOAMI, QUIET]


class TestSharing:
    def test_those_who_ask_at_once_share_one_probe_but_never_one_begun_before(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def first_probe_hangs() -> None:
            if len(sender.asked) == 1:
                begun.set()
                assert go_on.wait(PATIENCE)

        sender.on_ask = first_probe_hangs
        early = threading.Thread(target=guard.ask)
        early.start()
        assert begun.wait(PATIENCE)
        # The clock stands still: only the order of things may count.
        late = [threading.Thread(target=guard.ask) for _ in range(8)]
        for thread in late:
            thread.start()
        go_on.set()
        for thread in [early, *late]:
            thread.join(PATIENCE)
        # Whoever came only after the second probe had begun needed one more.
        assert 2 <= len(sender.asked) <= 1 + len(late)
        assert guard.readiness.state is State.READY

    def test_eight_that_wait_behind_a_probe_are_served_by_one(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        arrived = threading.Barrier(9)
        go_on = threading.Event()

        class Gate:
            """The lock around a probe; tells when somebody comes to it."""

            def __init__(self) -> None:
                self.lock = threading.Lock()

            def __enter__(self) -> None:
                arrived.wait(PATIENCE)
                self.lock.acquire()

            def __exit__(self, *_: object) -> None:
                self.lock.release()

        def probe_waits() -> None:
            assert go_on.wait(PATIENCE)

        sender.on_ask = probe_waits
        guard._asking = Gate()  # type: ignore[assignment]
        threads = [threading.Thread(target=guard.ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        arrived.wait(PATIENCE)  # all have said that they ask, and none has been served
        go_on.set()
        for thread in threads:
            thread.join(PATIENCE)
        assert sender.asked == [WHOAMI]

    def test_one_after_the_other_each_has_a_probe_of_its_own(
        self, guard: Guard, sender: FakeSender
    ) -> None:
        for _ in range(4):
            guard.ask()
        assert len(sender.asked) == 4


class TestHearing:
    @pytest.fixture
    def changes(self) -> list[str]:
        return []

    @pytest.fixture
    def guard(self, sender: FakeSender, clock: HandClock, changes: list[str]) -> Guard:
        watched = Guard(sender, clock, changed=lambda: changes.append(str(watched.readiness.state)))
        return watched

    def test_whoever_wants_to_know_hears_of_each_change_once_it_is_so(
        self, guard: Guard, sender: FakeSender, changes: list[str]
    ) -> None:
        guard.ask()
        guard.ask()
        sender.answer(STARTING, STARTING)
        guard.ask()
        assert changes == ["unknown", "ready", "not ready"]  # the first: seen once so far

    def test_no_change_is_no_news(
        self, guard: Guard, sender: FakeSender, changes: list[str]
    ) -> None:
        sender.answer(STARTING, STARTING)
        for _ in range(5):
            guard.ask()
        assert changes == ["not ready"]

    def test_no_connection_is_heard_at_once(self, guard: Guard, changes: list[str]) -> None:
        guard.no_connection("connection refused")
        assert guard.readiness.evidence == "connection refused"
        assert changes == ["not ready"]

    def test_deliveries_prove_and_shake_where_no_probe_can_judge(
        self, guard: Guard, sender: FakeSender, clock: HandClock, changes: list[str]
    ) -> None:
        sender.answer(SIGN_ON, SIGN_ON)
        guard.ask()
        guard.taken()
        began = guard.readiness.since
        clock.seconds += 100.0
        guard.failed("500 to a webhook")
        assert guard.readiness.state is State.UNKNOWN
        clock.seconds += DOUBT_SECONDS
        guard.taken()
        assert (guard.readiness.state, guard.readiness.since) == (State.READY, began)
        assert changes == ["unknown", "ready", "unknown", "ready"]

    def test_deliveries_say_nothing_new_of_a_jenkins_that_the_probe_knows(
        self, guard: Guard, changes: list[str]
    ) -> None:
        guard.ask()
        guard.ask()
        changes.clear()
        guard.taken()
        guard.failed("500 to a webhook")
        assert guard.readiness.state is State.READY
        assert changes == []


class TestInTheBackground:
    def test_it_asks_until_it_is_stopped(self, sender: FakeSender, clock: HandClock) -> None:
        ready = threading.Event()

        def hear() -> None:
            if watched.readiness.state is State.READY:
                ready.set()

        watched = Guard(sender, clock, probe=Probe(every=0.001), changed=hear)
        watched.start()
        assert ready.wait(PATIENCE)
        watched.stop()
        watched._thread.join(PATIENCE)
        assert not watched._thread.is_alive()

    def test_it_looks_at_once_when_told_to(self, sender: FakeSender, clock: HandClock) -> None:
        guard = Guard(sender, clock, probe=Probe(every=3600.0))
        asked = threading.Semaphore(0)
        sender.on_ask = asked.release
        # While Jenkins is not known to be ready it asks every second: begin with one that is.
        guard.ask()
        guard.ask()
        guard.start()
        for _ in range(3):
            assert asked.acquire(timeout=PATIENCE)
        for _ in range(3):
            guard.look()
            assert asked.acquire(timeout=PATIENCE)
        guard.stop()
        guard._thread.join(PATIENCE)
        assert guard.readiness.state is State.READY

    def test_it_asks_every_second_while_webhooks_are_held_for_another_reason(
        self, sender: FakeSender, clock: HandClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("spigot.guard.HELD_EVERY", 0.001)
        guard = Guard(sender, clock, probe=Probe(every=3600.0))
        asked = threading.Semaphore(0)
        guard.ask()
        guard.ask()
        sender.on_ask = asked.release
        guard.start()
        assert asked.acquire(timeout=PATIENCE)
        guard.watch(closely=True)
        for _ in range(5):
            assert asked.acquire(timeout=PATIENCE)
        guard.stop()
        guard._thread.join(PATIENCE)

    def test_what_was_seen_in_an_earlier_life_tells_of_a_restart(
        self, sender: FakeSender, clock: HandClock
    ) -> None:
        earlier = Guard(sender, clock)
        earlier.ask()
        clock.seconds += 500.0
        sender.answer(Asked(200, {"x-jenkins": "2", "x-jenkins-session": "s2"}), SIGN_ON)
        later = Guard(sender, clock, memory=earlier.readiness.memory)
        later.ask()
        restart = later.ask().restart
        assert restart is not None
        assert (restart.gone_at, restart.back_at) == (1100.0, 1600.0)
        later.recalled(restart)
        assert later.readiness.restart is None
