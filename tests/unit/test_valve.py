"""The valve as it stands: an OFF with an end is ON once its time is over."""

from hypothesis import given
from hypothesis import strategies as st

from spigot.valve import ValveRow, effective

OFF = ValveRow(on=False, reason="upgrade", since=100.0, until=200.0, version=7)


def test_a_new_valve_is_on() -> None:
    assert ValveRow().word == "ON"
    assert OFF.word == "OFF"


def test_an_off_holds_until_its_time_is_over() -> None:
    assert effective(OFF, 199.9) == OFF


def test_then_it_is_on_since_that_time_and_forgets_its_reason() -> None:
    assert effective(OFF, 200.0) == ValveRow(on=True, reason="", since=200.0, until=None, version=7)
    assert effective(OFF, 9999.0).since == 200.0


def test_an_off_without_an_end_does_not_end() -> None:
    row = OFF._replace(until=None)
    assert effective(row, 1e12) == row


def test_an_end_means_nothing_to_a_valve_that_is_on() -> None:
    row = OFF._replace(on=True)
    assert effective(row, 1e12) == row


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_asking_again_changes_nothing(now: float, later: float) -> None:
    once = effective(OFF, now)
    assert effective(once, now) == once
    if later >= now:
        assert effective(once, later) == effective(OFF, later)
