"""The errors Spigot raises: each says what happened, which value, and what to do."""


class SpigotError(Exception):
    """Something failed; the message is for a person. Commands end with exit status 1."""

    exit_status = 1


class SettingsError(SpigotError):
    """The configuration is wrong: names file, key, value and what is allowed. Exit status 2."""

    exit_status = 2


class StoreError(SpigotError):
    """The store cannot be opened, read or written."""


class NoRoom(StoreError):
    """The store takes no more webhooks for now: too little disk, or too much held in memory."""


class Overtaken(StoreError):
    """Somebody else has changed it in the meantime; nothing was changed."""


class Refused(SpigotError):
    """A request that Spigot does not take.

    Args:
        status: The HTTP status of the answer.
        error: What is wrong and what to do, for whoever set up the webhook.
        reason: One word for metrics and logs, such as ``signature`` or ``too_large``.
        headers: Further headers of the answer, such as ``Allow`` or ``Retry-After``.
    """

    def __init__(
        self, status: int, error: str, *, reason: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.reason = reason
        self.headers = headers
