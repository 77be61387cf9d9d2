"""The valve as variables of a stage: what is written is read again, in what a value may hold."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.aws.variables import LONGEST, NOTE, STATE, UNTIL, row_of, variables_of
from spigot.errors import SpigotError
from spigot.valve import ValveRow

ALLOWED = re.compile(r"[A-Za-z0-9._~:/?#&=,-]+")
SINCE, THEN = 1_800_000_000.125, 1_800_001_800.5


@given(st.text(max_size=40), st.sampled_from([None, THEN]), st.integers(0, 10**9))
def test_an_off_is_read_as_it_was_written(reason: str, until: float | None, version: int) -> None:
    try:
        variables = variables_of(ValveRow(False, reason, SINCE, until, version))
    except UnicodeEncodeError:  # a lone surrogate: no text
        return
    assert all(ALLOWED.fullmatch(value) for value in variables.values())
    assert row_of(variables) == (False, reason, SINCE, until, version)


def test_the_variables_can_be_read_by_a_person() -> None:
    row = ValveRow(False, "upgrade to 2.500: ok_then", SINCE, THEN, 3)
    assert variables_of(row) == {
        STATE: "OFF",
        UNTIL: "2027-01-15T08:30:00.500Z",
        NOTE: "since=2027-01-15T08:00:00.125Z&version=3&reason=upgrade_to_2.500:_ok~5Fthen",
    }


def test_an_on_has_neither_reason_nor_end() -> None:
    written = variables_of(ValveRow(False, "work", SINCE, THEN, 3)) | {STATE: "ON"}
    assert row_of(written) == (True, "", SINCE, None, 3)


@pytest.mark.parametrize(
    ("variables", "on"),
    [({}, True), ({STATE: "off"}, False), ({STATE: "OFF"}, False), ({STATE: "ON"}, True)],
)
def test_the_state_alone_is_enough(variables: dict[str, str], *, on: bool) -> None:
    assert row_of(variables) == (on, "", 0.0, None, 0)


def test_what_was_spoilt_by_hand_counts_as_not_said() -> None:
    spoilt = {STATE: "OFF", UNTIL: "tomorrow", NOTE: "since=x&version=-1&reason"}
    assert row_of(spoilt) == (False, "", 0.0, None, 0)


def test_a_reason_that_does_not_fit_is_refused() -> None:
    fits = ValveRow(False, "x" * 400, SINCE, None, 3)
    assert len(variables_of(fits)[NOTE]) <= LONGEST
    with pytest.raises(SpigotError, match="too long"):
        variables_of(fits._replace(reason="ä" * 100))
