"""Sockets from a service manager: what is taken over, and what is refused with advice."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from spigot.errors import SettingsError
from spigot.inherited import inherited_sockets

if TYPE_CHECKING:
    from collections.abc import Iterator

PID = 4711


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def environ(fds: str = "1", names: str = "public", pid: int = PID) -> dict[str, str]:
    return {"LISTEN_PID": str(pid), "LISTEN_FDS": fds, "LISTEN_FDNAMES": names, "HOME": "/"}


def test_a_listening_socket_is_taken_over_by_its_name(listening: socket.socket) -> None:
    given = environ()
    first = os.dup(listening.fileno())
    os.set_inheritable(first, True)
    sockets = inherited_sockets(given, PID, first)
    assert list(sockets) == ["public"]
    assert sockets["public"].getsockname() == listening.getsockname()
    assert not sockets["public"].get_inheritable()
    assert given == {"HOME": "/"}
    sockets["public"].close()


@pytest.mark.parametrize("given", [{}, environ(pid=1)])
def test_sockets_for_somebody_else_are_left_alone(given: dict[str, str]) -> None:
    assert inherited_sockets(given, PID) == {}


@pytest.mark.parametrize(
    ("fds", "names"),
    [("1", "spigot.socket"), ("1", ""), ("2", "public"), ("2", "public:public"), ("x", "public")],
)
def test_sockets_that_cannot_be_told_apart_are_refused(fds: str, names: str) -> None:
    with pytest.raises(SettingsError, match="FileDescriptorName=public"):
        inherited_sockets(environ(fds, names), PID)


def test_what_does_not_listen_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(SettingsError, match="does not listen"):
        inherited_sockets(environ(), PID, os.dup(sock.fileno()))


def test_what_is_no_socket_is_refused() -> None:
    reading, writing = os.pipe()
    with pytest.raises(SettingsError, match="cannot be used"):
        inherited_sockets(environ(), PID, reading)
    os.close(reading)
    os.close(writing)
