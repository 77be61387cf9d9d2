"""``spigot replay`` and ``spigot drop``: what a person decides about webhooks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from spigot.commands.common import Start, data_option, json_option, opened, print_json
from spigot.commands.selecting import selection_of, selection_options
from spigot.status import webhooks
from spigot.stores.history import Selection
from spigot.webhook import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spigot.ports import History
    from spigot.stores.history import Entry

_REPLAYABLE = (State.DEAD, State.DELIVERED, State.DROPPED)
_DROPPABLE = (State.WAITING, State.DEAD)
_dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Change nothing; say how many it would be."
)
_ids_argument = click.argument("ids", nargs=-1, metavar="[ID]...")


@click.command("replay")
@_ids_argument
@selection_options(_REPLAYABLE)
@_dry_run_option
@data_option
@json_option
@click.pass_obj
def replay_command(start: Start, /, **options: Any) -> None:
    """Deliver webhooks that have ended once more, at the end of their lanes.

    Name ids or delivery ids, or select; without --state, a selection takes the dead ones.
    """
    _change(start, "replay", _REPLAYABLE, options)


@click.command("drop")
@_ids_argument
@selection_options(_DROPPABLE)
@_dry_run_option
@data_option
@json_option
@click.pass_obj
def drop_command(start: Start, /, **options: Any) -> None:
    """End webhooks without delivering them; they stay in the list and can be replayed.

    Name ids or delivery ids, or select; without --state, a selection takes the waiting ones.
    """
    _change(start, "drop", _DROPPABLE, options)


def _change(start: Start, verb: str, allowed: Sequence[State], options: dict[str, Any]) -> None:
    names, dry_run = tuple(dict.fromkeys(options["ids"])), options["dry_run"]
    done = {"replay": "replayed", "drop": "dropped"}[verb]
    selection = selection_of(options)
    if not names and selection is None:
        raise click.UsageError(
            f"Name ids, or a selection: `spigot {verb} --state {allowed[0]}` for all that are "
            f"{allowed[0]}."
        )
    selection = selection or Selection()
    failed: list[str] = []
    with opened(start.settings(data=options["data"])) as store:
        steps: Iterator[int] = iter(())
        if names:
            good, failed = _sorted_out(store.history, names, allowed, done)
            selection = selection._replace(names=good)
        if selection.names != ():
            change = store.history.replay if verb == "replay" else store.history.drop
            steps = change(selection, dry_run=dry_run)
        number = _count(steps)
    for line in failed:
        click.echo(f"spigot: {line}", err=True)
    if options["as_json"]:
        print_json({done: number, "dry_run": dry_run})
    else:
        click.echo(f"{webhooks(number)} {'would be ' if dry_run else ''}{done}.")
    if failed:
        click.get_current_context().exit(1)


def _sorted_out(
    history: History, names: tuple[str, ...], allowed: Sequence[State], done: str
) -> tuple[tuple[str, ...], list[str]]:
    """Return the ids that the names mean and that can be changed, and what is wrong with others."""
    good: list[str] = []
    failed = []
    entries = history.entries(Selection(names=names))
    for name in names:
        found = _named(entries, name)
        usable = [entry.id for entry in found if entry.state in allowed]
        good += usable
        if not found:
            failed.append(f"There is no webhook with the id or delivery id {name!r}.")
        elif not usable:
            failed.append(f"{name} is {found[0].state}: only {_list(allowed)} ones can be {done}.")
    return tuple(dict.fromkeys(good)), failed


def _named(entries: Sequence[Entry], name: str) -> list[Entry]:
    """Return the webhook of that id, or those of that delivery id."""
    by_id = [entry for entry in entries if entry.id == name]
    return by_id or [entry for entry in entries if entry.delivery == name]


def _list(states: Sequence[State]) -> str:
    return f"{', '.join(states[:-1])} or {states[-1]}"


def _count(steps: Iterator[int]) -> int:
    """Run the steps and count; tell how far it is where somebody watches."""
    number = 0
    for step in steps:
        number += step
        if sys.stderr.isatty():
            click.echo(f"\r{webhooks(number)}… ", nl=False, err=True)
    if number and sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    return number
