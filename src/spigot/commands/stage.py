"""Where the demo is told: sentences, and below them a line that lives, if there is a terminal."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.live import Live

_PLAIN_EVERY = 3.0
"""Seconds between two lines of numbers where they cannot be drawn over each other."""
_DRAW_EVERY = 0.1


class Stage:
    """Tells a story.

    Args:
        line: Returns the numbers of the moment as one line.
        quiet: Say it on standard error, since standard output is for a program.
    """

    def __init__(self, line: Callable[[], str], *, quiet: bool) -> None:
        self._line = line
        self._quiet = quiet
        self._live: Live | None = None
        self._began = time.monotonic()
        self._drawn = float("-inf")

    @contextlib.contextmanager
    def open(self, *, live: bool) -> Iterator[None]:
        """Begin; with `live`, the line of numbers is drawn anew all the time."""
        if not live:
            yield
            return
        from rich.live import Live

        with Live(auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    def say(self, text: str) -> None:
        """Say a sentence."""
        seconds = click.style(f"{time.monotonic() - self._began:5.1f} s", dim=True)
        self._print(f"{seconds}  {text}")

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Show the numbers for so long, or until something is so; return whether it is."""
        end = time.monotonic() + seconds
        while not (done := until()) and time.monotonic() < end:
            self._draw()
            time.sleep(min(_DRAW_EVERY, max(0.0, end - time.monotonic())))
        return done

    def _draw(self) -> None:
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text.from_ansi(f"\n{self._line()}"), refresh=True)
        elif time.monotonic() - self._drawn >= _PLAIN_EVERY:
            self._drawn = time.monotonic()
            self._print(f"         {self._line()}")

    def _print(self, text: str) -> None:
        if self._live is not None:
            from rich.text import Text

            self._live.console.print(Text.from_ansi(text))
        else:
            click.echo(text, err=self._quiet)
