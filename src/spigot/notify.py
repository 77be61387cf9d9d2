"""Tells the service manager how the gateway is doing (the protocol of sd_notify(3))."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from spigot.log import Log

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = Log(__name__)


class Notifier:
    """Sends states to the socket that ``NOTIFY_SOCKET`` names; without it, nowhere.

    Args:
        environ: The environment.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")

    def ready(self) -> None:
        """Say that requests are taken, or that a reload is over."""
        self._say("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is read again; `ready` has to follow."""
        # `Type=notify-reload` waits for an answer to its own signal: the time tells which it is.
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._say("STOPPING=1")

    def _say(self, state: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is one of Linux' abstract ones, which begin with a zero byte.
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto(state.encode(), address)
        except OSError as error:
            _log.warning("The service manager could not be told", state=state[:11], exc=error)
