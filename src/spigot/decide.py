"""What an answer of Jenkins means for a webhook: the decision table. Pure.

The probe holds the flow, evidence about an endpoint holds that path, everything else counts against
the webhook. A bad answer alone never says whether Jenkins or this webhook is at fault.
"""

from __future__ import annotations

from typing import NamedTuple

from spigot.readiness import State
from spigot.webhook import Decision, Happened, Outcome, Verdict

MISROUTED_RETRY = 300.0
"""Seconds between two trials of a path where no plugin answers or which redirects."""

MISROUTED_DEAD = 24 * 3600.0
"""Seconds after which what waits on such a path is dead."""

RETRY_AFTER_MOST = 300.0
"""Seconds that a ``Retry-After`` is obeyed at most."""

HOLD_MOST = 60.0
"""Seconds between two trials of a path held for other reasons, at most."""

JITTER = 0.2
"""Delays are spread by so much up and down, so that what failed together is not retried together."""


class Circumstances(NamedTuple):
    """What is known besides the outcome.

    Attributes:
        jenkins: What is known of Jenkins now, the probe asked if `asks_probe` said so.
        ready_for: Seconds since Jenkins became ready; None if it is not known to be.
        attempts: How many attempts of this webhook have counted before.
        held_times: How many trials of its path have failed in a row before.
        held_for: Seconds for which the hold of its path has kept it; 0 if there is none.
        chance: A random number from 0 to 1, for the jitter.
    """

    jenkins: State
    ready_for: float | None
    attempts: int = 0
    held_times: int = 0
    held_for: float = 0.0
    chance: float = 0.5


class Policy(NamedTuple):
    """The settings that decisions go by.

    Attributes:
        retry_delays: Seconds before each further attempt; after the last one a webhook is dead.
        settle_after: Seconds for which a Jenkins that became ready may still load plugins and jobs.
    """

    retry_delays: tuple[float, ...] = (2.0, 10.0, 60.0, 300.0, 900.0)
    settle_after: float = 300.0


def asks_probe(outcome: Outcome) -> bool:
    """Tell whether only the probe can say what this outcome means."""
    if outcome.happened is Happened.BROKEN:
        return True
    return outcome.status >= 500 or outcome.status in (403, 404) or _is_page(outcome)


def shakes(outcome: Outcome) -> bool:
    """Tell whether an outcome casts doubt on Jenkins itself, not only on the webhook."""
    return outcome.happened is Happened.BROKEN or outcome.status >= 500


def decide(outcome: Outcome, path: str, known: Circumstances, policy: Policy) -> Decision:
    """Decide what becomes of a webhook after an attempt.

    Args:
        outcome: What happened; its `answer` is free of secrets.
        path: The webhook's path at Jenkins.
        known: What else is known.
        policy: The settings.
    """
    said = _said(outcome)
    if outcome.happened is Happened.NO_CONNECTION:
        return Decision(Verdict.HOLD_FLOW, said)
    status = outcome.status
    if 200 <= status < 300 and (not _is_page(outcome) or known.jenkins is State.READY):
        return Decision(Verdict.DELIVERED, said)
    if 300 <= status < 400 and path.startswith("/dockerhub-webhook/"):
        # The Docker Hub plugin answers what it took with a redirect.
        return Decision(Verdict.DELIVERED, said)
    if status == 400 and path == "/github-webhook/" and b"event type" in outcome.answer:
        return Decision(Verdict.DELIVERED, "ignored by Jenkins: no plugin knows this event")
    maybe_taken = shakes(outcome) or 200 <= status < 300
    if asks_probe(outcome) and known.jenkins is State.NOT_READY:
        return Decision(Verdict.HOLD_FLOW, said, maybe_taken=maybe_taken)
    if 300 <= status < 400 or _is_crumb(outcome):
        return _misrouted(outcome, said, known)
    if status == 429 or (outcome.retry_after is not None and known.jenkins is State.READY):
        return _asked_to_wait(outcome, said, known, policy, maybe_taken=maybe_taken)
    if asks_probe(outcome):
        if known.ready_for is None or known.ready_for < policy.settle_after:
            return Decision(
                Verdict.HOLD_PATH,
                said + _why_held(known),
                delay=_jitter(_nth(policy.retry_delays, known.held_times), known.chance),
                maybe_taken=maybe_taken,
            )
        if status in (403, 404):
            return Decision(Verdict.DEAD, said, counted=True)
        return _again(said, known, policy, maybe_taken=maybe_taken)
    if 400 <= status < 500:
        return Decision(Verdict.DEAD, said, counted=True)
    return _again(said, known, policy, maybe_taken=True)


def _misrouted(outcome: Outcome, said: str, known: Circumstances) -> Decision:
    if _is_crumb(outcome):
        why = f"{said}: no plugin answers here. Is it installed, and is the path right?"
    else:
        why = f"{said}: the path is wrong (a missing slash?), or something else answers"
    if known.held_for >= MISROUTED_DEAD:
        return Decision(Verdict.DEAD, f"{why}; so for 24 hours", counted=True)
    return Decision(Verdict.HOLD_PATH, why, delay=MISROUTED_RETRY)


def _asked_to_wait(
    outcome: Outcome, said: str, known: Circumstances, policy: Policy, *, maybe_taken: bool
) -> Decision:
    if known.attempts >= len(policy.retry_delays):
        return Decision(Verdict.DEAD, _spent(said, known), counted=True, maybe_taken=maybe_taken)
    delay = outcome.retry_after
    if delay is None:
        delay = policy.retry_delays[known.attempts]
    return Decision(
        Verdict.HOLD_PATH,
        f"{said}: Jenkins asks to wait",
        delay=min(delay, RETRY_AFTER_MOST),
        counted=True,
        maybe_taken=maybe_taken,
    )


def _again(said: str, known: Circumstances, policy: Policy, *, maybe_taken: bool) -> Decision:
    if known.attempts >= len(policy.retry_delays):
        return Decision(Verdict.DEAD, _spent(said, known), counted=True, maybe_taken=maybe_taken)
    delay = _jitter(policy.retry_delays[known.attempts], known.chance)
    return Decision(Verdict.AGAIN, said, delay=delay, counted=True, maybe_taken=maybe_taken)


def _spent(said: str, known: Circumstances) -> str:
    return f"{said}; {known.attempts + 1} attempts failed"


def _why_held(known: Circumstances) -> str:
    if known.ready_for is None:
        return "; whether Jenkins is ready is unknown"
    return "; Jenkins has been ready for a short time and may still be loading"


def _nth(delays: tuple[float, ...], times: int) -> float:
    """Return the delay for the next trial of a held path, a minute at most."""
    return min(delays[min(times, len(delays) - 1)], HOLD_MOST) if delays else HOLD_MOST


def _jitter(delay: float, chance: float) -> float:
    return delay * (1 - JITTER + 2 * JITTER * chance)


def _is_crumb(outcome: Outcome) -> bool:
    """Tell whether Jenkins' CrumbFilter answered: no plugin has claimed the path."""
    return outcome.status == 403 and b"No valid crumb" in outcome.answer


def _is_page(outcome: Outcome) -> bool:
    """Tell whether a 2xx brings a page for people: a maintenance page, perhaps."""
    return (
        200 <= outcome.status < 300 and outcome.content_type == "text/html" and outcome.length > 0
    )


def _said(outcome: Outcome) -> str:
    """Put the outcome in words, with the beginning of what was answered."""
    if outcome.happened is not Happened.ANSWERED:
        return outcome.error
    if 300 <= outcome.status < 400:
        return f"{outcome.status} to {outcome.location[:200]}" if outcome.location else "redirect"
    if 200 <= outcome.status < 300:
        return f"{outcome.status}"
    text = " ".join(outcome.answer.decode("utf-8", "replace").split())
    if not text or outcome.content_type == "text/html":
        return f"{outcome.status}"
    return f"{outcome.status} {text[:200]}"
