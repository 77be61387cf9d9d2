"""What strace wrote, read: the system calls of a program, each with when it began and ended.

strace stops a thread where a call begins and again where it ends, and writes both down as it sees
them. A thread goes on only after that; so where one call leads to another, in whatever thread, the
end of the first stands before the beginning of the second.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

NEVER = sys.maxsize
"""The end of a call that was still running when its process was killed."""

SYNCS = frozenset(("fsync", "fdatasync"))
"""The calls that return once a file is on disk."""

_LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)(?:<([^>]*)>)?(?: .*)?", re.DOTALL)
_STRING = re.compile(r'"([^"]*)"(\.\.\.)?')
_FIRST_FILE = re.compile(r"\d+<([^>]*)>(\(deleted\))?")
_NUMBER = re.compile(r", (\d+)(?=,|$)")
_FILES = re.compile(r"<[^>]*>")


class Call(NamedTuple):
    """A system call.

    Attributes:
        name: Its name.
        file: The path of the descriptor that it is about, with ``(deleted)`` behind it where that
            is so; of a socket, ``socket:`` and its number.
        strings: Its strings: the data, or paths.
        words: Its other arguments, as strace writes them.
        numbers: Those of them behind the first that are plain numbers.
        result: What it returned; None if it never ended.
        opened: The path of the descriptor that it returned.
        began: Where in the trace it began.
        ended: Where in the trace it ended, or `NEVER`.
        at: When it began, UNIX seconds.
    """

    name: str
    file: str
    strings: tuple[bytes, ...]
    words: str
    numbers: tuple[int, ...]
    result: int | None
    opened: str
    began: int
    ended: int
    at: float

    @property
    def data(self) -> bytes:
        """What it wrote: of all its strings, as much as it says it took."""
        data = b"".join(self.strings)
        return data if self.result is None else data[: max(0, self.result)]

    @property
    def paths(self) -> list[str]:
        """Its strings as paths."""
        return [string.decode() for string in self.strings]


def read_calls(lines: Iterable[str], *, first: int = 0) -> list[Call]:
    """Return the calls that `lines` tell of, in the order in which they began.

    Args:
        lines: What `support.strace.strace` had written.
        first: The number of the first line, where several traces follow each other.

    Raises:
        ValueError: A line is no such thing, or does not show all of what was written.
    """
    calls: list[Call] = []
    running: dict[str, tuple[int, float, str]] = {}
    for number, line in enumerate(lines, first):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"no line of strace: {line[:200]}")
        thread, at, text = match.groups()
        if text.startswith(("+++", "---", "????")):
            continue
        began, when = number, float(at)
        if resumed := _RESUMED.fullmatch(text):
            began, when, start = running.pop(thread)
            text = start + resumed[1]
        if text.endswith(_UNFINISHED):
            running[thread] = (began, when, text.removesuffix(_UNFINISHED))
            continue
        calls.append(_call(text, began, number, when))
    for began, when, text in running.values():
        calls.append(_call(f"{text}) = ?", began, NEVER, when))
    return sorted(calls, key=lambda call: call.began)


def _call(text: str, began: int, ended: int, at: float) -> Call:
    match = _CALL.fullmatch(text)
    if match is None:
        raise ValueError(f"no call: {text[:200]}")
    name, arguments, result, opened = match.groups()
    strings = []
    for string, more in _STRING.findall(arguments):
        if more:
            raise ValueError(f"strace left out a part of: {text[:200]}")
        strings.append(_bytes(string))
    words = _STRING.sub("", arguments)
    file = _FIRST_FILE.search(words)
    return Call(
        name=name,
        file=_path(file[1]) + (file[2] or "") if file else "",
        strings=tuple(strings),
        words=words,
        numbers=tuple(map(int, _NUMBER.findall(_FILES.sub("", words)))),
        result=None if result == "?" else int(result, 0),
        opened=_path(opened or ""),
        began=began,
        ended=NEVER if result == "?" else ended,
        at=at,
    )


def _bytes(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.encode().translate(None, b"\\x").decode())


def _path(hexadecimal: str) -> str:
    return _bytes(hexadecimal).decode()
