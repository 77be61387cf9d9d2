"""``spigot demo``: an upgrade of Jenkins in the middle of the day, in about a minute."""

from __future__ import annotations

import contextlib
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spigot.commands.common import json_option, print_json
from spigot.commands.tables import Column, table
from spigot.errors import SpigotError
from spigot.status import webhooks

if TYPE_CHECKING:
    from spigot.commands.cast import GatewayProcess, Provider
    from spigot.commands.stage import Stage
    from spigot.commands.tally import Tally
    from spigot.practice import PracticeJenkins
    from spigot.stores.sqlite import SqliteStore

_REPOSITORIES = ["acme/web", "acme/api", "acme/mobile", "acme/docs", "acme/infra"]
_EVERY = 0.04
_DRAIN_SECONDS = 60.0


@click.command("demo")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=50,
    show_default=True,
    help="About how long it takes.",
)
@json_option
def demo_command(*, seconds: float, as_json: bool) -> None:
    """Watch Jenkins go away and come back while webhooks keep coming, and count what arrives.

    A real gateway runs, before a practice Jenkins; the payloads are real ones of GitHub. Everything
    is in a temporary directory, on free ports, and gone afterwards.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tally = _play(seconds / 50, as_json=as_json)
    if as_json:
        print_json(tally._asdict())
    else:
        _print(tally)
    if not tally.good:
        raise SpigotError("A promise was broken: see the count.")


def _play(scale: float, *, as_json: bool) -> Tally:
    """Play it and return what was counted.

    Args:
        scale: How long the pauses are; 1 for about a minute in all.
        as_json: Standard output is for a program.
    """
    from spigot.commands.cast import GatewayProcess, Provider
    from spigot.commands.stage import Stage
    from spigot.practice import PracticeJenkins
    from spigot.stores.sqlite import SqliteStore

    secret = secrets.token_hex()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spigot-demo-")))
        jenkins = stack.enter_context(PracticeJenkins(github_secrets=(secret,), event_delay=0.0))
        gateway = stack.enter_context(GatewayProcess(directory, jenkins.url))
        took = gateway.start()
        store = stack.enter_context(contextlib.closing(SqliteStore(gateway.data, create=False)))
        provider = stack.enter_context(Provider(gateway.url, secret, _REPOSITORIES, _EVERY))
        stage = Stage(lambda: _numbers(provider, store, jenkins), quiet=as_json)
        stack.enter_context(stage.open(live=sys.stdout.isatty() and not as_json))
        stage.say(f"Spigot started in {took:.1f} s at {gateway.url}, before a practice Jenkins.")
        _story(stage, provider, gateway, store, jenkins, scale)
        return _count(provider, jenkins)


def _story(
    stage: Stage,
    provider: Provider,
    gateway: GatewayProcess,
    store: SqliteStore,
    jenkins: PracticeJenkins,
    scale: float,
) -> None:
    from spigot.practice import Phase

    def waiting() -> str:
        return webhooks(store.panel.counts().waiting)

    stage.say("A provider sends signed webhooks of five repositories; they flow to Jenkins.")
    stage.wait(8 * scale)

    jenkins.phase = Phase.DOWN
    stage.say("Jenkins goes down for an upgrade: its port is closed. Webhooks keep coming.")
    stage.wait(9 * scale)

    gateway.kill()
    stage.say(f"kill -9 {gateway.pid}: now Spigot is gone too. On its disk: {waiting()}.")
    stage.wait(2 * scale)
    took = gateway.start()
    stage.say(f"Spigot is back after {took:.1f} s. Still there: {waiting()}.")
    stage.wait(8 * scale)

    jenkins.boot()
    jenkins.phase = Phase.STARTING
    stage.say("Jenkins starts: it answers 503 while it loads. Spigot sees that and waits on.")
    stage.wait(8 * scale)

    jenkins.phase = Phase.READY
    stage.say(f"Jenkins is ready, a new session. The backlog goes out in order: {waiting()}.")
    stage.wait(8 * scale)

    provider.stop()
    stage.say("The provider has stopped; the last ones flow.")
    if not stage.wait(_DRAIN_SECONDS, lambda: store.panel.counts().waiting == 0):
        stage.say(f"After {_DRAIN_SECONDS:.0f} s still {waiting()} wait.")


def _numbers(provider: Provider, store: SqliteStore, jenkins: PracticeJenkins) -> str:
    """Return the moment in one line."""
    waiting = store.panel.counts().waiting
    kept = click.style(f"{waiting:4} kept by Spigot", fg="yellow" if waiting else "green")
    colour = "green" if jenkins.phase == "ready" else "red"
    at = click.style(f"Jenkins {jenkins.phase}", fg=colour)
    return f"{provider.sent:5} sent → {kept} → {jenkins.counts.taken:5} taken by {at}"


def _count(provider: Provider, jenkins: PracticeJenkins) -> Tally:
    """Compare what the provider remembers with what came to Jenkins."""
    from spigot.commands.tally import Arrived, count

    arrived = (
        Arrived(value.decode(), visit.body)
        for visit in jenkins.taken
        for name, value in visit.headers
        if name.lower() == b"x-github-delivery"
    )
    return count(provider.sent, provider.stored, arrived)


def _print(tally: Tally) -> None:
    rows = [
        ("sent by the provider", tally.sent, False),
        ("stored: answered with 200", tally.stored, False),
        ("delivered to Jenkins, to the byte", tally.delivered, False),
        ("lost", tally.lost, True),
        ("changed on the way", tally.changed, True),
        ("out of order in their repository", tally.out_of_order, True),
        ("sent again: Jenkins may have forgotten what it took last", tally.duplicates, False),
    ]
    click.echo()
    lines = table((Column(""), Column("")), [(f"{n:6}", name) for name, n, _ in rows], None)[1:]
    for line, (_, number, bad) in zip(lines, rows, strict=True):
        colour = ("red" if number else "green") if bad else None
        click.echo("  " + click.style(line, fg=colour, bold=bad or None))
