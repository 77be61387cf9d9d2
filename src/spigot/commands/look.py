"""``spigot status``, ``list`` and ``show``: looking without touching."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from spigot.commands import views
from spigot.commands.common import Start, data_option, json_option, opened, print_json
from spigot.commands.selecting import selection_of, selection_options
from spigot.commands.tables import width
from spigot.errors import SpigotError
from spigot.stores.history import Selection
from spigot.webhook import State

if TYPE_CHECKING:
    from spigot.ports import Served

_WATCH_EVERY = 1.0


@click.command("status")
@click.option("--watch", is_flag=True, help="Show it anew every second, until Ctrl-C.")
@data_option
@json_option
@click.pass_obj
def status_command(start: Start, *, watch: bool, data: str | None, as_json: bool) -> None:
    """Show the valve, Jenkins, how many webhooks wait, and what happens next."""
    with opened(start.settings(data=data)) as store:
        if watch and not as_json and sys.stdout.isatty():
            _watch(store)
        while True:
            known = store.status(time.time())
            if as_json:
                print_json(known)
            else:
                click.echo(views.status(known, time.time()))
            if not watch:
                return
            sys.stdout.flush()
            time.sleep(_WATCH_EVERY)


def _watch(store: Served) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        while True:
            shown = views.status(store.status(time.time()), time.time())
            live.update(Text.from_ansi(shown), refresh=True)
            time.sleep(_WATCH_EVERY)


@click.command("list")
@selection_options(tuple(State), limit=50)
@data_option
@json_option
@click.pass_obj
def list_command(start: Start, /, *, data: str | None, as_json: bool, **options: Any) -> None:
    """List webhooks, the newest first."""
    with opened(start.settings(data=data)) as store:
        entries = store.history.entries(selection_of(options) or Selection())
    if as_json:
        print_json([views.entry_object(entry) for entry in entries])
        return
    if not entries:
        click.echo("No webhooks found.", err=True)
        return
    for line in views.entry_table(entries, width()):
        click.echo(line)


@click.command("show")
@click.argument("name", metavar="ID")
@click.option("--body", is_flag=True, help="Write the body's bytes, and nothing else.")
@data_option
@json_option
@click.pass_obj
def show_command(start: Start, *, name: str, body: bool, data: str | None, as_json: bool) -> None:
    """Show one webhook: its request, its state, every attempt.

    ID is Spigot's id, or the provider's delivery id; of several with that, the newest is shown.
    """
    if body and as_json:
        raise click.UsageError("Give either --body or --json, not both.")
    with opened(start.settings(data=data)) as store:
        found = store.history.show(name)
    if not found:
        raise SpigotError(
            f"There is no webhook with the id or delivery id {name!r}. `spigot list` shows those "
            "that there are; ended ones are kept for a while only."
        )
    detail, others = found[0], [other.entry.id for other in found[1:]]
    if body:
        sys.stdout.buffer.write(detail.body)
    elif as_json:
        print_json({**views.detail_object(detail), "others": others})
    else:
        for line in views.detail_lines(detail, others, time.time()):
            click.echo(line)
