"""A disk that loses power: what of the files survives is what was synced, and any part of the rest.

Of a write that no sync has covered each sector may have reached the disk or not, whatever became
of the others and of later writes; the same goes for a file's length, and for each name in a
directory until the directory is synced. What was synced stays, to the byte, also where it shares a
sector with what was not (sqlite.org/psow.html).
"""

from __future__ import annotations

import random
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from support.calls import SYNCS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from support.calls import Call

SECTOR = 512
"""Bytes that reach a disk together or not at all."""

Image = dict[str, bytes | None]
"""Files by path with what is in them; None for a directory."""

Version = TypeVar("Version")

_OPENING = {"open", "openat", "creat"}
_NAMING = _OPENING | {
    "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat",
    "symlink", "rmdir", "truncate",
}  # fmt: skip


class Luck:
    """Says what of the unsynced reached the disk.

    Args:
        share: About which share of it; 0 for nothing, 1 for all.
        unit: Bytes that share a fate; 0 for whole writes.
        seed: The same seed, the same luck.
    """

    def __init__(self, share: float, unit: int = SECTOR, seed: int = 0) -> None:
        self._share = share
        self._unit = unit
        self._seed = seed
        self._random = random.Random(seed)
        self._drawn: dict[tuple[int, int], bool] = {}
        self.mixed = 0 < share < 1

    def __str__(self) -> str:
        return f"a share of {self._share} in units of {self._unit}, seed {self._seed}"

    def reaches(self, change: int, sector: int) -> bool:
        """Tell whether a change, the so-manieth of a file, reached a sector."""
        place = (change, sector * SECTOR // self._unit if self._unit else 0)
        if place not in self._drawn:
            self._drawn[place] = self._random.random() < self._share
        return self._drawn[place]

    def choose(self, versions: Sequence[Version]) -> Version:
        """Return one of the states of something small, the oldest of them first."""
        if self.mixed:
            return self._random.choice(versions)
        return versions[-1 if self._share else 0]

    def filler(self, size: int) -> bytes:
        """Return what stands where a file is long enough and nothing was written yet."""
        garbage = self.mixed and self._random.random() < 0.5
        return self._random.randbytes(size) if garbage else bytes(size)

    def garbage(self, size: int) -> bytes:
        """Return bytes that mean nothing."""
        return self._random.randbytes(size)


class _Change(NamedTuple):
    """Bytes written at an offset, and how long the file was then; see `Call` for the times."""

    offset: int
    data: bytes
    size: int
    ended: int

    def sectors(self) -> range:
        return range(self.offset // SECTOR, -(-(self.offset + len(self.data)) // SECTOR))


class _File:
    """What is on disk for certain, and what was done since."""

    def __init__(self, content: bytes = b"") -> None:
        self.synced = bytearray(content)
        self.changes: list[_Change] = []
        self.mapped = False

    @property
    def size(self) -> int:
        return self.changes[-1].size if self.changes else len(self.synced)

    def sync(self, began: int) -> None:
        for change in self.changes:
            if change.ended < began:
                _put(self.synced, change)
        self.changes = [change for change in self.changes if change.ended >= began]

    def change(self, offset: int, data: bytes, size: int, ended: int) -> None:
        self.changes.append(_Change(offset, data, size, ended))

    def after(self, luck: Luck) -> bytes:
        sizes = [len(self.synced), *(change.size for change in self.changes)]
        if self.mapped:  # who can tell what was written
            return luck.garbage(luck.choose(sizes))
        content = self.synced + luck.filler(max(sizes) - len(self.synced))
        newest: dict[int, int] = {}
        for number, change in enumerate(self.changes):
            for sector in change.sectors():
                if luck.reaches(number, sector):
                    newest[sector] = number
        for number, change in enumerate(self.changes):
            for sector in change.sectors():
                if number <= newest.get(sector, -1):
                    start = max(sector * SECTOR, change.offset)
                    end = min((sector + 1) * SECTOR, change.offset + len(change.data))
                    content[start:end] = change.data[start - change.offset : end - change.offset]
        return bytes(content[: luck.choose(sizes)])


class _Directory:
    """A directory; what is in it tell the paths of the names."""


_Node = _File | _Directory | None
"""None where there is nothing."""


class _Name:
    """What a path leads to: on disk for certain, and since then, each with when that was done."""

    def __init__(self, synced: _Node) -> None:
        self.synced = synced
        self.changes: list[tuple[_Node, int]] = []

    def versions(self) -> list[_Node]:
        return [self.synced, *(node for node, _ in self.changes)]

    def sync(self, began: int) -> None:
        for node, ended in self.changes:
            if ended < began:
                self.synced = node
        self.changes = [change for change in self.changes if change[1] >= began]


class Disk:
    """Follows the calls that change a directory and the files in it.

    Args:
        directory: Its path. The one that it lies in is there for certain.
        image: What there is at first, all of it on disk.
    """

    def __init__(self, directory: str, image: Mapping[str, bytes | None] | None = None) -> None:
        self._directory = directory
        self._names = {
            path: _Name(_Directory() if content is None else _File(content))
            for path, content in (image or {}).items()
        }

    def apply(self, call: Call) -> None:
        """Take a call into account; calls come in the order of `moment`.

        Raises:
            ValueError: It changes the files in a way that is not followed here.
        """
        if call.result is not None and call.result < 0:
            return
        if call.name in SYNCS:
            self._sync(call)
        elif call.name in _NAMING:
            self._rename(call)
        elif isinstance(file := self._node(call.file), _File):
            self._change(file, call)

    def image(self, luck: Luck) -> Image:
        """Return what is there if the power fails now."""
        found: Image = {}
        for path, name in sorted(self._names.items()):
            node = luck.choose(name.versions())
            if node is None or (path != self._directory and _parent(path) not in found):
                continue
            found[path] = node.after(luck) if isinstance(node, _File) else None
        return found

    def _holds(self, path: str) -> bool:
        return path == self._directory or path.startswith(f"{self._directory}/")

    def _node(self, path: str) -> _Node:
        return self._names[path].versions()[-1] if path in self._names else None

    def _sync(self, call: Call) -> None:
        if call.result != 0:
            return  # who knows
        if isinstance(file := self._node(call.file), _File):
            file.sync(call.began)
        for path, name in self._names.items():
            if _parent(path) == call.file:
                name.sync(call.began)

    def _rename(self, call: Call) -> None:
        opening = call.name in _OPENING
        (path,) = [call.opened] if opening else call.paths[-1:] or [""]
        if not any(map(self._holds, [path, *call.paths])):
            return
        node = self._node(path)
        if opening:
            if node is None and (call.name == "creat" or "O_CREAT" in call.words):
                self._lead(path, _File(), call)
            elif isinstance(node, _File) and (call.name == "creat" or "O_TRUNC" in call.words):
                node.change(0, bytes(node.size), 0, call.ended)
        elif call.name.startswith("mkdir"):
            self._lead(path, _Directory(), call)
        elif call.name.startswith("unlink"):
            self._lead(path, None, call)
        else:
            raise _unknown(call)

    def _lead(self, path: str, node: _Node, call: Call) -> None:
        self._names.setdefault(path, _Name(None)).changes.append((node, call.ended))

    def _change(self, file: _File, call: Call) -> None:
        numbers = call.numbers
        if call.name == "pwrite64":
            end = numbers[-1] + len(call.data)
            file.change(numbers[-1], call.data, max(file.size, end), call.ended)
        elif call.name == "ftruncate":
            cut = bytes(max(0, file.size - numbers[-1]))
            file.change(numbers[-1], cut, numbers[-1], call.ended)
        elif call.name == "fallocate" and numbers[0] == 0:
            file.change(0, b"", max(file.size, numbers[1] + numbers[2]), call.ended)
        elif call.name == "mmap":
            file.mapped |= "MAP_SHARED" in call.words and "PROT_WRITE" in call.words
        else:
            raise _unknown(call)


def moment(call: Call) -> int:
    """Return when a call takes effect: a sync once it is over, all else from its beginning on."""
    return call.ended if call.name in SYNCS else call.began


def _put(content: bytearray, change: _Change) -> None:
    content.extend(bytes(max(0, change.size - len(content))))
    content[change.offset : change.offset + len(change.data)] = change.data
    del content[change.size :]


def _parent(path: str) -> str:
    return str(PurePath(path).parent)


def _unknown(call: Call) -> ValueError:
    return ValueError(f"not followed: {call.name} of {call.file} {call.strings[:2]}")
