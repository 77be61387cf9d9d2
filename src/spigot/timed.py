"""A socket on which a whole exchange has a time limit."""

from __future__ import annotations

import select
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from spigot.ports import Clock

_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TimedSocket:
    """A connected socket whose exchanges end in time, however slowly single bytes come.

    A socket's own timeout begins anew with each byte, and costs two further system calls each time.
    It is made for an exchange after the other, by one thread at a time.

    Args:
        sock: The socket; closed with this one.
        clock: Tells the time.
    """

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        sock.settimeout(0.0)
        self._sock = sock
        self._clock = clock
        self._end = 0.0
        # Not select: that knows no more than 1,024 descriptors.
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def give(self, seconds: float) -> None:
        """Let all that follows take so long, together."""
        self._end = self._clock.monotonic() + seconds

    def is_quiet(self) -> bool:
        """Tell whether nothing came since the last answer: neither its end nor stray bytes."""
        return not self._poll.poll(0)

    def sendall(self, data: bytes) -> None:
        """Send everything.

        Raises:
            OSError: The connection broke, or (TimeoutError) the time is over.
        """
        left = memoryview(data)
        while left:
            try:
                left = left[self._sock.send(left) :]
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except _NOT_YET:
                self._wait(select.POLLOUT)

    def recv(self, most: int) -> bytes:
        """Return what comes next, so many bytes at most; nothing at the end.

        Raises:
            OSError: The connection broke, or (TimeoutError) the time is over.
        """
        wanted = select.POLLIN
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            wanted = 0  # it was read from the network already
        while True:
            if wanted:
                self._wait(wanted)
            try:
                return self._sock.recv(most)
            except ssl.SSLWantWriteError:
                wanted = select.POLLOUT
            except _NOT_YET:
                wanted = select.POLLIN

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def _wait(self, event: int) -> None:
        """Wait until something can be read or written, or the connection is broken."""
        left = self._end - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        if event == select.POLLIN:
            ready = self._poll.poll(left * 1000)
        else:
            poll = select.poll()
            poll.register(self._sock, event)
            ready = poll.poll(left * 1000)
        if not ready:
            raise TimeoutError
