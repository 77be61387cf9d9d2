"""The power supply of a gateway: what it writes and syncs is traced, and the power can fail."""

from __future__ import annotations

import shutil
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from support.calls import NEVER, read_calls
from support.disk import Disk, moment
from support.strace import strace, traced_lines

if TYPE_CHECKING:
    from support.calls import Call
    from support.disk import Image, Luck


class PowerSupply:
    """Follows what a gateway does to its disk, from one run to the next.

    Args:
        data: Its data directory; not there yet.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._output = data.with_name("trace")
        self._lines = 0
        self.disk = Disk(str(data))

    def traced(self, command: list[str]) -> list[str]:
        """Return the command with which the next run is traced; the process id stays its own."""
        self._output.unlink(missing_ok=True)
        return [*strace(self._output, files=True), *command]

    def take_in(self, pid: int) -> list[Call]:
        """Take in what a run did that has ended, and return it in the order of `moment`.

        Args:
            pid: Its process id.
        """
        lines = traced_lines(self._output, pid)
        found = read_calls(lines, first=self._lines)
        self._lines += len(lines)
        calls = sorted(map(self._as_it_ended, found), key=moment)
        for call in calls:
            self.disk.apply(call)
        return calls

    def cut(self, luck: Luck) -> Image:
        """Leave of the files what a power cut leaves, and return that; the next run starts on it.

        Args:
            luck: Says what of the unsynced reached the disk.
        """
        image = self.disk.image(luck)
        if self._data.exists():
            shutil.rmtree(self._data)
        lay_out(image, self._data, self._data)
        self.disk = Disk(str(self._data), image)
        return image

    def _as_it_ended(self, call: Call) -> Call:
        """Find out how much of a write was made that a kill cut off; nothing else is cut off."""
        if call.ended != NEVER or call.name != "pwrite64":
            return call
        path, offset = Path(call.file), call.numbers[-1]
        found = path.read_bytes()[offset:][: len(call.data)] if path.exists() else b""
        pairs = zip(found, call.data, strict=False)
        made = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return call._replace(result=made, ended=self._lines)


def lay_out(image: Image, source: Path, target: Path) -> None:
    """Write an image of what was at `source` to `target`."""
    for path, content in image.items():
        place = target / Path(path).relative_to(source)
        if content is None:
            place.mkdir(mode=0o700)
        else:
            place.write_bytes(content)
