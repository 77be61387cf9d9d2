"""The AWS stack on an emulator that runs its Lambdas; one for each worker."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import boto3
import pytest

import package
from aws.bed import desk
from aws.bed.deployed import ROOT, Deployed
from spigot.aws import letters
from spigot.aws.rule import DrainRule
from spigot.aws.toggle import turn
from spigot.aws.valve import StageValve
from spigot.practice import PracticeJenkins
from spigot.practice.pages import Phase
from support.provider import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
def deploy(
    emulator: Emulator,  # noqa: ARG001
    practice: PracticeJenkins,
    dist: Path,
) -> Iterator[Callable[[str], Deployed]]:
    """Deploys a stack of the real Lambdas by the name that it is called with."""
    with contextlib.ExitStack() as stacks:
        yield lambda name: stacks.enter_context(Deployed(name, practice.url, dist))


@pytest.fixture(scope="session")
def deployed(deploy: Callable[[str], Deployed]) -> Deployed:
    """The stack, deployed."""
    return deploy("spigot")


@pytest.fixture(scope="session")
def of_the_commands(deploy: Callable[[str], Deployed]) -> Deployed:
    """A stack for the commands: the drains that they rouse may go on for a while."""
    return deploy(desk.NAME)


def _as_new(deployed: Deployed, practice: PracticeJenkins) -> Deployed:
    """Let nothing be kept, and Jenkins be ready and without visitors."""
    deployed.empty()
    practice.phase = Phase.READY
    practice.clear()
    return deployed


@pytest.fixture
def commanded(
    of_the_commands: Deployed, practice: PracticeJenkins, monkeypatch: pytest.MonkeyPatch
) -> Deployed:
    """The same as if it were new, but for what is known of Jenkins."""
    # The emulator has one server: nothing is gained by asking it for a second.
    monkeypatch.setattr(letters, "LONG_POLL", 0)
    outputs = of_the_commands.outputs
    stage = StageValve(boto3.client("apigateway"), outputs["ApiId"])
    turn(stage, DrainRule(boto3.client("events"), outputs["RuleName"]), on=True, now=time.time())
    return _as_new(of_the_commands, practice)


@pytest.fixture
def stack(deployed: Deployed, practice: PracticeJenkins) -> Deployed:
    """The stack as if it were new: the valve ON, nothing kept, Jenkins ready."""
    deployed.toggle("ON")
    return _as_new(deployed, practice)
