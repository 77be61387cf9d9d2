"""Fixtures of the tests that run a whole gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.practice import PracticeJenkins
from support.gateway import GatewayProcess
from support.provider import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def jenkins() -> Iterator[PracticeJenkins]:
    """A practice Jenkins that checks GitHub's signatures."""
    with PracticeJenkins(github_secrets=[SECRET]) as jenkins:
        yield jenkins


@pytest.fixture
def gateway(tmp_path: Path, jenkins: PracticeJenkins) -> Iterator[GatewayProcess]:
    """A gateway in front of it, started."""
    with GatewayProcess(tmp_path, jenkins.url) as gateway:
        yield gateway
