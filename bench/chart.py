"""A line chart as SVG, with both axes, a legend, targets, and the spread of each point."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.spread import Spread

_WIDTH, _HEIGHT = 640, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 620, 44, 288
_MIDDLE = (_LEFT + _RIGHT) / 2
_COLOURS = ("#0b62a8", "#b0520a", "#2c7a3f", "#8a2f86", "#6b6b6b", "#0f8a8a")
_INK, _RED = "#222222", "#b3261e"


class Line(NamedTuple):
    """Points of one kind.

    Attributes:
        name: What they are.
        points: The place of each on the axis below, and the figure there.
        like: The name of the line whose colour it has, dashed; its own by default.
    """

    name: str
    points: Sequence[tuple[float, Spread]]
    like: str = ""


class Target(NamedTuple):
    """A figure that is to be reached: a dashed line across, with its name."""

    name: str
    value: float


class Chart(NamedTuple):
    """What is drawn: figures up on a logarithmic axis, the few places below side by side.

    Attributes:
        title: What the figures are.
        across: What the axis below is, with its unit.
        up: What the axis at the left is, with its unit.
        lines: What was measured.
        targets: What is to be reached.
    """

    title: str
    across: str
    up: str
    lines: Sequence[Line]
    targets: Sequence[Target] = ()

    def svg(self) -> str:
        """Return the picture."""
        room = f"viewBox='0 0 {_WIDTH} {_HEIGHT}'"
        font = "font-family='system-ui, sans-serif' font-size='12'"
        parts = [
            f"<svg xmlns='http://www.w3.org/2000/svg' {room} {font}>",
            f"<title>{escape(self.title)}</title>",
            f"<rect width='{_WIDTH}' height='{_HEIGHT}' fill='#ffffff'/>",
            _text(_LEFT, 22, self.title, more="font-size='15' font-weight='bold'"),
            *self._axes(),
        ]
        styles = self._styles()
        for line in self.lines:
            parts += self._line(line, *styles[line.name])
        # Targets last: their words stay readable where a line passes.
        return "\n".join([*parts, *self._targets(), *_legend(styles), "</svg>", ""])

    def _styles(self) -> dict[str, tuple[str, str]]:
        """Return the colour and the dashes of each line, by name."""
        own = [line.name for line in self.lines if not line.like]
        colours = dict(zip(own, _COLOURS, strict=False))
        return {
            line.name: (colours[line.like or line.name], "stroke-dasharray='3 3'" * bool(line.like))
            for line in self.lines
        }

    @property
    def _places(self) -> list[float]:
        return sorted({place for line in self.lines for place, _ in line.points})

    @property
    def _ends(self) -> tuple[float, float]:
        """Between which logarithms all figures lie, with a little room."""
        figures = [y for line in self.lines for _, spread in line.points for y in spread]
        logs = [math.log10(y) for y in (*figures, *(target.value for target in self.targets))]
        room = 0.08 * (max(logs) - min(logs)) + 0.05
        return min(logs) - room, max(logs) + room

    def _x(self, place: float) -> float:
        places = self._places
        part = places.index(place) / max(1, len(places) - 1)
        return _LEFT + 40 + part * (_RIGHT - _LEFT - 80)

    def _y(self, figure: float) -> float:
        low, high = self._ends
        return _BOTTOM - (math.log10(figure) - low) / (high - low) * (_BOTTOM - _TOP)

    def _axes(self) -> list[str]:
        low, high = self._ends
        steps = (1,) if high - low > 3 else (1, 2, 5)
        parts = []
        for power in range(math.floor(low), math.ceil(high) + 1):
            for value in (step * 10.0**power for step in steps):
                if low <= math.log10(value) <= high:
                    y = self._y(value)
                    parts.append(_stroke((_LEFT, y), (_RIGHT, y), "#e2e2e2"))
                    parts.append(_text(_LEFT - 8, y + 4, number_of(value), anchor="end"))
        for place in self._places:
            x = self._x(place)
            parts.append(_stroke((x, _BOTTOM), (x, _BOTTOM + 5), _INK))
            parts.append(_text(x, _BOTTOM + 19, number_of(place), anchor="middle"))
        up = _text(0, 0, self.up, anchor="middle")
        middle = (_TOP + _BOTTOM) / 2
        return [
            *parts,
            _stroke((_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), _INK),
            _stroke((_LEFT, _TOP), (_LEFT, _BOTTOM), _INK),
            _text(_MIDDLE, _BOTTOM + 38, self.across, anchor="middle"),
            f"<g transform='translate(16 {middle:.0f}) rotate(-90)'>{up}</g>",
        ]

    def _targets(self) -> list[str]:
        parts = []
        for name, value in self.targets:
            y = self._y(value)
            parts.append(_stroke((_LEFT, y), (_RIGHT, y), _RED, "stroke-dasharray='6 4'"))
            parts.append(_text(_LEFT + 6, y - 5, name, colour=_RED))
        return parts

    def _line(self, line: Line, colour: str, dashes: str) -> list[str]:
        points = [(self._x(place), self._y(spread.median)) for place, spread in line.points]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        ink = f"fill='none' stroke='{colour}' stroke-width='2' {dashes}"
        parts = [f"<polyline points='{way}' {ink}/>"]
        for (x, y), (_, spread) in zip(points, line.points, strict=True):
            parts.append(_stroke((x, self._y(spread.least)), (x, self._y(spread.most)), colour))
            parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>")
        return parts


def number_of(value: float) -> str:
    """Return a number as short as people write it: 15,000 or 0.4."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def _legend(styles: dict[str, tuple[str, str]]) -> list[str]:
    parts, x, y = [], float(_LEFT), _HEIGHT - 34.0
    for name, (colour, dashes) in styles.items():
        width = 44 + 6.8 * len(name)
        if x + width > _WIDTH:
            x, y = float(_LEFT), y + 18
        parts.append(_stroke((x, y - 4), (x + 20, y - 4), colour, f"stroke-width='3' {dashes}"))
        parts.append(_text(x + 26, y, name))
        x += width
    return parts


def _stroke(begin: tuple[float, float], end: tuple[float, float], ink: str, more: str = "") -> str:
    (x1, y1), (x2, y2) = begin, end
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{ink}' {more}/>"


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = _INK, more: str = ""
) -> str:
    at = f"x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour}'"
    halo = "stroke='#ffffff' stroke-width='3' paint-order='stroke'"  # over lines that cross it
    return f"<text {at} {halo} {more}>{escape(text)}</text>"
