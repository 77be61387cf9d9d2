"""The AWS stack on an emulator that runs its Lambdas; one for each worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import package
from aws.bed.deployed import ROOT, Deployed
from spigot.practice import PracticeJenkins
from spigot.practice.pages import Phase
from support.provider import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aws.bed.emulator import Emulator


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of the real Lambdas, as `make package` makes them."""
    dist = tmp_path_factory.mktemp("dist")
    package.build(ROOT / "lambdas", dist)
    return dist


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of the tests' own Lambdas."""
    dist = tmp_path_factory.mktemp("stubs")
    package.build(ROOT / "tests" / "aws" / "stub", dist)
    return dist


@pytest.fixture(scope="session")
def practice() -> Iterator[PracticeJenkins]:
    """A practice Jenkins that the stacks deliver to."""
    with PracticeJenkins(github_secrets=[SECRET]) as jenkins:
        yield jenkins


@pytest.fixture(scope="session")
def deployed(
    emulator: Emulator,  # noqa: ARG001
    practice: PracticeJenkins,
    dist: Path,
) -> Iterator[Deployed]:
    """The stack, deployed."""
    with Deployed("spigot", practice.url, dist) as deployed:
        yield deployed


@pytest.fixture
def stack(deployed: Deployed, practice: PracticeJenkins) -> Deployed:
    """The stack as if it were new: the valve ON, nothing kept, Jenkins ready."""
    deployed.toggle("ON")
    deployed.empty()
    practice.phase = Phase.READY
    practice.clear()
    return deployed
