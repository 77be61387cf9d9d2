"""The checker of the fault tests: what it reports, and what it lets pass for which reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.checker import PERFECT, Checker, Rules
from support.records import Cause, Sent, Taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.checker import Findings

RULES = Rules(patience=2.0, recall=5.0, notice=1.0, harmless="h", parallel=2)
MARK = "0123456789abcdef"


def check(
    taken: Sequence[Taken], *causes: Cause, sent: Sequence[Sent] = (), dead: Sequence[str] = ()
) -> tuple[Findings, dict[str, int]]:
    """Check arrivals of the lanes ``h`` and ``t``, of which three each were promised."""
    checker = Checker(RULES, causes)
    checker.add_sent(sent or [Sent(lane, number, MARK, 1) for lane in "ht" for number in range(3)])
    checker.add_taken(taken)
    return checker.findings(dead), dict(checker.explained)


def took(at: float, number: int, lane: str = "h", *, boot: int = 0, seconds: float = 0.0) -> Taken:
    return Taken(at, at + seconds, boot, lane, number, MARK)


def all_of(lane: str, at: float = 0.0) -> list[Taken]:
    return [took(at + number, number, lane) for number in range(3)]


EVERYTHING = [*all_of("h"), *all_of("t", 10.0)]


def test_everything_once_and_in_order_is_perfect() -> None:
    assert check(EVERYTHING) == (PERFECT, {})


def test_what_never_came_is_lost() -> None:
    found, _ = check(EVERYTHING[1:])
    assert found == PERFECT._replace(lost=["h#0"])


def test_what_is_dead_or_dropped_is_not_lost() -> None:
    dropped = Cause(3.0, "drop", "h#0")
    assert check(EVERYTHING[2:], dropped, dead=["h#1"]) == (PERFECT, {})


def test_what_was_not_promised_may_be_missing() -> None:
    assert check([], sent=[Sent("h", 0, MARK, 3, promised=False)]) == (PERFECT, {})


def test_what_comes_after_a_later_one_of_its_lane_is_overtaken() -> None:
    found, _ = check([took(0, 1), took(1, 0), took(2, 2), *all_of("t")])
    assert found == PERFECT._replace(overtaken=["h#0"])


def test_a_dead_one_that_was_replayed_may_come_late() -> None:
    replay = Cause(2.5, "replay", "h#0")
    assert check([took(1, 1), took(2, 2), took(3, 0), *all_of("t")], replay) == (PERFECT, {})


def test_what_was_never_sent_is_strange() -> None:
    found, _ = check([*EVERYTHING, took(20, 3), took(20, 0, "x")])
    assert found == PERFECT._replace(strange=["h#3", "x#0"])


def test_another_digest_is_altered() -> None:
    found, _ = check([EVERYTHING[0]._replace(digest="0" * 16), *EVERYTHING[1:]])
    assert found == PERFECT._replace(altered=["h#0"])


AGAIN = took(5.0, 2)
"""After the last of its lane, three seconds later."""


def repeated(*causes: Cause, before: Sequence[Taken] = EVERYTHING[:3], again: Taken = AGAIN) -> str:
    """Return what explains a repetition: ``nothing`` if nothing does."""
    found, explained = check([*before, again, *all_of("t")], *causes)
    assert found.duplicates == 1
    assert bool(found.unexplained) is ("nothing" in explained)
    assert found._replace(duplicates=0, unexplained=[]) == PERFECT
    (why,) = explained
    return why


def test_a_repetition_without_a_cause_is_reported() -> None:
    assert repeated() == "nothing"


@pytest.mark.parametrize("kind", ["kill: at random", "stop", "network: reset"])
def test_what_cut_an_attempt_off_explains_a_repetition(kind: str) -> None:
    assert repeated(Cause(3.0, kind)) == kind


@pytest.mark.parametrize("at", [1.5, 5.5])
def test_what_happened_before_or_after_explains_nothing(at: float) -> None:
    assert repeated(Cause(at, "kill: at random")) == "nothing"


def test_what_was_settled_long_ago_is_not_explained_by_a_kill() -> None:
    # The next of its lane had come: it was not on its way any more.
    assert repeated(Cause(3.0, "kill: at random"), again=took(5.0, 1)) == "nothing"


def test_one_kill_explains_no_more_than_were_on_their_way() -> None:
    sent = [Sent(f"t{lane}", 0, MARK, 1) for lane in range(3)]
    first = [took(1, 0, one.lane) for one in sent]
    again = [took(3, 0, one.lane) for one in sent]
    found, explained = check([*first, *again], Cause(2.0, "kill: at random"), sent=sent)
    assert explained == {"kill: at random": 2, "nothing": 1}
    assert len(found.unexplained) == 1


def test_an_answer_that_took_too_long_explains_a_repetition() -> None:
    before = [*EVERYTHING[:2], took(2, 2, seconds=2.5)]
    assert repeated(before=before) == "timeout"


def test_a_replay_explains_one_repetition() -> None:
    assert repeated(Cause(4.0, "replay", "h#2")) == "replay"
    found, explained = check([*EVERYTHING, AGAIN, took(6, 2)], Cause(4.0, "replay", "h#2"))
    assert explained == {"replay": 1, "nothing": 1}
    assert len(found.unexplained) == 1


def test_a_sender_that_sent_twice_explains_one_repetition() -> None:
    sent = [Sent("h", 0, MARK, 2)]
    found, explained = check([took(1, 0), took(2, 0), took(3, 0)], sent=sent)
    assert explained == {"sent again by its sender": 1, "nothing": 1}
    assert len(found.unexplained) == 1


def test_a_restart_explains_what_was_taken_shortly_before_it() -> None:
    assert repeated(Cause(3.0, "boot"), again=took(5, 2, boot=1)) == "restart of Jenkins"
    assert repeated(Cause(8.0, "boot"), again=took(9, 2, boot=1)) == "nothing"


def test_a_restart_explains_what_the_new_boot_took_before_it_was_noticed() -> None:
    before = [*EVERYTHING[:2], took(2, 2, boot=1)]
    assert repeated(Cause(1.5, "boot"), before=before, again=took(5, 2, boot=1)) == (
        "restart of Jenkins"
    )
    assert repeated(Cause(0.5, "boot"), before=before, again=took(5, 2, boot=1)) == "nothing"


def test_a_restart_explains_nothing_where_a_repetition_does_harm() -> None:
    again = took(15, 2, "t", boot=1)
    found, explained = check([*EVERYTHING, again], Cause(13.0, "boot"))
    assert explained == {"nothing": 1}
    assert len(found.unexplained) == 1


def test_a_clock_that_moved_makes_a_restart_explain_more() -> None:
    moved, boot = Cause(1.0, "clock"), Cause(8.0, "boot")
    why = repeated(moved, boot, again=took(9, 2, boot=1))
    assert why == "restart of Jenkins, the clock moved"
