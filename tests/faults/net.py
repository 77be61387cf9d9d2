"""A faulty network: passes bytes between a port and another, and lets connections down."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

_LINGER_ZERO = struct.pack("ii", 1, 0)


class Network:
    """Listens on a port and passes each connection on; all on one loop.

    Args:
        port: Where it listens.
        target: The port that it passes on to.
        on_cut: Is called when connections were let down: whoever waits for an answer gets none.
    """

    def __init__(self, port: int, target: int, on_cut: Callable[[str], None]) -> None:
        self._port = port
        self.target = target
        self._on_cut = on_cut
        self._server: asyncio.Server | None = None
        self.pipes: set[Pipe] = set()
        self.slow = 0.0
        self.halves = 0

    async def open(self) -> None:
        """Take connections."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", self._port))
            self._server = await loop.create_server(lambda: Near(self), sock=sock, backlog=1024)

    async def close(self) -> None:
        """Refuse connections, and reset those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut(reset=True)

    def cut(self, *, reset: bool) -> None:
        """End all connections: with RST, or in peace."""
        if self.pipes:
            self._on_cut("reset" if reset else "cut")
        for pipe in list(self.pipes):
            pipe.end(reset=reset)

    def halve(self, pipe: Pipe, data: bytes) -> bool:
        """Pass on half of what came and reset the connection, if that is due."""
        if not self.halves:
            return False
        self.halves -= 1
        self._on_cut("halved")
        if pipe.peer is not None:
            pipe.peer.write(data[: len(data) // 2])
        pipe.end(reset=True)
        return True


class Pipe(asyncio.Protocol):
    """One end of a connection."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.peer: Pipe | None = None
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._late: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take part in whatever happens to the network."""
        self._transport = cast("asyncio.Transport", transport)
        self.network.pipes.add(self)
        for data in self._early:
            self._transport.write(data)
        self._early.clear()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End the other end too."""
        self.network.pipes.discard(self)
        if self.peer is not None:
            self.peer.end(reset=True)

    def data_received(self, data: bytes) -> None:
        """Pass data on, now or later."""
        if self.network.halve(self, data):
            return
        if self.network.slow or self._late:
            self._late.append(data)
            asyncio.get_running_loop().call_later(self.network.slow, self._pass)
        elif self.peer is not None:
            self.peer.write(data)

    def _pass(self) -> None:
        """Pass on what has waited for longest: a timer that is set later may ring earlier."""
        data = self._late.popleft()
        if self.peer is not None:
            self.peer.write(data)

    def write(self, data: bytes) -> None:
        """Send data, once there is a connection."""
        if self._transport is None:
            self._early.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def end(self, *, reset: bool) -> None:
        """End this connection; its other end follows."""
        if self._transport is None or self._transport.is_closing():
            return
        if reset:
            sock = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()


class Near(Pipe):
    """The end that was called."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Call the other side."""
        super().connection_made(transport)
        self.peer = Pipe(self.network)
        self.peer.peer = self
        task = asyncio.ensure_future(self._call(self.peer))
        task.add_done_callback(lambda _: None)

    async def _call(self, peer: Pipe) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: peer, "127.0.0.1", self.network.target)
        except OSError:
            self.end(reset=True)
        else:
            if self not in self.network.pipes:
                peer.end(reset=True)
