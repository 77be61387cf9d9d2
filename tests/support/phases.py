"""Jenkins goes through a phase of its life while webhooks come steadily; what came of it, a row."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from spigot.practice import Fault, Phase
from support.checker import compare, key_of
from support.gateway import PATIENCE
from support.provider import Line, numbered, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from spigot.practice import PracticeJenkins
    from support.gateway import GatewayProcess
    from support.provider import Request

EVERY = 0.01
"""Seconds between two webhooks of a stream."""

A_WHILE = 30
"""How many webhooks come while nothing is to change."""


class Row(NamedTuple):
    """What became of a steady stream of webhooks while Jenkins went through a phase.

    Attributes:
        phase: The phase, in words.
        stopped_after: Seconds from when Jenkins went away until the gateway held the flow or a
            path; None if it never did.
        hits: How many webhooks met a Jenkins that was away, or that went away before it answered.
        late: How many reached it although the flow was held.
        forgotten: How many others Jenkins took and forgot when it ended.
        resumed_after: Seconds from when Jenkins was back until it took a webhook; None if the flow
            was never held.
        sent: How many webhooks the gateway answered with 200.
        lost: How many of them Jenkins never acted on.
        dead: How many are dead letters.
        overtaken: How many came to Jenkins, or were acted on there, before an earlier one of their
            lane.
        strange: How many came otherwise than they were sent, were never sent, or were refused.
        repeated: How many Jenkins took that it had taken before.
    """

    phase: str
    stopped_after: float | None
    hits: int
    late: int
    forgotten: int
    resumed_after: float | None
    sent: int
    lost: int
    dead: int
    overtaken: int
    strange: int
    repeated: int


_TITLES = (
    "phase", "stopped after", "hits while away", "forgotten", "resumed after", "sent", "lost",
    "dead", "order", "taken twice",
)  # fmt: skip


def table(rows: Sequence[Row]) -> list[str]:
    """Return rows as the lines of one aligned table."""

    def seconds(value: float | None) -> str:
        return "never" if value is None else f"{value:.2f} s"

    cells = [
        (
            row.phase, seconds(row.stopped_after), f"{row.hits}", f"{row.forgotten}",
            "-" if row.stopped_after is None else seconds(row.resumed_after),
            f"{row.sent}", f"{row.lost}", f"{row.dead}",
            "held" if not row.overtaken else f"{row.overtaken} overtaken", f"{row.repeated}",
        )
        for row in rows
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in (_TITLES, *cells)) for column in range(10)]
    return [
        "  ".join(
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in (_TITLES, *cells)
    ]


def github_only(number: int) -> Request:
    """Return the webhook of that number: GitHub's pushes of four repositories in turn."""
    return numbered(f"octo/lane-{number % 4}", number)


def mixed(number: int) -> Request:
    """Return the webhook of that number: four repositories and two GitLab jobs in turn."""
    if number % 6 < 4:
        return numbered(f"octo/lane-{number % 6}", number)
    job = ("practice", "folder/other")[number % 2]
    return plain(f"/project/{job}", (("X-Gitlab-Event", "Push Hook"),))


LANES = 6
"""How many lanes there are at most, and with it how many webhooks are on their way at once."""


class Stream:
    """Sends webhooks one after the other until it is stopped; use it as a context manager.

    Args:
        port: The gateway's.
        make: Returns the webhook of a number.

    Attributes:
        promised: What was answered with 200, in its order.
        refused: What was answered otherwise.
    """

    def __init__(self, port: int, make: Callable[[int], Request]) -> None:
        self.promised: list[Request] = []
        self.refused: list[tuple[Request, int]] = []
        self._port = port
        self._make = make
        self._stop = threading.Event()
        self._sent = threading.Condition()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        number = 0
        with Line(self._port) as line:
            while not self._stop.wait(EVERY):
                request = self._make(number)
                status = line.send(request).status
                with self._sent:
                    if status == 200:
                        self.promised.append(request)
                    else:
                        self.refused.append((request, status))
                    self._sent.notify_all()
                number += 1

    def wait_for(self, more: int = A_WHILE) -> None:
        """Wait until so many more were promised."""
        with self._sent:
            goal = len(self.promised) + more
            assert self._sent.wait_for(lambda: len(self.promised) >= goal, PATIENCE), self.refused

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Course:
    """One gateway with a stream of webhooks, and one Jenkins that is taken through a phase.

    Args:
        gateway: Started.
        jenkins: Ready.
        stream: Under way.
    """

    def __init__(self, gateway: GatewayProcess, jenkins: PracticeJenkins, stream: Stream) -> None:
        self.gateway = gateway
        self.jenkins = jenkins
        self.stream = stream
        self._left: float | None = None
        self._held: float | None = None
        self._ready = 0.0
        self._back = 0.0
        self._path = b""

    def stay(self, phase: Phase) -> None:
        """Go into a phase and stay there for a while."""
        self._leave()
        self.jenkins.phase = phase
        self.stream.wait_for()

    def hold(self, phase: Phase) -> None:
        """Go into a phase and stay there until the flow is held, and then for a while."""
        self._leave()
        self.jenkins.phase = phase
        self.gateway.until(lambda status: not status["flowing"])
        self._held = self._held or time.time()
        self.stream.wait_for()

    def ready(self) -> None:
        """Be ready again."""
        self._ready = self._back = time.time()
        self.jenkins.phase = Phase.READY

    def load(self, path: str) -> None:
        """Be ready again, but for one path that is not there before it was held for a while."""
        self.jenkins.fault(path, Fault(status=404, body=b"Not Found", html=True))
        self.ready()
        self.gateway.until(lambda status: status["flowing"] and status["paths_held"])
        self.stream.wait_for(2 * A_WHILE)
        self._path = path.encode()
        self._back = time.time()
        self.jenkins.fault(path, None)

    def slow_down(self, seconds: float) -> None:
        """Take so long for each webhook, for a while."""
        self._leave()
        usual, self.jenkins.delay = self.jenkins.delay, seconds
        self.stream.wait_for(2 * A_WHILE)
        self._ready = self._back = time.time()
        self.jenkins.delay = usual

    def end(self, phase: str) -> Row:
        """End the stream, wait until all is delivered, and say what came of it in that phase."""
        self.stream.wait_for()
        self.stream.stop()
        promised = self.stream.promised
        dead, lost = self._settle({request.key for request in promised})
        hooks, taken, acted_on = self.jenkins.hooks, self.jenkins.taken, self.jenkins.acted_on
        left, held, back = self._left or self._back, self._held, self._back
        forgotten = [visit for visit in self.jenkins.forgotten if visit.at < left]
        known = {*acted_on, *forgotten}
        found, effect = compare(promised, taken), compare(promised, acted_on)
        awaited = (visit.at for visit in taken if visit.target.startswith(self._path))
        resumed = min((at for at in awaited if at >= back), default=None)
        return Row(
            phase,
            stopped_after=None if held is None else held - left,
            hits=sum(visit.at < back and visit not in known for visit in hooks),
            late=sum((held or back) <= visit.at < self._ready for visit in hooks),
            forgotten=len(forgotten),
            resumed_after=None if held is None or resumed is None else resumed - back,
            sent=len(promised),
            lost=len(lost),
            dead=dead,
            overtaken=len({*found.overtaken, *effect.overtaken}),
            strange=len(found.strange) + len(found.altered) + len(self.stream.refused),
            repeated=found.duplicates,
        )

    def _leave(self) -> None:
        self._left = self._left or time.time()

    def _settle(self, keys: set[str]) -> tuple[int, set[str]]:
        """Wait until Jenkins acted on all and nothing waits; return how many are dead, and lost."""
        end = time.monotonic() + PATIENCE
        while True:
            lost = keys - {key_of(visit) for visit in self.jenkins.acted_on}
            status = self.gateway.status()
            if (not lost and not status["waiting"]) or time.monotonic() > end:
                return status["dead"], lost
            time.sleep(0.02)
