"""The real schedule: a minute passes, and the rule drains the queue."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from aws.bed import checks
from aws.bed.deployed import Deployed

if TYPE_CHECKING:
    from pathlib import Path

    from aws.bed.emulator import Emulator
    from spigot.practice import PracticeJenkins

PATIENCE = 150.0


def test_what_waits_is_delivered_by_the_next_tick_once_the_valve_is_on(
    emulator: Emulator,  # noqa: ARG001
    practice: PracticeJenkins,
    dist: Path,
) -> None:
    practice.clear()
    with Deployed("ticking", practice.url, dist, schedule="rate(1 minute)") as stack:
        wait_for_a_tick(stack, practice)


def wait_for_a_tick(stack: Deployed, practice: PracticeJenkins) -> None:
    checks.queues(stack, practice)
    stack.toggle("ON")
    assert practice.wait_for(1, timeout=PATIENCE)
    assert [one.body for one in practice.taken] == [checks.PUSH]
    settled = threading.Event()
    for _ in range(100):
        if not stack.waiting():
            return
        settled.wait(0.1)
    assert stack.waiting() == 0
