"""Points in time, written for programs and for people."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from spigot.times import iso, local, local_second

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = 1772366400.0  # 2026-03-01 12:00 UTC


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the local clock an hour before UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def test_programs_read_iso_8601_in_utc() -> None:
    assert iso(NOON) == "2026-03-01T12:00:00.000Z"
    assert iso(NOON + 0.0404) == "2026-03-01T12:00:00.040Z"
    assert iso(None) is None


def test_people_read_their_own_clock_and_no_date_for_today() -> None:
    assert local(NOON - 60, NOON) == "12:59"
    assert local(NOON - 86400, NOON) == "2026-02-28 13:00"


def test_seconds_are_shown_where_they_matter() -> None:
    assert local_second(NOON - 9, NOON) == "12:59:51"
    assert local_second(NOON - 86400, NOON) == "2026-02-28 13:00:00"
    assert local_second(NOON) == "2026-03-01 13:00:00"
