"""Fixtures of the tests that run a whole gateway, and the table of Jenkins' phases."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from aws.bed.emulator import Emulator
from spigot.practice import PracticeJenkins
from support.gateway import GatewayProcess
from support.loading import Loader
from support.phases import Row, table
from support.provider import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_configure() -> None:
    """Be as a user's shell, whoever runs the tests.

    What they start must hear SIGHUP and SIGINT, which nohup and a shell's & take from it, and
    buffer what it prints.
    """
    os.environ.pop("PYTHONUNBUFFERED", None)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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


@pytest.fixture
def loaded(tmp_path: Path) -> Loader:
    """Loads settings in a directory of the test's own."""
    return Loader(tmp_path)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator, and boto3 set to it."""
    with (
        Emulator(tmp_path_factory.mktemp("emulator")) as emulator,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        yield emulator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the emulator of AWS: `make test-aws` runs it."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "emulator" in names or parameters.get("store") == "sqs":
            item.add_marker("aws")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what came of each phase of Jenkins' life; see ``test_life_cycle.py``."""
    found = sorted(
        value
        for report in (
            *terminalreporter.getreports("passed"),
            *terminalreporter.getreports("failed"),
        )
        for name, value in report.user_properties
        if name == "life cycle"
    )
    if found:
        terminalreporter.section("a steady stream of webhooks in each phase of Jenkins' life")
        for line in table([Row(*values) for _, *values in found]):
            terminalreporter.line(line)
