"""``spigot backup`` and ``spigot restore``: the whole store in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spigot.commands.common import Start, data_option, json_option, print_json
from spigot.status import webhooks
from spigot.units import format_size

if TYPE_CHECKING:
    from spigot.stores.backup import Copy

_file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.command("backup")
@_file_argument
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@data_option
@json_option
@click.pass_obj
def backup_command(
    start: Start, *, file: Path, force: bool, data: str | None, as_json: bool
) -> None:
    """Copy all webhooks into FILE, while a gateway runs or while none does.

    All that was answered before it began is in it. FILE appears once it is whole.
    """
    from spigot.stores.backup import back_up

    settings = start.settings(data=data)
    _say(f"{file} holds", back_up(settings.directory, file, force=force), as_json=as_json)


@click.command("restore")
@_file_argument
@data_option
@json_option
@click.pass_obj
def restore_command(start: Start, *, file: Path, data: str | None, as_json: bool) -> None:
    """Put the backup FILE into a data directory that has no store yet."""
    from spigot.stores.backup import restore

    settings = start.settings(data=data)
    _say(f"{settings.data} holds", restore(file, settings.directory), as_json=as_json)


def _say(what: str, copy: Copy, *, as_json: bool) -> None:
    if as_json:
        print_json(copy._asdict())
    else:
        size = format_size(copy.size)
        click.echo(f"{what} {webhooks(copy.webhooks)} ({copy.waiting} waiting), {size}.")
