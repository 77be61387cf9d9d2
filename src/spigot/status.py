"""What stands where, in one object and in words: the same for the command, the API and the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from spigot.units import format_duration

if TYPE_CHECKING:
    from spigot.ports import Panel
    from spigot.stores.panel import Counts
    from spigot.valve import ValveRow


def iso(seconds: float | None) -> str | None:
    """Return UNIX seconds as ISO 8601 in UTC, such as ``2026-03-01T12:00:00.000Z``."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def webhooks(number: int) -> str:
    """Return so many webhooks in words: ``1 webhook``, ``12 webhooks``."""
    return "1 webhook" if number == 1 else f"{number} webhooks"


def status_of(panel: Panel, *, serving: bool, now: float) -> dict[str, Any]:
    """Return the status object as a store's panel shows it; see `status`."""
    return status(panel.valve(), panel.counts(), panel.report(), serving=serving, now=now)


def status(
    valve: ValveRow, counts: Counts, report: dict[str, Any], *, serving: bool, now: float
) -> dict[str, Any]:
    """Return the status object of the contract.

    Args:
        valve: The valve as it stands now.
        counts: How many webhooks stand where.
        report: What the gateway reported last; see `report.Reporter`.
        serving: Whether a gateway runs. If not, its report is history.
        now: UNIX seconds.
    """
    jenkins = report.get("jenkins", "unknown") if serving else "unknown"
    evidence = (
        report.get("evidence", "not asked yet") if serving else "`spigot serve` is not running"
    )
    held = report.get("paths_held", {}) if serving else {}
    flowing = serving and valve.on and jenkins != "not ready" and not report.get("halted")
    oldest = counts.oldest_received_at
    known = {
        "valve": valve.word,
        "reason": valve.reason or None,
        "since": iso(valve.since),
        "until": iso(valve.until),
        "jenkins": jenkins,
        "jenkins_since": iso(report.get("jenkins_since")) if serving else None,
        "evidence": evidence,
        "flowing": flowing,
        "paths_held": held,
        "waiting": counts.waiting,
        "dead": counts.dead,
        "delivered": counts.delivered,
        "oldest_waiting_s": None if oldest is None else round(max(0.0, now - oldest), 3),
    }
    halted = report.get("halted") if serving else None
    known["next"] = _next(known, valve, serving=serving, halted=halted, now=now)
    return known


def _next(
    known: dict[str, Any], valve: ValveRow, *, serving: bool, halted: str | None, now: float
) -> str:
    """Say what happens next."""
    waiting = known["waiting"]
    kept = webhooks(waiting)
    if not serving:
        return f"nothing is taken in or delivered until `spigot serve` runs; {kept} waiting"
    if not valve.on:
        if valve.until is None:
            return f"{kept} kept until `spigot on`"
        left = format_duration(max(1, round(valve.until - now)))
        return f"{kept} kept until `spigot on`, or by itself in {left}"
    if halted:
        return f"no attempt is made until the store works again: {halted}"
    if known["jenkins"] == "not ready":
        return f"{kept} kept until Jenkins is ready; it is asked every second"
    held = len(known["paths_held"])
    paths = "1 path is" if held == 1 else f"{held} paths are"
    tail = f"; {paths} held and tried again by itself" if held else ""
    if known["jenkins"] == "unknown":
        return f"{kept} delivered one at a time until Jenkins is known to be ready{tail}"
    if waiting:
        return f"{kept} on the way to Jenkins{tail}"
    return f"webhooks flow straight to Jenkins{tail}"
