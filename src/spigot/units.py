"""Durations and sizes as people write them: ``1h30m``, ``25MiB``."""

from __future__ import annotations

import re
from fractions import Fraction

DURATION = "a duration such as 90s, 30m, 2h, 7d or 1h30m, or a plain number of seconds"
"""How a duration is written, for error messages."""
SIZE = "a size such as 25MiB or 2GB (kB, MB, GB, KiB, MiB, GiB), or a plain number of bytes"
"""How a size is written, for error messages."""

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile("".join(f"(?:({_NUMBER}){unit})?" for unit in _SECONDS))
_LONGEST = 36500 * 86400
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(f"({_NUMBER}) ?([a-z]+)")
_LARGEST = 2**63 - 1


def parse_duration(value: str | float) -> float:
    """Read a duration, in seconds.

    Args:
        value: A number of seconds, or text: parts from days down to seconds, or a plain number.

    Raises:
        ValueError: It is not a duration, negative, or longer than a hundred years.
        TypeError: It is neither text nor a number.
    """
    _only(value, str, int, float)
    seconds: float | None = None
    if not isinstance(value, str):
        seconds = value
    elif re.fullmatch(_NUMBER, value):
        seconds = float(value)
    elif value and (match := _DURATION.fullmatch(value)):
        parts = zip(match.groups(), _SECONDS.values(), strict=True)
        seconds = float(sum(Fraction(number) * unit for number, unit in parts if number))
    if seconds is None or not 0 <= seconds <= _LONGEST:
        raise ValueError(f"{value!r} is not {DURATION}")
    return float(seconds)


def format_duration(seconds: float) -> str:
    """Write a duration: ``1d1h1m1s``; whole seconds from a minute on, milliseconds below."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if (small := round(seconds, 3)) < 60:
        return f"{small:.3f}".rstrip("0").rstrip(".") + "s"
    rest, parts = round(seconds), ""
    for name, unit in _SECONDS.items():
        number, rest = divmod(rest, unit)
        parts += f"{number}{name}" if number else ""
    return parts


def parse_size(value: str | int) -> int:
    """Read a size, in bytes; a fraction of a byte is cut off.

    Args:
        value: A number of bytes, or text: a number and a unit in any case, or a plain number.

    Raises:
        ValueError: It is not a size, negative, or beyond 64 bits.
        TypeError: It is neither text nor a whole number.
    """
    _only(value, str, int)
    size: int | None = None
    if not isinstance(value, str):
        size = value
    elif re.fullmatch("[0-9]{1,19}", value):
        size = int(value)
    elif (match := _SIZE.fullmatch(value.lower())) and match[2] in _BYTES:
        size = int(Fraction(match[1]) * _BYTES[match[2]])
    if size is None or not 0 <= size <= _LARGEST:
        raise ValueError(f"{value!r} is not {SIZE}")
    return size


def format_size(size: int) -> str:
    """Write a size in the largest binary unit it fills, to one decimal: ``1.4GiB``, ``512B``."""
    for name in ("GiB", "MiB", "KiB"):
        if size >= (unit := _BYTES[name.lower()]):
            return f"{size / unit:.1f}".removesuffix(".0") + name
    return f"{size}B"


def _only(value: object, *types: type) -> None:
    # True is an int to Python, and never a duration or a size to a person.
    if isinstance(value, bool) or not isinstance(value, types):
        raise TypeError(f"{value!r} is of the wrong type")
