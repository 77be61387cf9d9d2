"""What `ports.Panel` promises, as far as AWS can keep it: the valve, the counts, the report."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from spigot.aws.boots import KEY
from spigot.aws.glance import EVERY, Glance
from spigot.aws.sdk import explained, tolerated
from spigot.aws.toggle import turn
from spigot.sight import State
from spigot.stores.objects import Objects
from spigot.stores.panel import Backlog, Counts
from spigot.units import format_duration
from spigot.valve import ValveRow, effective

if TYPE_CHECKING:
    from collections.abc import Collection

    from spigot.aws.rule import DrainRule
    from spigot.aws.valve import StageValve
    from spigot.ports import Clock
    from spigot.stores.sqs import Places

_VISIBLE = "ApproximateNumberOfMessages"
_HIDDEN = "ApproximateNumberOfMessagesNotVisible"
FRESH = 300.0
"""Seconds for which what a drain has told of Jenkins is believed; it runs once a minute."""

_AGE_WITHIN = 900
"""Seconds back in which CloudWatch's last figure for the oldest message is looked for."""


class Depth(NamedTuple):
    """How many messages a queue holds, about.

    Attributes:
        visible: Those that anybody may receive.
        hidden: Those in somebody's hand, or given back to be tried later.
    """

    visible: int
    hidden: int


class StackPanel:
    """Reads and sets what commands and drains of one stack share.

    SQS counts about right and some seconds late. What was delivered it does not count at all.

    Args:
        stage: The valve's variables.
        rule: The rule that drains the queue.
        clients: boto3's clients ``sqs``, ``s3`` and ``cloudwatch``, by name.
        places: The queues and the bucket.
        clock: Tells the time.
        every: Seconds that one look is good for.
    """

    def __init__(
        self,
        stage: StageValve,
        rule: DrainRule,
        clients: dict[str, Any],
        places: Places,
        clock: Clock,
        *,
        every: float = EVERY,
    ) -> None:
        self._stage = stage
        self._rule = rule
        self._sqs, self._cloudwatch = clients["sqs"], clients["cloudwatch"]
        self._objects = Objects(clients["s3"], places.bucket)
        self._at = places
        self._clock = clock
        self._valve = Glance(self._look_at_valve, every)
        self._drained = Glance(self._look_at_rule, every)
        self._waiting = Glance(lambda: self._depth(places.queue), every)
        self._dead = Glance(lambda: self._depth(places.dead), every)
        self._oldest = Glance(self._look_for_oldest, every * 30)
        self._report = Glance(self._look_at_report, every)

    def counts(self) -> Counts:
        """Count, about; what was stored or delivered in all is not known, and 0."""
        waiting, dead = self._waiting(), self._dead()
        return Counts(
            0, sum(waiting), 0, sum(dead), self._oldest() if sum(waiting) else None
        )  # fmt: skip

    def backlog(self, position: int, held: Collection[str] = ()) -> Backlog:  # noqa: ARG002
        """Count all that waits: SQS knows no positions, and does not tell what is held."""
        return Backlog(sum(self._waiting()), 0)

    def valve(self) -> ValveRow:
        """Return the valve as it stands now."""
        return effective(self._valve(), self._clock.now())

    def set_valve(
        self, *, on: bool, reason: str = "", until: float | None = None, before: int | None = None
    ) -> ValveRow:
        """Set the valve; see `ports.Panel.set_valve`, and `toggle.turn` for what AWS cannot."""
        try:
            return turn(self._stage, self._rule, on=on, now=self._clock.now(), reason=reason,
                        until=until, before=before)  # fmt: skip
        finally:
            self._valve.forget()
            self._drained.forget()

    def report(self) -> dict[str, Any]:
        """Return what the drain that ran last has told of Jenkins; empty if none ever did."""
        return aged(self._report(), self._clock.now())

    def set_report(self, report: dict[str, Any]) -> None:
        """Replace the report."""
        with explained("write what is known of Jenkins"):
            self._objects.put(KEY, json.dumps(report).encode())
        self._report.forget()

    @property
    def drained(self) -> bool:
        """Whether the rule that drains the queue is enabled."""
        return self._drained()

    @property
    def in_hand(self) -> int:
        """How many waiting webhooks are in somebody's hand, or hidden until they are due; about."""
        return self._waiting().hidden

    # --- inside ------------------------------------------------------------------------------

    def _look_at_valve(self) -> ValveRow:
        with explained("read the valve"):
            return self._stage.row()

    def _look_at_rule(self) -> bool:
        with explained("read the rule that drains the queue"):
            return self._rule.enabled()

    def _depth(self, queue: str) -> Depth:
        with explained("count what is in the queue"):
            found = self._sqs.get_queue_attributes(
                QueueUrl=queue, AttributeNames=[_VISIBLE, _HIDDEN]
            )["Attributes"]
        return Depth(int(found[_VISIBLE]), int(found[_HIDDEN]))

    def _look_for_oldest(self) -> float | None:
        """Return when the oldest was queued, as CloudWatch knew some minutes ago."""
        now, oldest = self._clock.now(), None
        with tolerated("CloudWatch could not be asked how old the oldest is"):
            found = self._cloudwatch.get_metric_statistics(
                Namespace="AWS/SQS",
                MetricName="ApproximateAgeOfOldestMessage",
                Dimensions=[{"Name": "QueueName", "Value": self._at.queue.rsplit("/", 1)[-1]}],
                StartTime=datetime.fromtimestamp(now - _AGE_WITHIN, UTC),
                EndTime=datetime.fromtimestamp(now, UTC),
                Period=60,
                Statistics=["Maximum"],
            )["Datapoints"]
            last = max(found, key=lambda one: one["Timestamp"], default=None)
            if last:
                oldest = float(last["Timestamp"].timestamp() - last["Maximum"])
        return oldest

    def _look_at_report(self) -> dict[str, Any]:
        with explained("read what is known of Jenkins"):
            text = self._objects.get(KEY)
        try:
            found = json.loads(text or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def aged(report: dict[str, Any], now: float) -> dict[str, Any]:
    """Return a report as it may be believed now: one that is old tells nothing of the present."""
    asked_at = report.get("asked_at")
    if asked_at is None or now - asked_at <= FRESH:
        return report
    ago = format_duration(round(now - asked_at))
    evidence = f"{report.get('jenkins')} when last asked, {ago} ago ({report.get('evidence')})"
    told = {"jenkins", "jenkins_since", "evidence", "evidence_since", "asked_at"}
    rest = {key: value for key, value in report.items() if key not in told}
    return {**rest, "jenkins": State.UNKNOWN, "jenkins_since": None, "evidence": evidence}
