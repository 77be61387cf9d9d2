"""How long to measure, and how a row runs by itself."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.spread import Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TRIAL = 2
"""Below so many seconds a measurement it is a trial: one round, no backlog of a million."""


class Plan(NamedTuple):
    """How long to measure.

    Attributes:
        seconds: Of each measurement.
        rounds: How often each is made.
    """

    seconds: int
    rounds: int

    @property
    def trial(self) -> bool:
        """Whether it only shows that all runs, and its figures are not for the docs."""
        return self.seconds < TRIAL

    def say(self, text: str) -> None:
        """Tell whoever waits what is measured now."""
        print(f"  {text}", file=sys.stderr, flush=True)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a command line with the options of a plan."""
    made = argparse.ArgumentParser(description=(description or "").strip().splitlines()[0])
    made.add_argument("--seconds", type=int, default=2, help="of each measurement (1: a trial)")
    made.add_argument("--rounds", type=int, help="how often each is made (3; 1 in a trial)")
    return made


def plan(options: argparse.Namespace) -> Plan:
    """Return the plan that a command line asks for."""
    seconds = max(1, options.seconds)
    return Plan(seconds, options.rounds or (1 if seconds < TRIAL else 3))


def show(description: str | None, measure: Callable[[Plan], dict[str, Any]]) -> None:
    """Measure as the command line says, and print the rows."""
    show_rows(measure(plan(parser(description).parse_args()))["rows"])


def show_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Print a line for each row: medians, and the spread."""
    for row in rows:
        words = [str(value) for value in row.values() if not isinstance(value, list)]
        for name, figures in row.items():
            if isinstance(figures, list):
                median, least, most = Spread.of(figures)
                spread = f" ({least:.4g}-{most:.4g})" if len(figures) > 1 else ""
                words.append(f"{name} {median:.4g}{spread}")
        print("; ".join(words))
