"""``make soak``: a gateway goes through all that can happen, and everything it promised is checked.

``python -m faults.soak --minutes 60 --seed 7``. Exit status 1: a promise was broken; the evidence
is kept, and it says where.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from faults import power
from faults.jenkins import CAUSES, TAKEN, ControlledProcess
from faults.plan import everything
from faults.senders import HARMLESS, Order
from spigot.errors import SpigotError
from spigot.stores.history import Selection
from spigot.webhook import State
from support.checker import Checker, Rules
from support.gateway import PATIENCE, GatewayProcess
from support.records import Cause, Journal, read_causes, read_sent, read_taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from faults.plan import Life, Plan, Step
    from spigot.stores.sqlite import SqliteStore

TESTS = Path(__file__).parent.parent
READ_TIMEOUT = 2.0
RECALL = 2.0
PARALLEL = 16
RECALL_SLACK = 15.0

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


class Strand(threading.Thread):
    """Carries out the steps of one strand of the plan until it is over.

    Args:
        steps: The strand.
        do: Carries out one.
    """

    def __init__(self, steps: Iterator[Step], do: Callable[[Step], None]) -> None:
        super().__init__(daemon=True)
        self._steps = steps
        self._do = do
        self.over = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for step in self._steps:
                if self.over.wait(step.after):
                    return
                self._do(step)
        except BaseException as error:  # noqa: BLE001 - told where it is joined
            self.failure = error

    def end(self) -> None:
        """End it, and raise what it met."""
        self.over.set()
        self.join(PATIENCE)
        if self.failure is not None:
            raise self.failure


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
        self._trace = directory / "trace"
        self._gateway = GatewayProcess(directory, "http://127.0.0.1:1", SETTINGS)
        paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._gateway.environment["PYTHONPATH"] = os.pathsep.join(paths)
        self._jenkins = ControlledProcess(directory, self._gateway.port)
        self._journal = Journal((directory / "causes.log").open("w", encoding="utf-8"))
        self._chance = random.Random(f"{options.seed} choices")
        self.ends: Counter[str] = Counter()
        self.did: Counter[str] = Counter()
        self.starts: list[float] = []
        self.memory = 0
        self.problems: list[str] = []
        self.answers: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Let everything go wrong for the time, then end in peace; return the summary."""
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
                strand.end()
            self._calm()
            took = time.monotonic() - began
            self._drain(senders)
        finally:
            for strand in strands:
                strand.over.set()
            senders.kill()
            senders.wait()
            self._gateway.close()
            self._jenkins.close()
            self._journal.close()
        return self._summary(took)

    # --- the gateway -------------------------------------------------------------------------

    def _live(self, life: Life) -> None:
        gateway, faults = self._gateway, life.faults
        if life.old and gateway.data.exists():
            self.did["migrations prepared"] += make_old(gateway.data / "spigot.db")
        port = self._jenkins.ports.jenkins if life.direct else self._jenkins.ports.to_jenkins
        gateway.environment["TARGET_URL"] = f"http://127.0.0.1:{port}"
        gateway.command = [
            *(power.traced(self._trace) if self._plan.power else ()),
            *(sys.executable, "-m", "faults.launcher", json.dumps(faults._asdict())),
        ]
        began = time.monotonic()
        gateway.launch()
        if not life.from_launch:
            self._await_health(began)
            began = time.monotonic()
        if faults.clock:
            self._note(began, "clock")
        for name in ("clock", "readonly"):
            self.did[name] += bool(getattr(faults, name))
        end = began + life.seconds
        for step in life.steps:
            if self._wait_for_end(min(end, time.monotonic() + step.after)) is not None:
                break
            self.did[step.what] += 1
            STEPS[step.what](gateway, step.how["seconds"])
        self._end(life, self._wait_for_end(end))

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
        status = gateway.wait()
        at = time.monotonic()
        if self._plan.power:
            power.cut(gateway.data / "spigot.db", self._trace)
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
        elif step.what == "network":
            self._network(step)
        else:
            self._people(step)

    def _weather(self, step: Step) -> None:
        to, jenkins = step.how["to"], self._jenkins
        self.did[f"Jenkins: {to}"] += 1
        jenkins.order(delay=0.0)
        jenkins.order(fault=None)
        if to == "blink":
            jenkins.order(boot=True)
        elif to == "slow":
            jenkins.order(delay=0.05)
        elif to == "errors":
            jenkins.order(fault={"status": 500, "times": step.how.get("times", 20)})
        elif to == "busy":
            headers = [["Retry-After", "1"]]
            jenkins.order(fault={"status": 429, "headers": headers, "times": 5})
        else:
            jenkins.order(phase=to)

    def _network(self, step: Step) -> None:
        self.did[f"network: {next(name for name in step.how if name != 'network')}"] += 1
        self._jenkins.order(**step.how)

    def _people(self, step: Step) -> None:
        if not (self._gateway.data / "spigot.db").exists():
            return
        self.did[step.what] += 1
        try:
            with closing(self._gateway.store()) as store:
                if step.what in ("on", "off"):
                    store.panel.set_valve(on=step.what == "on", reason="soak")
                else:
                    self._change(store, step.what, step.how["count"])
        except SpigotError as error:
            self.did[f"refused: {step.what}"] += 1
            self._say(f"{step.what}: {error}")

    def _change(self, store: SqliteStore, what: str, count: int) -> None:
        state = {"replay": State.DELIVERED, "replay dead": State.DEAD, "drop": State.WAITING}[what]
        entries = store.history.entries(Selection(state=state, limit=500))
        chosen = self._chance.sample(entries, min(count, len(entries)))
        if not chosen:
            return
        for entry in chosen:
            self._note(time.monotonic(), what.split()[0], str(entry.delivery))
        selection = Selection(names=tuple(entry.id for entry in chosen))
        change = store.history.drop if what == "drop" else store.history.replay
        self.did[f"webhooks: {what}"] += sum(change(selection))

    def _note(self, at: float, kind: str, key: str = "") -> None:
        self._journal.write(Cause(at, kind, key))

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

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
        self._jenkins.order(fault=None)
        self._jenkins.order(delay=0.0)
        self._jenkins.order(phase="ready")
        self._gateway.environment["TARGET_URL"] = f"http://127.0.0.1:{self._jenkins.ports.jenkins}"
        self._gateway.command = [sys.executable, "-m", "spigot", "serve"]
        self.starts.append(self._gateway.start())
        with closing(self._gateway.store()) as store:
            store.panel.set_valve(on=True)

    def _drain(self, senders: subprocess.Popen[str]) -> None:
        """Let the senders end, and wait until nothing waits."""
        time.sleep(0.5)
        output, _ = senders.communicate("", timeout=PATIENCE)
        self.answers = json.loads(output)
        least, since = None, time.monotonic()
        while waiting := self._gateway.status()["waiting"]:
            if least is None or waiting < least:
                least, since = waiting, time.monotonic()
            if time.monotonic() > since + 30:
                self.problems.append(f"{waiting} webhooks still wait: {self._gateway.status()}")
                break
            time.sleep(0.05)
        self.memory = max(self.memory, self._gateway.peak_rss)
        if self._gateway.terminate() != 0:
            self.problems.append("the last stop failed")

    def _summary(self, seconds: float) -> dict[str, Any]:
        directory, options = self._directory, self._options
        rules = Rules(READ_TIMEOUT * 0.9, RECALL + RECALL_SLACK, HARMLESS, PARALLEL)
        checker = Checker(rules, read_causes(directory / "causes.log", directory / CAUSES))
        for path in sorted(directory.glob("sent-*.log")):
            checker.add_sent(read_sent(path))
        checker.add_taken(read_taken(directory / TAKEN))
        dead, problems = look_at(self._gateway.data / "spigot.db")
        found = checker.findings(dead)
        unexpected = {key: value for key, value in self.answers["answers"].items()
                      if key not in ("200", "503")}  # fmt: skip
        if unexpected:
            problems.append(f"unexpected answers: {unexpected}")
        problems += self.problems
        kills = {name: count for name, count in sorted(self.ends.items()) if name != "stop"}
        return {
            "minutes": round(seconds / 60, 1),
            "seed": options.seed,
            "promised": checker.promised,
            "promised a second": round(checker.promised / seconds),
            "kills": sum(kills.values()),
            "kills by point": kills,
            "stops": self.ends["stop"],
            "what else happened": dict(sorted(self.did.items())),
            "answers": self.answers,
            "taken": checker.taken,
            "dead or dropped": checker.ended,
            "duplicates": dict(sorted(checker.explained.items())),
            "lost": len(found.lost),
            "out of order": len(found.overtaken),
            "altered": len(found.altered),
            "unexplained": len(found.unexplained),
            "longest start, s": round(max(self.starts, default=0.0), 2),
            "peak memory, MiB": self.memory >> 20,
            "violations": len(found.violations) + len(problems),
            "the first of them": (problems + found.violations)[:20],
        }


def look_at(path: Path) -> tuple[set[str], list[str]]:
    """Return the delivery ids of those that are dead with a reason, and what is wrong."""
    problems = []
    with closing(sqlite3.connect(path)) as db:
        intact = db.execute("PRAGMA integrity_check").fetchall()
        if intact != [("ok",)]:
            problems.append(f"the database is damaged: {intact}")
        dead = db.execute(
            "SELECT w.delivery FROM ended e JOIN webhooks w ON w.serial = e.serial "
            "WHERE e.state = 'dead' AND e.reason <> ''"
        ).fetchall()
        ((waiting, counted),) = db.execute(
            "SELECT (SELECT count(*) FROM waiting), (SELECT waiting FROM totals)"
        ).fetchall()
        if waiting != counted:
            problems.append(f"{waiting} wait, but {counted} are counted")
    return {delivery for (delivery,) in dead}, problems


def make_old(path: Path) -> bool:
    """Make the database one of schema version 1, as an older Spigot left it; say if it could be."""
    with closing(sqlite3.connect(path)) as db:
        if db.execute("PRAGMA user_version").fetchone() != (2,):
            return False
        # Version 1 knew no recall: one that waits for it would be one that was never delivered.
        db.execute("ALTER TABLE waiting DROP COLUMN recalled")
        db.execute("PRAGMA user_version = 1")
        db.commit()
    return True


# --- what is done to a running gateway -------------------------------------------------------


def freeze(gateway: GatewayProcess, seconds: float) -> None:
    """Stop its process for a time."""
    gateway.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    gateway.send_signal(signal.SIGCONT)


def lock(gateway: GatewayProcess, seconds: float) -> None:
    """Keep it from writing, as a stuck command would."""
    with closing(sqlite3.connect(gateway.data / "spigot.db", isolation_level=None)) as db:
        with contextlib.suppress(sqlite3.OperationalError):
            db.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)


def fill(gateway: GatewayProcess, seconds: float) -> None:
    """Let no file of its store grow any more for a time."""
    log = gateway.data / "spigot.db-wal"
    limit_files(gateway, log.stat().st_size if log.exists() else 0, seconds)


def forbid(gateway: GatewayProcess, seconds: float) -> None:
    """Let it write to no file for a time."""
    limit_files(gateway, 0, seconds)


def limit_files(gateway: GatewayProcess, size: int, seconds: float) -> None:
    """Let it write only the first bytes of each file for a time."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        time.sleep(seconds)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, unlimited)


def take_room(gateway: GatewayProcess, seconds: float) -> None:
    """Let more room have to stay free than there is, for a time."""
    file = gateway.log_path.parent / "spigot.toml"
    file.write_text('min_free = "1000TiB"\n')
    gateway.send_signal(signal.SIGHUP)
    time.sleep(seconds)
    file.unlink()
    gateway.send_signal(signal.SIGHUP)


STEPS: dict[str, Callable[[GatewayProcess, float], None]] = {
    "freeze": freeze,
    "lock": lock,
    "full": fill,
    "nothing writable": forbid,
    "no room": take_room,
}


def main() -> int:
    """Run a soak and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rate", type=float, default=Options(0, 0).rate)
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--summary", type=Path, default=None, help="where the summary goes, JSON")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else int.from_bytes(os.urandom(3))
    directory = given.directory or Path(tempfile.mkdtemp(prefix="spigot-soak-"))
    directory.mkdir(parents=True, exist_ok=True)
    print(f"Soak with seed {seed} for {given.minutes:g} minutes in {directory}", flush=True)
    options = Options(given.minutes * 60, seed, given.rate)
    summary = Soak(directory, everything(seed), options).run()
    text = json.dumps(summary, indent=2)
    print(text)
    (given.summary or directory / "summary.json").write_text(text + "\n")
    if summary["violations"]:
        print(f"{summary['violations']} violations; the evidence is in {directory}")
        return 1
    if given.directory is None:
        shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
