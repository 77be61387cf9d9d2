"""Opens and closes the valve of a Spigot on AWS: python utils/toggle_spigot.py --toggle-state OFF.

The variable of the API's stage goes first: from then on webhooks are queued or forwarded, and a
drain that runs obeys it. The rule that starts the drain follows. Should the rule fail, the variable
is put back, so that the two never say different things without a word.
"""

from __future__ import annotations

import sys

import click
from botocore.exceptions import BotoCoreError, ClientError

from spigot.errors import SpigotError
from stack import NAME, STAGE, VARIABLE, Stack, Valve, brief, plainly

MEANS = {
    "ON": "webhooks go on to Jenkins, and the queue is drained",
    "OFF": "webhooks wait in the queue",
}


def toggle(valve: Valve, state: str) -> None:
    """Set the valve, whole or not at all.

    Args:
        valve: The valve.
        state: ``ON`` or ``OFF``.

    Raises:
        SpigotError: It could not be set; the message says what stands now.
    """
    before = valve.state()
    try:
        valve.set_variable(state)
    except (ClientError, BotoCoreError) as error:
        raise SpigotError(
            f"{VARIABLE} of stage {STAGE} could not be set to {state} ({brief(error)}): nothing was"
            f" changed, the valve is {before}."
        ) from None
    try:
        valve.set_rule(state)
    except (ClientError, BotoCoreError) as error:
        verb = "enabled" if state == "ON" else "disabled"
        failed = f"The rule that drains the queue could not be {verb} ({brief(error)})"
        try:
            valve.set_variable(before)
        except (ClientError, BotoCoreError) as second:
            raise SpigotError(
                f"{failed}, and {VARIABLE} could not be put back to {before} ({brief(second)}): it"
                f" is {state} now, and the rule is as it was. Run this again."
            ) from None
        raise SpigotError(
            f"{failed}: {VARIABLE} was put back to {before}, the valve is as it was."
        ) from None


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
            toggle(Valve(Stack(name).outputs()), state)
    except SpigotError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_status)
    click.echo(f"The valve of {name} is {state}: {MEANS[state]}.")


if __name__ == "__main__":
    main()
