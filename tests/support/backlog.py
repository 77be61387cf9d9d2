"""A store with a large backlog, made without a gateway."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from itertools import cycle, islice
from typing import TYPE_CHECKING

from spigot.payloads import github_payloads
from spigot.stores.sqlite import SqliteStore
from spigot.webhook import Webhook, new_id
from support.provider import github, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spigot.webhook import Receipt
    from support.provider import Request

_UNDER_WAY = 4000
"""How many webhooks are handed over at most before they are on disk."""


def small(count: int, lanes: int) -> Iterator[Request]:
    """Yield so many small webhooks, lane by lane in turn."""
    for number in range(count):
        yield numbered(f"octo/lane-{number % lanes}", number)


def real(count: int, lanes: int) -> Iterator[Request]:
    """Yield so many webhooks with GitHub's own examples, 8 kB in the median, in lanes of ours."""
    for number, example in enumerate(islice(cycle(github_payloads()), count)):
        request = github(example.event, example.body, key=f"#{number}")
        yield request._replace(lane=f"/github-webhook/ octo/lane-{number % lanes}")


def fill(data: Path, requests: Iterator[Request]) -> float:
    """Put webhooks into the store of a data directory; return the seconds that it took."""
    free = threading.Semaphore(_UNDER_WAY)
    failed: list[Exception] = []

    def done(result: Receipt | Exception) -> None:
        if isinstance(result, Exception):
            failed.append(result)
        free.release()

    began = time.monotonic()
    with closing(SqliteStore(data)) as store:
        for request in requests:
            free.acquire()
            store.put(_webhook(request), done)
    if failed:
        raise failed[0]
    return time.monotonic() - began


def _webhook(request: Request) -> Webhook:
    now = time.time()
    headers = tuple((name.lower().encode(), value.encode()) for name, value in request.headers)
    return Webhook(
        new_id(now), now, request.method, request.target, "", headers, request.body, request.target,
        "github", dict(request.headers)["X-GitHub-Event"], request.key, request.lane,
    )  # fmt: skip
