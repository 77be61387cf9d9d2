"""A server on a raw socket, for tests of what is sent to Jenkins and of what comes back."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any, Self

from spigot.address import Target
from spigot.jenkins import Jenkins
from spigot.webhook import Headers, Webhook

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

PATIENCE = 10.0
"""Seconds after which something that should have happened is plainly broken."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RawServer:
    """Records the bytes of each request, and answers what it is told to.

    Args:
        play: What happens on each connection, which is closed then; usually each request is
            answered with `answer`.
        tls: For TLS.

    Attributes:
        answer: The bytes of the usual answer.
        requests: The requests that came.
        connections: How many connections were made.
        gone: A connection has ended.
    """

    def __init__(
        self,
        play: Callable[[RawServer, socket.socket], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answer = OK
        self.requests: list[bytes] = []
        self.connections = 0
        self.gone = threading.Event()
        self.play = play or (lambda server, line: server.converse(line))
        self._tls = tls
        self._lines: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for line in (self._listener, *self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    def _accept(self) -> None:
        threads: list[threading.Thread] = []
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                self.connections += 1
                self._lines.append(line)
                threads.append(threading.Thread(target=self._serve, args=(line,), daemon=True))
                threads[-1].start()
        for thread in threads:
            thread.join(PATIENCE)

    def _serve(self, line: socket.socket) -> None:
        try:
            if self._tls:
                line = self._tls.wrap_socket(line, server_side=True)
            self.play(self, line)
        except OSError:
            pass  # the other side has left
        finally:
            line.close()
            self.gone.set()

    def read(self, line: socket.socket) -> bytes:
        """Read a request and record it; empty at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := line.recv(65536)):
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        while len(body) < int(length or b"0") and (more := line.recv(65536)):
            body += more
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def converse(self, line: socket.socket) -> None:
        """Answer until the client leaves."""
        while self.read(line):
            line.sendall(self.answer)

    @property
    def head(self) -> list[bytes]:
        """The lines of the last request's head."""
        return self.requests[-1].partition(b"\r\n\r\n")[0].split(b"\r\n")


def saying(answer: bytes) -> RawServer:
    """Return a server that reads one request on a connection, says this, and closes."""

    def play(server: RawServer, line: socket.socket) -> None:
        server.read(line)
        line.sendall(answer)

    return RawServer(play)


def reset(line: socket.socket) -> None:
    """Close a connection with a reset."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as line:
        port: int = line.getsockname()[1]
        return port


@contextlib.contextmanager
def way_to(
    port: int, *, context: str = "", scheme: str = "http", **settings: Any
) -> Iterator[Jenkins]:
    """Make a way to a Jenkins on this port of this machine."""
    target = Target.parse(f"{scheme}://127.0.0.1:{port}{context}")
    patient: dict[str, Any] = {"read_timeout": PATIENCE, "probe_timeout": PATIENCE}
    jenkins = Jenkins(target, **patient | settings)
    try:
        yield jenkins
    finally:
        jenkins.close()


def hook(
    path: str = "/github-webhook/",
    query: str = "",
    headers: Headers = (),
    body: bytes = b"{}",
    method: str = "POST",
) -> Webhook:
    """Return a webhook that brings nothing but this."""
    return Webhook(
        "01", 0.0, method, path, query, headers, body, path, "github", "push", None, path
    )
