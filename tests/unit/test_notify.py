"""What the service manager is told."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from spigot.notify import Notifier

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("abstract", [False, True])
def test_the_states_are_sent_to_the_socket_that_is_named(tmp_path: Path, abstract: bool) -> None:
    name = f"@spigot-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if abstract else name)
        sock.settimeout(10)
        notifier = Notifier({"NOTIFY_SOCKET": name})
        notifier.ready()
        notifier.reloading()
        notifier.stopping()
        said = [sock.recv(1000).decode() for _ in range(3)]
    assert said[0] == "READY=1"
    assert said[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[2] == "STOPPING=1"


def test_without_a_service_manager_nothing_is_said() -> None:
    Notifier({}).ready()


def test_a_service_manager_that_is_gone_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert "could not be told" in caplog.text
