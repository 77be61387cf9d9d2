"""How answers slow down under strain, in numbers."""

from __future__ import annotations

import pytest

from spigot.practice.strain import Strain, Work

STRAIN = Strain(answer=1.0, doubled_at=3)


class TestStrain:
    @pytest.mark.parametrize(("in_progress", "seconds"), [(1, 1.0), (2, 1.5), (3, 2.0), (5, 3.0)])
    def test_each_takes_longer_the_more_there_are(self, in_progress: int, seconds: float) -> None:
        assert STRAIN.seconds(in_progress) == seconds

    def test_it_bears_most_just_before_it_breaks(self) -> None:
        assert STRAIN.breaks_at == 6
        assert STRAIN.bearable == STRAIN.rate(5) == 5 / 3
        rates = [STRAIN.rate(number) for number in range(1, 6)]
        assert rates == sorted(rates)

    def test_it_bears_so_many_a_second(self) -> None:
        assert Strain(answer=0.010, doubled_at=8).bearable == pytest.approx(500)

    @pytest.mark.parametrize(
        ("answer", "doubled_at", "restart_seconds"), [(0.0, 2, 1.0), (1.0, 1, 1.0), (1.0, 2, -1.0)]
    )
    def test_what_is_no_strain_is_named(
        self, answer: float, doubled_at: int, restart_seconds: float
    ) -> None:
        with pytest.raises(ValueError, match="is no strain"):
            Strain(answer, doubled_at, restart_seconds)


class TestWork:
    def test_one_alone_takes_the_time_of_one(self) -> None:
        work = Work[str](STRAIN)
        work.begin("a", 10.0)
        assert work.left(10.0) == 1.0
        assert work.left(10.5) == 0.5
        assert work.take_done(10.75) == []
        assert work.take_done(11.0) == ["a"]
        assert (len(work), work.left(11.0)) == (0, None)

    def test_those_together_are_done_together_and_in_the_order_in_which_they_began(self) -> None:
        work = Work[str](STRAIN)
        for name in "abc":
            work.begin(name, 0.0)
        assert work.left(0.0) == 2.0
        assert work.take_done(1.75) == []
        assert work.take_done(2.0) == ["a", "b", "c"]

    def test_what_is_left_goes_on_at_the_speed_of_those_that_are_left(self) -> None:
        work = Work[str](STRAIN)
        work.begin("a", 0.0)
        work.begin("b", 0.5)
        # Half of the first is left, and two take 1.5 s each.
        assert work.left(0.5) == 0.75
        assert work.take_done(1.25) == ["a"]
        # Half of the second is left, and it is alone.
        assert work.left(1.25) == 0.5
        assert work.take_done(1.75) == ["b"]

    def test_as_many_as_it_bears_end_at_the_rate_it_bears(self) -> None:
        work = Work[int](STRAIN)
        for number in range(STRAIN.breaks_at - 1):
            work.begin(number, number / STRAIN.bearable)
        now, done = 100.0, 0
        work.take_done(now)
        for number in range(STRAIN.breaks_at - 1):
            work.begin(number, now)
            now += 1 / STRAIN.bearable / 5
        began = now
        for number in range(300):
            left = work.left(now)
            assert left is not None
            now += left
            for _ in work.take_done(now):
                done += 1
                work.begin(number, now)
        assert done / (now - began) == pytest.approx(STRAIN.bearable, rel=0.02)

    def test_time_without_any_is_nobodys(self) -> None:
        work = Work[str](STRAIN)
        work.begin("a", 0.0)
        work.take_done(1.0)
        work.begin("b", 100.0)
        assert work.left(100.0) == 1.0

    def test_all_can_be_taken_out_at_once(self) -> None:
        work = Work[str](STRAIN)
        work.begin("a", 0.0)
        work.begin("b", 0.0)
        assert work.take_all() == ["a", "b"]
        assert (len(work), work.take_all(), work.left(1.0)) == (0, [], None)
