"""Tables for people: aligned, one line a row, fitted to the terminal."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "  "
_LEAST = 8


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: Its heading.
        cut: Where text may be left out if the table is too wide: at the ``start``, at the ``end``,
            or nowhere if empty.
    """

    name: str
    cut: str = ""


def width() -> int | None:
    """Return how many characters a line of the terminal has; None if there is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], most: int | None) -> list[str]:
    """Return the lines of a table, its headings first.

    Args:
        columns: The columns.
        rows: For each row, its cells: printable, without line breaks.
        most: Characters a line may have, as far as columns can be cut; None for no limit.
    """
    lines = [[column.name for column in columns], *rows]
    widths = [max(len(row[at]) for row in lines) for at in range(len(columns))]
    while most is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > most:
        cuttable = [at for at, column in enumerate(columns) if column.cut and widths[at] > _LEAST]
        if not cuttable:
            break
        widths[max(cuttable, key=lambda at: widths[at])] -= 1
    return [
        _GAP.join(
            _cut(cell, wide, column.cut).ljust(wide)
            for cell, wide, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in lines
    ]


def _cut(text: str, wide: int, where: str) -> str:
    if len(text) <= wide:
        return text
    return "…" + text[1 - wide :] if where == "start" else text[: wide - 1] + "…"
