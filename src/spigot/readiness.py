"""What probes and answers say of Jenkins: ready, not ready, unknown. Pure.

A probe is a question without credentials or side effects. The header ``X-Jenkins`` on its answer is
Jenkins' own signature: pages and API answers carry it, the 503 of a starting Jenkins and the pages
of a proxy do not (hudson.Functions.advertiseHeaders, hudson.util.HudsonIsLoading).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from spigot.ports import Asked

STREAK = 2
"""How many good probes in a row it takes to believe that Jenkins is ready."""

DOUBT_SECONDS = 15.0
"""How long one bad answer, where no probe can judge, leaves the earlier evidence standing."""


class State(StrEnum):
    """What is known of Jenkins."""

    READY = "ready"
    NOT_READY = "not ready"
    UNKNOWN = "unknown"


class Moment(NamedTuple):
    """A point in time on both clocks.

    Attributes:
        now: UNIX seconds; for people.
        tick: Seconds of a monotonic clock; for rules.
    """

    now: float
    tick: float


class Sight(NamedTuple):
    """What one probe says.

    Attributes:
        state: What this one answer means.
        evidence: The answer in words, such as ``503, starting``.
        session: Jenkins' ``X-Jenkins-Session``, which changes at each boot; empty if not seen.
    """

    state: State
    evidence: str
    session: str = ""


class Readiness(NamedTuple):
    """What is known of Jenkins, and why.

    Attributes:
        state: Ready, not ready or unknown.
        since: Since when, UNIX seconds; for people.
        since_tick: The same on the monotonic clock; for rules.
        evidence: What was seen last, in words.
        streak: How many good probes in a row were seen last.
        proven: Where no probe can judge: a delivery was taken, and that is the evidence.
        doubt_tick: When a bad answer shook that evidence; None if none did.
        session: The last ``X-Jenkins-Session`` seen.
        sessions: All that were seen. One that was not is a restart; several replicas take turns.
    """

    state: State
    since: float
    since_tick: float
    evidence: str
    streak: int = 0
    proven: bool = False
    doubt_tick: float | None = None
    session: str = ""
    sessions: frozenset[str] = frozenset()

    def ready_for(self, tick: float) -> float | None:
        """Return for how many seconds Jenkins has been ready; None if it is not known to be."""
        return tick - self.since_tick if self.state is State.READY else None


def unknown(at: Moment) -> Readiness:
    """Return what is known at first: nothing."""
    return Readiness(State.UNKNOWN, *at, "not asked yet")


def read(asked: Asked) -> Sight:
    """Say what the answer to a probe means."""
    if not asked.status:
        return Sight(State.NOT_READY, asked.error)
    session = asked.headers.get("x-jenkins-session", "")
    if asked.status == 503:
        return Sight(State.NOT_READY, "503, starting or under maintenance", session)
    if "x-jenkins" in asked.headers:
        return Sight(State.READY, f"{asked.status} with X-Jenkins", session)
    if asked.status in (301, 302, 303, 307, 308, 401, 403, 404):
        return Sight(
            State.UNKNOWN,
            f"{asked.status} without X-Jenkins: single sign-on or a proxy answers the probe",
        )
    if asked.status < 300:
        return Sight(State.NOT_READY, f"{asked.status} without X-Jenkins: not Jenkins' own page")
    return Sight(State.NOT_READY, f"{asked.status} from the probe")


def after_probe(readiness: Readiness, sight: Sight, at: Moment) -> Readiness:
    """Return what is known once a probe has been answered."""
    session = sight.session or readiness.session
    if sight.state is State.READY:
        streak = readiness.streak + 1
        ready = streak >= STREAK or (readiness.state is State.READY and not readiness.proven)
        state = State.READY if ready else readiness.state
        evidence = sight.evidence if ready else f"{sight.evidence}, once so far"
        known = _become(readiness, state, evidence, at)
        if ready and _is_restart(readiness, sight):
            # It was away between two probes, and may still load plugins and jobs.
            known = known._replace(since=at.now, since_tick=at.tick)
        return known._replace(
            streak=streak,
            proven=known.proven and not ready,
            session=session,
            sessions=readiness.sessions | {session},
        )
    if sight.state is State.UNKNOWN:
        proven = readiness.proven and readiness.state is State.READY
        state = State.READY if proven else State.UNKNOWN
        evidence = readiness.evidence if proven else sight.evidence
        return _become(readiness, state, evidence, at)._replace(streak=0, session=session)
    known = _become(readiness, State.NOT_READY, sight.evidence, at)
    return known._replace(streak=0, proven=False, doubt_tick=None, session=session)


def after_taken(readiness: Readiness, at: Moment) -> Readiness:
    """Return what is known once Jenkins took a webhook: evidence where no probe can judge."""
    if readiness.state is not State.UNKNOWN:
        return readiness
    evidence = "it takes webhooks; " + readiness.evidence
    ready = Readiness(
        State.READY, *at, evidence,
        proven=True, session=readiness.session, sessions=readiness.sessions,
    )  # fmt: skip
    doubt = readiness.doubt_tick
    if doubt is not None and readiness.proven and at.tick - doubt <= DOUBT_SECONDS:
        # One webhook met an error, others go through: Jenkins was there all the while.
        return ready._replace(since=readiness.since, since_tick=readiness.since_tick)
    return ready


def after_failure(readiness: Readiness, evidence: str, at: Moment) -> Readiness:
    """Return what is known once a delivery broke or met a server error, and the probe was asked.

    Where the probe can judge, its word holds. Where it cannot, what made us believe is shaken.
    """
    if readiness.state is not State.READY or not readiness.proven:
        return readiness
    return readiness._replace(state=State.UNKNOWN, evidence=evidence, doubt_tick=at.tick)


def after_no_connection(readiness: Readiness, error: str, at: Moment) -> Readiness:
    """Return what is known once not even a connection could be made."""
    return after_probe(readiness, Sight(State.NOT_READY, error), at)


def _is_restart(readiness: Readiness, sight: Sight) -> bool:
    if not (readiness.session and sight.session):
        return False
    return sight.session not in readiness.sessions | {readiness.session}


def _become(readiness: Readiness, state: State, evidence: str, at: Moment) -> Readiness:
    if state is readiness.state:
        return readiness._replace(evidence=evidence)
    return readiness._replace(state=state, evidence=evidence, since=at.now, since_tick=at.tick)
