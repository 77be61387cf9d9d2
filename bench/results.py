"""What a run found: a JSON file of rows, each with one figure a round."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import ROOT
from bench.spread import Spread

if TYPE_CHECKING:
    from pathlib import Path

COMMITTED = ROOT / "bench" / "results" / "performance.json"
"""The run that ``docs/performance.md`` shows."""

TRIAL = ROOT / "bench" / "results" / "trial.json"

Row = dict[str, Any]


class Results(NamedTuple):
    """A run.

    Attributes:
        found: The JSON object: ``machine``, ``plan``, and for each part its ``rows``.
    """

    found: dict[str, Any]

    @classmethod
    def read(cls, file: Path) -> Results:
        """Return what a run has written."""
        return cls(json.loads(file.read_text("utf-8")))

    def write(self, file: Path) -> None:
        """Write it, for people to compare line by line."""
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(self.found, indent=1) + "\n", "utf-8")

    def rows(self, part: str, **keys: object) -> list[Row]:
        """Return the rows of a part that have these values, in order."""
        return [
            row
            for row in self.found[part]["rows"]
            if all(row.get(key) == value for key, value in keys.items())
        ]

    def figures(self, part: str, figure: str, **keys: object) -> list[float]:
        """Return one figure, round by round, of the one row that has these values; else none."""
        rows = self.rows(part, **keys)
        return list(rows[0].get(figure, [])) if rows else []

    def spread(self, part: str, figure: str, **keys: object) -> Spread | None:
        """Return the same as a median with its spread; None if it was not measured."""
        figures = self.figures(part, figure, **keys)
        return Spread.of(figures) if figures else None

    def ratio(self, part: str, figure: str, of: Row, to: Row) -> Spread | None:
        """Return the ratio of a figure in two rows, round by round; None if there is none."""
        one, other = self.figures(part, figure, **of), self.figures(part, figure, **to)
        return Spread.of_ratios(one, other) if one and other and all(other) else None
