"""One attempt: send, see what happened, ask the probe where only it can tell, decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spigot.decide import Circumstances, Policy, asks_probe, decide, is_page, shakes
from spigot.hook import Presence
from spigot.log import Log
from spigot.masking import mask_text, secrets_of
from spigot.plugins import question_of
from spigot.sight import State
from spigot.webhook import Attempt, Happened, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.guard import Guard
    from spigot.lane import Hold
    from spigot.ports import Clock, Loaded, Sender
    from spigot.webhook import Decision, Webhook

ANSWER_BYTES = 1024
"""What is kept of an answer."""

ONCE_MORE = "once more: Jenkins had restarted and may have forgotten it"
"""How the history marks a webhook that was recalled."""

_log = Log(__name__)


class Delivery:
    """Makes attempts; many threads may do so at once.

    Args:
        sender: The way to Jenkins.
        guard: Knows whether Jenkins is ready, and hears what attempts met.
        policy: The settings that decisions go by.
        clock: Tells the time.
        chance: Returns a random number from 0 to 1.

    Attributes:
        policy: May be replaced; the next attempts go by it.
    """

    def __init__(
        self,
        sender: Sender,
        guard: Guard,
        policy: Policy,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._sender = sender
        self._guard = guard
        self.policy = policy
        self._clock = clock
        self._chance = chance
        self._failed: dict[int, float] = {}  # waiting ones that broke last time: when, a tick

    def attempt(self, loaded: Loaded, hold: Hold | None) -> Attempt:
        """Hand a webhook to Jenkins once and decide what becomes of it; changes nothing itself.

        Args:
            loaded: The webhook and its place.
            hold: The hold of its path, if this is a trial.
        """
        at, tick = self._clock.now(), self._clock.monotonic()
        outcome = _masked(self._send(loaded.webhook), loaded.webhook)
        took = self._clock.monotonic() - tick
        position = loaded.place.position
        blamed = self._is_blamed(position, outcome)
        self._tell(outcome, blamed=blamed)
        known = self._guard.readiness
        ready_for = known.ready_for(self._clock.monotonic())
        if blamed and known.state is not State.NOT_READY:
            known, ready_for = known._replace(state=State.READY), self.policy.settle_after
        decision = decide(
            outcome,
            loaded.webhook.path,
            Circumstances(
                jenkins=known.state,
                ready_for=ready_for,
                attempts=loaded.place.attempts,
                held_times=hold.times if hold else 0,
                held_for=self._held_for(loaded.webhook, hold),
                probed=not known.proven,
                loaded=self._is_loaded(loaded.webhook.path, outcome, ready_for),
                chance=self._chance(),
            ),
            self.policy,
        )
        if 200 <= outcome.status < 300 and decision.verdict is Verdict.DELIVERED:
            self._guard.taken()
        if loaded.place.recalled and decision.verdict is Verdict.DELIVERED:
            decision = decision._replace(reason=f"{decision.reason}, {ONCE_MORE}")
        self._remember(position, outcome, decision)
        return Attempt(at, took, outcome, decision)

    def forget(self, position: int) -> None:
        """Hear that a webhook waits no longer although no attempt ended it."""
        self._failed.pop(position, None)

    def _is_blamed(self, position: int, outcome: Outcome) -> bool:
        """Tell whether a failure is this webhook's own: others went through since it failed last.

        It matters where no probe can judge: there, one bad answer alone says nothing.
        """
        known = self._guard.readiness
        if known.state is State.READY and not known.proven:
            return False
        failed = self._failed.get(position)
        return failed is not None and shakes(outcome) and self._guard.taken_tick > failed

    def _is_loaded(self, path: str, outcome: Outcome, ready_for: float | None) -> bool:
        """Ask, where it matters, whether the plugin at a path is loaded already."""
        if ready_for is None or ready_for >= self.policy.settle_after:
            return False
        if not (shakes(outcome) or outcome.status in (403, 404)):
            return False
        question = question_of(path)
        if question is None:
            return False
        headers = {"User-Agent": "spigot"} | dict(question.headers)
        asked = self._sender.ask(question.method, question.path, headers)
        kind = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
        return question.understand(asked.status, kind) is Presence.LOADED

    def _remember(self, position: int, outcome: Outcome, decision: Decision) -> None:
        if decision.verdict in (Verdict.DELIVERED, Verdict.DEAD):
            self._failed.pop(position, None)
        elif shakes(outcome):
            self._failed[position] = self._clock.monotonic()

    def _send(self, webhook: Webhook) -> Outcome:
        try:
            return self._sender.send(webhook)
        except Exception as error:  # noqa: BLE001 - one webhook must not stop its lane for ever
            _log.error(
                "A webhook could not be sent for a fault of Spigot's", exc=error, id=webhook.id
            )
            return Outcome(Happened.BROKEN, error=f"a fault inside Spigot ({type(error).__name__})")

    def _held_for(self, webhook: Webhook, hold: Hold | None) -> float:
        """Return for how long this webhook has been kept by that hold."""
        if hold is None:
            return 0.0
        age = self._clock.now() - webhook.received_at
        return min(age, self._clock.monotonic() - hold.since_tick)

    def _tell(self, outcome: Outcome, *, blamed: bool) -> None:
        if outcome.happened is Happened.NO_CONNECTION:
            self._guard.no_connection(outcome.error)
        elif asks_probe(outcome):
            self._guard.ask()
            if shakes(outcome) and not blamed:
                self._guard.failed(outcome.error or f"{outcome.status} to a webhook")


def _masked(outcome: Outcome, webhook: Webhook) -> Outcome:
    """Take the webhook's own secrets out of what Jenkins answered: some plugins echo them.

    Of what says no more than that Jenkins took it, nothing is kept, so nothing is looked for.
    """
    if 200 <= outcome.status < 300 and not is_page(outcome):
        return outcome._replace(answer=b"", location="")
    if not (outcome.answer or outcome.location):
        return outcome
    # Cut only afterwards: half a secret would not be recognised.
    secrets = secrets_of(webhook.path, webhook.query, webhook.headers)
    answer = mask_text(outcome.answer.decode("utf-8", "surrogateescape"), secrets)
    return outcome._replace(
        answer=answer.encode("utf-8", "surrogateescape")[:ANSWER_BYTES],
        location=mask_text(outcome.location, secrets),
    )
