"""What is known of Jenkins, and how each observation changes it: a state machine. Pure.

`sight` says what one answer to a probe means. Here it is put together with those before it, with
what deliveries met, and with the boots of Jenkins that were seen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from spigot.sight import Sight, State

STREAK = 2
"""How many good probes in a row it takes to believe that Jenkins is ready."""

DOUBT_SECONDS = 15.0
"""How long one bad answer, where no probe can judge, leaves the earlier evidence standing."""

SESSIONS = 32
"""How many boots are remembered: behind a load balancer, several take turns."""


class Moment(NamedTuple):
    """A point in time on both clocks.

    Attributes:
        now: UNIX seconds; for people.
        tick: Seconds of a monotonic clock; for rules.
    """

    now: float
    tick: float


class Restart(NamedTuple):
    """A restart of Jenkins.

    Attributes:
        gone_at: When the first sign of its end was seen, UNIX seconds; where it was away unseen,
            when the former boot was seen last. What it took shortly before, it may have forgotten.
        back_at: When the new boot was first seen.
    """

    gone_at: float
    back_at: float


class Readiness(NamedTuple):
    """What is known of Jenkins, and why.

    Attributes:
        state: Ready, not ready or unknown.
        since: Since when, UNIX seconds; for people.
        since_tick: The same on the monotonic clock; for rules.
        evidence: What was seen last, in words.
        evidence_since: Since when just that was seen, UNIX seconds.
        streak: How many good probes in a row were seen last.
        proven: Where no probe can judge: a delivery was taken, and that is the evidence.
        doubt_tick: When a bad answer shook that evidence; None if none did.
        session: The last ``X-Jenkins-Session`` seen.
        sessions: Those that were seen, the newest last. Any other is a restart.
        seen_at: When a boot was last seen alive, UNIX seconds; 0 if never.
        alive: Those that are not known to be over, with when each was seen last. More than one:
            replicas behind a load balancer.
        gone_at: When it was first seen to be away after that; None if it was not.
        restart: The restart after which nobody has yet recalled what Jenkins may have forgotten.
    """

    state: State
    since: float
    since_tick: float
    evidence: str
    evidence_since: float = 0.0
    streak: int = 0
    proven: bool = False
    doubt_tick: float | None = None
    session: str = ""
    sessions: tuple[str, ...] = ()
    seen_at: float = 0.0
    alive: tuple[tuple[str, float], ...] = ()
    gone_at: float | None = None
    restart: Restart | None = None

    def ready_for(self, tick: float) -> float | None:
        """Return for how many seconds Jenkins has been ready; None if it is not known to be."""
        return tick - self.since_tick if self.state is State.READY else None

    @property
    def memory(self) -> dict[str, Any]:
        """What must outlive this process, as JSON has it: the boots that were seen."""
        return {
            "session": self.session,
            "sessions": list(self.sessions),
            "seen_at": self.seen_at,
            "alive": [list(one) for one in self.alive],
            "gone_at": self.gone_at,
            "restart": self.restart and list(self.restart),
        }


def unknown(at: Moment, memory: dict[str, Any] | None = None) -> Readiness:
    """Return what is known at first: nothing but the boots that were seen in an earlier life.

    Args:
        at: Now.
        memory: What `Readiness.memory` returned then, or something that holds it.
    """
    memory = memory or {}
    restart = memory.get("restart")
    return Readiness(
        State.UNKNOWN, *at, "not asked yet", at.now,
        session=memory.get("session", ""), sessions=tuple(memory.get("sessions", ())),
        seen_at=memory.get("seen_at", 0.0), gone_at=memory.get("gone_at"),
        alive=tuple((session, seen) for session, seen in memory.get("alive", ())),
        restart=Restart(*restart) if restart else None,
    )  # fmt: skip


def after_probe(readiness: Readiness, sight: Sight, at: Moment) -> Readiness:
    """Return what is known once a probe has been answered."""
    restarted = _is_restart(readiness, sight)
    readiness = _after_sign_of_life(readiness, sight, at)
    if sight.state is State.READY:
        streak = readiness.streak + 1
        ready = streak >= STREAK or (readiness.state is State.READY and not readiness.proven)
        state = State.READY if ready else readiness.state
        evidence = sight.evidence if ready else f"{sight.evidence} once, coming back"
        known = _become(readiness, state, evidence, at)
        if ready and restarted:
            # It was away between two probes, and may still load plugins and jobs.
            known = known._replace(since=at.now, since_tick=at.tick)
        return known._replace(streak=streak, proven=known.proven and not ready)
    if sight.state is State.UNKNOWN:
        proven = readiness.proven and readiness.state is State.READY
        state = State.READY if proven else State.UNKNOWN
        evidence = readiness.evidence if proven else sight.evidence
        return _become(readiness, state, evidence, at)._replace(streak=0)
    known = _become(readiness, State.NOT_READY, sight.evidence, at)
    return known._replace(streak=0, proven=False, doubt_tick=None)


def after_taken(readiness: Readiness, at: Moment) -> Readiness:
    """Return what is known once Jenkins took a webhook: evidence where no probe can judge."""
    if readiness.state is not State.UNKNOWN:
        return readiness
    ready = _become(readiness, State.READY, "it takes webhooks; " + readiness.evidence, at)
    ready = ready._replace(streak=0, proven=True, doubt_tick=None)
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
    return readiness._replace(
        state=State.UNKNOWN, evidence=evidence, evidence_since=at.now, doubt_tick=at.tick
    )


def after_no_connection(readiness: Readiness, error: str, at: Moment) -> Readiness:
    """Return what is known once not even a connection could be made."""
    return after_probe(readiness, Sight(State.NOT_READY, error), at)


def after_word(readiness: Readiness, seconds: float, at: Moment) -> Readiness:
    """Return what is known once somebody said that this boot has been there for so long already.

    A boot that is not ready has to become so again, which begins anew.
    """
    if readiness.state is not State.READY:
        return readiness
    return readiness._replace(
        since=min(readiness.since, at.now - seconds),
        since_tick=min(readiness.since_tick, at.tick - seconds),
    )


def after_recall(readiness: Readiness, restart: Restart) -> Readiness:
    """Return what is known once all that a restart made Jenkins forget waits again."""
    if readiness.restart != restart:
        return readiness  # it has restarted once more meanwhile
    return readiness._replace(restart=None)


def _after_sign_of_life(readiness: Readiness, sight: Sight, at: Moment) -> Readiness:
    """Take in whether a boot of Jenkins was seen alive, which one, or none."""
    if not sight.session:
        if sight.state is State.NOT_READY and readiness.gone_at is None:
            return readiness._replace(gone_at=at.now)
        return readiness
    restart, alive = readiness.restart, dict(readiness.alive)
    if _is_restart(readiness, sight):
        gone_at = _gone_at(readiness)
        restart = Restart(min(gone_at, restart.gone_at) if restart else gone_at, at.now)
        if alive:  # it takes the place of the one that was not seen for longest
            del alive[min(alive, key=lambda session: alive[session])]
    alive[sight.session] = at.now
    others = [one for one in readiness.sessions if one != sight.session]
    return readiness._replace(
        session=sight.session,
        sessions=(*others, sight.session)[-SESSIONS:],
        seen_at=at.now,
        alive=tuple(alive.items())[-SESSIONS:],
        gone_at=None,
        restart=restart,
    )


def _gone_at(readiness: Readiness) -> float:
    """Return when the boot that is over now was seen to end, or was seen last."""
    last = min((seen for _, seen in readiness.alive), default=readiness.seen_at)
    if readiness.gone_at is None:
        return last
    # Of several, one may have been away for long before all were.
    return readiness.gone_at if len(readiness.alive) < 2 else min(last, readiness.gone_at)


def _is_restart(readiness: Readiness, sight: Sight) -> bool:
    if not (readiness.session and sight.session):
        return False
    return sight.session not in (*readiness.sessions, readiness.session)


def _become(readiness: Readiness, state: State, evidence: str, at: Moment) -> Readiness:
    if evidence != readiness.evidence:
        readiness = readiness._replace(evidence=evidence, evidence_since=at.now)
    if state is readiness.state:
        return readiness
    return readiness._replace(state=state, since=at.now, since_tick=at.tick)
