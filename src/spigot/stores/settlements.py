"""What became of attempts: recorded and carried out in batches, by one statement each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spigot.stores.database import insert_rows, run_script
from spigot.webhook import State, Verdict

if TYPE_CHECKING:
    import sqlite3

    from spigot.ports import Loaded
    from spigot.webhook import Attempt

_COLUMNS = 15
"""Of the view `settlements`; see ``settlements.sql``."""

_ENDS = {Verdict.DELIVERED: State.DELIVERED, Verdict.DEAD: State.DEAD}


class Settlement(NamedTuple):
    """An attempt at a webhook, with the decision on it."""

    loaded: Loaded
    attempt: Attempt


def prepare(db: sqlite3.Connection) -> None:
    """Make the connection ready for `settle`."""
    run_script(db, "settlements.sql")


def settle(db: sqlite3.Connection, items: list[Settlement]) -> list[None]:
    """Record attempts and carry out their decisions."""
    rows: list[object] = []
    for loaded, (at, took, outcome, decision) in items:
        again = decision.verdict is Verdict.AGAIN
        taken = decision.verdict is Verdict.DELIVERED
        rows += (
            loaded.webhook.id, loaded.place.position, at, took, outcome.happened, outcome.status,
            outcome.error, b"" if taken else outcome.answer, decision.verdict, decision.reason,
            decision.counted, decision.maybe_taken, _ENDS.get(decision.verdict),
            at + took + decision.delay if again else 0.0, decision.delay if again else 0.0,
        )  # fmt: skip
    db.execute(insert_rows("settlements", _COLUMNS, len(items)), rows)
    return [None] * len(items)
