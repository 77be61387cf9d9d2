"""Running commands, and filling the store that they look at."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from spigot.cli import main
from spigot.webhook import Attempt, Decision, Happened, Outcome, Verdict, Webhook, new_id
from support.gateway import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from spigot.stores.sqlite import SqliteStore

STATUS_KEYS = [
    "valve", "reason", "since", "until", "jenkins", "jenkins_since", "evidence", "flowing",
    "paths_held", "waiting", "dead", "delivered", "oldest_waiting_s", "next",
]  # fmt: skip
"""The keys of the status object."""

RECEIVED = 1_772_366_400.0
"""2026-03-01T12:00Z."""


def run(*words: str, stdin: bytes | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, words, input=stdin)


def done(*words: str) -> str:
    """Run a command that has to succeed, and return what it printed."""
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def json_of(*words: str) -> Any:
    """Run a command that has to succeed, and return its JSON."""
    return json.loads(done(*words, "--json"))


def put(store: SqliteStore, number: int = 1, **changes: Any) -> str:
    """Keep a webhook, and return its id."""
    webhook = Webhook(
        id=new_id(RECEIVED + number), received_at=RECEIVED + number, method="POST",
        path="/github-webhook/", query="", headers=((b"x-github-event", b"push"),), body=b"{}",
        hook="/github-webhook/", provider="github", event="push", delivery=f"delivery-{number}",
        lane="/github-webhook/ octo/hello",
    )._replace(**changes)  # fmt: skip
    kept = threading.Event()
    store.put(webhook, lambda _: kept.set())
    assert kept.wait(PATIENCE)
    return webhook.id


def end(store: SqliteStore, verdict: Verdict, *, answer: bytes = b"", reason: str = "404") -> None:
    """End the first webhook that waits, a minute after `RECEIVED`."""
    loaded = store.load(store.places_after(0, 1)[0].position)
    assert loaded is not None
    outcome = Outcome(Happened.ANSWERED, status=404, answer=answer)
    decision = Decision(verdict, reason, counted=True)
    store.settle(loaded, Attempt(RECEIVED + 60, 0.25, outcome, decision))


def until(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    latest = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < latest
        time.sleep(0.005)
