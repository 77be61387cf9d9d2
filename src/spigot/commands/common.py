"""What the commands share: options, the settings, the store, and how things are printed."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spigot.ports import Served
    from spigot.settings import Settings

data_option = click.option(
    "--data",
    metavar="DIR",
    help="The directory that keeps the webhooks, or aws://STACK. [SPIGOT_DATA, else ./spigot-data]",
)
target_option = click.option(
    "--target",
    metavar="URL",
    help="Jenkins: its URL with the context path. [SPIGOT_TARGET, TARGET_URL]",
)
SPARE = 5.0
"""Seconds beyond Jenkins' time to answer that an attempt may need to be recorded."""

_LOOK_EVERY = 0.02

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Start(NamedTuple):
    """What was said before the command.

    Attributes:
        config: The configuration file, if one was named.
    """

    config: Path | None

    def settings(self, **overrides: object) -> Settings:
        """Return the configuration; options of the command line that were not given are None.

        Raises:
            SettingsError: It is wrong.
        """
        from spigot.settings import load

        return load(overrides, environ=os.environ, config=self.config, cwd=Path.cwd())


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Served]:
    """Open the store for a command, and close it again; it must be there.

    Raises:
        StoreError: It is not there, or cannot be used.
        SettingsError: It is on AWS, and what it takes to get there is missing.
    """
    if not isinstance(settings.data, Path):
        from spigot.aws.store import opened_stack

        with opened_stack(settings.data.name, settings.read_timeout, _remark) as stack:
            yield stack
        return
    from spigot.stores.sqlite import SqliteStore

    store = SqliteStore(settings.data, create=False)
    try:
        yield store
    finally:
        store.close()


def _remark(text: str) -> None:
    click.echo(f"spigot: {text}", err=True)


def rests(
    store: Served,
    version: int,
    patience: float,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until no attempt runs, or somebody opened the valve again.

    Args:
        store: Where the gateway reports.
        version: The version of the valve that closed it.
        patience: Seconds to wait at most.
        pause: Waits for so many seconds.

    Returns:
        Whether it is so; if not, an attempt still runs.
    """
    end = time.monotonic() + patience
    while not (store.rests(version) or store.panel.valve().on):
        if time.monotonic() >= end:
            return False
        pause(_LOOK_EVERY)
    return True


def print_json(value: Any) -> None:
    """Print a value as JSON on one line."""
    click.echo(json.dumps(value))
