"""The public listener's socket; with TLS, a connection counts before its handshake is made.

An event loop's own server shows a connection only once its handshake is done: whoever never ends
one would be in no count.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Protocol

from spigot.log import Log
from spigot.web.limits import LINGER_SECONDS

if TYPE_CHECKING:
    import ssl

    from spigot.web.edge import Edge

BACKLOG = 1024

ACCEPTED = 32
"""So many are accepted in one round of the loop."""

REST_SECONDS = 1.0
"""How long nothing is accepted after the system had no file or memory for it."""

_log = Log(__name__)


class Listening(Protocol):
    """What takes connections."""

    def close(self) -> None:
        """Take no more; those there are stay."""


async def listen(edge: Edge, sock: socket.socket, context: ssl.SSLContext | None) -> Listening:
    """Take connections at a socket for an edge.

    Args:
        edge: Whose connections they are.
        sock: The socket.
        context: For TLS; None for plain HTTP.
    """
    if context is None:
        loop = asyncio.get_running_loop()
        return await loop.create_server(edge.connection, sock=sock, backlog=BACKLOG)
    return Handshakes(edge, sock, context)


class Handshakes:
    """Accepts connections and makes TLS handshakes; what comes of them is the edge's.

    Args:
        edge: Counts them, and has the limits.
        sock: The socket.
        context: What is served.
    """

    def __init__(self, edge: Edge, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._edge = edge
        self._socket = sock
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._resting: asyncio.TimerHandle | None = None
        sock.settimeout(0)
        sock.listen(BACKLOG)
        self._begin()

    def close(self) -> None:
        """Take no more; handshakes that have begun go on."""
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _begin(self) -> None:
        self._resting = None
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED):
            try:
                line, _address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.error("No connection can be accepted for now", reason=error.strerror)
                self._loop.remove_reader(self._socket)
                self._resting = self._loop.call_later(REST_SECONDS, self._begin)
                return
            task = self._loop.create_task(self._greet(line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _greet(self, line: socket.socket) -> None:
        edge = self._edge
        connection = edge.connection()
        if not edge.greet(connection):
            line.close()
            return
        try:
            line.settimeout(0)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(
                lambda: connection, line, ssl=self._context,
                ssl_handshake_timeout=edge.limits.header_timeout,
                ssl_shutdown_timeout=LINGER_SECONDS,
            )  # fmt: skip
        except OSError as error:  # a TLS error is one too, and so is a timeout
            _log.debug("A TLS handshake failed", reason=str(error) or type(error).__name__)
        finally:
            edge.handshakes.discard(connection)
