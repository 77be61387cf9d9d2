"""Room on the disk: what must stay free, and the reserve that settling may use when nothing is."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from spigot.errors import NoRoom
from spigot.units import format_size

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.ports import Clock

RESERVE = 16 * 1024 * 1024
"""Bytes laid aside: some thousands of settled webhooks, enough until somebody frees space."""

LOOK_AGAIN = 0.25
"""Seconds for which an answer of the file system is believed."""


class Room:
    """Says whether something new may be kept.

    Args:
        directory: The data directory.
        min_free: Bytes that must remain: free on disk, or free inside the database.
        clock: Tells the time.

    Attributes:
        min_free: May be replaced.
    """

    def __init__(self, directory: Path, *, min_free: int, clock: Clock) -> None:
        self._directory = directory
        self._reserve = directory / "reserve"
        self.min_free = min_free
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._free = 0
        self.reusable = 0
        """Bytes of free pages inside the database, as the upkeep counted them last."""

    @property
    def free(self) -> int:
        """Bytes that new webhooks can use: free on disk and inside the database."""
        return self._disk() + self.reusable

    def check(self, size: int) -> None:
        """Make sure that `size` more bytes may be kept.

        Raises:
            NoRoom: The floor would be reached.
        """
        if self.free - size < self.min_free:
            raise NoRoom(
                f"Only {format_size(self.free)} of disk are left in {self._directory}, and "
                f"{format_size(self.min_free)} (min_free) must stay free. Free some disk space; "
                "waiting webhooks are safe and go on being delivered."
            )

    def keep_reserve(self) -> None:
        """Lay the reserve aside if it is missing and the disk has room for it."""
        if self._reserve.exists() or self._disk() < self.min_free + 2 * RESERVE:
            return
        try:
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE)
        except OSError:
            self.give_up_reserve()  # half a reserve would pass for a whole one

    def give_up_reserve(self) -> bool:
        """Free the reserve; say whether there was one."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    def _disk(self) -> int:
        with self._lock:
            if self._clock.monotonic() - self._looked >= LOOK_AGAIN:
                try:
                    disk = os.statvfs(self._directory)
                except OSError:
                    self._free = 0  # the directory is gone: nothing can be kept there
                else:
                    self._free = disk.f_bavail * disk.f_frsize
                self._looked = self._clock.monotonic()
            return self._free
