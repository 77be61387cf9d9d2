"""Points in time as people write them. Pure: the present is passed in."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from spigot.units import DURATION, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

_ISO = "a time such as 2026-03-01T12:00 (local, unless it ends in Z or an offset)"


def read_time(text: str) -> float:
    """Read an ISO 8601 time, UNIX seconds; local where it names no zone.

    Raises:
        ValueError: It is none.
    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is not {_ISO}") from None


def read_until(text: str, now: float) -> float:
    """Read a time to come: ISO 8601, or ``HH:MM`` for the next such time on the local clock.

    Raises:
        ValueError: It is none, or not after `now`.
    """
    if match := re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text):
        here = datetime.fromtimestamp(now)
        at = here.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
        return (at if at > here else at + timedelta(days=1)).timestamp()
    try:
        until = read_time(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither HH:MM nor {_ISO}") from None
    if until <= now:
        raise ValueError(f"{text!r} is in the past")
    return until


def read_back(text: str, now: float) -> float:
    """Read a time gone by: ISO 8601, or a duration back from `now`.

    Raises:
        ValueError: It is neither.
    """
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return read_time(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither {_ISO} nor {DURATION}") from None


def read_length(text: str, _now: float) -> float:
    """Read a duration above 0, seconds.

    Raises:
        ValueError: It is none.
    """
    if not (seconds := parse_duration(text)):
        raise ValueError(f"{text!r} is no time at all")
    return seconds


def reads(read: Callable[[str, float], float]) -> Callable[..., float | None]:
    """Return an option's callback that reads its value; what cannot be read is wrong usage."""

    def callback(
        context: click.Context, option: click.Parameter, value: str | None
    ) -> float | None:
        try:
            return None if value is None else read(value, time.time())
        except ValueError as error:
            raise click.BadParameter(f"{error}.", context, option) from None

    return callback
