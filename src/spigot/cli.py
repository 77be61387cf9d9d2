"""The command ``spigot``: finds the subcommand and turns what it raises into an exit status.

0: done. 1: it failed. 2: wrong usage or configuration. 130: interrupted. A subcommand's module is
imported when it is asked for, so that a quick one starts quickly.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import click

from spigot import __version__
from spigot.commands.common import Start
from spigot.errors import SpigotError

_MODULES = {
    "serve": "serve",
    "on": "valve",
    "off": "valve",
    "status": "look",
    "list": "look",
    "show": "look",
    "replay": "change",
    "drop": "change",
    "hold": "hold",
    "drain": "drain",
    "backup": "backup",
    "restore": "backup",
    "send": "send",
    "check": "check",
    "demo": "demo",
}
"""Every subcommand, in the order in which the help shows them, and its module."""


class _Commands(click.Group):
    """The group whose subcommands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"spigot.commands.{_MODULES[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SpigotError as error:
            click.echo(f"spigot: {error}", err=True)
            ctx.exit(error.exit_status)
        except KeyboardInterrupt:
            ctx.exit(130)


@click.group(name="spigot", cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The configuration file. [SPIGOT_CONFIG, else spigot.toml if it is there]",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context, *, config: Path | None) -> None:
    """The valve in front of Jenkins: keeps webhooks while Jenkins is away."""
    if os.environ.get("NO_COLOR"):  # no-color.org
        context.color = False
    context.obj = Start(config)
