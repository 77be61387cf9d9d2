"""A Lambda that runs into its time limit: the provider hears an error, and nothing was promised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws.bed.checks import PATH, PUSH
from aws.bed.deployed import TEMPLATE, Deployed
from spigot.practice.faults import Fault
from support.provider import github

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.practice import PracticeJenkins


def test_one_that_is_killed_in_mid_forward_is_a_500_with_the_webhook_at_jenkins(
    practice: PracticeJenkins, stack: Deployed, dist: Path
) -> None:
    del stack  # it has made practice and emulator as new
    template = TEMPLATE.read_text("utf-8").replace("Timeout: 20", "Timeout: 3")
    practice.fault(PATH, Fault(hang=True))
    try:
        with Deployed("hasty", practice.url, dist, template) as hasty:
            answer = hasty.send(github("push", PUSH))
            assert (answer.status, hasty.waiting()) == (500, 0)
            assert "Task timed out" in answer.body["error"]
    finally:
        practice.fault(PATH, None)
    assert [one.body for one in practice.hooks] == [PUSH]
