"""The public listener alone, over real sockets, with a store that keeps webhooks in a list."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

import uvloop

from spigot.errors import NoRoom
from spigot.hooks import Hooks
from spigot.intake import Intake
from spigot.meters import Meters
from spigot.ports import Clock, Passed
from spigot.web.access import Access
from spigot.web.edge import Edge
from spigot.web.handshakes import listen
from spigot.web.limits import Limits
from spigot.web.questions import Questions
from spigot.webhook import Receipt, Webhook

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from spigot.stores.sqlite import SqliteStore

PATIENCE = 20.0
PUSH = b"POST /github-webhook/ HTTP/1.1\r\nHost: a\r\nX-GitHub-Event: push\r\n"
JSON = b"Content-Type: application/json\r\n"
MAX_BODY = 1_000_000
MEMORY = 3_000_000


class Listener:
    """An edge on a free port, with a store that keeps webhooks in a list.

    Args:
        max_body: Bytes of the largest body.
        memory: Bytes that bodies may take.
        store: Keeps them instead.
        limits: All limits, over `max_body` and `memory`.
        access: Who may send; everybody by default.
        pass_on: Answers Jenkins' own questions.
        tls: For TLS.

    Attributes:
        kept: What was handed to the store.
        answer: Answers for the store; None leaves that to the test.
        waiting: What the test has to answer, each with the function to call.
        arrived: Something came to `waiting`.
        room: Whether there is room.
    """

    def __init__(
        self,
        *,
        max_body: int = MAX_BODY,
        memory: int = MEMORY,
        store: SqliteStore | None = None,
        limits: Limits | None = None,
        access: Access | None = None,
        pass_on: Callable[..., Passed] = lambda *_: Passed(0, error="no Jenkins"),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._limits = limits or Limits(max_body=max_body, memory=memory)
        self._access = access or Access(Clock())
        self._questions = Questions(pass_on)
        self._store = store
        self._tls = tls
        self.kept: list[Webhook] = []
        self.answer: Callable[[Webhook], Receipt | Exception] | None = lambda webhook: Receipt(
            webhook.id, duplicate=False
        )
        self.waiting: list[tuple[Webhook, Callable[[Receipt | Exception], None]]] = []
        self.room = True
        self.arrived = threading.Event()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self.on_loop(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def on_loop(self, work: Any) -> Any:
        """Run a coroutine on the edge's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def connect(self) -> socket.socket:
        """Open a connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def talk(self, request: bytes) -> list[tuple[int, dict[str, str], dict[str, Any]]]:
        """Send bytes, and return all answers until the connection is closed or they are over."""
        with self.connect() as line:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            return answers_in(read_all(line))

    def put(self, webhook: Webhook, done: Callable[[Receipt | Exception], None]) -> None:
        """Keep a webhook, and answer at once or when the test wants to."""
        self.kept.append(webhook)
        if self._store is not None:
            self._store.put(webhook, done)
        elif self.answer is None:
            self.waiting.append((webhook, done))
            self.arrived.set()
        else:
            done(self.answer(webhook))

    def check_room(self, _: int) -> None:
        """Say whether there is room."""
        if not self.room:
            raise NoRoom("too little disk")

    def settled(self, held: int = 0) -> bool:
        """Wait until bodies take so many bytes of memory."""

        async def wait() -> bool:
            while self.edge.held != held:
                await asyncio.sleep(0.005)
            return True

        return bool(self.on_loop(wait()))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()

    async def _start(self) -> None:
        intake = Intake(Hooks(), {"release": "/ghprbhook/"}, context="/jenkins", clock=Clock())
        self.edge = Edge(
            intake, self.put, self.check_room, access=self._access, limits=self._limits,
            questions=self._questions, meters=Meters(),
        )  # fmt: skip
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self._server = await listen(self.edge, listening, self._tls)

    async def _stop(self) -> None:
        self._server.close()
        await self.edge.stop(1.0)


def read_all(line: socket.socket) -> bytes:
    """Read until the other side closes."""
    received = b""
    while part := line.recv(65536):
        received += part
    return received


def answers_in(received: bytes) -> list[tuple[int, dict[str, str], dict[str, Any]]]:
    """Return the answers in what was received: status, headers, content."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        if status == "HTTP/1.1 100 Continue":
            continue
        headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}
        length = int(headers["content-length"])
        found.append((int(status.split()[1]), headers, json.loads(received[:length])))
        received = received[length:]
    return found


def whole(body: bytes, head: bytes = PUSH) -> bytes:
    """Return a whole request with a body."""
    return head + JSON + b"Content-Length: %d\r\n\r\n" % len(body) + body
