"""How the status and webhooks look: for people, masked and printable, and as JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from spigot.commands.tables import Column, table
from spigot.commands.when import read_time
from spigot.masking import mask_headers, mask_path, mask_query, mask_text, printable, secrets_of
from spigot.status import summary, webhooks
from spigot.times import iso, local, local_second
from spigot.units import format_duration, format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spigot.stores.history import Detail, Entry, Try

_GOOD, _BAD, _DOUBT = "green", "red", "yellow"
_COLOURS = {"ON": _GOOD, "OFF": _DOUBT, "ready": _GOOD, "not ready": _BAD, "unknown": _DOUBT}

ENTRY_COLUMNS = (
    Column("ID"),
    Column("RECEIVED"),
    Column("STATE"),
    Column("EVENT", cut="end"),
    Column("LANE", cut="start"),
    Column("ATTEMPTS"),
    Column("REASON", cut="end"),
)
_TRY_COLUMNS = tuple(map(Column, ("", "AT", "TOOK", "ANSWER", "DECISION", "REASON")))


def status(known: dict[str, Any], now: float) -> str:
    """Return the status object in a few lines of words; coloured, which `click.echo` can undo.

    Args:
        known: What `spigot.status.status` returned.
        now: UNIX seconds.
    """
    rows = [
        ("Valve", _word(known["valve"]) + printable(summary(known, now)[len(known["valve"]) :])),
        (
            "Jenkins",
            _word(known["jenkins"]) + _since(known["jenkins_since"], now)
            + printable(f" ({known['evidence']})"),
        ),
        ("Webhooks", _numbers(known)),
        *(
            ("Held", click.style(printable(path), fg=_DOUBT) + printable(f": {why}"))
            for path, why in known["paths_held"].items()
        ),
        ("Next", printable(known["next"])),
    ]  # fmt: skip
    return "\n".join(f"{click.style(f'{name:8}', bold=True)}  {text}" for name, text in rows)


def entry_object(entry: Entry) -> dict[str, Any]:
    """Return a webhook of a list as JSON has it: times ISO 8601 UTC, tokens in paths masked."""
    return {
        "id": entry.id,
        "state": str(entry.state),
        "received": iso(entry.received_at),
        "hook": mask_path(entry.hook),
        "path": mask_path(entry.path),
        "provider": entry.provider,
        "event": entry.event,
        "delivery": entry.delivery,
        "lane": entry.lane,
        "size": entry.size,
        "attempts": entry.attempts,
        "reason": entry.reason,
        "status": entry.status,
        "ended": iso(entry.ended_at),
        "resolved_by": entry.resolved_by,
    }


def entry_table(entries: Sequence[Entry], most: int | None) -> list[str]:
    """Return webhooks as the lines of a table, `most` characters wide if they can be."""
    rows = [
        (
            entry.id,
            local_second(entry.received_at),
            entry.state,
            printable(entry.event or "-"),
            printable(entry.lane),
            str(entry.attempts),
            printable(entry.reason),
        )
        for entry in entries
    ]
    return table(ENTRY_COLUMNS, rows, most)


def detail_object(detail: Detail) -> dict[str, Any]:
    """Return a webhook with all that is known of it as JSON has it; secrets are masked."""
    return {
        **entry_object(detail.entry),
        "method": detail.method,
        "query": mask_query(detail.query),
        "headers": mask_headers(detail.headers),
        "due": iso(detail.due_at or None),
        "history": [
            {
                "number": attempt.number,
                "at": iso(attempt.at),
                "took_s": round(attempt.took, 3),
                "happened": attempt.happened,
                "status": attempt.status,
                "error": attempt.error,
                "answer": _answer(detail, attempt),
                "decision": attempt.verdict,
                "reason": attempt.reason,
                "counted": bool(attempt.counted),
                "maybe_taken": bool(attempt.maybe_taken),
            }
            for attempt in detail.tries
        ],
    }


def detail_lines(detail: Detail, others: Sequence[str], now: float) -> list[str]:
    """Return a webhook with all that is known of it in lines for people.

    Args:
        detail: The webhook.
        others: The ids of older ones with the same delivery id.
        now: UNIX seconds.
    """
    entry = detail.entry
    query = f"?{mask_query(detail.query)}" if detail.query else ""
    rows = [
        ("Webhook", entry.id),
        ("State", f"{entry.state}{_ending(detail, now)}"),
        ("Received", local_second(entry.received_at)),
        ("Request", f"{detail.method} {mask_path(entry.path)}{query}"),
        ("Provider", f"{entry.provider}, event {entry.event or '-'}"),
        ("Delivery", entry.delivery or "-"),
        ("Lane", entry.lane),
        ("Body", format_size(entry.size)),
    ]
    if entry.resolved_by:
        rows.append(("Resolved", f"by {entry.resolved_by}, which the provider sent later"))
    if others:
        rows.append(
            ("Others", f"{webhooks(len(others))} with this delivery id: {', '.join(others)}")
        )
    lines = [f"{name:8}  {printable(text)}" for name, text in rows]
    lines += [
        "",
        "Headers",
        *(f"  {name}: {value}" for name, value in mask_headers(detail.headers)),
    ]
    if detail.tries:
        tries = table(_TRY_COLUMNS, [_try(attempt) for attempt in detail.tries], None)
        lines += ["", "Attempts", *(f"  {line}" for line in tries)]
    answers = [(attempt.number, _answer(detail, attempt)) for attempt in detail.tries]
    for number, answer in answers:
        if answer:
            lines += ["", f"Answer to attempt {number}"]
            lines += [f"  {printable(line)}" for line in answer.splitlines()]
    return lines


def _word(word: str) -> str:
    return click.style(word, fg=_COLOURS[word])


def _since(iso_time: str | None, now: float) -> str:
    return f" since {local(read_time(iso_time), now)}" if iso_time and read_time(iso_time) else ""


def _numbers(known: dict[str, Any]) -> str:
    oldest = known["oldest_waiting_s"]
    age = "" if oldest is None else f" (the oldest for {format_duration(oldest // 1)})"
    dead = f"{known['dead']} dead"
    if known["dead"]:
        dead = click.style(dead, fg=_BAD)
    about = "about " if known.get("approximate") else ""
    delivered = "" if known["delivered"] is None else f", {known['delivered']} delivered"
    return f"{about}{known['waiting']} waiting{age}, {about}{dead}{delivered}"


def _ending(detail: Detail, now: float) -> str:
    entry = detail.entry
    reason = f": {entry.reason}" if entry.reason else ""
    if entry.ended_at is not None:
        return f" at {local_second(entry.ended_at)}{reason}"
    again = f", tried again at {local_second(detail.due_at)}" if detail.due_at > now else ""
    return again + (f"; last attempt{reason}" if reason else "")


def _try(attempt: Try) -> tuple[str, ...]:
    said = str(attempt.status) if attempt.status else attempt.happened
    counted = "" if attempt.counted or attempt.verdict == "delivered" else " (not counted)"
    return (
        str(attempt.number),
        local_second(attempt.at),
        format_duration(attempt.took),
        said,
        f"{attempt.verdict}{counted}",
        printable(attempt.reason),
    )


def _answer(detail: Detail, attempt: Try) -> str:
    secrets = secrets_of(detail.entry.path, detail.query, detail.headers)
    return mask_text(attempt.answer.decode("utf-8", "replace"), secrets)
