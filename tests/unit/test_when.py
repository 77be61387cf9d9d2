"""Times as people write them."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from spigot.commands.when import read_back, read_length, read_time, read_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local clock that is not UTC and changes twice a year."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def utc(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


NOON = utc("2026-03-01T11:00")  # 12:00 in Berlin


class TestUntil:
    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("14:30", "2026-03-01T13:30"),
            ("12:00", "2026-03-02T11:00"),
            ("9:05", "2026-03-02T08:05"),
            ("2026-03-01T14:30", "2026-03-01T13:30"),
            ("2026-03-01T14:30Z", "2026-03-01T14:30"),
            ("2026-03-01 14:30+05:00", "2026-03-01T09:30"),
            ("2026-07-01", "2026-06-30T22:00"),
        ],
    )
    def test_a_time_to_come_is_local_unless_it_names_its_zone(self, text: str, meant: str) -> None:
        assert read_until(text, utc("2026-03-01T09:00") if "+05" in text else NOON) == utc(meant)

    def test_a_time_of_day_stays_itself_when_the_clocks_change_over_night(self) -> None:
        assert read_until("08:00", utc("2026-03-28T20:00")) == utc("2026-03-29T06:00")

    @pytest.mark.parametrize(
        ("text", "word"),
        [("2026-03-01T11:59", "past"), ("25:00", "HH:MM"), ("soon", "HH:MM"), ("", "HH:MM")],
    )
    def test_what_is_no_time_to_come_is_refused(self, text: str, word: str) -> None:
        with pytest.raises(ValueError, match=word):
            read_until(text, NOON)


class TestBack:
    def test_a_duration_goes_back_from_now(self) -> None:
        assert read_back("2h", NOON) == NOON - 7200

    def test_an_iso_time_is_taken_as_it_stands(self) -> None:
        assert read_back("2026-02-28T12:00", NOON) == utc("2026-02-28T11:00")

    def test_anything_else_is_refused(self) -> None:
        with pytest.raises(ValueError, match="neither"):
            read_back("yesterday", NOON)


@pytest.mark.parametrize(
    ("read", "text"),
    [(read_length, "0"), (read_length, "long"), (read_back, "-1h")],
)
def test_a_duration_that_is_none_is_refused(read: Callable[[str, float], float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        read(text, NOON)


def test_a_time_beyond_all_clocks_is_refused() -> None:
    with pytest.raises(ValueError, match="is not"):
        read_time("0001-01-01T00:00")
