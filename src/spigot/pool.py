"""Threads that work through pieces one after the other; started as they are needed, then kept."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Piece = TypeVar("Piece")


class Pool(Generic[Piece]):
    """Runs pieces of work side by side.

    Args:
        work: Works on one piece; must not raise.
        more: Returns a further piece for the thread that has just finished one, or None: it need
            not wait for somebody to hand it out.
        most: How many threads there are at most.
    """

    def __init__(
        self, work: Callable[[Piece], None], more: Callable[[], Piece | None], *, most: int
    ) -> None:
        self._work = work
        self._more = more
        self._most = most
        self._pieces: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._open = 0  # pieces given and not yet done with, what followed them included

    def give(self, piece: Piece) -> None:
        """Have a piece worked on soon; never waits.

        Raises:
            RuntimeError: There is no thread for it, and the system gives none; it is not taken.
        """
        with self._lock:
            if self._open >= self._threads and self._threads < self._most:
                name = f"spigot-worker-{self._threads + 1}"
                try:
                    threading.Thread(target=self._run, name=name, daemon=True).start()
                    self._threads += 1
                except RuntimeError:
                    if not self._threads:
                        raise
            self._open += 1
            self._pieces.put(piece)

    def close(self) -> None:
        """Let each thread end once it has nothing to do."""
        with self._lock:
            for _ in range(self._threads):
                self._pieces.put(None)

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            following: Piece | None = piece
            while following is not None:
                self._work(following)
                following = self._more()
            with self._lock:
                self._open -= 1
