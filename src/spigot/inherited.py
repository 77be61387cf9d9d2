"""Listening sockets that a service manager holds and hands over (systemd's socket activation).

They stay open while Spigot restarts: who connects meanwhile waits a moment and is refused by
nobody. The protocol is that of sd_listen_fds(3): the sockets are the file descriptors from 3 on.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from spigot.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

FIRST = 3
NAMES = ("public", "admin")
_ADVICE = (
    "Give each socket unit one ListenStream= with a TCP port, and FileDescriptorName=public or "
    "FileDescriptorName=admin."
)


def inherited_sockets(
    environ: MutableMapping[str, str], pid: int, first: int = FIRST
) -> dict[str, socket.socket]:
    """Take over the sockets that are meant for this process; its children will not have them.

    Args:
        environ: The environment; the variables of the protocol are taken out of it.
        pid: This process.
        first: The first file descriptor.

    Returns:
        The sockets by name, ``public`` and ``admin``; none if none are meant for this process.

    Raises:
        SettingsError: They are not what Spigot can use.
    """
    taken = [environ.pop(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES")]
    if taken[0] != str(pid):
        return {}
    if not taken[1].isdecimal():
        raise SettingsError(f"LISTEN_FDS is {taken[1]!r}, which is no number of sockets. {_ADVICE}")
    count, names = int(taken[1]), taken[2].split(":")
    if count != len(names) or len(set(names)) < count or not set(names) <= set(NAMES):
        raise SettingsError(
            f"{count} sockets were handed over, named {taken[2]!r}. {_ADVICE} There may be one of "
            "each name."
        )
    return {name: _taken_over(first + number, name) for number, name in enumerate(names)}


def _taken_over(descriptor: int, name: str) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keyword
        sock = socket.socket(fileno=descriptor)
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise SettingsError(
            f"The socket {name!r} that was handed over cannot be used: {error.strerror}. {_ADVICE}"
        ) from error
    if not listens or sock.family not in (socket.AF_INET, socket.AF_INET6):
        sock.close()
        raise SettingsError(
            f"The socket {name!r} that was handed over does not listen for TCP. {_ADVICE}"
        )
    return sock
