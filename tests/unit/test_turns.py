from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from spigot.web.turns import AT_ONCE, EVERY, REFUSED_EVERY, Turns

if TYPE_CHECKING:
    from collections.abc import Callable


class Loop:
    def __init__(self) -> None:
        self.later: list[Callable[[], None]] = []

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds == EVERY
        self.later.append(call)

    def round(self) -> None:
        (call,) = self.later
        self.later = []
        call()


class Sender:
    def __init__(self, name: str, read: list[str]) -> None:
        self.name = name
        self._read = read

    def turn(self) -> None:
        self._read.append(self.name)


def turns(lefts: dict[str, int | None]) -> tuple[Loop, list[str]]:
    loop, read = Loop(), list[str]()
    given = Turns(cast("Any", loop))
    for name, left in lefts.items():
        given.wait(Sender(name, read), left)
    return loop, read


def test_who_has_the_least_left_comes_first() -> None:
    loop, read = turns({"large": 20_000_000, "nearly done": 5, "new": 900_000})
    loop.round()
    assert read == ["nearly done", "new", "large"]


def test_of_those_with_as_much_left_the_first_comes_first() -> None:
    loop, read = turns({"first": 1, "second": 1, "third": 1})
    loop.round()
    assert read == ["first", "second", "third"]


def test_each_round_a_few_have_their_turn_and_all_have_it_in_the_end() -> None:
    loop, read = turns({str(number): number for number in range(2 * AT_ONCE + 1)})
    rounds = []
    while loop.later:
        loop.round()
        rounds.append(len(read))
    assert rounds == [AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 1]


def test_who_was_refused_has_a_turn_now_and_then() -> None:
    loop, read = turns({"refused": None, "another": None, "sender": 1})
    rounds = []
    while loop.later:
        loop.round()
        rounds.append(list(read))
    assert rounds[0] == ["sender"]
    assert rounds[REFUSED_EVERY - 1] == ["sender", "refused"]
    assert rounds[-1] == ["sender", "refused", "another"]
    assert len(rounds) == 2 * REFUSED_EVERY


def test_while_nobody_waits_nothing_runs() -> None:
    loop = Loop()
    given = Turns(cast("Any", loop))
    read: list[str] = []
    for _ in range(3):
        given.wait(Sender("one", read), 1)
        loop.round()
        assert not loop.later
    assert read == ["one"] * 3
