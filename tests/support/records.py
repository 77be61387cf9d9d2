"""What the processes of a soak write down, one line each: promises, arrivals, causes.

Times are seconds of the monotonic clock, which all processes of a machine share and nobody moves.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

OF_ONE_CONNECTION = frozenset((b"host", b"content-length", b"connection"))
"""Headers that change on the way; all others arrive as they were sent."""


class Sent(NamedTuple):
    """A webhook that a sender is done with.

    Attributes:
        lane: Its lane.
        number: Its number in the lane, from 0; they are sent one after the other.
        digest: Of all that has to arrive, see `digest`.
        times: How often it was sent, because there was no answer.
        promised: Whether it was answered 2xx at last.
        refusable: Jenkins will refuse it for good, on purpose: it has to end dead.
    """

    lane: str
    number: int
    digest: str
    times: int
    promised: bool = True
    refusable: bool = False

    @property
    def line(self) -> str:
        """The line that `read_sent` reads."""
        flags = "p" * self.promised + "r" * self.refusable
        return f"{self.lane} {self.number} {self.digest} {self.times} {flags or '-'}\n"


class Taken(NamedTuple):
    """A webhook that Jenkins took.

    Attributes:
        at: When it had arrived in whole.
        until: When Jenkins was done with it and answered.
        boot: In which boot of Jenkins, counted from 0.
        lane: Its lane.
        number: Its number in the lane.
        digest: Of what arrived.
    """

    at: float
    until: float
    boot: int
    lane: str
    number: int
    digest: str

    @property
    def key(self) -> str:
        """Its delivery id."""
        return key_of(self.lane, self.number)

    @property
    def line(self) -> str:
        """The line that `read_taken` reads."""
        return (
            f"{self.at:.6f} {self.until:.6f} {self.boot} {self.lane} {self.number} {self.digest}\n"
        )


class Cause(NamedTuple):
    """Something after which a webhook may come to Jenkins twice.

    Attributes:
        at: When.
        kind: What: ``kill: …``, ``stop``, ``cut``, ``boot``, ``replay``, ``drop``.
        key: Of a replay or drop: ``lane#number``.
    """

    at: float
    kind: str
    key: str = ""

    @property
    def line(self) -> str:
        """The line that `read_causes` reads."""
        return f"{self.at:.6f}\t{self.kind}\t{self.key}\n"


def digest(
    method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes
) -> str:
    """Return a digest of everything that must arrive as it was sent."""
    lines = [
        name.lower() + b":" + value
        for name, value in headers
        if name.lower() not in OF_ONE_CONNECTION
    ]
    head = b"\n".join((method, target, *lines, b""))
    return blake2b(body, digest_size=8, key=blake2b(head, digest_size=8).digest()).hexdigest()


def key_of(lane: str, number: int) -> str:
    """Return the delivery id of a webhook."""
    return f"{lane}#{number}"


def split_key(key: str) -> tuple[str, int]:
    """Return lane and number of a delivery id."""
    lane, _, number = key.rpartition("#")
    return lane, int(number)


def read_sent(path: Path) -> Iterator[Sent]:
    """Read what one sender wrote, line by line."""
    with path.open(encoding="ascii") as file:
        for lane, number, mark, times, flags in map(str.split, file):
            yield Sent(lane, int(number), mark, int(times), "p" in flags, "r" in flags)


def read_taken(path: Path) -> Iterator[Taken]:
    """Read what Jenkins took, in the order in which it took it."""
    with path.open(encoding="ascii") as file:
        for at, until, boot, lane, number, mark in map(str.split, file):
            yield Taken(float(at), float(until), int(boot), lane, int(number), mark)


def read_causes(*paths: Path) -> list[Cause]:
    """Read all causes, the earliest first."""
    causes = []
    for path in paths:
        with path.open(encoding="utf-8") as file:
            for line in file:
                at, kind, key = line.rstrip("\n").split("\t")
                causes.append(Cause(float(at), kind, key))
    return sorted(causes)


class Journal:
    """Appends causes to a file, each at once.

    Args:
        file: Opened for writing text.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, cause: Cause) -> None:
        """Write one down."""
        self._file.write(cause.line)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
