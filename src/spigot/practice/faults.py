"""Faults on purpose at single paths of a practice Jenkins."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from spigot.practice.http import Answer


@dataclass(frozen=True)
class Fault:
    """What happens at a path instead of, or before, the usual answer.

    Attributes:
        status: The status to answer with; None leaves the usual answer, after the delay.
        headers: Further headers of that answer.
        body: Its body.
        reset: Read the request, then reset the connection (RST) without an answer.
        hang: Read the request and never answer.
        delay: Seconds before the answer or the reset.
        dribble: Seconds between the answer's single bytes; 0 sends it at once.
        times: Only so many visits meet the fault; None for all.
        html: The answer is ``text/html``, as a proxy's; else ``text/plain``.
    """

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    reset: bool = False
    hang: bool = False
    delay: float = 0.0
    dribble: float = 0.0
    times: int | None = None
    html: bool = False

    @property
    def intercepts(self) -> bool:
        """Whether a request that meets it never gets to Jenkins."""
        return self.reset or self.hang or self.status is not None

    @property
    def answer(self) -> Answer | None:
        """The answer it gives itself, None where the usual one stands."""
        if self.status is None:
            return None
        kind = "text/html" if self.html else "text/plain;charset=utf-8"
        return Answer(self.status, self.body, kind, self.headers)


class Faults:
    """The faults in force, by path prefix; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}
        self._met: dict[str, int] = {}

    def set(self, path_prefix: str, fault: Fault | None) -> None:
        """Put a fault in force for all paths that start so, None to end it."""
        with self._lock:
            self._met[path_prefix] = 0
            if fault is None:
                self._faults.pop(path_prefix, None)
            else:
                self._faults[path_prefix] = fault

    def meet(self, path: str) -> Fault | None:
        """Return the fault that a visit to a path meets, and count it; the longest prefix wins."""
        if not self._faults:
            return None
        with self._lock:
            prefix = max((p for p in self._faults if path.startswith(p)), key=len, default=None)
            if prefix is None:
                return None
            fault = self._faults[prefix]
            self._met[prefix] += 1
            if fault.times is not None and self._met[prefix] > fault.times:
                return None
            return fault
