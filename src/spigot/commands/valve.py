"""``spigot on`` and ``spigot off``: the valve, for a running gateway or for the next one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from spigot.commands.common import (
    SPARE,
    Start,
    data_option,
    json_option,
    opened,
    print_json,
    rests,
)
from spigot.commands.when import read_length, read_until, reads
from spigot.errors import SpigotError
from spigot.masking import printable
from spigot.status import summary
from spigot.units import format_duration

if TYPE_CHECKING:
    from spigot.ports import Served


@click.command("on")
@data_option
@json_option
@click.pass_obj
def on_command(start: Start, *, data: str | None, as_json: bool) -> None:
    """Open the valve: what waits flows to Jenkins, and what comes flows on."""
    with opened(start.settings(data=data)) as store:
        store.panel.set_valve(on=True)
        store.rouse()
        _say(store, as_json=as_json)


@click.command("off")
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at the status.")
@click.option(
    "--for",
    "length",
    callback=reads(read_length),
    metavar="DURATION",
    help="Open by itself after that: 30m, 2h.",
)
@click.option(
    "--until",
    callback=reads(read_until),
    metavar="TIME",
    help="Open by itself then: 14:30 (the next, local clock), or ISO 8601.",
)
@click.option("--no-wait", is_flag=True, help="Do not wait until the attempts that run have ended.")
@data_option
@json_option
@click.pass_obj
def off_command(
    start: Start,
    *,
    reason: str,
    length: float | None,
    until: float | None,
    no_wait: bool,
    data: str | None,
    as_json: bool,
) -> None:
    """Close the valve: webhooks are taken in and kept, and none goes to Jenkins.

    Returns once no attempt runs any more, so that Jenkins can be stopped.
    """
    if length is not None and until is not None:
        raise click.UsageError("Give either --for or --until, not both.")
    settings = start.settings(data=data)
    with opened(settings) as store:
        end = until if length is None else time.time() + length
        version = store.panel.set_valve(on=False, reason=reason.strip(), until=end).version
        patience = settings.read_timeout + SPARE
        rest = no_wait or rests(store, version, patience)
        _say(store, as_json=as_json)
        if not rest:
            raise SpigotError(
                f"An attempt still runs after {format_duration(patience)}: Jenkins may be sending "
                "its answer slowly. The valve is OFF and nothing new is sent; run `spigot off` "
                "again to go on waiting."
            )


def _say(store: Served, *, as_json: bool) -> None:
    known = store.status(time.time())
    if as_json:
        print_json(known)
        return
    line = f"Valve {printable(summary(known, time.time()))}."
    click.echo(line if store.serving else f"{line} `spigot serve` is not running.")
