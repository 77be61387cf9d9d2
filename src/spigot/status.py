"""What stands where, in one object and in words: the same for the command, the API and the page."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from spigot.times import iso, local, local_second
from spigot.units import format_duration

if TYPE_CHECKING:
    from spigot.ports import Panel
    from spigot.stores.panel import Counts
    from spigot.valve import ValveRow


def webhooks(number: int) -> str:
    """Return so many webhooks in words: ``1 webhook``, ``12 webhooks``."""
    return "1 webhook" if number == 1 else f"{number} webhooks"


def status_of(panel: Panel, *, serving: bool, now: float) -> dict[str, Any]:
    """Return the status object as a store's panel shows it; see `status`."""
    return status(panel.valve(), panel.counts(), panel.report(), serving=serving, now=now)


def status(
    valve: ValveRow,
    counts: Counts,
    report: dict[str, Any],
    *,
    serving: bool,
    now: float,
    approximate: bool = False,
) -> dict[str, Any]:
    """Return the status object of the contract.

    Args:
        valve: The valve as it stands now.
        counts: How many webhooks stand where.
        report: What the gateway reported last; see `report.Reporter`.
        serving: Whether a gateway runs. If not, its report is history.
        now: UNIX seconds.
        approximate: Whether the counts are about right only; said in words and in a key more.
    """
    jenkins = report.get("jenkins", "unknown") if serving else "unknown"
    evidence = _evidence(report, now) if serving else "`spigot serve` is not running"
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
    if approximate:
        known["approximate"] = True
    failed = report.get("notices") if serving else ""
    tail = f"; pull requests are not told: {failed}" if failed else ""
    known["next"] = _next(known, valve, report if serving else None, now) + tail
    return known


def summary(known: dict[str, Any], now: float) -> str:
    """Say in one line what is going on, on the local clock.

    Such as ``OFF since 14:02 (upgrade), on again at 14:32; Jenkins starting for 40s; 312 webhooks
    waiting, the oldest for 9m``.

    Args:
        known: What `status` returned.
        now: UNIX seconds.
    """
    valve = f"{known['valve']} since {_local(known['since'], now)}"
    if known["reason"]:
        valve += f" ({known['reason']})"
    if known["until"]:
        valve += f", on again at {_local(known['until'], now)}"
    jenkins = f"Jenkins {_phase(known)}"
    if known["jenkins_since"]:
        jenkins += f" for {format_duration(max(0, round(now - _seconds(known['jenkins_since']))))}"
    waiting = f"{counted(known)} waiting"
    if known["oldest_waiting_s"] is not None:
        waiting += f", the oldest for {format_duration(known['oldest_waiting_s'] // 1)}"
    return f"{valve}; {jenkins}; {waiting}"


def counted(known: dict[str, Any]) -> str:
    """Say how many webhooks wait, and whether that is about right only.

    Args:
        known: What `status` returned.
    """
    return ("about " if known.get("approximate") else "") + webhooks(known["waiting"])


def _phase(known: dict[str, Any]) -> str:
    """Name what Jenkins is doing: what follows from the evidence, if it says so."""
    if known["jenkins"] != "not ready":
        return str(known["jenkins"])
    _, _, follows = known["evidence"].partition(", ")
    return follows or "not ready"


def _evidence(report: dict[str, Any], now: float) -> str:
    """Say what was seen of Jenkins and since when: ``503 since 14:02:11, starting``."""
    evidence, since = report.get("evidence", "not asked yet"), report.get("evidence_since")
    if not since:
        return str(evidence)
    seen, comma, follows = evidence.partition(", ")
    asked_at = report.get("asked_at")  # by whoever is not there all the time
    asked = f" (asked {format_duration(max(0, round(now - asked_at)))} ago)" if asked_at else ""
    return f"{seen} since {local_second(since, now)}{asked}{comma}{follows}"


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _local(time: str, now: float) -> str:
    return local(_seconds(time), now)


def _next(known: dict[str, Any], valve: ValveRow, report: dict[str, Any] | None, now: float) -> str:
    """Say what happens next; without a report, no gateway runs."""
    waiting = known["waiting"]
    kept = counted(known)
    if report is None:
        return f"nothing is taken in or delivered until `spigot serve` runs; {kept} waiting"
    if not valve.on:
        if valve.until is None:
            return f"{kept} kept until `spigot on`"
        left = format_duration(max(1, round(valve.until - now)))
        return f"{kept} kept until `spigot on`, or by itself in {left}"
    if halted := report.get("halted"):
        return f"no attempt is made until the store works again: {halted}"
    if known["jenkins"] == "not ready":
        asked = report.get("asked", "every second")
        return f"{kept} kept until Jenkins is ready; it is asked {asked}"
    held = len(known["paths_held"])
    paths = "1 path is" if held == 1 else f"{held} paths are"
    tail = f"; {paths} held and tried again by itself" if held else ""
    if known["jenkins"] == "unknown":
        return f"{kept} delivered one at a time until Jenkins is known to be ready{tail}"
    if slow := report.get("slow"):
        return f"{kept} delivered one a second at most: {slow}{tail}"
    if waiting:
        return f"{kept} on the way to Jenkins{tail}"
    return f"webhooks flow straight to Jenkins{tail}"
