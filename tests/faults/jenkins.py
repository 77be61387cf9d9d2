"""Jenkins and the networks around it, a process: ``python -m faults.jenkins ORDER``.

It writes down what Jenkins took and obeys orders, one JSON object a line on standard input, each
answered by a line when it is done. It ends when standard input does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from faults.net import Network
from spigot.practice import Phase, PracticeJenkins
from spigot.practice.faults import Fault
from support.gateway import PATIENCE, reserve
from support.provider import SECRET
from support.records import Cause, Journal, Taken, digest, split_key

if TYPE_CHECKING:
    from spigot.practice import Visit

TAKEN = "taken.log"
CAUSES = "jenkins-causes.log"
HOOKS = ("/github-webhook/", "/generic-webhook-trigger/")
"""Where webhooks come, and no probe."""


class Ports(NamedTuple):
    """Where what is.

    Attributes:
        jenkins: Jenkins itself.
        to_jenkins: A network that leads there.
        gateway: The gateway's.
        to_gateway: A network that leads there.
    """

    jenkins: int
    to_jenkins: int
    gateway: int
    to_gateway: int


class Controlled:
    """A practice Jenkins that writes down what it took, and two networks.

    Args:
        directory: Where the logs go.
        ports: Where what is.
    """

    def __init__(self, directory: Path, ports: Ports) -> None:
        self._taken = (directory / TAKEN).open("w", 64 * 1024, encoding="ascii")
        self._journal = Journal((directory / CAUSES).open("w", encoding="utf-8"))
        self._boot = 0
        self._jenkins = PracticeJenkins(
            port=ports.jenkins,
            github_secrets=[SECRET],
            keep=0,
            clock=time.monotonic,
            on_taken=self._note,
        )
        self._loop = asyncio.new_event_loop()
        self._networks = {
            "jenkins": Network(ports.to_jenkins, ports.jenkins, self._cut),
            "gateway": Network(ports.to_gateway, ports.gateway, lambda _: None),
        }
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self) -> None:
        """Obey until there are no more orders."""
        with self._jenkins:
            for network in self._networks.values():
                self._do(network.open())
            print(flush=True)
            for line in sys.stdin:
                self._obey(json.loads(line))
                print(flush=True)
            for network in self._networks.values():
                self._do(network.close())
        self._taken.close()
        self._journal.close()

    def _obey(self, order: dict[str, Any]) -> None:
        match order:
            case {"phase": phase}:
                self._enter(Phase(phase))
            case {"boot": True}:
                self._reboot()
            case {"delay": seconds}:
                self._jenkins.delay = seconds
            case {"fault": fault, "paths": paths}:
                for path in paths:
                    self._jenkins.fault(path, Fault(**fault) if fault else None)
            case {"network": name, "cut": how}:
                self._loop.call_soon_threadsafe(
                    lambda: self._networks[name].cut(reset=how == "reset")
                )
            case {"network": name, "slow": seconds}:
                self._networks[name].slow = seconds
            case {"network": name, "halves": count}:
                self._networks[name].halves = count
            case {"flush": True}:
                self._taken.flush()
            case _:
                raise ValueError(f"no such order: {order}")

    def _enter(self, phase: Phase) -> None:
        network = self._networks["jenkins"]
        if phase is Phase.DOWN:
            self._jenkins.phase = phase
            self._do(network.close())
            self._reboot()
        else:
            if self._jenkins.phase is Phase.DOWN:
                self._do(network.open())
            self._jenkins.phase = phase

    def _reboot(self) -> None:
        self._jenkins.boot()
        self._boot += 1
        self._journal.write(Cause(time.monotonic(), "boot"))

    def _cut(self, how: str) -> None:
        self._journal.write(Cause(time.monotonic(), f"network: {how}"))

    def _note(self, visit: Visit) -> None:
        key = next(value for name, value in visit.headers if name == b"x-github-delivery").decode()
        mark = digest(visit.method.encode(), visit.target, visit.headers, visit.body)
        line = Taken(visit.at, time.monotonic(), self._boot, *split_key(key), mark).line
        self._taken.write(line)

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)


class ControlledProcess:
    """The handle of such a process; use it as a context manager.

    Args:
        directory: Where the logs go.
        gateway_port: The gateway's port.
    """

    def __init__(self, directory: Path, gateway_port: int) -> None:
        self._reserved = [reserve(), reserve(), reserve()]
        jenkins, to_jenkins, to_gateway = (sock.getsockname()[1] for sock in self._reserved)
        self.ports = Ports(jenkins, to_jenkins, gateway_port, to_gateway)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.jenkins", str(directory), json.dumps(self.ports)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._await()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def order(self, **order: object) -> None:
        """Give an order and wait until it is carried out."""
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            self._await()

    def close(self) -> None:
        """End it; its logs are whole then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            for sock in self._reserved:
                sock.close()

    def _await(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("the process of Jenkins has ended")


def main() -> None:
    """Run one; see the module."""
    Controlled(Path(sys.argv[1]), Ports(*json.loads(sys.argv[2]))).run()


if __name__ == "__main__":
    main()
