"""Writes a run into ``docs/performance.md``, its plots, and the table of the README.

    .venv/bin/python -m bench.report [FILE]

Only what stands between the two marks of each file is replaced.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench import ROOT
from bench.chart import Chart, Line, Target, number_of
from bench.goals import GOALS, OTHERS
from bench.results import COMMITTED, Results
from bench.servers import HOOKSPOOL, HOOKSPOOL_AT_ONCE, NGINX, ONE_COMMIT, SPIGOT
from bench.spread import Spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


DOC, README = ROOT / "docs" / "performance.md", ROOT / "README.md"
PLOTS = ROOT / "docs" / "performance"
BEGIN, END = "<!-- written by make bench -->", "<!-- until here -->"
SERVERS = (SPIGOT, NGINX, ONE_COMMIT, HOOKSPOOL, HOOKSPOOL_AT_ONCE)


def main() -> None:
    """Read the command line, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=COMMITTED)
    write(Results.read(parser.parse_args().file))


def write(run: Results) -> None:
    """Write a run into the docs."""
    PLOTS.mkdir(exist_ok=True)
    for name, chart in plots(run).items():
        (PLOTS / f"{name}.svg").write_text(chart.svg(), "utf-8")
    for file, text in ((DOC, block(run)), (README, short(run))):
        file.write_text(replaced(file.read_text("utf-8"), text), "utf-8")


def replaced(text: str, block: str) -> str:
    """Return a document with what stands between its marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"The document has no {BEGIN!r} and {END!r} any more.")
    return f"{before}{BEGIN}\n{block.strip()}\n{END}{after}"


def block(run: Results) -> str:
    """Return all tables, and the plots."""
    machine = ", ".join(f"{name} {value}" for name, value in run.found["machine"].items())
    plan, minutes = run.found["plan"], run.found["took"] / 60
    left_out = [f"Not measured: {why}." for part in PARTS for why in run.found[part]["left out"]]
    sizes = (intake(run, size) for size in run.found["intake"]["bytes"])
    return "\n\n".join(
        [
            (
                f"Measured on {run.found['date']} in {minutes:.1f} minutes, {plan['rounds']} "
                f"rounds of {plan['seconds']} s for each figure: medians, with the least and the "
                f"most of the rounds in brackets; ratios are taken round by round. {machine}."
            ),
            *dict.fromkeys(left_out),
            "## What is to be reached",
            goals(run),
            "## Intake",
            *sizes,
            _picture("intake", "Webhooks taken in per second"),
            _picture("answer", "The time until an answer"),
            "## From the provider to Jenkins",
            latency(run),
            _picture("latency", "From the provider to Jenkins"),
            "## Drain",
            drain(run),
            _picture("drain", "Drain to a target that answers at once"),
            "## Backlog",
            backlog(run),
            _picture("backlog", "Intake on top of a backlog, and drain from it"),
            _picture("memory", "Memory with a backlog"),
            "## What it costs",
            cost(run),
        ]
    )


PARTS = ("intake", "latency", "drain", "backlog")


def goals(run: Results) -> str:
    """Return the goals beside what was measured."""
    rows = []
    for goal in GOALS:
        found = goal.found(run)
        verdict = "not measured"
        if found is not None:
            verdict = "holds" if goal.holds(found) else f"**misses** {goal.cause}".strip()
        ratios = [_say(goal.ratio(run, other)) for other in OTHERS]
        rows.append([goal.what, goal.wanted, _say(found), *ratios, verdict])
    rows.append(["Lambda", "", "", "", "", "", "[below](#lambda)"])
    heads = ["", "to reach", "measured", *(f"ratio to {other}" for other in OTHERS), ""]
    return _table(heads, rows)


def short(run: Results) -> str:
    """Return the main figures, for the README."""
    rows = [
        [goal.what, f"{_say(found)} {goal.unit}".strip(), goal.wanted]
        for goal in GOALS
        if (found := goal.found(run)) is not None
    ]
    return _table(["what", "measured (least-most of the rounds)", "to reach"], rows)


def intake(run: Results, size: str) -> str:
    """Return the table of one size: what each server did."""
    rows = []
    for row in run.rows("intake", size=size):
        at = {"size": size, "connections": row["connections"]}
        ratio = run.ratio(
            "intake", "rate", {"server": SPIGOT, **at}, {"server": row["server"], **at}
        )
        figures = [run.spread("intake", what, server=row["server"], **at) for what in _ANSWERS]
        own = "" if row["server"] == SPIGOT else _say(ratio)
        rows.append([str(row["connections"]), row["server"], *map(_say, figures), own])
    bytes_ = run.found["intake"]["bytes"][size]
    title = f"Real payloads of {bytes_:,} bytes in the median:\n\n"
    heads = ["connections", "", "per second", "p50 ms", "p99 ms", "Spigot's ratio to it"]
    return title + _table(heads, rows)


_ANSWERS = ("rate", "p50", "p99")


def latency(run: Results) -> str:
    """Return the table of the way to Jenkins."""
    rows = [
        [
            f"{row['rate']:,}/s",
            row["server"],
            *(
                _say(run.spread("latency", what, server=row["server"], rate=row["rate"]))
                for what in ("p50", "p99", "answer p50", "answer p99", "late")
            ),
        ]
        for row in run.rows("latency")
    ]
    heads = [
        "rate",
        "",
        "at Jenkins p50 ms",
        "p99 ms",
        "answered p50 ms",
        "p99 ms",
        "sender late ms",
    ]
    return _table(heads, rows)


def drain(run: Results) -> str:
    """Return the table of the drain."""
    rows = [
        [
            f"{row['lanes']:,}",
            *(_say(run.spread("drain", what, lanes=row["lanes"])) for what in _FLOWS),
        ]
        for row in run.rows("drain")
    ]
    heads = ["lanes", "per second", "in the second half", "CPU seconds per 10,000", "memory MB"]
    return _table(heads, rows)


_FLOWS = ("rate", "later", "cpu", "memory")


def backlog(run: Results) -> str:
    """Return the table of the backlogs."""
    whats = (
        "start", "first", "intake", "p99", "status", "at once", "drain", "held", "memory", "disk",
    )  # fmt: skip
    rows = [
        [
            f"{row['waiting']:,}",
            *(_say(run.spread("backlog", w, waiting=row["waiting"])) for w in whats),
        ]
        for row in run.rows("backlog")
    ]
    heads = [
        "waiting", "start ms", "first answer ms", "intake per second", "its p99 ms", "status ms",
        "drain per second, at once", "when all places are read",
        "memory at the start MB", "at most MB", "disk bytes each",
    ]  # fmt: skip
    return _table(heads, rows)


def cost(run: Results) -> str:
    """Return what a server takes of the machine, 8 kB and 32 connections."""
    at = {"size": "8 kB", "connections": 32}
    rows = [
        [
            server,
            *(
                _say(run.spread("intake", what, server=server, **at))
                for what in ("cpu", "memory", "disk")
            ),
        ]
        for server in SERVERS
        if run.rows("intake", server=server, **at)
    ]
    heads = ["", "CPU seconds per 10,000 taken in", "memory MB at most", "disk bytes each"]
    return _table(heads, rows)


def plots(run: Results) -> dict[str, Chart]:
    """Return the charts, by name."""
    return {
        "intake": Chart(
            "Webhooks taken in per second, 8 kB", "connections", "per second",
            _lines(run, "intake", "rate", "connections", size="8 kB"),
            [Target("to reach at 32 connections: 15,000/s", 15_000)],
        ),
        "answer": Chart(
            "The time until the answer, 99th percentile, 8 kB", "connections", "milliseconds",
            _lines(run, "intake", "p99", "connections", size="8 kB"),
            [Target("at most, at 32 connections: 8 ms", 8)],
        ),
        "latency": Chart(
            "From the provider to Jenkins", "webhooks per second", "milliseconds",
            [
                *_lines(run, "latency", "p50", "rate", say=", p50"),
                *_lines(run, "latency", "p99", "rate", say=", p99", like=", p50"),
            ],
            [Target("p50 at most, at 500/s: 3 ms", 3), Target("p99 at most: 20 ms", 20)],
        ),
        "drain": Chart(
            "Drain to a target that answers at once", "lanes", "webhooks per second",
            [
                *_lines(run, "drain", "later", "lanes", say=", in the second half of the time"),
                *_lines(run, "drain", "rate", "lanes", say=", gentle beginning included"),
            ],
            [Target("to reach over 100 lanes: 2,000/s", 2_000)],
        ),
        "backlog": Chart(
            "With a backlog in 500 lanes", "webhooks waiting", "webhooks per second",
            [
                *_lines(run, "backlog", "intake", "waiting", say=", intake at 32 connections"),
                *_lines(run, "backlog", "drain", "waiting", say=", drain"),
            ],
        ),
        "memory": Chart(
            "Memory with a backlog", "webhooks waiting", "MB",
            [
                *_lines(run, "backlog", "memory", "waiting", say=", at most"),
                *_lines(run, "backlog", "held", "waiting", say=", after the start"),
            ],
            [Target("to reach at 1,000,000: at most 150 MB", 150)],
        ),
    }  # fmt: skip


def _lines(
    run: Results,
    part: str,
    figure: str,
    across: str,
    *,
    say: str = "",
    like: str = "",
    **at: object,
) -> list[Line]:
    """Return a line for each server, in the order of `SERVERS`.

    Args:
        run: A run.
        part: A part of it.
        figure: What is drawn.
        across: What is on the axis below.
        say: Follows the server's name.
        like: Followed the server's name in the line that shall look alike.
        at: What the rows have in common.
    """
    found = []
    for server in SERVERS:
        points = [
            (float(row[across]), Spread.of(row[figure]))
            for row in run.rows(part, server=server, **at)
            if min(row.get(figure, [0])) > 0  # the axis is logarithmic
        ]
        if points:
            found.append(Line(server + say, sorted(points), server + like if like else ""))
    return found


def _say(found: Spread | None) -> str:
    """Return a figure with its spread, as short as can be."""
    if found is None:
        return ""
    if found.least == found.most:
        return number_of(found.median)
    return f"{number_of(found.median)} ({number_of(found.least)}-{number_of(found.most)})"


def _picture(name: str, words: str) -> str:
    return f"![{words}]({PLOTS.name}/{name}.svg)"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    main()
