"""What a command that runs another tells meanwhile: lines on standard error, and a bar."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress

_PLAIN_EVERY = 10.0
"""Seconds between two lines where no bar can be drawn."""

_GONE = (errno.EPIPE, errno.EIO)
"""What it means that nobody will read standard error any more: a pipe, a terminal."""


@contextlib.contextmanager
def _whoever_hears() -> Iterator[None]:
    """Go on when standard error cannot be written; if it is gone, all goes nowhere from then on.

    What could not be written stays in Python's buffer, and would end the process with status 120.
    A full disk may have room again, and then it is written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _GONE:
            with contextlib.suppress(OSError), Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), sys.stderr.fileno())


class Talk:
    """Speaks on standard error, since standard output belongs to the other command.

    A terminal that is gone keeps nobody from going on: what cannot be said is left out.

    Args:
        clock: Tells seconds that only ever grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._progress: Progress | None = None

    def say(self, text: str) -> None:
        """Say a sentence, on a line of its own."""
        with _whoever_hears():
            if self._progress is not None:  # it stands above the bar
                self._progress.console.print(text, markup=False, emoji=False, highlight=False)
            else:
                click.echo(text, err=True)

    @contextlib.contextmanager
    def bar(self, total: int) -> Iterator[Callable[[int], None]]:
        """Show how many of `total` are done: yields what is to be called with their number.

        Drawn on a terminal, else a line now and then.
        """
        if not (sys.stderr and sys.stderr.isatty()):
            yield self._lines(total)
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        progress = Progress(
            "Delivering", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), auto_refresh=False,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        task = progress.add_task("", total=total)

        def draw(done: int) -> None:
            with _whoever_hears():
                progress.update(task, completed=done, refresh=True)

        try:
            with _whoever_hears():
                progress.start()
            self._progress = progress
            yield draw
        finally:
            self._progress = None
            with _whoever_hears():
                progress.stop()

    def _lines(self, total: int) -> Callable[[int], None]:
        latest = self._clock()

        def line(done: int) -> None:
            nonlocal latest
            if self._clock() - latest >= _PLAIN_EVERY:
                latest = self._clock()
                self.say(f"Delivering: {done} of {total}")

        return line
