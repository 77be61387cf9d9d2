"""Which webhooks a command is about: the options, and what they select."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from spigot.commands.when import read_back, reads
from spigot.stores.history import Selection
from spigot.webhook import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Command = TypeVar("_Command", bound="Callable[..., Any]")

_OPTIONS = ("state", "hook", "lane", "event", "since", "until", "limit")


def selection_options(
    states: Sequence[State], *, limit: int | None = None
) -> Callable[[_Command], _Command]:
    """Return a decorator that gives a command the options that select webhooks.

    Args:
        states: The states that can be selected.
        limit: How many are selected if nothing is said; None for all.
    """
    most = "all" if limit is None else str(limit)
    options = [
        click.option("--state", type=click.Choice([str(state) for state in states])),
        click.option("--hook", metavar="PATH", help="The hook's path, or the webhook's own."),
        click.option("--lane", metavar="LANE", help="The lane, or the repository at its end."),
        click.option("--event", metavar="NAME", help="The event, as the provider writes it."),
        click.option(
            "--since",
            callback=reads(read_back),
            metavar="TIME",
            help="Received from then on: 2h (so long ago), or ISO 8601.",
        ),
        click.option(
            "--until", callback=reads(read_back), metavar="TIME", help="Received before then."
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=1),
            default=limit,
            metavar="N",
            help=f"The newest N of them. [{most}]",
        ),
    ]

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def selection_of(options: dict[str, Any]) -> Selection | None:
    """Return what the options select; None if not one was given.

    Args:
        options: The values of `selection_options`, by name.
    """
    given = {name: options[name] for name in _OPTIONS if options[name] is not None}
    if not given:
        return None
    if "state" in given:
        given["state"] = State(given["state"])
    return Selection(**given)
