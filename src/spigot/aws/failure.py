r"""What a Lambda fails with: words that API Gateway surely takes for an error. Pure.

The integration's pattern ``(\n|.)+`` has to match the whole message, or the provider is answered
200 for a webhook that nobody has. It is a Java pattern: it matches no empty message, its dot stands
for no line break but ``\n`` (java.util.regex.Pattern, "Line terminators"), and an alternative that
is repeated takes stack for each character. So a message is one short line that can be printed.
"""

from __future__ import annotations

from spigot.errors import SpigotError
from spigot.masking import printable

LONGEST = 1000
"""Characters of a message at most."""


class Failed(Exception):
    """Nothing was promised; the message is what the provider is answered."""


def failed(error: Exception) -> Failed:
    """Return what to raise in an error's place.

    What an error that is none of Spigot's own says may hold a piece of the webhook: its kind alone
    is told.
    """
    kind = type(error).__name__
    if not isinstance(error, SpigotError):
        return Failed(f"A fault inside Spigot ({kind}): send it again; the log says more.")
    return Failed(printable(str(error))[:LONGEST].strip() or kind)
