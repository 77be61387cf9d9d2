"""A socket on which a whole exchange has a time limit."""

from __future__ import annotations

import io
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from spigot.ports import Clock


class TimedSocket:
    """A connected socket whose exchanges end in time, however slowly single bytes come.

    A socket's own timeout begins anew with each byte. This is as much of a socket as `http.client`
    uses; it is made for an exchange after the other, by one thread at a time.

    Args:
        sock: The socket; closed with this one.
        clock: Tells the time.
    """

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self._sock = sock
        self._clock = clock
        self._end = 0.0

    def give(self, seconds: float) -> None:
        """Let all that follows take so long, together."""
        self._end = self._clock.monotonic() + seconds

    def is_quiet(self) -> bool:
        """Tell whether nothing came since the last answer: neither its end nor stray bytes."""
        # Not select: that knows no more than 1,024 descriptors.
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return not poll.poll(0)

    def limit(self) -> None:
        """Set the time that is left; raise TimeoutError if none is."""
        left = self._end - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        self.limit()
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a reader that keeps the socket open until it is closed, as a socket's own does."""
        assert mode == "rb"
        return io.BufferedReader(_TimedReader(self._sock.makefile("rb", buffering=0), self))

    def close(self) -> None:
        """Close it."""
        self._sock.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: TimedSocket) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        self._sock.limit()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
