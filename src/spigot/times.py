"""Points in time as they are written: for programs in UTC, for people on the local clock. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(seconds: float | None) -> str | None:
    """Return UNIX seconds as ISO 8601 in UTC, such as ``2026-03-01T12:00:00.000Z``."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def local(seconds: float, now: float) -> str:
    """Return a time on the local clock: ``14:02`` if it is of today, else with its date."""
    at, here = datetime.fromtimestamp(seconds), datetime.fromtimestamp(now)
    return at.strftime("%H:%M" if at.date() == here.date() else "%Y-%m-%d %H:%M")


def local_second(seconds: float, now: float | None = None) -> str:
    """Return a time on the local clock with its seconds; without its date if it is of today.

    Args:
        seconds: UNIX seconds.
        now: The present, to leave out the date of today; None to show it always.
    """
    at = datetime.fromtimestamp(seconds)
    today = now is not None and at.date() == datetime.fromtimestamp(now).date()
    return at.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
