"""Opens and closes the valve of a Spigot on AWS: python utils/toggle_spigot.py --toggle-state OFF.

It does what `spigot --data aws://STACK on` and `off --no-wait` do: the variables of the API's stage
first, then the rule that drains the queue; whole or not at all.
"""

from __future__ import annotations

import os
import sys
import time

import click

from spigot.aws.rule import DrainRule
from spigot.aws.sdk import client, plainly
from spigot.aws.stack import Stack
from spigot.aws.toggle import turn
from spigot.aws.valve import StageValve
from spigot.errors import SpigotError

NAME = os.environ.get("SPIGOT_STACK") or "spigot"
"""The stack's name where none is given."""

MEANS = {
    "ON": "webhooks go on to Jenkins, and the queue is drained",
    "OFF": "webhooks wait in the queue",
}


@click.command()
@click.option(
    "--toggle-state",
    "state",
    required=True,
    type=click.Choice(["ON", "OFF"], case_sensitive=False),
    help="How the valve shall stand.",
)
@click.option("--stack", "name", default=NAME, show_default=True, help="SPIGOT_STACK: its name.")
def main(state: str, name: str) -> None:
    """Open or close the valve of a Spigot on AWS."""
    state = state.upper()
    try:
        with plainly():
            outputs = Stack(name).outputs()
            stage = StageValve(client("apigateway"), outputs["ApiId"])
            rule = DrainRule(client("events"), outputs["RuleName"])
            turn(stage, rule, on=state == "ON", now=time.time())
    except SpigotError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_status)
    click.echo(f"The valve of {name} is {state}: {MEANS[state]}.")


if __name__ == "__main__":
    main()
