"""What one answer to a probe says of Jenkins."""

from __future__ import annotations

import json

import pytest

from spigot.ports import Asked
from spigot.sight import (
    Expected,
    Sight,
    State,
    queue_length,
    queue_question,
    read,
    with_quiet_down,
)

GOOD = Sight(State.READY, "200 with X-Jenkins", "s1")


class TestJenkins:
    @pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 500])
    def test_x_jenkins_on_the_answer_says_ready_whatever_the_status(self, status: int) -> None:
        sight = read(Asked(status, {"x-jenkins": "2.579", "x-jenkins-session": "abc"}))
        assert sight == Sight(State.READY, f"{status} with X-Jenkins", "abc")

    def test_a_jenkins_that_names_no_session_is_ready_too(self) -> None:
        assert read(Asked(200, {"x-jenkins": "1.400"})).session == ""

    @pytest.mark.parametrize("headers", [{}, {"x-jenkins": "2.579", "x-jenkins-session": "abc"}])
    def test_a_503_says_starting_even_if_jenkins_signed_it(self, headers: dict[str, str]) -> None:
        assert read(Asked(503, headers)) == Sight(State.NOT_READY, "503, starting")

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


ANY = Expected(0, "")
EXACT = Expected(204, "X-App: practice")


class TestAnotherExpectation:
    @pytest.mark.parametrize("status", [200, 204])
    def test_without_a_header_any_good_status_is_ready(self, status: int) -> None:
        assert read(Asked(status, {}), ANY) == Sight(State.READY, f"{status} from the probe")

    @pytest.mark.parametrize("status", [302, 401, 404, 500, 503])
    def test_without_a_header_all_else_is_not(self, status: int) -> None:
        assert read(Asked(status, {}), ANY).state is State.NOT_READY

    @pytest.mark.parametrize("status", [200, 302, 404, 500, 503])
    def test_a_status_is_meant_exactly(self, status: int) -> None:
        assert read(Asked(status, {}), Expected(404, "")).state is (
            State.READY if status == 404 else State.NOT_READY
        )

    def test_even_a_503_can_be_what_ready_looks_like(self) -> None:
        assert read(Asked(503, {}), Expected(503, "")).state is State.READY

    @pytest.mark.parametrize(
        ("status", "headers", "state"),
        [
            (204, {"x-app": "practice"}, State.READY),
            (204, {"x-app": " practice "}, State.READY),
            (204, {"x-app": "Practice"}, State.NOT_READY),
            (204, {}, State.NOT_READY),
            (200, {"x-app": "practice"}, State.NOT_READY),
        ],
    )
    def test_status_and_header_must_both_be_there(
        self, status: int, headers: dict[str, str], state: State
    ) -> None:
        assert read(Asked(status, headers), EXACT).state is state

    def test_a_header_without_a_value_may_have_any(self) -> None:
        assert read(Asked(200, {"x-app": "7"}), Expected(0, "X-App")).state is State.READY

    def test_nobody_who_set_one_is_left_in_the_dark_by_a_sign_on(self) -> None:
        assert read(Asked(302, {}), Expected(200)).state is State.NOT_READY
        assert read(Asked(302, {}), Expected(0, "X-App")).state is State.NOT_READY


def answer(value: object, status: int = 200) -> Asked:
    return Asked(status, {}, json.dumps(value).encode())


class TestWithALogin:
    def test_a_quiet_down_is_not_ready_but_alive(self) -> None:
        sight = with_quiet_down(GOOD, answer({"quietingDown": True, "quietDownReason": None}))
        assert sight == Sight(State.NOT_READY, "quietingDown, quieting down", "s1")

    def test_its_reason_is_shown(self) -> None:
        said = {"quietingDown": True, "quietDownReason": "upgrade\nto 2.580"}
        assert with_quiet_down(GOOD, answer(said)).evidence == (
            "quietingDown, quieting down (upgrade to 2.580)"
        )

    @pytest.mark.parametrize(
        "asked",
        [
            answer({"quietingDown": False}),
            answer({}),
            answer([]),
            answer({"quietingDown": True}, status=403),
            Asked(200, {}, b"<html>"),
            Asked(200, {}, b"\xff"),
            Asked(0, {}, error="timed out"),
        ],
    )
    def test_an_answer_that_says_nothing_changes_nothing(self, asked: Asked) -> None:
        assert with_quiet_down(GOOD, asked) is GOOD

    def test_the_length_of_the_build_queue_is_counted(self) -> None:
        assert queue_length(answer({"items": [{"id": 1}, {"id": 2}]})) == 2
        assert queue_length(answer({"items": []})) == 0

    @pytest.mark.parametrize("asked", [answer({}), answer({"items": 3}), Asked(403, {}), answer(1)])
    def test_a_length_that_nobody_tells_is_unknown(self, asked: Asked) -> None:
        assert queue_length(asked) is None

    def test_the_question_lets_jenkins_cut_the_list(self) -> None:
        assert queue_question(1001) == "/queue/api/json?tree=items%5Bid%5D%7B0,1001%7D"
