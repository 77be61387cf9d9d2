"""A store with a backlog, made as fast as SQLite takes it: without syncs, and mostly by copying."""

from __future__ import annotations

import time
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from bench import payloads
from spigot.payloads import github_payloads
from spigot.stores import database
from spigot.stores.arrivals import Arrival, Arrivals, delivery_key
from spigot.webhook import Webhook, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spigot.webhook import Headers

HOOK = "/github-webhook/"
BLOCK = 50_000
"""So many are stored as a gateway stores them; of more, the rest are copies of these."""

BATCH = 64
"""Webhooks in one statement, as many as a gateway stores by one."""

TOGETHER = 16
"""Such batches in one transaction."""

# A copy differs in all that makes a webhook one of its own; only its headers say what the first
# one's say.
_COPY = """
INSERT INTO contents SELECT serial + :by, frame FROM contents WHERE serial <= :most;
INSERT INTO webhooks SELECT serial + :by,
    substr(id, 1, 10) || hex(randomblob(8)), received_at, method, path, query, hook, provider,
    event, delivery || '-' || :number, lane, size, content + :by, start, end
    FROM webhooks WHERE serial <= :most;
INSERT INTO waiting (position, serial, delivery, lane, path)
    SELECT position + :by, serial + :by, random(), lane, path FROM waiting WHERE position <= :most;
UPDATE totals SET position = (SELECT max(position) FROM waiting),
    stored = (SELECT count(*) FROM webhooks), waiting = (SELECT count(*) FROM waiting);
"""


def fill(data: Path, count: int, lanes: int) -> float:
    """Let so many of GitHub's own examples, 8 kB in the median, wait in so many lanes.

    Lane by lane in turn, each signed and with a delivery id of its own.

    Returns:
        The seconds that it took.
    """
    began = time.monotonic()
    path = database.prepare(data, create=True)
    with closing(database.connect(path, cache_kib=64 * 1024)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        arrivals = Arrivals(db)
        batches = _batches(min(count, BLOCK), lanes)
        while together := list(islice(batches, TOGETHER)):
            with database.transaction(db):
                for batch in together:
                    arrivals.put(batch)
        for number in range(1, -(-count // BLOCK)):
            most = min(BLOCK, count - number * BLOCK)
            with database.transaction(db):
                for statement in _COPY.split(";")[:-1]:
                    db.execute(statement, {"by": number * BLOCK, "most": most, "number": number})
    return time.monotonic() - began


def _batches(count: int, lanes: int) -> Iterator[list[Arrival]]:
    """Yield all in batches."""
    examples = [_parts(number) for number in range(len(_EXAMPLES))]
    now = time.time()
    for start in range(0, count, BATCH):
        batch = []
        for number in range(start, min(count, start + BATCH)):
            event, headers, body = examples[number % len(examples)]
            delivery = f"fill-{number:08d}"
            webhook = Webhook(
                new_id(now), now, "POST", HOOK, "",
                (*headers, (b"x-github-delivery", delivery.encode("ascii"))), body, HOOK,
                "github", event, delivery, f"{HOOK} octo/lane-{number % lanes}",
            )  # fmt: skip
            batch.append(Arrival(webhook, delivery_key(webhook), None))
        yield batch


def _parts(number: int) -> tuple[str, Headers, bytes]:
    """Return event, headers and body of an example, as a gateway keeps them."""
    example = _EXAMPLES[number]
    head = payloads.wire(example, HOOK).before.decode("ascii")
    lines = [line.partition(": ") for line in head.split("\r\n")[1:-1]]
    headers = tuple(
        (name.lower().encode(), value.encode()) for name, _, value in lines if name != "Host"
    )
    return example.event, headers, example.body


_EXAMPLES = github_payloads()
