"""The valve: ON lets webhooks flow to Jenkins, OFF keeps them. Pure; the stores keep its row."""

from __future__ import annotations

from typing import NamedTuple


class ValveRow(NamedTuple):
    """The valve as somebody set it last.

    Attributes:
        on: Whether it was set to ON.
        reason: Why, in a person's words; empty if none were given.
        since: When it was set, UNIX seconds.
        until: When an OFF ends by itself, UNIX seconds; None if it does not.
        version: Grows with each change, so that a gateway can say which one it has carried out.
    """

    on: bool = True
    reason: str = ""
    since: float = 0.0
    until: float | None = None
    version: int = 0

    @property
    def word(self) -> str:
        """``ON`` or ``OFF``, as set."""
        return "ON" if self.on else "OFF"


def effective(row: ValveRow, now: float) -> ValveRow:
    """Return the valve as it stands at `now`: an OFF whose time is over is ON since then.

    Nobody has to be running for that: the row on disk says it all, across any restart.
    """
    if not row.on and row.until is not None and row.until <= now:
        return row._replace(on=True, reason="", since=row.until, until=None)
    return row
