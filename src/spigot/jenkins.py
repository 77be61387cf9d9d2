"""HTTP to Jenkins: webhooks untouched, questions without side effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spigot.client import FAILURES, Client, say
from spigot.headers import end_to_end
from spigot.ports import Asked, Clock, Passed
from spigot.webhook import Happened, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.address import Target
    from spigot.webhook import Headers, Webhook

ANSWER_BYTES = 8 * 1024
"""What is handed on of an answer: more than is kept, so that secrets in it are recognised whole."""


class Jenkins:
    """Keeps connections to Jenkins alive and sends over them; safe for many threads.

    Args:
        target: Where Jenkins is.
        connect_timeout: Seconds a connection may take.
        read_timeout: Seconds Jenkins may take to answer a webhook, from its first byte sent to the
            answer's last byte read.
        probe_timeout: The same for a question.
        ca_file: The PEM file of authorities to trust; None for those of the system.
        proxy: The proxy's URL; ``none`` for none; empty for what the environment says.
        clock: Tells the time.

    Raises:
        SettingsError: The authorities cannot be read, or the proxy is of no use.
    """

    def __init__(
        self,
        target: Target,
        *,
        connect_timeout: float = 3.0,
        read_timeout: float = 60.0,
        probe_timeout: float = 5.0,
        ca_file: Path | None = None,
        proxy: str = "none",
        clock: Clock | None = None,
    ) -> None:
        self._client = Client(target, ca_file=ca_file, proxy=proxy, clock=clock)
        self.set_timeouts(connect_timeout, read_timeout, probe_timeout)

    def set_timeouts(self, connect: float, read: float, probe: float) -> None:
        """Set how many seconds a connection, an answer and a probe may take from now on."""
        self._client.connect_timeout = connect
        self._read_timeout, self._probe_timeout = read, probe

    def send(self, webhook: Webhook) -> Outcome:
        """Hand a webhook to Jenkins; see `ports.Sender.send`."""
        headers = end_to_end(webhook.headers)
        target = webhook.path + (f"?{webhook.query}" if webhook.query else "")
        try:
            connection = self._client.connection()
        except FAILURES as error:
            return Outcome(Happened.NO_CONNECTION, error=say(error))
        try:
            answer = self._client.exchange(
                connection, webhook.method, target, headers, webhook.body, self._read_timeout
            )
        except FAILURES as error:
            connection.close()
            return Outcome(Happened.BROKEN, error=say(error))
        return Outcome(
            Happened.ANSWERED,
            status=answer.status,
            content_type=answer.get(b"content-type").partition(";")[0].strip().lower(),
            retry_after=_seconds(answer.get(b"retry-after")),
            answer=answer.body[:ANSWER_BYTES],
            length=len(answer.body) or int(answer.broken is not None),
            location=answer.get(b"location"),
        )

    def ask(self, method: str, path: str, headers: dict[str, str]) -> Asked:
        """Ask Jenkins a question; see `ports.Sender.ask`."""
        lines = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ]
        try:
            connection = self._client.connection(fresh=True)
        except FAILURES as error:
            return Asked(0, {}, error=say(error))
        try:
            answer = self._client.exchange(
                connection, method, path, lines, b"", self._probe_timeout
            )
        except FAILURES as error:
            connection.close()
            return Asked(0, {}, error=say(error))
        if answer.broken:
            return Asked(0, {}, error=say(answer.broken))
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
        return Asked(answer.status, fields, answer.body)

    def pass_on(self, method: str, target: str, headers: Headers, body: bytes) -> Passed:
        """Pass a request through, and return Jenkins' whole answer; it has a question's time.

        Args:
            method: As received.
            target: Path and query, below Jenkins' context path.
            headers: As received, names in lower case; those of the connection are left out.
            body: The body.
        """
        return self._client.request(method, target, end_to_end(headers), body, self._probe_timeout)

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()


def _seconds(retry_after: str | None) -> float | None:
    """Read ``Retry-After`` where it is a number; a date needs two clocks to agree."""
    text = (retry_after or "").strip()
    return float(text) if text.isdecimal() and len(text) < 9 else None
