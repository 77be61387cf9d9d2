"""What ``spigot hold`` waits for: what was seen, and what is done then."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from spigot.commands.holding import (
    QUIET,
    STEADY,
    Ebb,
    Flow,
    Look,
    Ready,
    Watch,
    length,
    look,
    title,
)
from spigot.stores.panel import Backlog

if TYPE_CHECKING:
    from collections.abc import Iterable

END = 1800.0
"""When the time is over; the command ends at 0."""

UP = Look(True, "ready", 100.0, "one", "200 with X-Jenkins")
DOWN = Look(True, "not ready", 200.0, "one", "connection refused")
AGAIN = UP._replace(since=300.0)
REBORN = AGAIN._replace(session="two")
SIGN_ON = Look(True, "unknown", 100.0, "", "302 without X-Jenkins")
NOBODY = look({}, serving=False)


def watch(before: Look, *meanwhile: Look) -> Watch:
    """Watch a command that ends at 0."""
    wait = Watch.begin(before, -10.0)
    for seen in meanwhile:
        wait = wait.after(seen, -5.0)
    return wait.ended(0.0)


def story(wait: Watch, seen: Iterable[tuple[float, Look]], *, insist: bool = False) -> list[Ready]:
    """Look at each of those ticks, and return what was known then."""
    known = []
    for tick, each in seen:
        wait = wait.after(each, tick)
        known.append(wait.judge(tick, END, insist=insist))
    return known


class TestLook:
    def test_it_is_what_the_gateway_has_reported(self) -> None:
        report = {"jenkins": "ready", "jenkins_since": 100.0, "session": "one", "evidence": "200"}
        assert look(report, serving=True) == (True, "ready", 100.0, "one", "200")

    def test_a_gateway_that_has_reported_nothing_yet_knows_nothing(self) -> None:
        assert look({}, serving=True) == (True, "unknown", 0.0, "", "not asked yet")

    def test_the_report_of_a_gateway_that_does_not_run_is_history(self) -> None:
        gone = look({"jenkins": "ready", "session": "one"}, serving=False)
        assert (gone.serving, gone.jenkins, gone.session) == (False, "unknown", "")
        assert gone.evidence == "`spigot serve` is not running"


class TestReady:
    def test_a_restart_after_the_command_is_waited_for(self) -> None:
        seen = [(0, UP), (5, UP), (6, DOWN), (50, DOWN), (51, REBORN)]
        assert story(watch(UP), seen) == [Ready.WAIT] * 4 + [Ready.BACK]

    @pytest.mark.parametrize("meanwhile", [(), (DOWN,), (DOWN, REBORN)])
    def test_a_restart_that_is_over_with_the_command_is_not_waited_for(
        self, meanwhile: tuple[Look, ...]
    ) -> None:
        wait = watch(UP, *meanwhile)
        assert story(wait, [(0, REBORN)], insist=True) == [Ready.BACK]
        assert wait.after(REBORN, 0).restarted

    def test_a_restart_between_two_probes_shows_in_the_session(self) -> None:
        assert story(watch(UP), [(9, REBORN)], insist=True) == [Ready.BACK]

    def test_where_no_session_is_seen_a_new_since_is_a_restart(self) -> None:
        before = UP._replace(session="")
        assert story(watch(before), [(9, AGAIN)], insist=True) == [Ready.BACK]
        assert story(watch(before), [(9, AGAIN._replace(session=""))]) == [Ready.BACK]

    def test_replicas_that_take_turns_are_no_restart(self) -> None:
        other = UP._replace(session="two")
        seen = [(1, other), (2, UP), (3, other), (3 + STEADY, other)]
        assert story(watch(UP), seen) == [Ready.WAIT] * 3 + [Ready.SAME]

    def test_a_gateway_that_restarts_makes_no_restart_of_jenkins(self) -> None:
        asking = Look(True, "unknown", 250.0, "one", "not asked yet")
        seen = [(1, NOBODY), (2, asking), (3, AGAIN), (2 + STEADY, AGAIN), (3 + STEADY, AGAIN)]
        assert story(watch(UP), seen) == [Ready.WAIT] * 4 + [Ready.SAME]

    def test_a_jenkins_that_becomes_known_has_not_come_back(self) -> None:
        asking = Look(True, "unknown", 90.0, "", "not asked yet")
        assert story(watch(asking), [(1, UP), (1 + STEADY, UP)]) == [Ready.WAIT, Ready.SAME]

    def test_an_outage_in_the_same_session_is_over_but_no_restart(self) -> None:
        wait = watch(UP, DOWN)
        assert story(wait, [(1, DOWN), (2, AGAIN)]) == [Ready.WAIT, Ready.BACK]
        assert story(wait, [(2, AGAIN), (END, AGAIN)], insist=True) == [Ready.WAIT, Ready.LATE]

    def test_a_jenkins_that_was_away_before_may_be_mended_by_the_command(self) -> None:
        assert story(watch(DOWN), [(0, DOWN), (1, AGAIN)]) == [Ready.WAIT, Ready.BACK]

    def test_one_that_never_goes_away_did_not_restart(self) -> None:
        seen = [(0, UP), (STEADY - 1, UP), (STEADY, UP)]
        assert story(watch(UP), seen) == [Ready.WAIT, Ready.WAIT, Ready.SAME]

    def test_who_insists_waits_for_the_restart_until_the_time_is_over(self) -> None:
        seen = [(STEADY, UP), (END - 1, UP), (END, UP)]
        assert story(watch(UP), seen, insist=True) == [Ready.WAIT, Ready.WAIT, Ready.LATE]

    def test_how_often_the_evidence_changes_does_not_matter(self) -> None:
        seen = [(tick, UP._replace(evidence=str(tick))) for tick in range(int(STEADY) + 1)]
        assert story(watch(UP), seen)[-1] is Ready.SAME

    def test_behind_a_single_sign_on_it_cannot_be_told(self) -> None:
        seen = [(0, SIGN_ON), (STEADY - 1, SIGN_ON), (STEADY, SIGN_ON)]
        assert story(watch(SIGN_ON), seen) == [Ready.WAIT, Ready.WAIT, Ready.UNTOLD]
        assert story(watch(SIGN_ON), seen, insist=True) == [Ready.WAIT] * 3

    def test_behind_a_single_sign_on_an_outage_is_seen_and_its_end_believed_in_time(self) -> None:
        back = SIGN_ON._replace(since=300.0)
        for insist in (False, True):
            seen = [(1, DOWN), (70, back), (69 + STEADY, back), (70 + STEADY, back)]
            known = story(watch(SIGN_ON), seen, insist=insist)
            assert known == [Ready.WAIT] * 3 + [Ready.UNTOLD]

    def test_when_the_time_is_over_one_that_was_never_away_is_good_enough(self) -> None:
        assert story(watch(UP).ended(END - 5), [(END, UP)]) == [Ready.SAME]
        assert story(watch(SIGN_ON).ended(END - 5), [(END, SIGN_ON)]) == [Ready.UNTOLD]

    def test_when_the_time_is_over_one_that_is_away_or_was_is_late(self) -> None:
        assert story(watch(UP), [(END - 1, DOWN), (END, DOWN)]) == [Ready.WAIT, Ready.LATE]
        assert story(watch(UP), [(END - 2, DOWN), (END, SIGN_ON)]) == [Ready.WAIT, Ready.LATE]

    def test_without_a_gateway_nothing_is_known_however_long_it_takes(self) -> None:
        seen = [(1, NOBODY), (2 * STEADY, NOBODY), (END, NOBODY)]
        assert story(watch(UP), seen) == [Ready.WAIT, Ready.WAIT, Ready.LATE]

    @pytest.mark.parametrize("insist", [False, True])
    def test_whatever_was_seen_it_waits_only_in_time_and_goes_on_only_with_reason(
        self, insist: bool
    ) -> None:
        looks = [
            Look(True, jenkins, since, session)
            for jenkins, since, session in product(
                ("ready", "not ready", "unknown"), (100.0, 200.0), ("", "one", "two")
            )
        ]
        for before, middle, last, tick in product(
            looks, [*looks, NOBODY], [*looks, NOBODY], (1.0, STEADY, END)
        ):
            wait = Watch.begin(before, -10.0).after(middle, -1.0).ended(0.0).after(last, 0.0)
            known = wait.judge(tick, END, insist=insist)
            away = any(each.jenkins == "not ready" for each in (before, middle, last))
            assert (known is Ready.WAIT) <= (tick < END)
            assert (known is Ready.LATE) <= (tick >= END)
            if known in (Ready.BACK, Ready.SAME):
                assert last.jenkins == "ready"
            if known is Ready.BACK:
                assert away or last.since != before.since
            if known is Ready.SAME:
                assert not insist
                assert not away
                assert tick >= STEADY
            if known is Ready.UNTOLD:
                assert last.serving
                assert last.jenkins == "unknown"
                assert tick >= STEADY
            if last.jenkins == "not ready" or not last.serving:
                assert known in (Ready.WAIT, Ready.LATE)
            if insist and known is Ready.BACK and last.session:
                assert last.session != before.session


class TestWords:
    def test_what_is_waited_for_is_named(self) -> None:
        assert watch(UP).after(DOWN, 1).news(insist=False) == "Jenkins: connection refused"
        assert watch(UP).after(NOBODY, 1).news(insist=True).endswith("serve` is not running")
        assert "has not gone away yet; up to 1m" in watch(UP).news(insist=False)
        assert watch(UP).news(insist=True) == "Jenkins is ready and has not restarted yet."

    def test_what_a_server_says_cannot_steer_the_terminal(self) -> None:
        odd = DOWN._replace(evidence="\x1b[2J")
        assert watch(UP).after(odd, 1).news(insist=False) == r"Jenkins: \x1b[2J"

    @pytest.mark.parametrize(
        ("seen", "ready", "took", "said"),
        [
            ([REBORN], Ready.BACK, 0.2, "Jenkins is ready again; it has restarted."),
            ([REBORN], Ready.BACK, 23.4, "Jenkins is ready again after 23s; it has restarted."),
            ([DOWN, AGAIN], Ready.BACK, 2.04,
             "Jenkins is ready again after 2s; it has not restarted."),
            ([DOWN, AGAIN._replace(since=100.0, session="")], Ready.BACK, 9.96,
             "Jenkins is ready again after 10s."),
            ([UP], Ready.SAME, 60.0, "Jenkins is ready; it did not restart."),
            ([SIGN_ON], Ready.UNTOLD, 60.0,
             "It cannot be told whether Jenkins is ready (302 without X-Jenkins); going on."),
            ([UP], Ready.LATE, 60.0, "Jenkins is ready, but has not restarted within 30m."),
            ([DOWN], Ready.LATE, 60.0, "Jenkins was not ready within 30m: connection refused."),
        ],
    )  # fmt: skip
    def test_what_came_of_it_is_one_sentence(
        self, seen: list[Look], ready: Ready, took: float, said: str
    ) -> None:
        assert watch(UP, *seen).verdict(ready, took, 1800.0) == said

    @pytest.mark.parametrize(
        ("seconds", "said"), [(0.04, "0s"), (0.26, "0.3s"), (9.94, "9.9s"), (83.7, "1m24s")]
    )
    def test_a_duration_is_as_exact_as_anybody_wants_it(self, seconds: float, said: str) -> None:
        assert length(seconds) == said

    @pytest.mark.parametrize(
        ("words", "shown"),
        [
            (["./upgrade"], "./upgrade"),
            (["sudo", "systemctl", "restart", "jenkins"], "sudo systemctl restart jenkins"),
            (["./upgrade", "--password", "hunter2"], "./upgrade …"),
            (["curl", "-u", "me:hunter2", "https://jenkins/"], "curl …"),
            (["curl", "https://me:hunter2@jenkins/safeRestart"], "curl …"),
            (["env", "TOKEN=hunter2", "./upgrade"], "env …"),
            (["sh", "-c", "restart; echo done"], "sh …"),
            (["a\x1bb"], r"a\x1bb …"),
            (["x" * 70], "x" * 60 + " …"),
        ],
    )
    def test_a_command_is_shown_without_what_may_be_a_secret(
        self, words: list[str], shown: str
    ) -> None:
        assert title(words) == shown


class TestFlow:
    TIMEOUT = 600.0

    def flows(self, *seen: tuple[float, Backlog, Look], on: bool = True) -> list[Flow]:
        """Begin with ten at 0, look at each of those ticks, and return what was known then."""
        ebb, known = Ebb.begin(Backlog(10, 0), 0.0), []
        for tick, backlog, jenkins in seen:
            ebb = ebb.after(backlog, jenkins, tick, on=on)
            known.append(ebb.judge(tick, self.TIMEOUT))
        return known

    def test_it_is_done_when_none_is_left(self) -> None:
        seen = [(0, Backlog(10, 0), UP), (1, Backlog(3, 0), UP), (2, Backlog(0, 0), UP)]
        assert self.flows(*seen) == [Flow.WAIT, Flow.WAIT, Flow.DONE]

    def test_it_is_done_whatever_has_happened_since(self) -> None:
        assert self.flows((1, Backlog(0, 0), NOBODY), on=False) == [Flow.DONE]

    def test_what_waits_for_a_retry_is_left_but_a_held_path_may_try_first(self) -> None:
        held = Backlog(0, 4)
        seen = [(1, held, UP), (QUIET, held, UP), (1 + QUIET, held, UP)]
        assert self.flows(*seen) == [Flow.WAIT, Flow.WAIT, Flow.LATER]

    def test_as_long_as_something_may_flow_it_waits(self) -> None:
        seen = [(tick, Backlog(1, 4), UP) for tick in (1.0, 100.0, self.TIMEOUT)]
        assert self.flows(*seen) == [Flow.WAIT] * 3

    def test_it_is_stuck_when_nothing_has_moved_for_long(self) -> None:
        seen = [(1, Backlog(9, 0), UP), (self.TIMEOUT, Backlog(9, 0), UP)]
        later = (1 + self.TIMEOUT, Backlog(9, 0), UP)
        assert self.flows(*seen, later) == [Flow.WAIT, Flow.WAIT, Flow.STUCK]

    @pytest.mark.parametrize("jenkins", [DOWN, NOBODY])
    def test_a_jenkins_that_stumbles_is_forgiven_one_that_stays_away_is_not(
        self, jenkins: Look
    ) -> None:
        some = Backlog(9, 0)
        seen = [(1, some, jenkins), (2, some, UP), (3, some, jenkins), (62, some, jenkins)]
        assert self.flows(*seen) == [Flow.WAIT] * 4
        assert self.flows(*seen, (63, some, jenkins))[-1] is Flow.GONE

    def test_a_short_timeout_forgives_for_no_longer(self) -> None:
        ebb = Ebb.begin(Backlog(1, 0), 0.0).after(Backlog(1, 0), DOWN, 1.0, on=True)
        assert ebb.judge(5.0, 5.0) is Flow.WAIT
        assert ebb.judge(6.0, 5.0) is Flow.GONE

    def test_behind_a_single_sign_on_it_flows(self) -> None:
        assert self.flows((STEADY, Backlog(9, 0), SIGN_ON)) == [Flow.WAIT]

    def test_a_valve_that_somebody_closes_ends_the_wait(self) -> None:
        assert self.flows((1, Backlog(9, 0), UP), on=False) == [Flow.CLOSED]

    @pytest.mark.parametrize(
        ("flow", "said"),
        [
            (Flow.DONE, "The backlog is through: 10 webhooks in 3.2s."),
            (Flow.LATER,
             "1 webhook left for later, by itself: a path is held or a retry not due yet."),
            (Flow.CLOSED, "Somebody has turned the valve OFF again: 1 webhook kept."),
            (Flow.GONE, "Jenkins is away again: 1 webhook kept until it is ready."),
            (Flow.STUCK, "Nothing has moved for 10m: 1 webhook left."),
        ],
    )  # fmt: skip
    def test_what_came_of_it_is_one_sentence(self, flow: Flow, said: str) -> None:
        ebb = Ebb(10, Backlog(0, 1), 0.0)
        assert ebb.verdict(flow, 3.21, self.TIMEOUT) == said
