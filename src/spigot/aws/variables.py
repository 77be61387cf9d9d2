"""The valve as variables of an API's stage. Pure.

``spigot_state`` is the valve: ``ON`` or ``OFF``. ``spigot_until`` says when an OFF ends by itself,
or ``never``; ``spigot_note`` says since when, why, and how often it was set, such as
``since=2026-03-01T12:00:00.000Z&version=3&reason=upgrade_of_Jenkins``. A variable holds letters,
digits and ``-._~:/?#&=,`` alone, 512 of them at most (API Gateway's reference): so it is a query
whose ``+`` and ``%`` are written ``_`` and ``~``.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

from spigot.errors import SpigotError
from spigot.times import iso
from spigot.valve import ValveRow

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE = "spigot_state"
UNTIL = "spigot_until"
NOTE = "spigot_note"

NEVER = "never"
LONGEST = 512


def row_of(variables: Mapping[str, str]) -> ValveRow:
    """Return the valve that variables describe.

    Whatever else is missing or was spoilt by hand counts as not said: the state alone is never in
    doubt. A valve that somebody turns ON by hand has neither reason nor end.
    """
    on = variables.get(STATE, "ON").upper() != "OFF"
    note = parse_qs(variables.get(NOTE, "").replace("~", "%").replace("_", "+"))

    def said(name: str) -> str:
        return note.get(name, [""])[-1]

    version = said("version")
    return ValveRow(
        on,
        reason="" if on else said("reason"),
        since=_seconds(said("since")) or 0.0,
        until=None if on else _seconds(variables.get(UNTIL, NEVER)),
        version=int(version) if version.isdecimal() else 0,
    )


def variables_of(row: ValveRow) -> dict[str, str]:
    """Return the variables that describe a valve.

    Raises:
        SpigotError: Its reason is too long to be kept.
    """
    known = {"since": iso(row.since), "version": row.version, "reason": row.reason}
    text = urlencode({name: value for name, value in known.items() if value}, safe=":")
    note = text.replace("~", "%7E").replace("_", "%5F").replace("+", "_").replace("%", "~")
    if len(note) > LONGEST:
        raise SpigotError(
            f"The reason is too long for a variable of the API's stage, by about"
            f" {len(note) - LONGEST} characters: give a shorter one."
        )
    return {STATE: row.word, UNTIL: iso(row.until) or NEVER, NOTE: note}


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
