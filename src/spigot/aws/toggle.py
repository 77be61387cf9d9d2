"""Setting the valve on AWS: the stage's variables and the rule, whole or not at all.

The variables go first: from then on webhooks are queued or forwarded, and a drain that runs obeys
them. The rule that starts the drain follows. Should the rule fail, the variables are put back, so
that the two never say different things without a word.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from spigot.aws.sdk import brief, is_of_aws
from spigot.aws.variables import STATE
from spigot.errors import Overtaken, StoreError
from spigot.valve import ValveRow, effective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spigot.aws.rule import DrainRule
    from spigot.aws.valve import StageValve


def drains(row: ValveRow) -> bool:
    """Tell whether the rule has to be enabled: also for an OFF that ends, so that it is opened."""
    return row.on or row.until is not None


def turn(
    stage: StageValve,
    rule: DrainRule,
    *,
    on: bool,
    now: float,
    reason: str = "",
    until: float | None = None,
    before: int | None = None,
) -> ValveRow:
    """Set the valve and return it as set. An OFF that is OFF already keeps its `since`.

    Args:
        stage: The valve's variables.
        rule: The rule that drains the queue.
        on: ON or OFF.
        now: UNIX seconds.
        reason: Why, in a person's words.
        until: When an OFF shall end by itself, UNIX seconds.
        before: The version that it must have; None for any. API Gateway cannot compare and set at
            once: who comes within the same moment is not seen.

    Raises:
        Overtaken: It is of another version: somebody else has set it.
        StoreError: It could not be set; the message says what stands now.
        SpigotError: The reason is too long.
    """
    word = "ON" if on else "OFF"
    unchanged = f"{STATE} could not be set to {word} ({{}}): nothing was changed"
    with _refused(f"{unchanged}."):
        found = stage.row()
    known = effective(found, now)
    if before not in (None, known.version):
        raise Overtaken("Somebody else has set the valve meanwhile.")
    row = ValveRow(on, reason, known.since if known.on is on else now, until, known.version + 1)
    with _refused(f"{unchanged}, the valve is {known.word}."):
        stage.put(row)
    verb = "enabled" if drains(row) else "disabled"
    try:
        with _refused(f"The rule that drains the queue could not be {verb} ({{}})"):
            rule.put(enabled=drains(row))
    except StoreError as failed:
        with _refused(
            f"{failed}, and {STATE} could not be put back to {found.word} ({{}}): it is {word} now,"
            " and the rule is as it was. Run this again."
        ):
            stage.put(found)
        raise StoreError(
            f"{failed}: {STATE} was put back to {found.word}, the valve is as it was."
        ) from None
    return row


@contextlib.contextmanager
def _refused(text: str) -> Iterator[None]:
    """Say what an error of AWS means here; it takes the place of ``{}``."""
    try:
        yield
    except Exception as error:
        if not is_of_aws(error):
            raise
        raise StoreError(text.replace("{}", brief(error))) from None
