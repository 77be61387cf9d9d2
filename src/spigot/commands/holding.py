"""What ``spigot hold`` waits for: what was seen, and what is to be done then. Pure.

Two waits, each a state machine that is driven by looks at the store: for Jenkins to be ready again,
and for the backlog to flow. Ticks are seconds of a monotonic clock.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from spigot.masking import printable
from spigot.sight import State
from spigot.status import webhooks
from spigot.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spigot.stores.panel import Backlog

STEADY = 60.0
"""Seconds for which Jenkins must have looked the same before no change is expected any more."""

QUIET = 5.0
"""Seconds in which a held path will have made its trial, and a webhook its first retry."""

_PLAIN = re.compile(r"[\w./][\w./+-]*")
_LONGEST = 60


class Look(NamedTuple):
    """Jenkins as the gateway knows it at one moment.

    Attributes:
        serving: Whether a gateway runs; if not, nothing is known.
        jenkins: `State`, as text.
        since: Since when, UNIX seconds; changes with the state and with each restart.
        session: The ``X-Jenkins-Session`` that was seen last; empty if none was.
        evidence: What was seen, in words.
    """

    serving: bool
    jenkins: str
    since: float = 0.0
    session: str = ""
    evidence: str = ""


def look(report: dict[str, Any], *, serving: bool) -> Look:
    """Return what a gateway's report says of Jenkins."""
    if not serving:
        return Look(serving=False, jenkins=State.UNKNOWN, evidence="`spigot serve` is not running")
    return Look(
        serving=True,
        jenkins=report.get("jenkins", State.UNKNOWN),
        since=report.get("jenkins_since", 0.0),
        session=report.get("session", ""),
        evidence=report.get("evidence", "not asked yet"),
    )


class Ready(Enum):
    """What is known of the wait for Jenkins."""

    WAIT = "wait"
    BACK = "it was away or has restarted, and is ready"
    SAME = "it is ready and did not restart"
    UNTOLD = "it looks neither ready nor away, and that will not change"
    LATE = "the time is over"


class Watch(NamedTuple):
    """The wait for a Jenkins that a command may restart, at once or some time later.

    Attributes:
        before: What was seen just before the command.
        seen: What was seen last.
        away: Whether it was not ready at any look.
        steady: The tick since which it has looked as it does; not before the command's end.
    """

    before: Look
    seen: Look
    away: bool
    steady: float

    @classmethod
    def begin(cls, before: Look, tick: float) -> Watch:
        """Begin, just before the command."""
        return cls(before, before, before.jenkins == State.NOT_READY, tick)

    def after(self, seen: Look, tick: float) -> Watch:
        """Return the wait after one more look."""
        same = seen._replace(evidence=self.seen.evidence) == self.seen
        away = self.away or seen.jenkins == State.NOT_READY
        return self._replace(seen=seen, away=away, steady=self.steady if same else tick)

    def ended(self, tick: float) -> Watch:
        """Return the wait now that the command has ended: all that counts is still to come."""
        return self._replace(steady=tick)

    def judge(self, tick: float, end: float, *, insist: bool) -> Ready:
        """Say what is known, once the command has ended.

        Args:
            tick: Now.
            end: When the time is over.
            insist: Only a restart will do.
        """
        late = tick >= end
        ready = self.seen.jenkins == State.READY
        if ready and (self.restarted or (self.away and not (insist and self._same_session))):
            return Ready.BACK
        # When the time is over and nothing was ever amiss, nothing more is to be expected.
        calm = tick - self.steady >= STEADY or (late and not self.away)
        if calm and ready and not insist:
            return Ready.SAME
        unknown = self.seen.serving and self.seen.jenkins == State.UNKNOWN
        if calm and unknown and (self.away or not insist):
            return Ready.UNTOLD
        return Ready.LATE if late else Ready.WAIT

    @property
    def restarted(self) -> bool:
        """Whether Jenkins has certainly restarted since before the command."""
        if self.seen.since == self.before.since:
            return False  # another session alone: replicas behind one address take turns
        if self.before.session and self.seen.session:
            return self.before.session != self.seen.session
        return self.before.jenkins == self.seen.jenkins == State.READY

    @property
    def _same_session(self) -> bool:
        return bool(self.seen.session) and self.before.session == self.seen.session

    def news(self, *, insist: bool) -> str:
        """Say what is being waited for now."""
        if self.seen.jenkins != State.READY:
            return f"Jenkins: {printable(self.seen.evidence)}"
        if insist:
            return "Jenkins is ready and has not restarted yet."
        patience = format_duration(STEADY)
        return f"Jenkins is ready and has not gone away yet; up to {patience} for that."

    def verdict(self, ready: Ready, took: float, timeout: float) -> str:
        """Say what came of the wait.

        Args:
            ready: What `judge` returned.
            took: Seconds since the command's end.
            timeout: Seconds that all may take, for the words.
        """
        evidence = printable(self.seen.evidence)
        if ready is Ready.BACK:
            back = "Jenkins is ready again" + (f" after {length(took)}" if took >= 1 else "")
            if self.restarted:
                return f"{back}; it has restarted."
            return f"{back}; it has not restarted." if self._same_session else f"{back}."
        if ready is Ready.SAME:
            return "Jenkins is ready; it did not restart."
        if ready is Ready.UNTOLD:
            return f"It cannot be told whether Jenkins is ready ({evidence}); going on."
        within = f"within {format_duration(timeout)}"
        if self.seen.jenkins == State.READY:
            return f"Jenkins is ready, but has not restarted {within}."
        return f"Jenkins was not ready {within}: {evidence}."


class Flow(Enum):
    """What is known of the wait for the backlog."""

    WAIT = "wait"
    DONE = "all of it has ended"
    LATER = "what is left waits for a retry or a held path"
    CLOSED = "somebody has closed the valve"
    GONE = "Jenkins is away again"
    STUCK = "nothing has moved for too long"


class Ebb(NamedTuple):
    """The wait for those that waited when the valve was opened.

    Attributes:
        total: How many they were.
        backlog: How many are left.
        moved: The tick when there were last fewer than before.
        gone: The tick since which Jenkins has been away again; None while it is not.
        closed: Whether the valve is OFF.
    """

    total: int
    backlog: Backlog
    moved: float
    gone: float | None = None
    closed: bool = False

    @classmethod
    def begin(cls, backlog: Backlog, tick: float) -> Ebb:
        """Begin with all that waits."""
        return cls(backlog.left + backlog.later, backlog, tick)

    @property
    def left(self) -> int:
        """How many still wait, for whatever."""
        return self.backlog.left + self.backlog.later

    def after(self, backlog: Backlog, seen: Look, tick: float, *, on: bool) -> Ebb:
        """Return the wait after one more look.

        Args:
            backlog: What is left.
            seen: What is known of Jenkins.
            tick: Now.
            on: Whether the valve is ON.
        """
        here = seen.serving and seen.jenkins != State.NOT_READY
        since = tick if self.gone is None else self.gone
        moved = tick if backlog.left + backlog.later < self.left else self.moved
        return Ebb(self.total, backlog, moved, None if here else since, not on)

    def judge(self, tick: float, timeout: float) -> Flow:
        """Say what is known.

        Args:
            tick: Now.
            timeout: For how long nothing may move, seconds.
        """
        if not self.left:
            return Flow.DONE
        if self.closed:
            return Flow.CLOSED
        if self.gone is not None:
            # A Jenkins that has just come back may stumble once more.
            away = tick - self.gone
            return Flow.GONE if away >= min(STEADY, timeout) else Flow.WAIT
        if not self.backlog.left and tick - self.moved >= QUIET:
            return Flow.LATER
        return Flow.STUCK if tick - self.moved >= timeout else Flow.WAIT

    def verdict(self, flow: Flow, took: float, timeout: float) -> str:
        """Say what came of the wait.

        Args:
            flow: What `judge` returned.
            took: Seconds since the valve was opened.
            timeout: As for `judge`.
        """
        left = webhooks(self.left)
        return {
            Flow.WAIT: f"{self.total - self.left} of {webhooks(self.total)} through.",
            Flow.DONE: f"The backlog is through: {webhooks(self.total)} in {length(took)}.",
            Flow.LATER: f"{left} left for later, by itself: a path is held or a retry not due yet.",
            Flow.CLOSED: f"Somebody has turned the valve OFF again: {left} kept.",
            Flow.GONE: f"Jenkins is away again: {left} kept until it is ready.",
            Flow.STUCK: f"Nothing has moved for {format_duration(timeout)}: {left} left.",
        }[flow]


def title(words: Sequence[str]) -> str:
    """Return a command line as it may be shown to anybody who sees the valve.

    Only plain leading words: what looks like an option, a URL or a value may hold a password.
    """
    plain = 0
    while plain < len(words) and _PLAIN.fullmatch(words[plain]):
        plain += 1
    shown = " ".join(words[: max(1, plain)])
    cut = len(shown) > _LONGEST or plain < len(words)
    return printable(shown[:_LONGEST] + (" …" if cut else ""))


def length(seconds: float) -> str:
    """Write how long something took, no more exactly than anybody wants to know."""
    return format_duration(round(seconds, 1) if seconds < 10 else round(seconds))
