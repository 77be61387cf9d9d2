"""The senders of a soak, a process: ``python -m faults.senders ORDER``, an order as JSON.

Each is a thread with a connection and lanes of its own. It sends the webhooks of a lane one after
the other, each again until it is answered 2xx, and writes down what was promised. They end when
standard input does.
"""

from __future__ import annotations

import base64
import hmac
import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from support.provider import SECRET
from support.records import Sent, digest, key_of

LAG = 10.0
"""Seconds of webhooks that a sender makes up for at most, when the gateway was away."""

ANSWER_SECONDS = 10.0
"""What a sender waits for an answer, as GitHub does."""

PADDING = b"All work and no play makes Jack a dull boy. " * 50_000
NOISE = base64.b64encode(random.Random(1).randbytes(3_000_000))
"""It hardly gets smaller when it is compressed, so that the store keeps it in parts."""


SIZES = {200: 60.0, 1500: 38.0, 28_000: 1.93, 300_000: 0.05, len(NOISE): 0.02}
"""Up to how many bytes of padding webhooks have, and how often in percent."""


class Order(NamedTuple):
    """What a process of senders shall do.

    Attributes:
        directory: Where their logs go.
        ports: The gateway's ports; the senders take turns.
        rate: Webhooks a second, of all together.
        senders: How many.
        lanes: Of each sender.
        seed: For sizes and the like.
        refusable: One in so many is signed wrongly, so that Jenkins refuses it; 0: none.
    """

    directory: str
    ports: list[int]
    rate: float
    senders: int
    lanes: int
    seed: int
    refusable: int = 0


class Target(NamedTuple):
    """One kind of webhook."""

    path: str
    headers: tuple[tuple[bytes, bytes], ...]


GITHUB = Target(
    "/github-webhook/", ((b"Content-Type", b"application/json"), (b"X-GitHub-Event", b"push"))
)
TRIGGER = Target(
    "/generic-webhook-trigger/invoke?token=practice",
    ((b"Content-Type", b"application/json"), (b"X-GitHub-Event", b"push")),
)
HARMLESS = "h"
"""How lanes begin in which a repetition is harmless, so that a restart of Jenkins may bring one."""


class Webhook(NamedTuple):
    """A request ready to be sent."""

    lane: str
    number: int
    data: bytes
    mark: str
    refusable: bool


class Sender(threading.Thread):
    """One sender; see the module."""

    def __init__(self, number: int, order: Order, over: threading.Event) -> None:
        super().__init__(name=f"sender-{number}")
        self._order = order
        self._over = over
        self._chance = random.Random(f"{order.seed} sender {number}")
        self._address = ("127.0.0.1", order.ports[number % len(order.ports)])
        self._lanes = [
            f"{'t' if lane % 8 == 7 else HARMLESS}{number}-{lane}" for lane in range(order.lanes)
        ]
        self._numbers = [0] * order.lanes
        self._socket: socket.socket | None = None
        self._path = Path(order.directory, f"sent-{number}.log")
        self.answers: Counter[int] = Counter()
        self.unanswered = 0

    def run(self) -> None:
        with self._path.open("w", encoding="ascii") as log:
            gap = self._order.senders / self._order.rate
            due = time.monotonic() + self._chance.uniform(0, gap)
            while not self._over.is_set():
                lane = self._chance.randrange(self._order.lanes)
                webhook = self._make(lane)
                log.write(self._send(webhook).line)
                self._numbers[lane] += 1
                now = time.monotonic()
                due = max(due + gap, now - LAG)
                if due > now:
                    self._over.wait(due - now)

    def _make(self, index: int) -> Webhook:
        chance, lane, number = self._chance, self._lanes[index], self._numbers[index]
        target = GITHUB if lane[0] == HARMLESS else TRIGGER
        size = chance.choices((200, 1500, 28_000, 300_000, len(NOISE)), (60, 38, 1.93, 0.05, 0.02))[
            0
        ]
        body = b'{"repository":{"full_name":"octo/%s"},"number":%d,"padding":"%s"}' % (
            lane.encode(),
            number,
            (NOISE if size == len(NOISE) else PADDING)[: chance.randrange(size)],
        )
        refusable = bool(self._order.refusable) and chance.randrange(self._order.refusable) == 0
        refusable = refusable and target is GITHUB
        secret = b"not the octopus" if refusable else SECRET.encode()
        headers = (
            (b"User-Agent", b"GitHub-Hookshot/044aadd"),
            (b"X-GitHub-Delivery", key_of(lane, number).encode()),
            (
                b"X-Hub-Signature-256",
                b"sha256=" + hmac.digest(secret, body, "sha256").hex().encode(),
            ),
            *target.headers,
        )
        head = [b"POST %s HTTP/1.1" % target.path.encode(), b"Host: hooks.example"]
        head += [name + b": " + value for name, value in headers]
        head.append(b"Content-Length: %d\r\n\r\n" % len(body))
        mark = digest(b"POST", target.path.encode(), headers, body)
        return Webhook(lane, number, b"\r\n".join(head) + body, mark, refusable)

    def _send(self, webhook: Webhook) -> Sent:
        times = 0
        promised = False
        while not promised and (not times or not self._over.is_set()):
            try:
                if self._socket is None:
                    self._socket = socket.create_connection(self._address, ANSWER_SECONDS)
                    self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                times += 1
                self._socket.sendall(webhook.data)
                status = self._read(self._socket)
            except OSError as error:
                self._close()
                self.unanswered += not isinstance(error, ConnectionRefusedError)
                if self._over.wait(0.02):
                    break
                continue
            self.answers[status] += 1
            promised = 200 <= status < 300
            if not promised:
                self._over.wait(0.05)
        return Sent(webhook.lane, webhook.number, webhook.mark, times, promised, webhook.refusable)

    def _read(self, sock: socket.socket) -> int:
        """Read one answer and return its status."""
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more(sock)
        head = data[:end].lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(data) < end + 4 + length:
            data += self._more(sock)
        if b"connection: close" in head:
            self._close()
        return int(data[9:12])

    def _more(self, sock: socket.socket) -> bytes:
        data = sock.recv(65536)
        if not data:
            raise ConnectionResetError("closed before the answer was whole")
        return data

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def main() -> None:
    """Send until standard input ends; then print what was answered, as JSON."""
    order = Order(**json.loads(sys.argv[1]))
    over = threading.Event()
    senders = [Sender(number, order, over) for number in range(order.senders)]
    for sender in senders:
        sender.start()
    sys.stdin.read()
    over.set()
    answers: Counter[int] = Counter()
    for sender in senders:
        sender.join()
        answers += sender.answers
    unanswered = sum(sender.unanswered for sender in senders)
    print(json.dumps({"answers": dict(answers), "unanswered": unanswered}))


if __name__ == "__main__":
    main()
