"""Webhooks, attempts and a clock in the hand, for the tests of the stores."""

from __future__ import annotations

import contextlib
import itertools
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from spigot.ports import Clock
from spigot.webhook import (
    Attempt,
    Decision,
    Happened,
    Headers,
    Outcome,
    Receipt,
    Verdict,
    Webhook,
    new_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spigot.ports import Loaded, Queue
    from spigot.stores.writer import Writer

PATIENCE = 20.0
"""Seconds after which an answer is plainly not coming."""

NOW = 1_800_000_000.0
DAY = 86_400.0

_numbers = itertools.count(1)


class HandClock(Clock):
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.time = NOW
        self.ticks = 1000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.ticks

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds
        self.ticks += seconds

    def adjust(self, seconds: float) -> None:
        """Set the clock forward or back; no time passes."""
        self.time += seconds


def webhook(
    *,
    delivery: str | None = None,
    hook: str = "/github-webhook/",
    path: str | None = None,
    repository: str = "acme/app",
    event: str | None = "push",
    received_at: float = NOW,
    headers: Headers = ((b"host", b"hooks.example.com"), (b"content-type", b"application/json")),
    body: bytes = b"{}",
) -> Webhook:
    """Return a webhook like GitHub's, with an id of its own."""
    path = path or hook
    return Webhook(
        id=new_id(received_at + next(_numbers)),
        received_at=received_at,
        method="POST",
        path=path,
        query="a=1&b=%20",
        headers=headers,
        body=body,
        hook=hook,
        provider="github",
        event=event,
        delivery=delivery,
        lane=f"{path} {repository}",
    )


def put_all(store: Queue, webhooks: Iterable[Webhook]) -> list[Receipt]:
    """Put webhooks without waiting between them; return the receipts in their order."""
    futures = []
    for each in webhooks:
        future: Future[Receipt | Exception] = Future()
        store.put(each, future.set_result)
        futures.append(future)
    receipts = []
    for future in futures:
        result = future.result(PATIENCE)
        if isinstance(result, Exception):
            raise result
        receipts.append(result)
    return receipts


def put(store: Queue, each: Webhook) -> Receipt:
    """Put one webhook and wait for its receipt."""
    return put_all(store, [each])[0]


def waiting(store: Queue) -> list[Loaded]:
    """Return all that waits, in order."""
    found = [store.load(place.position) for place in store.places_after(0, 1_000_000)]
    return [loaded for loaded in found if loaded is not None]


def drained(store: Queue) -> list[Loaded]:
    """Deliver all that waits, one after the other as a drain does; return it in that order."""
    found: list[Loaded] = []
    while places := store.places_after(0, 1):
        one = store.load(places[0].position)
        assert one is not None
        store.settle(one, attempt(Verdict.DELIVERED))
        found.append(one)
    return found


def loaded(store: Queue, id_: str) -> Loaded:
    """Return the waiting webhook of that id."""
    (found,) = [each for each in waiting(store) if each.webhook.id == id_]
    return found


def attempt(
    verdict: Verdict,
    reason: str = "said so",
    *,
    status: int = 200,
    answer: bytes = b"",
    delay: float = 0.0,
    counted: bool = False,
    maybe_taken: bool = False,
    at: float = NOW,
    took: float = 0.5,
) -> Attempt:
    """Return an attempt that was answered and judged so."""
    return Attempt(
        at,
        took,
        Outcome(Happened.ANSWERED, status=status, answer=answer),
        Decision(verdict, reason, delay=delay, counted=counted, maybe_taken=maybe_taken),
    )


def settle(store: Queue, id_: str, made: Attempt) -> None:
    """Settle the waiting webhook of that id."""
    store.settle(loaded(store, id_), made)


def end(store: Queue, each: Webhook, verdict: Verdict) -> None:
    """Put a webhook and let it be delivered, or die."""
    put(store, each)
    settle(store, each.id, attempt(verdict, status=200 if verdict is Verdict.DELIVERED else 404))


@contextlib.contextmanager
def busy(writer: Writer) -> Iterator[None]:
    """Keep a writer busy, so that what is handed over meanwhile gathers until the end."""
    begun, go_on = threading.Event(), threading.Event()

    def block(_: object) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    blocked = threading.Thread(target=writer.between, args=(block,))
    blocked.start()
    assert begun.wait(PATIENCE)
    try:
        yield
    finally:
        go_on.set()
        blocked.join()
