"""A Spigot on AWS as commands use it: what `ports.Served` promises, as far as AWS can keep it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from spigot.aws.glance import EVERY
from spigot.aws.letters import DeadLetters
from spigot.aws.panel import StackPanel
from spigot.aws.rule import DrainRule
from spigot.aws.sdk import client, is_of_aws, plainly
from spigot.aws.stack import Stack
from spigot.aws.valve import LOOK_EVERY, StageValve
from spigot.ports import Clock, Signs
from spigot.status import counted, status
from spigot.stores.sqs import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spigot.aws.stack import Outputs

_SETTLED = 2.0
"""Seconds until a changed variable of a stage surely holds for requests that come in."""

_ROUSE_EVERY = 5.0


class StackStore:
    """One deployed stack.

    Args:
        outputs: What it put out.
        read_timeout: Seconds that Jenkins may take to answer at most, in whatever drains.
        say: Tells a person what else there is to know.
        clock: Tells the time.
        every: Seconds that one look at AWS is good for.

    Attributes:
        history: The dead letters.
        panel: The valve, the counts, what is known of Jenkins.

    Raises:
        SpigotError: The stack is not one of Spigot's.
    """

    def __init__(
        self,
        outputs: Outputs,
        read_timeout: float,
        say: Callable[[str], None],
        clock: Clock | None = None,
        *,
        every: float = EVERY,
    ) -> None:
        clients = {name: client(name) for name in ("sqs", "s3", "cloudwatch")}
        places = Places(
            outputs["QueueUrl"], outputs["DeadLetterUrl"], outputs["CredentialsBucketName"]
        )
        self._clock = clock or Clock()
        self._drain = outputs["SendFromQueueName"]
        self._forward = float(outputs.parameters.get("ForwardSeconds", "7"))
        self._slowest = max(read_timeout + LOOK_EVERY, self._forward + _SETTLED)
        self._lambda = client("lambda")
        self._rouse_at = float("-inf")
        self.history = DeadLetters(clients["sqs"], clients["s3"], places, say=say)
        self.panel = StackPanel(
            StageValve(client("apigateway"), outputs["ApiId"]),
            DrainRule(client("events"), outputs["RuleName"]),
            clients, places, self._clock, every=every,
        )  # fmt: skip

    @property
    def serving(self) -> bool:
        """Whether webhooks are taken in: API Gateway always does."""
        return True

    def signs(self) -> Signs:
        """Return what there is of `ports.Queue.signs`: SQS knows no positions."""
        return Signs(self.panel.valve(), 0, 0)

    def status(self, now: float) -> dict[str, Any]:
        """Return the status object; what was delivered in all is not known, and None."""
        panel = self.panel
        valve, report = panel.valve(), panel.report()
        report = {**report, "asked": "whenever the queue is drained"}
        known = status(valve, panel.counts(), report, serving=True, now=now, approximate=True)
        known["delivered"] = None
        if valve.on and not panel.drained:
            known["flowing"] = False
            known["next"] = (
                f"{counted(known)} kept until the rule that drains the queue is enabled again:"
                " `spigot on` does so, unless a `spigot drain` runs somewhere"
            )
        return known

    def rests(self, version: int) -> bool:  # noqa: ARG002
        """Tell whether no attempt runs any more, by the time that has passed.

        What is being forwarded ends in `ForwardSeconds`. A drain looks at the valve every few
        seconds; that it has ended is seen by nothing being in hand any more, or it is sure once
        Jenkins' time to answer is over: what is to be tried later counts as in hand too.
        """
        valve = self.panel.valve()
        off_for = self._clock.now() - valve.since
        if valve.on or off_for < self._forward + _SETTLED:
            return False
        return off_for >= self._slowest or not self.panel.in_hand

    def rouse(self) -> None:
        """Start a drain, which asks Jenkins first; the schedule does it too, if that is refused."""
        tick = time.monotonic()
        if tick - self._rouse_at < _ROUSE_EVERY:
            return
        self._rouse_at = tick
        try:
            self._lambda.invoke(FunctionName=self._drain, InvocationType="Event")
        except Exception as error:
            if not is_of_aws(error):
                raise
            self._rouse_at = float("inf")


@contextlib.contextmanager
def opened_stack(
    name: str, read_timeout: float, say: Callable[[str], None]
) -> Iterator[StackStore]:
    """Find a stack and use it; whatever AWS refuses is said in a line.

    Args:
        name: The stack's name.
        read_timeout: As for `StackStore`.
        say: As for `StackStore`.

    Raises:
        SettingsError: boto3, credentials or region are missing.
        SpigotError: There is no such stack, or AWS refused something.
    """
    with plainly():
        yield StackStore(Stack(name).outputs(), read_timeout, say)
