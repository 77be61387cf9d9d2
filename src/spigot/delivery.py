"""One attempt: send, see what happened, ask the probe where only it can tell, decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spigot.decide import Circumstances, Policy, asks_probe, decide, shakes
from spigot.log import Log
from spigot.masking import mask_text, secrets_of
from spigot.webhook import Attempt, Happened, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.guard import Guard
    from spigot.lines import Hold
    from spigot.ports import Clock, Loaded, Sender
    from spigot.webhook import Webhook

_log = Log(__name__)


class Delivery:
    """Makes attempts; many threads may do so at once.

    Args:
        sender: The way to Jenkins.
        guard: Knows whether Jenkins is ready, and hears what attempts met.
        policy: The settings that decisions go by.
        clock: Tells the time.
        chance: Returns a random number from 0 to 1.
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
        self._policy = policy
        self._clock = clock
        self._chance = chance

    def attempt(self, loaded: Loaded, hold: Hold | None) -> Attempt:
        """Hand a webhook to Jenkins once and decide what becomes of it; changes nothing itself.

        Args:
            loaded: The webhook and its place.
            hold: The hold of its path, if this is a trial.
        """
        at, tick = self._clock.now(), self._clock.monotonic()
        outcome = _masked(self._send(loaded.webhook), loaded.webhook)
        took = self._clock.monotonic() - tick
        self._tell(outcome)
        known = self._guard.readiness
        decision = decide(
            outcome,
            loaded.webhook.path,
            Circumstances(
                jenkins=known.state,
                ready_for=known.ready_for(self._clock.monotonic()),
                attempts=loaded.place.attempts,
                held_times=hold.times if hold else 0,
                held_for=self._held_for(loaded.webhook, hold),
                chance=self._chance(),
            ),
            self._policy,
        )
        if decision.verdict is Verdict.DELIVERED:
            self._guard.taken()
        return Attempt(at, took, outcome, decision)

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

    def _tell(self, outcome: Outcome) -> None:
        if outcome.happened is Happened.NO_CONNECTION:
            self._guard.no_connection(outcome.error)
        elif asks_probe(outcome):
            self._guard.ask()
            if shakes(outcome):
                self._guard.failed(outcome.error or f"{outcome.status} to a webhook")


def _masked(outcome: Outcome, webhook: Webhook) -> Outcome:
    """Take the webhook's own secrets out of what Jenkins answered: some plugins echo them."""
    if not (outcome.answer or outcome.location):
        return outcome
    secrets = secrets_of(webhook.path, webhook.query, webhook.headers)
    answer = mask_text(outcome.answer.decode("utf-8", "surrogateescape"), secrets)
    return outcome._replace(
        answer=answer.encode("utf-8", "surrogateescape"),
        location=mask_text(outcome.location, secrets),
    )
