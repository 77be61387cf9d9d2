"""What a soak has shown: its logs and its database, held against the promises."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

from faults.jenkins import CAUSES, TAKEN
from faults.senders import HARMLESS
from support.checker import Checker, Rules
from support.records import read_causes, read_sent, read_taken

if TYPE_CHECKING:
    from pathlib import Path

TALLY = "tally.json"
"""What only the soak itself knows."""

READ_TIMEOUT = 2.0
"""Seconds that the gateway of a soak waits for Jenkins' answer."""

RECALL = 2.0
"""Seconds before a restart of Jenkins from which on it recalls."""

PARALLEL = 16
"""How many webhooks it has on their way at once."""

RULES = Rules(
    patience=READ_TIMEOUT * 0.9,
    # When Jenkins was last seen alive, a gateway that was killed remembers to ten seconds.
    recall=RECALL + 15.0,
    notice=2.0,
    harmless=HARMLESS,
    parallel=PARALLEL,
)

EXPECTED_ERRORS = (
    "A webhook could not be stored and was refused",
    "The store fails: no attempt is made until it works",
    "The gateway could not report what it knows",
    "What Jenkins forgot cannot be found; trying again",
)
"""What a gateway logs as an error while its store cannot be written."""

EXPECTED_ANSWERS = {"200", "503"}
FIRST = 20
"""So many violations are told in words."""


def summarize(directory: Path) -> dict[str, Any]:
    """Check what a soak left in its directory, and return the summary."""
    tally = json.loads((directory / TALLY).read_text("utf-8"))
    checker = Checker(RULES, read_causes(directory / "causes.log", directory / CAUSES))
    for path in sorted(directory.glob("sent-*.log")):
        checker.add_sent(read_sent(path))
    checker.add_taken(read_taken(directory / TAKEN))
    dead, problems = look_at(directory / "data" / "spigot.db")
    found = checker.findings(dead)
    problems += tally["problems"]
    problems += strange_lines(directory / "gateway.log")
    if odd := tally["answers"].keys() - EXPECTED_ANSWERS:
        problems.append(f"a sender was answered {sorted(odd)}")
    kills = {name: count for name, count in sorted(tally["ends"].items()) if name != "stop"}
    return {
        "minutes": round(tally["seconds"] / 60, 1),
        "seed": tally["seed"],
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "versions": f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "promised": checker.promised,
        "promised a second": round(checker.promised / tally["seconds"]),
        "answers": {status: tally["answers"][status] for status in sorted(tally["answers"])},
        "cut off": tally["unanswered"],
        "kills": sum(kills.values()),
        "kills by point": kills,
        "stops": tally["ends"].get("stop", 0),
        "what else happened": dict(sorted(tally["did"].items())),
        "taken": checker.taken,
        "dead or dropped": checker.ended,
        "duplicates": found.duplicates,
        "duplicates by explanation": dict(sorted(checker.explained.items())),
        "lost": len(found.lost),
        "out of order": len(found.overtaken),
        "altered": len(found.altered),
        "unexplained": len(found.unexplained),
        "never sent": len(found.strange),
        "integrity": not any(problem.startswith("the database") for problem in problems),
        "longest start, s": round(tally["longest start"], 2),
        "peak memory, MiB": tally["memory"] >> 20,
        "violations": len(found.violations) + len(problems),
        "the first of them": (problems + found.violations)[:FIRST],
    }


def look_at(path: Path) -> tuple[set[str], list[str]]:
    """Return the delivery ids of those that are dead with a reason, and what is wrong."""
    problems = []
    with closing(sqlite3.connect(path)) as db:
        intact = db.execute("PRAGMA integrity_check").fetchall()
        if intact != [("ok",)]:
            problems.append(f"the database is damaged: {intact}")
        dead = db.execute(
            "SELECT w.delivery FROM ended e JOIN webhooks w ON w.serial = e.serial "
            "WHERE e.state = 'dead' AND e.reason <> ''"
        ).fetchall()
        ((waiting, counted),) = db.execute(
            "SELECT (SELECT count(*) FROM waiting), (SELECT waiting FROM totals)"
        ).fetchall()
        if waiting != counted:
            problems.append(f"{waiting} wait, but {counted} are counted")
    return {delivery for (delivery,) in dead}, problems


def strange_lines(path: Path) -> list[str]:
    """Return what the gateway logged that it should not have, whatever went wrong around it."""
    found: Counter[str] = Counter()
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith("{"):
                found[line.strip()[:200]] += 1
            elif '"level": "ERROR"' in line:
                event = json.loads(line)["event"]
                found[event] += event not in EXPECTED_ERRORS
    return [f"logged {count} times: {text}" for text, count in found.items() if count]
