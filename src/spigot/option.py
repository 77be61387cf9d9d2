"""An option: what it is called, what it may be, and how a value that somebody gave is read."""

from __future__ import annotations

import difflib
import json
import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from spigot.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

_TYPES = {
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    str: "a string",
    list: "an array",
    dict: "a table",
}


class Origin(Enum):
    """Where a value was given."""

    COMMAND_LINE = auto()
    ENVIRONMENT = auto()
    FILE = auto()
    DEFAULT = auto()


class Given(NamedTuple):
    """A value as somebody gave it.

    Attributes:
        value: Text, or what TOML makes of it.
        source: Its name in errors, such as ``SPIGOT_DATA`` or ``spigot.toml: data``.
        origin: Where it was given.
        environ: The environment, for values that point into it.
        cwd: What relative paths are relative to.
    """

    value: Any
    source: str
    origin: Origin
    environ: Mapping[str, str]
    cwd: Path

    @property
    def text(self) -> str:
        """The value, which must be text; raise ``TypeError`` if it is not."""
        if not isinstance(self.value, str):
            raise TypeError("not text")
        return self.value

    def inner(self, key: str | int, value: object) -> Given:
        """Return a value within this one, an array or a table; arrays count from 1."""
        name = f"[{key}]" if isinstance(key, int) else f".{key}"
        return self._replace(value=value, source=self.source + name)


class Kind(NamedTuple):
    """A kind of value.

    Attributes:
        name: One or two words, for tables.
        allowed: What it may be, in words that follow "allowed:".
        read: Makes the value; raises ``ValueError`` or ``TypeError`` for what is not allowed, or
            ``SettingsError`` where there is more to say.
    """

    name: str
    allowed: str
    read: Callable[[Given], Any]


class Option(NamedTuple):
    """One row of a table of options.

    Attributes:
        name: Its key in the file.
        kind: What it may be.
        default: As it would stand in the file.
        env: The environment variables that set it; an earlier one wins. None: only the file can.
        help: One line on what it means.
        secret: Whether its value is never shown.
    """

    name: str
    kind: Kind
    default: Any
    env: tuple[str, ...]
    help: str
    secret: bool = False

    @property
    def default_text(self) -> str:
        """The default as it would stand in the file."""
        return json.dumps(self.default)


def read(given: Given, kind: Kind, *, secret: bool = False) -> Any:
    """Return what a value means.

    Raises:
        SettingsError: It is not allowed; names source, value unless secret, and what is allowed.
    """
    try:
        return kind.read(given)
    except (TypeError, ValueError):
        what = "is wrong (its value is not shown)" if secret else f"is {_shown(given)}"
        # Without its cause, which may quote the value.
        raise SettingsError(f"{given.source} {what}; allowed: {kind.allowed}") from None


def check_names(
    names: Iterable[str], known: Collection[str], *, source: str, prefix: str = ""
) -> None:
    """Raise ``SettingsError`` for the first name that is not known, with the likeliest one.

    Args:
        names: The names that were given.
        known: The names that there are.
        source: Where they were given, for the error.
        prefix: What many names begin with; it says nothing about likeness.
    """
    plain = {name.removeprefix(prefix).lower(): name for name in known}
    for name in names:
        if name in known:
            continue
        written = name.removeprefix(prefix).lower().replace("-", "_")
        likely = difflib.get_close_matches(written, plain, n=1)
        hint = f'did you mean "{plain[likely[0]]}"?' if likely else f"there are: {', '.join(known)}"
        raise SettingsError(f"{source}: no option is called {name!r}; {hint}")


def _shown(given: Given) -> str:
    """Return a value for an error: on one line, short, and free of what URLs hide."""
    text = given.value if isinstance(given.value, str) else repr(given.value)
    text = re.sub(r"(?s)^(\w+://)?.*@", r"\1***@", text)
    text = re.sub(r"(?s)\?.*", "?***", text)
    text = text if len(text) <= 100 else text[:100] + "…"
    text = repr(text) if isinstance(given.value, str) else text
    if given.origin is not Origin.FILE:
        return text
    return f"{text} ({_TYPES.get(type(given.value), 'a date or time')})"
