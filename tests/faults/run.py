"""A soak: senders, a gateway and a Jenkins, and everything that can go wrong with them."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from faults.jenkins import HOOKS, ControlledProcess
from faults.mishaps import MISHAPS
from faults.senders import Order
from faults.strand import Strand
from faults.verdict import PARALLEL, READ_TIMEOUT, RECALL, TALLY
from spigot.errors import SpigotError
from spigot.stores.history import Selection
from spigot.webhook import State
from support.disk import Luck
from support.downgrade import downgrade
from support.gateway import GatewayProcess
from support.records import Cause, Journal
from support.supply import PowerSupply

if TYPE_CHECKING:
    from faults.plan import Life, Plan, Step
    from spigot.stores.sqlite import SqliteStore

TESTS = Path(__file__).parent.parent

_COUNTS = {
    "waiting": "SELECT waiting FROM totals",
    "delivered": "SELECT delivered FROM totals",
    "failed": "SELECT count(*) FROM attempts WHERE verdict = 'again'",
}
"""What can be waited for."""

PATIENCE = 120.0
"""Seconds after which something is plainly broken, on a machine that has much else to do."""

SETTINGS = {
    "SPIGOT_RETRY_DELAYS": "0.1,0.2,0.5,1,1,2,2,2,2,2",
    "SPIGOT_SETTLE_AFTER": "0.2",
    "SPIGOT_PROBE_EVERY": "0.1",
    "SPIGOT_PROBE_TIMEOUT": "1",
    "SPIGOT_READ_TIMEOUT": f"{READ_TIMEOUT:.0f}",
    "SPIGOT_CONNECT_TIMEOUT": "1",
    "SPIGOT_RECALL": f"{RECALL:.0f}",
    "SPIGOT_PARALLEL": f"{PARALLEL}",
    "SPIGOT_MIN_FREE": "1MiB",
    "SPIGOT_KEEP_DELIVERED": "30s",
    "SPIGOT_KEEP_DEAD": "3650d",
    "LOG_LEVEL": "WARNING",
}


class Options(NamedTuple):
    """How hard a soak is.

    Attributes:
        seconds: For how long things go wrong.
        seed: For all that is left to chance.
        rate: Webhooks a second that are sent.
        senders: How many threads send.
        lanes: Of each sender.
        refusable: One webhook in so many is one that Jenkins refuses for good.
    """

    seconds: float
    seed: int
    rate: float = 400.0
    senders: int = 8
    lanes: int = 16
    refusable: int = 500


class Soak:
    """One soak in one directory.

    Args:
        directory: Where all of it is written.
        wrong: What goes wrong.
        options: How long and how hard.
    """

    def __init__(self, directory: Path, wrong: Plan, options: Options) -> None:
        self._directory = directory
        self._plan = wrong
        self._options = options
        self._gateway = GatewayProcess(directory, "http://127.0.0.1:1", SETTINGS)
        paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._gateway.environment["PYTHONPATH"] = os.pathsep.join(paths)
        self._supply = PowerSupply(self._gateway.data) if wrong.power else None
        self._jenkins = ControlledProcess(directory, self._gateway.port)
        self._journal = Journal((directory / "causes.log").open("w", encoding="utf-8"))
        self._chance = random.Random(f"{options.seed} choices")
        self.ends: Counter[str] = Counter()
        self.did: Counter[str] = Counter()
        self.starts: list[float] = []
        self.memory = 0
        self.problems: list[str] = []

    def run(self) -> None:
        """Let everything go wrong for the time, then end in peace; `verdict` judges it."""
        began = time.monotonic()
        senders = self._start_senders()
        strands = [Strand(steps, self._do) for steps in self._plan.strands]
        for strand in strands:
            strand.start()
        try:
            for life in self._plan.lives:
                if time.monotonic() > began + self._options.seconds:
                    break
                self._live(life)
            for strand in strands:
                self.problems += strand.end()
            self._calm()
            seconds = time.monotonic() - began
            self._drain(senders)
        finally:
            for strand in strands:
                strand.over.set()
            senders.kill()
            senders.wait()
            self._gateway.close()
            self._jenkins.close()
            self._journal.close()
        tally = {
            "seconds": seconds, "seed": self._options.seed, "ends": self.ends, "did": self.did,
            "longest start": max(self.starts, default=0.0), "memory": self.memory,
            "problems": self.problems, **self._answers,
        }  # fmt: skip
        (self._directory / TALLY).write_text(json.dumps(tally))

    # --- the gateway -------------------------------------------------------------------------

    def _live(self, life: Life) -> None:
        gateway, faults = self._gateway, life.faults
        if life.old and self._has_store():
            version = downgrade(gateway.data / "spigot.db", life.old)
            self.did[f"taken back to schema {version}"] += 1
        port = self._jenkins.ports.jenkins if life.direct else self._jenkins.ports.to_jenkins
        gateway.environment["TARGET_URL"] = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "faults.launcher", json.dumps(faults._asdict())]
        gateway.command = self._supply.traced(command) if self._supply else command
        began = time.monotonic()
        gateway.launch()
        if not life.from_launch:
            self._await_health(began)
            began = time.monotonic()
        if faults.clock:
            self._note(began, "clock")
        for name in ("clock", "readonly"):
            self.did[name] += bool(getattr(faults, name))
        end = math.inf if life.seconds is None else began + life.seconds
        for step in life.steps:
            if self._wait_for_end(min(end, time.monotonic() + step.after)) is not None:
                break
            if mishap := MISHAPS.get(step.what):
                self.did[step.what] += 1
                mishap(gateway, step.how["seconds"])
            else:
                self._do(step)
        self._end(life, self._wait_for_end(0.0 if life.seconds is None else end))

    def _end(self, life: Life, status: int | None) -> None:
        gateway, how = self._gateway, ""
        if status is None:
            self.memory = max(self.memory, gateway.peak_rss)
            if life.ends == "kill":
                gateway.send_signal(signal.SIGKILL)
                how = "start" if life.from_launch else "at random"
            else:
                gateway.send_signal(signal.SIGTERM)
                grace = life.grace if "kill" in life.ends else PATIENCE
                status = self._wait_for_end(time.monotonic() + grace)
                if status is None:
                    gateway.send_signal(signal.SIGKILL)
                    how = "shutdown"
                    if life.ends == "stop":
                        self.problems.append("a stop took too long")
        pid = gateway.pid
        status = gateway.wait()
        at = time.monotonic()
        if self._supply:  # and nothing that was not synced is there any more
            self._supply.take_in(pid)
            self._supply.cut(Luck(0))
        if status == -signal.SIGKILL:
            self._note(at, f"kill: {how or life.faults.point}")
            self.ends[how or life.faults.point] += 1
        else:
            self._note(at, "stop")
            self.ends["stop"] += 1
            if status != 0:
                self.problems.append(f"the gateway ended with status {status}")

    def _await_health(self, began: float) -> None:
        gateway = self._gateway
        while not gateway.healthy():
            if self._wait_for_end(time.monotonic() + 0.005) is not None:
                return
            if time.monotonic() > began + PATIENCE:
                self.problems.append("a start took too long")
                return
        self.starts.append(time.monotonic() - began)

    def _wait_for_end(self, until: float) -> int | None:
        """Wait until then, or until the gateway has ended; return its status if it has."""
        try:
            return self._gateway.poll(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None

    # --- the strands -------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        if step.what == "phase":
            self._weather(step)
        elif step.what == "wait":
            self._wait_for(**step.how)
        elif step.what == "network":
            self._network(step)
        else:
            self._people(step)

    def _weather(self, step: Step) -> None:
        to, jenkins = step.how["to"], self._jenkins
        self.did[f"Jenkins: {to}"] += 1
        jenkins.order(delay=0.0)
        jenkins.order(fault=None, paths=HOOKS)
        if to == "blink":
            jenkins.order(boot=True)
        elif to == "slow":
            jenkins.order(delay=0.05)
        elif to == "errors":
            fault = {"status": 500, "times": step.how.get("times", 20)}
            jenkins.order(fault=fault, paths=step.how.get("paths", HOOKS))
            jenkins.order(phase="ready")
        elif to == "busy":
            headers = [["Retry-After", "1"]]
            jenkins.order(fault={"status": 429, "headers": headers, "times": 5}, paths=HOOKS)
        else:
            jenkins.order(phase=to)

    def _network(self, step: Step) -> None:
        self.did[f"network: {next(name for name in step.how if name != 'network')}"] += 1
        self._jenkins.order(**step.how)

    def _wait_for(self, what: str, count: int, seconds: float) -> None:
        """Wait until the store counts so many, or for so many seconds."""
        end = time.monotonic() + seconds
        while self._count(what) < count and time.monotonic() < end:
            time.sleep(0.01)

    def _count(self, what: str) -> int:
        path = self._gateway.data / "spigot.db"
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            return int(db.execute(_COUNTS[what]).fetchone()[0])

    def _has_store(self) -> bool:
        return (self._gateway.data / "spigot.db").exists()

    def _people(self, step: Step) -> None:
        if not self._has_store():
            return
        self.did[step.what] += 1
        try:
            with closing(self._gateway.store()) as store:
                if step.what in ("on", "off"):
                    store.panel.set_valve(on=step.what == "on", reason="soak")
                else:
                    self._change(store, step.what, step.how["count"])
        except SpigotError as error:
            self.did[f"{step.what}: {str(error).partition('(')[0][-60:]}"] += 1

    def _change(self, store: SqliteStore, what: str, count: int) -> None:
        state = {"replay": State.DELIVERED, "replay dead": State.DEAD, "drop": State.WAITING}[what]
        entries = store.history.entries(Selection(state=state, limit=500))
        chosen = self._chance.sample(entries, min(count, len(entries)))
        if not chosen:
            return
        selection = Selection(names=tuple(entry.id for entry in chosen))
        if what == "drop":
            self.did["webhooks: drop"] += sum(store.history.drop(selection))
            chosen = store.history.entries(selection)
            chosen = [entry for entry in chosen if entry.state is State.DROPPED]
        for entry in chosen:
            self._note(time.monotonic(), what.split()[0], str(entry.delivery))
        if what != "drop":
            self.did[f"webhooks: {what}"] += sum(store.history.replay(selection))

    def _note(self, at: float, kind: str, key: str = "") -> None:
        self._journal.write(Cause(at, kind, key))

    # --- the end -----------------------------------------------------------------------------

    def _start_senders(self) -> subprocess.Popen[str]:
        options = self._options
        order = Order(
            str(self._directory), [self._gateway.port, self._jenkins.ports.to_gateway],
            options.rate, options.senders, options.lanes, options.seed, options.refusable,
        )  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "faults.senders", json.dumps(order._asdict())],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _calm(self) -> None:
        """Let all be well: Jenkins up, the network whole, the valve open, the gateway as it is."""
        for network in ("jenkins", "gateway"):
            self._jenkins.order(network=network, slow=0.0)
            self._jenkins.order(network=network, halves=0)
        self._jenkins.order(fault=None, paths=HOOKS)
        self._jenkins.order(delay=0.0)
        self._jenkins.order(phase="ready")
        self._gateway.environment["TARGET_URL"] = f"http://127.0.0.1:{self._jenkins.ports.jenkins}"
        self._gateway.command = [sys.executable, "-m", "spigot", "serve"]
        began = time.monotonic()
        self._gateway.launch()
        self._await_health(began)
        with closing(self._gateway.store()) as store:
            store.panel.set_valve(on=True)

    def _drain(self, senders: subprocess.Popen[str]) -> None:
        """Let the senders end, and wait until nothing waits."""
        time.sleep(0.5)
        output, _ = senders.communicate("", timeout=PATIENCE)
        self._answers = json.loads(output)
        least, since = sys.maxsize, time.monotonic()
        while waiting := self._count("waiting"):
            if waiting < least:
                least, since = waiting, time.monotonic()
            if time.monotonic() > since + PATIENCE:
                self.problems.append(f"{waiting} webhooks still wait")
                break
            time.sleep(0.1)
        self.memory = max(self.memory, self._gateway.peak_rss)
        if self._gateway.terminate() != 0:
            self.problems.append("the last stop failed")
