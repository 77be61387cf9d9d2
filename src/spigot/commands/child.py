"""A command run in the foreground, and the signals that ask both of us to end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Self

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_EVERY = 0.25
_GRACE = 5.0
"""Seconds that a command has to end once it was told to; one run by `sudo` cannot be told."""


class Stopped(Exception):
    """Somebody has asked this process to end.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"Stopped by {signal.Signals(number).name}.")
        self.number = number


class Signals:
    """Keeps SIGINT, SIGTERM and SIGHUP until `pause`, so that no step is left half done.

    Use it as a context manager, in the main thread. What is ignored (``nohup``) stays so.
    """

    def __init__(self) -> None:
        self._caught: list[int] = []
        self._before: dict[int, Any] = {}
        self._woken = self._wake = self._old_wake = -1

    def __enter__(self) -> Self:
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        self._old_wake = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in _ASKING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._catch)
        # A child that ends cuts a pause short: only a signal that is handled does.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wake)
        os.close(self._woken)
        os.close(self._wake)

    def pause(self, seconds: float) -> None:
        """Wait so long, or less if a child ends.

        Raises:
            Stopped: A signal came; each is told once.
        """
        if not self._caught and select.select([self._woken], [], [], seconds)[0]:
            os.read(self._woken, 4096)
        if self._caught:
            raise Stopped(self._caught.pop(0))

    def _catch(self, number: int, _: object) -> None:
        self._caught.append(number)


class Ended(NamedTuple):
    """How a command ended.

    Attributes:
        status: Its exit status, 128 + N if signal N ended it; None if it still runs.
        stopped: The signal that came meanwhile, if one did.
    """

    status: int | None
    stopped: Stopped | None


def run(words: Sequence[str], signals: Signals, look: Callable[[], None]) -> Ended:
    """Run a command with our own input and output until it ends.

    A Ctrl-C reaches it from the terminal as it reaches us; other signals are passed on to it. It is
    left running if it does not heed them for a while, or at a second signal.

    Args:
        words: The command and its arguments.
        signals: Brings the signals.
        look: Called a few times a second meanwhile.

    Raises:
        OSError: It cannot be started.
    """
    process = subprocess.Popen(words)  # noqa: S603 - what the caller's own command line names
    stopped: Stopped | None = None
    end = float("inf")
    while process.poll() is None and time.monotonic() < end:
        look()
        try:
            signals.pause(_LOOK_EVERY)
        except Stopped as asked:
            if stopped is not None:
                break
            stopped = asked
            if asked.number != signal.SIGINT:
                end = time.monotonic() + _GRACE
                with contextlib.suppress(PermissionError):
                    process.send_signal(asked.number)
    try:  # one that came with the command's end
        signals.pause(0)
    except Stopped as asked:
        stopped = stopped or asked
    status = process.poll()
    return Ended(128 - status if status is not None and status < 0 else status, stopped)
