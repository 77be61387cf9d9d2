"""What both Lambdas begin with: the log, and from the environment where everything is.

Nothing of AWS is imported here before it is asked for.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from spigot.address import Target
from spigot.errors import SettingsError
from spigot.log import configure

if TYPE_CHECKING:
    from spigot.stores.sqs import Places


def start_log() -> None:
    """Log as Spigot does everywhere, each event once: the runtime's own handler goes."""
    logging.getLogger().handlers.clear()
    level = os.environ.get("LOG_LEVEL") or "INFO"
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise SettingsError(f"LOG_LEVEL is {level!r}; allowed: DEBUG, INFO, WARNING or ERROR.")
    configure(level)


def needed(name: str, what: str) -> str:
    """Return a variable of the environment.

    Args:
        name: The variable.
        what: What it names, to follow "it names".

    Raises:
        SettingsError: It is not set.
    """
    if value := os.environ.get(name):
        return value
    raise SettingsError(f"{name} is not set: it names {what}. Deploy the stack with it.")


def target() -> Target:
    """Return where Jenkins is.

    Raises:
        SettingsError: ``TARGET_URL`` is missing or no URL.
    """
    url = needed("TARGET_URL", "Jenkins")
    try:
        return Target.parse(url)
    except ValueError as error:
        raise SettingsError(
            f"TARGET_URL is no address of a Jenkins ({error}): deploy the stack with one such as"
            " https://jenkins.example.com/jenkins."
        ) from None


def places() -> Places:
    """Return where webhooks are kept.

    Raises:
        SettingsError: The environment does not say it.
    """
    from spigot.stores.sqs import Places

    return Places(
        needed("QUEUE_URL", "the queue"),
        needed("DEAD_LETTER_URL", "the queue of the dead letters"),
        needed("CREDENTIALS_BUCKET", "the bucket for what fits into no message"),
    )
