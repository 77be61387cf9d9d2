"""What an answer of Jenkins means for a webhook: the decision table. Pure.

The probe holds the flow, evidence about an endpoint holds that path, everything else counts against
the webhook. A bad answer alone never says whether Jenkins or this webhook is at fault.
"""

from __future__ import annotations

from typing import NamedTuple

from spigot.sight import State
from spigot.webhook import Decision, Happened, Outcome, Verdict

MISROUTED_RETRY = 300.0
"""Seconds between two trials of a path where no plugin answers or which redirects."""

MISROUTED_DEAD = 24 * 3600.0
"""Seconds after which what waits on such a path is dead."""

RETRY_AFTER_MOST = 300.0
"""Seconds that a ``Retry-After`` is obeyed at most."""

HOLD_MOST = 60.0
"""Seconds between two trials of a path that may still be loading, at most, before the jitter."""

JITTER = 0.2
"""Delays are spread by so much up and down: what failed together is not tried again together."""


class Circumstances(NamedTuple):
    """What is known besides the outcome.

    Attributes:
        jenkins: What is known of Jenkins now, the probe asked if `asks_probe` said so.
        ready_for: Seconds since Jenkins became ready; None if it is not known to be.
        attempts: How many attempts of this webhook have counted before.
        held_times: How many trials of its path have failed in a row before.
        held_for: Seconds for which the hold of its path has kept it; 0 if there is none.
        probed: Whether a ready Jenkins is the probe's own word, and not concluded from deliveries.
        loaded: Whether the plugin at its path is known to be loaded.
        chance: A random number from 0 to 1, for the jitter.
    """

    jenkins: State
    ready_for: float | None
    attempts: int = 0
    held_times: int = 0
    held_for: float = 0.0
    probed: bool = True
    loaded: bool = False
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
    odd = outcome.status in (403, 404) or 300 <= outcome.status < 400
    return shakes(outcome) or odd or is_page(outcome)


def shakes(outcome: Outcome) -> bool:
    """Tell whether an outcome casts doubt on Jenkins itself, not only on the webhook."""
    return outcome.happened is Happened.BROKEN or outcome.status >= 500


def is_page(outcome: Outcome) -> bool:
    """Tell whether a 2xx brings a page for people: a maintenance page, perhaps."""
    return (
        200 <= outcome.status < 300 and outcome.content_type == "text/html" and outcome.length > 0
    )


def decide(outcome: Outcome, path: str, known: Circumstances, policy: Policy) -> Decision:
    """Decide what becomes of a webhook after an attempt: the first row that fits counts.

    Args:
        outcome: What happened; its `answer` is free of secrets.
        path: The webhook's path at Jenkins.
        known: What else is known.
        policy: The settings.
    """
    if taken := _taken(outcome, path, known):
        return Decision(Verdict.DELIVERED, taken)
    if outcome.happened is Happened.NO_CONNECTION:
        return Decision(Verdict.HOLD_FLOW, _said(outcome))
    # A redirect or a 4xx is a refusal; after anything else nobody knows.
    maybe_taken = not 300 <= outcome.status < 500
    if known.jenkins is State.NOT_READY:
        return Decision(Verdict.HOLD_FLOW, _said(outcome), maybe_taken=maybe_taken)
    if _is_misrouted(outcome, known):
        return _misrouted(outcome, known, policy)
    if asks_probe(outcome) and not _has_settled(known, policy) and not known.loaded:
        return _may_be_loading(outcome, known, policy)._replace(maybe_taken=maybe_taken)
    if outcome.status == 429 or _wait_asked(outcome, known) is not None:
        return _asked_to_wait(outcome, known, policy)._replace(maybe_taken=maybe_taken)
    if outcome.status in (403, 404) and not _has_settled(known, policy):
        # Its plugin is loaded; the job that it is for may not be.
        delay = _jitter(_listed(known.attempts + 1, policy), known)
        return Decision(Verdict.AGAIN, f"{_said(outcome)}; its job may still be loading", delay)
    if outcome.status in (401, 407) and not _seen_by_probe(known):
        return _may_be_loading(outcome, known, policy)
    if 400 <= outcome.status < 500:
        return Decision(Verdict.DEAD, _said(outcome), counted=True)
    return _again(outcome, known, policy)._replace(maybe_taken=maybe_taken)


def _taken(outcome: Outcome, path: str, known: Circumstances) -> str:
    """Say how Jenkins took the webhook; empty if it did not."""
    status = outcome.status
    if 200 <= status < 300 and (not is_page(outcome) or _seen_by_probe(known)):
        return f"{status}"
    if path.startswith("/dockerhub-webhook/") and _is_docker_redirect(outcome, path, known):
        return _said(outcome)
    if status == 400 and path == "/github-webhook/" and b"event type" in outcome.answer:
        # GHEventHeader of github-plugin: an event that is not in GHEvent.
        return "ignored by Jenkins: no plugin knows this event"
    return ""


def _seen_by_probe(known: Circumstances) -> bool:
    """Tell whether the probe itself has seen Jenkins: no sign-on or proxy answers in its place."""
    return known.jenkins is State.READY and known.probed


def _is_docker_redirect(outcome: Outcome, path: str, known: Circumstances) -> bool:
    """Tell whether the Docker Hub plugin answered (DockerHubWebHook redirects what it took).

    A sign-on, a proxy and a missing slash redirect too: only where the probe itself has seen
    Jenkins, and not to a login or to the same path with a slash, is it the plugin's.
    """
    where = outcome.location.lower()
    elsewhere = "login" in where or "securityrealm" in where or where.endswith(path.lower() + "/")
    return 300 <= outcome.status < 400 and _seen_by_probe(known) and not elsewhere


def _misrouted(outcome: Outcome, known: Circumstances, policy: Policy) -> Decision:
    if _is_crumb(outcome):
        why = f"{_said(outcome)}: no plugin answers here. Is it installed, and is the path right?"
    else:
        why = f"{_said(outcome)}: the path is wrong (a missing slash?), or something else answers"
    # Time in which nothing could be tried is no evidence: trials are, and a settled Jenkins.
    tried = known.held_times * MISROUTED_RETRY >= MISROUTED_DEAD
    if tried and known.held_for >= MISROUTED_DEAD and _has_settled(known, policy):
        return Decision(Verdict.DEAD, f"{why}; so for 24 hours", counted=True)
    return Decision(Verdict.HOLD_PATH, why, delay=MISROUTED_RETRY)


def _may_be_loading(outcome: Outcome, known: Circumstances, policy: Policy) -> Decision:
    if known.ready_for is None:
        why = "whether Jenkins is ready is unknown"
    else:
        why = "Jenkins has been ready for a short time and may still be loading"
    delay = _wait_asked(outcome, known)
    if delay is None:
        delay = _jitter(_listed(known.held_times, policy), known)
    return Decision(Verdict.HOLD_PATH, f"{_said(outcome)}; {why}", delay=delay)


def _listed(times: int, policy: Policy) -> float:
    """Return the retry delay after so many times, a minute at most."""
    delays = policy.retry_delays or (HOLD_MOST,)
    return min(delays[min(times, len(delays) - 1)], HOLD_MOST)


def _asked_to_wait(outcome: Outcome, known: Circumstances, policy: Policy) -> Decision:
    again = _again(outcome, known, policy)
    if again.verdict is Verdict.DEAD:
        return again
    asked = _wait_asked(outcome, known)
    return again._replace(
        verdict=Verdict.HOLD_PATH,
        reason=f"{_said(outcome)}: Jenkins asks to wait",
        delay=min(again.delay, RETRY_AFTER_MOST) if asked is None else asked,
    )


def _again(outcome: Outcome, known: Circumstances, policy: Policy) -> Decision:
    said = _said(outcome)
    if known.attempts >= len(policy.retry_delays):
        number = known.attempts + 1
        failed = "1 attempt" if number == 1 else f"{number} attempts"
        return Decision(Verdict.DEAD, f"{said}; {failed} failed", counted=True)
    delay = _jitter(policy.retry_delays[known.attempts], known)
    return Decision(Verdict.AGAIN, said, delay=delay, counted=True)


def _jitter(delay: float, known: Circumstances) -> float:
    return delay * (1 - JITTER + 2 * JITTER * known.chance)


def _has_settled(known: Circumstances, policy: Policy) -> bool:
    return known.ready_for is not None and known.ready_for >= policy.settle_after


def _wait_asked(outcome: Outcome, known: Circumstances) -> float | None:
    """Return for how long to wait as asked; unless Jenkins is ready, only a 429 may ask."""
    if outcome.retry_after is None or not (outcome.status == 429 or known.jenkins is State.READY):
        return None
    return min(outcome.retry_after, RETRY_AFTER_MOST)


def _is_misrouted(outcome: Outcome, known: Circumstances) -> bool:
    """Tell whether no plugin answers at this path; a booting Jenkins asks for crumbs everywhere."""
    crumb = _is_crumb(outcome) and known.jenkins is State.READY
    return crumb or 300 <= outcome.status < 400


def _is_crumb(outcome: Outcome) -> bool:
    """Tell whether Jenkins' CrumbFilter answered: no plugin has claimed the path."""
    return outcome.status == 403 and b"No valid crumb" in outcome.answer


def _said(outcome: Outcome) -> str:
    """Put the outcome in words, with the beginning of what was answered."""
    if outcome.happened is not Happened.ANSWERED:
        return outcome.error
    if 300 <= outcome.status < 400:
        where = f" to {outcome.location[:200]}" if outcome.location else ""
        return f"{outcome.status}, a redirect{where}"
    text = " ".join(outcome.answer.decode("utf-8", "replace").split())
    if not text or outcome.content_type == "text/html" or outcome.status < 300:
        return f"{outcome.status}"
    return f"{outcome.status} {text[:200]}"
