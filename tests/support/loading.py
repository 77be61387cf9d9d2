"""Settings loaded from what a test gives: options, a file, an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from spigot.errors import SettingsError
from spigot.settings import Settings, load

if TYPE_CHECKING:
    from pathlib import Path


class Loader(NamedTuple):
    """Loads settings in a directory; call it.

    Attributes:
        directory: Where its file is written.
    """

    directory: Path

    def __call__(
        self, file: str = "", environ: dict[str, str] | None = None, **overrides: object
    ) -> Settings:
        """Return the settings from overrides (keywords), a file's text, and an environment."""
        if file:
            (self.directory / "spigot.toml").write_text(file, "utf-8")
        return load(overrides, environ=environ or {}, cwd=self.directory)


def wrong(
    loaded: Loader, file: str = "", environ: dict[str, str] | None = None, **overrides: object
) -> str:
    """Return what is said of settings that are refused."""
    with pytest.raises(SettingsError) as caught:
        loaded(file, environ, **overrides)
    return str(caught.value)
