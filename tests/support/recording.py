"""A gateway whose calls are recorded while webhooks come, Jenkins goes, and it is killed."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from spigot.practice import Phase, PracticeJenkins
from spigot.stores.content import PART_BYTES
from spigot.web.limits import LARGE
from support.disk import Luck
from support.gateway import GatewayProcess
from support.provider import SECRET, Line, Request, github
from support.supply import PowerSupply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.calls import Call
    from support.disk import Image

SENDERS = 4
LANES = 2
"""Of each sender."""

PAUSE = 0.01
"""Seconds between two webhooks of a sender."""

KEEP = 1.0
"""Seconds for which delivered webhooks are kept."""

BUSY = """
from spigot.stores import room, upkeep
upkeep.CHECKPOINT_EVERY, upkeep.LOG_FRAMES, upkeep.PRUNE_EVERY = 0.02, 100, 0.2
room.RESERVE = 64 * 1024
from spigot.cli import main
main()
"""
"""A Spigot that does each moment what else takes it minutes: its log starts over, and it prunes."""

SETTINGS = {
    "SPIGOT_KEEP_DELIVERED": f"{KEEP:g}s",
    "SPIGOT_RECALL": "0s",  # so that what was delivered stays so
    "SPIGOT_RETRY_DELAYS": "0.1,0.2,0.5,1,2,2,2",
}


class Powered(NamedTuple):
    """What happened between two power cuts.

    Attributes:
        image: What was on the disk at first.
        calls: In the order in which they took effect.
    """

    image: Image
    calls: list[Call]


class Recording(NamedTuple):
    """What was recorded.

    Attributes:
        directory: The data directory.
        spans: One after the other.
        lanes: The requests that were answered 200 with their ids, by lane, in order.
        refused: The keys of those that Jenkins refuses.
    """

    directory: Path
    spans: list[Powered]
    lanes: dict[str, list[tuple[str, Request]]]
    refused: set[str]


def record(directory: Path, *, webhooks: int) -> Recording:
    """Record a gateway that makes its store, loses power, is killed, and is stopped.

    Args:
        directory: Where the data directory and the rest go.
        webhooks: About how many are delivered in each of the three times that it runs.
    """
    with (
        PracticeJenkins(github_secrets=[SECRET]) as jenkins,
        contextlib.closing(GatewayProcess(directory, jenkins.url, SETTINGS)) as gateway,
    ):
        recorder = _Recorder(gateway, jenkins, webhooks)
        recorder.run(kill=True)
        recorder.cut_power(Luck(0.5, seed=1))
        recorder.run(kill=True)
        recorder.run(kill=False)
        lanes: dict[str, list[tuple[str, Request]]] = {}
        for sender in recorder.senders:
            for id_, request in sender.answered:
                lanes.setdefault(request.lane, []).append((id_, request))
        refused = {key for sender in recorder.senders for key in sender.refused}
        return Recording(gateway.data, recorder.spans, lanes, refused)


class _Sender:
    """Sends webhooks of its own lanes one after the other.

    Args:
        name: Its lanes are named after it.
        in_parts: Some are so large that the store keeps them in parts.
    """

    def __init__(self, name: str, *, in_parts: bool) -> None:
        self.answered: list[tuple[str, Request]] = []
        self.refused: set[str] = set()
        self._name = name
        self._in_parts = in_parts
        self._number = 0
        self._random = random.Random(name)

    def run(self, port: int, over: threading.Event) -> None:
        """Go on until it is over, or until the gateway is gone."""
        with Line(port) as line:
            while not over.is_set():
                request = self._next()
                try:
                    answer = line.send(request)
                except (OSError, http.client.HTTPException):
                    return
                assert answer.status == 200, answer
                self.answered.append((answer.body["id"], request))
                over.wait(PAUSE)

    def _next(self) -> Request:
        """Return the next one: some are large, and some are refused by Jenkins.

        What is random hardly gets smaller when it is compressed, so that it fills its pages.
        """
        number = self._number
        self._number += 1
        size = LARGE if number % 12 == 5 else 20
        if self._in_parts and number % 25 == 7:
            size = PART_BYTES * 9 // 8
        repository = f"octo/{self._name}-{number % LANES}"
        noise = base64.b64encode(self._random.randbytes(size)).decode()
        body = {"repository": {"full_name": repository}, "noise": noise}
        request = github("push", json.dumps(body).encode(), key=f"{repository}#{number}")
        if number % 12 == 8:
            self.refused.add(request.key)
            request = request._replace(
                headers=tuple(pair for pair in request.headers if "Signature" not in pair[0])
            )
        return request


class _Recorder:
    def __init__(self, gateway: GatewayProcess, jenkins: PracticeJenkins, webhooks: int) -> None:
        self.senders = [
            _Sender(f"sender-{number}", in_parts=number == 0) for number in range(SENDERS)
        ]
        self.spans = [Powered({}, [])]
        self._gateway = gateway
        self._jenkins = jenkins
        self._webhooks = webhooks
        self._supply = PowerSupply(gateway.data)

    def run(self, *, kill: bool) -> None:
        """Run it until enough was delivered, with Jenkins away for a while."""
        gateway = self._gateway
        gateway.command = self._supply.traced([sys.executable, "-c", BUSY, "serve"])
        gateway.start()
        pid = gateway.pid
        before = gateway.status()["delivered"]
        with ThreadPoolExecutor(SENDERS) as pool, _set_at_end() as over:
            running = [pool.submit(sender.run, gateway.port, over) for sender in self.senders]
            gateway.until(lambda status: status["delivered"] >= before + self._webhooks // 3)
            self._jenkins.phase = Phase.DOWN
            gateway.until(lambda status: status["waiting"] >= self._webhooks // 3)
            self._jenkins.phase = Phase.READY
            gateway.until(lambda status: status["delivered"] >= before + self._webhooks)
            if kill:
                gateway.kill()
            over.set()
            for each in running:
                each.result()
        if not kill:
            gateway.until(lambda status: not status["waiting"])
            assert gateway.terminate() == 0
        self._take(pid)

    def cut_power(self, luck: Luck) -> None:
        """Leave of the files what a power cut leaves; the next run starts on that."""
        self.spans.append(Powered(self._supply.cut(luck), []))

    def _take(self, pid: int) -> None:
        self.spans[-1].calls.extend(self._supply.take_in(pid))
        modelled = self._supply.disk.image(Luck(1))
        data = self._gateway.data
        there = {str(path): path for path in (data, *data.rglob("*"))}
        assert set(modelled) == set(there)
        for name, path in there.items():  # but for what is written through a mapping
            assert path.is_dir() or name.endswith("-shm") or modelled[name] == path.read_bytes()


@contextlib.contextmanager
def _set_at_end() -> Iterator[threading.Event]:
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()
