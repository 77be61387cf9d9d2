"""Killed while it makes its database, it starts the next time. ``test_soak.py`` has the rest."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from spigot.practice import PracticeJenkins
from support.gateway import PATIENCE, GatewayProcess

if TYPE_CHECKING:
    from pathlib import Path


def test_killed_while_it_makes_its_database_it_starts_the_next_time(tmp_path: Path) -> None:
    with PracticeJenkins() as jenkins:
        for number in range(8):
            directory = tmp_path / str(number)
            directory.mkdir()
            with closing(GatewayProcess(directory, jenkins.url)) as gateway:
                gateway.launch()
                end = time.monotonic() + PATIENCE
                while not (gateway.data / "spigot.db").exists() and time.monotonic() < end:
                    pass
                time.sleep(number * 0.002)
                gateway.kill()
                gateway.start()
                assert gateway.terminate() == 0
