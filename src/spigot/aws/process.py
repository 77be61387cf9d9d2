"""What becomes of a webhook that came through API Gateway: to Jenkins, or into the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spigot.aws import event as events
from spigot.decide import Circumstances, Policy, decide
from spigot.errors import Refused, SpigotError
from spigot.log import Log
from spigot.sight import State
from spigot.webhook import Happened, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.aws.event import Event
    from spigot.intake import Intake
    from spigot.ports import Sender
    from spigot.webhook import Decision, Webhook

_log = Log(__name__)


class NotTaken(SpigotError):
    """Jenkins did not take a webhook that may not be queued again."""


class Process:
    """Handles one event after the other.

    Args:
        intake: Reads requests; the only road to an answer that promises something.
        sender: The way to Jenkins; it gives up in time for the provider's timeout. None: there is
            none from here, and everything goes into the queue.
        keep: Puts a webhook into the queue and returns once it is safe there.
        signed: Every webhook has to be signed.
    """

    def __init__(
        self,
        intake: Intake,
        sender: Sender | None,
        keep: Callable[[Webhook], None],
        *,
        signed: bool = False,
    ) -> None:
        self._intake = intake
        self._sender = sender
        self._keep = keep
        self._signed = signed

    def handle(self, raw: dict[str, Any]) -> dict[str, str]:
        """Forward or queue the webhook of an event, and return the answer for the provider.

        Raises:
            Refused: It is no webhook, or not signed: the provider gets a 500 with these words.
            NotTaken: It came from the queue, and Jenkins did not take it.
            SpigotError: It could not be kept; nothing was promised.
        """
        event = events.read(raw)
        webhook = self._read(event)
        if self._sender and (event.on or event.from_queue):
            decision = self._forward(webhook, self._sender)
            if decision.verdict is Verdict.DELIVERED:
                return {"status": "forwarded", "id": webhook.id}
            if event.from_queue:
                raise NotTaken(f"Jenkins did not take {webhook.id}: {decision.reason}.")
            _log.warning("Jenkins did not take it: queued", id=webhook.id, reason=decision.reason)
        elif event.from_queue:
            raise NotTaken(
                "No way leads from here to Jenkins: `spigot drain` delivers what is in the queue."
            )
        self._keep(webhook)
        return {"status": "stored", "id": webhook.id}

    def _read(self, event: Event) -> Webhook:
        if self._signed and not event.exact:
            raise Refused(
                401,
                "The API's mapping template hands over a body that it has parsed, so its signature "
                "cannot be checked: deploy infra/template.yaml, or take the secret away.",
                reason="signature",
            )
        target = event.path + (f"?{event.query}" if event.query else "")
        try:
            admitted = self._intake.admit(event.method, target.encode())
        except Refused as refused:
            # API Gateway may drop the slash at a path's end.
            if refused.status != 404 or event.path.endswith("/"):
                raise
            slashed = target.replace(event.path, event.path + "/", 1)
            try:
                admitted = self._intake.admit(event.method, slashed.encode())
            except Refused:
                raise refused from None  # it names the path that was asked for
        fields = dict(reversed(event.headers))
        return self._intake.webhook(admitted, event.headers, fields, event.body)

    def _forward(self, webhook: Webhook, sender: Sender) -> Decision:
        try:
            outcome = sender.send(webhook)
        except Exception as error:  # noqa: BLE001 - the queue is there for whatever it is
            _log.error(
                "A webhook could not be sent for a fault of Spigot's", exc=error, id=webhook.id
            )
            outcome = Outcome(
                Happened.BROKEN, error=f"a fault inside Spigot ({type(error).__name__})"
            )
        # Only whether Jenkins took it matters here; all else is for whoever drains the queue.
        known = Circumstances(jenkins=State.UNKNOWN, ready_for=None)
        return decide(outcome, webhook.path, known, Policy())
