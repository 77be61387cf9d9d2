"""One strand of the plan, carried out by a thread beside the others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from faults.plan import Step


class Strand(threading.Thread):
    """Carries out the steps of one strand of the plan until it is over.

    Args:
        steps: The strand.
        do: Carries out one.
    """

    def __init__(self, steps: Iterator[Step], do: Callable[[Step], None]) -> None:
        super().__init__(daemon=True)
        self._steps = steps
        self._do = do
        self.over = threading.Event()
        self._failure = ""

    def run(self) -> None:
        try:
            for step in self._steps:
                if self.over.wait(step.after):
                    return
                self._do(step)
        except Exception as error:  # noqa: BLE001 - told when it ends
            self._failure = f"a strand of the plan ended early: {error!r}"

    def end(self) -> list[str]:
        """End it, and return what stopped it before."""
        self.over.set()
        self.join()
        return [self._failure] if self._failure else []
