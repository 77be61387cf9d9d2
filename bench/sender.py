"""A provider that sends at a steady rate, whatever becomes of it."""

from __future__ import annotations

import asyncio
import time
from itertools import cycle, islice
from typing import TYPE_CHECKING, NamedTuple

import uvloop

if TYPE_CHECKING:
    from bench.payloads import Wire

CONNECTIONS = 32


class Sent(NamedTuple):
    """What was sent.

    Attributes:
        at: When each delivery was begun to be sent, UNIX seconds.
        answered: How long each took to be answered 200, seconds.
        late: How many seconds after its time the last was sent: the sender itself was too slow, or
            all its connections waited for answers.
    """

    at: dict[str, float]
    answered: dict[str, float]
    late: float


def send(port: int, wires: list[Wire], rate: float, seconds: float, *, prefix: str) -> Sent:
    """Send webhooks at a rate, over keep-alive connections.

    Args:
        port: Where they are taken, on 127.0.0.1.
        wires: What is sent, again and again.
        rate: Webhooks a second.
        seconds: For how long.
        prefix: Begins each delivery id.

    Raises:
        AssertionError: One was not answered 200.
    """
    return uvloop.run(_send(port, wires, rate, seconds, prefix))


async def _send(port: int, wires: list[Wire], rate: float, seconds: float, prefix: str) -> Sent:
    sent = Sent({}, {}, 0.0)
    late = 0.0
    numbered = enumerate(islice(cycle(wires), int(rate * seconds)))
    begin = time.monotonic()

    async def work() -> None:
        nonlocal late
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, wire in numbered:
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            delivery = f"{prefix}-{number}"
            request = wire.with_id(delivery)
            late = time.monotonic() - due
            sent.at[delivery] = began = time.time()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
            sent.answered[delivery] = time.time() - began
        writer.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return sent._replace(late=late)
