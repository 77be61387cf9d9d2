"""``spigot drain``: processes that deliver the queue from outside AWS."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import boto3
import pytest

from aws.bed.backlog import arrived, fill
from aws.bed.checks import PATH, PUSH
from aws.bed.deployed import Deployed
from aws.bed.drainer import Drainer
from spigot.practice.faults import Fault
from spigot.practice.pages import Phase
from spigot.stores.sqs import HAND
from support.commands import run, until
from support.provider import github

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aws.bed.emulator import Emulator
    from spigot.practice import PracticeJenkins

LANES, EACH = 20, 12
PATIENCE = 90.0
SHORT = {"SPIGOT_READ_TIMEOUT": "1s", "SPIGOT_PROBE_EVERY": "1s"}
"""What was in the hand of a killed drain comes back after a time that follows from these."""


@pytest.fixture(autouse=True)
def faultless(practice: PracticeJenkins) -> Iterator[None]:
    yield
    practice.fault(PATH, None)


def once_each(numbers: list[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


def test_two_drains_deliver_each_lane_in_order_and_each_webhook_once(
    stack: Deployed, practice: PracticeJenkins, tmp_path: Path
) -> None:
    fill(stack, LANES, EACH)
    with (
        Drainer(stack.name, practice.url, tmp_path / "one.log") as one,
        Drainer(stack.name, practice.url, tmp_path / "two.log") as two,
    ):
        assert practice.wait_for(LANES * EACH, timeout=PATIENCE)
        until(lambda: stack.waiting() == 0)
        assert [one.end(), two.end(signal.SIGINT)] == [0, 0]
        for each in (one, two):
            assert (each.events()[0], each.events()[-1]) == ("Drain started", "Drain stopped")
    found = arrived(practice)
    assert len(found) == LANES
    assert all(numbers == list(range(EACH)) for numbers in found.values())


def test_a_drain_that_is_killed_in_the_middle_loses_nothing_and_keeps_the_order(
    stack: Deployed, practice: PracticeJenkins, tmp_path: Path
) -> None:
    """What it had in hand comes again; what Jenkins had of that comes twice."""
    fill(stack, LANES, EACH)
    practice.fault(PATH, Fault(delay=0.02))
    with (
        Drainer(stack.name, practice.url, tmp_path / "one.log", **SHORT) as one,
        Drainer(stack.name, practice.url, tmp_path / "two.log", **SHORT) as two,
    ):
        assert practice.wait_for(LANES * EACH // 3, timeout=PATIENCE)
        one.kill()
        until_drained(stack, practice)
        assert two.end() == 0
    found = arrived(practice)
    assert len(found) == LANES
    assert all(once_each(numbers) == list(range(EACH)) for numbers in found.values())
    assert sum(map(len, found.values())) <= LANES * EACH + HAND


def until_drained(stack: Deployed, practice: PracticeJenkins) -> None:
    for _ in range(4):
        practice.wait_for(LANES * EACH, timeout=PATIENCE / 4)
        try:
            until(lambda: stack.waiting() == 0)
        except AssertionError:
            continue
        return
    raise AssertionError(stack.waiting())


def test_while_jenkins_is_away_a_drain_takes_nothing(
    stack: Deployed, practice: PracticeJenkins, tmp_path: Path
) -> None:
    practice.phase = Phase.DOWN
    fill(stack, LANES, EACH)
    with Drainer(stack.name, practice.url, tmp_path / "log") as drain:
        until(lambda: "Jenkins is not ready" in drain.events())
        practice.phase = Phase.READY
        assert practice.wait_for(LANES * EACH, timeout=PATIENCE)
        until(lambda: stack.waiting() == 0)
        assert drain.end() == 0
    assert all(numbers == list(range(EACH)) for numbers in arrived(practice).values())


def test_a_drain_obeys_the_valve(
    stack: Deployed, practice: PracticeJenkins, tmp_path: Path
) -> None:
    stack.toggle("OFF")
    fill(stack, LANES, EACH)
    with Drainer(stack.name, practice.url, tmp_path / "log") as drain:
        until(lambda: "Valve OFF" in drain.events())
        assert practice.hooks == []
        stack.toggle("ON")
        assert practice.wait_for(LANES, timeout=PATIENCE)
        stack.toggle("OFF")
        until(lambda: drain.events().count("Valve OFF") == 2)
        until(lambda: receivable(stack) == stack.waiting())
        before = len(practice.hooks)
        assert before > 0
        assert drain.end() == 0
        assert len(practice.hooks) == before
        assert stack.waiting() == LANES * EACH - before


def receivable(stack: Deployed) -> int:
    """Count what is in nobody's hand."""
    found = stack.sqs.get_queue_attributes(
        QueueUrl=stack.outputs["QueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def test_a_drain_that_stops_gives_back_what_is_in_hand(
    stack: Deployed, practice: PracticeJenkins, tmp_path: Path
) -> None:
    fill(stack, LANES, EACH)
    practice.fault(PATH, Fault(delay=0.3))
    with Drainer(stack.name, practice.url, tmp_path / "log") as drain:
        assert practice.wait_for(3, timeout=PATIENCE)
        assert drain.end() == 0
    assert receivable(stack) == stack.waiting() == LANES * EACH - len(practice.taken)
    assert len(practice.hooks) == len(practice.taken)


def test_without_a_target_it_delivers_to_that_of_the_stack(
    stack: Deployed, practice: PracticeJenkins, tmp_path: Path
) -> None:
    stack.toggle("OFF")
    assert stack.send(github("push", PUSH)).status == 200
    stack.toggle("ON")
    with Drainer(stack.name, None, tmp_path / "log"):
        assert practice.wait_for(1, timeout=PATIENCE)
    assert [one.body for one in practice.taken] == [PUSH]


def test_a_drain_that_aws_refuses_says_so_and_ends(
    stack: Deployed, practice: PracticeJenkins, tmp_path: Path
) -> None:
    with Drainer("no-such-stack", practice.url, tmp_path / "log") as drain:
        assert drain.wait() == 1
        (said,) = drain.events()
        assert said.startswith("spigot: There is no stack no-such-stack in us-east-1: ")
    assert stack.waiting() == 0


def test_what_is_on_this_machine_needs_no_drain(tmp_path: Path) -> None:
    done = run("drain", "--data", str(tmp_path))
    assert done.exit_code == 2
    assert "name its stack, as in --data aws://spigot" in done.stderr


@pytest.fixture
def outside(
    emulator: Emulator,  # noqa: ARG001
    practice: PracticeJenkins,
    dist: Path,
) -> Deployed:
    practice.clear()
    practice.phase = Phase.READY
    stack = Deployed("outside", practice.url, dist)
    stack.deploy("--set", "Drain=outside")
    return stack


def test_a_stack_that_is_drained_from_outside_queues_all_and_starts_nothing_itself(
    outside: Deployed, practice: PracticeJenkins, tmp_path: Path
) -> None:
    events = boto3.client("events")
    with outside:
        answer = outside.send(github("push", PUSH))
        assert answer.body.get("status") == "stored", answer
        outside.toggle("OFF")
        outside.toggle("ON")
        assert events.list_targets_by_rule(Rule=outside.outputs["RuleName"])["Targets"] == []
        assert outside.drain() == {"delivered": 0, "dead": 0}
        assert practice.hooks == []
        with Drainer("outside", None, tmp_path / "log"):
            assert practice.wait_for(1, timeout=PATIENCE)
