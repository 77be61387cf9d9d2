"""What follows from the settings as a whole, and what a reload can follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.address import Address
from spigot.app import hooks_of, probe_of
from spigot.errors import SettingsError
from spigot.live import Live, check_admin, kept_fixed
from spigot.ports import Clock
from spigot.settings import Settings, load
from spigot.web.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path


def settings(directory: Path, text: str = "") -> Settings:
    file = directory / "spigot.toml"
    file.write_text(text)
    return load({"target": "http://jenkins"}, environ={}, config=file, cwd=directory)


def live(settings: Settings) -> Live:
    return Live.of(settings, hooks_of(settings), probe_of(settings), Clock())


def test_the_limits_are_those_of_the_settings_and_so_are_their_defaults(tmp_path: Path) -> None:
    assert live(settings(tmp_path)).limits == Limits()
    assert live(settings(tmp_path, "max_headers = 7")).limits == Limits(max_headers=7)


@pytest.mark.parametrize("path", ["/project/app", "/dockerhub-webhook/t/notify"])
def test_an_allow_that_another_spelling_gets_around_is_refused(tmp_path: Path, path: str) -> None:
    text = f'[[hooks]]\npath = "{path}"\nallow = ["192.0.2.0/24"]\n'
    with pytest.raises(SettingsError, match="another spelling"):
        live(settings(tmp_path, text))
    assert live(settings(tmp_path, f"only_hooks = true\n{text}"))
    outer = path.split("/")[1]
    both = f'{text}[[hooks]]\npath = "/{outer}/"\nbelow = true\nallow = ["192.0.2.0/24"]\n'
    assert live(settings(tmp_path, both))


def test_a_table_for_a_known_hook_keeps_its_methods(tmp_path: Path) -> None:
    path = "/generic-webhook-trigger/invoke"
    text = f'[[hooks]]\npath = "{path}"\nallow = ["192.0.2.0/24"]\n'
    hook = hooks_of(settings(tmp_path, text)).find("GET", path)
    assert hook.job == "token"


def test_what_is_fixed_is_kept_and_named(tmp_path: Path) -> None:
    old = settings(tmp_path)
    new, names = kept_fixed(old, settings(tmp_path, "parallel = 3\nmax_headers = 7"))
    assert (new.parallel, new.max_headers, names) == (old.parallel, 7, ["parallel"])


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_an_admin_socket_beyond_loopback_needs_a_token_wherever_it_came_from(host: str) -> None:
    with pytest.raises(SettingsError, match="admin_token"):
        check_admin(Address(host, 8001), None)
    check_admin(Address(host, 8001), "token")
    check_admin(Address("127.0.0.1", 8001), None)
