"""The drain of SQS knows when there is nothing more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aws.bed.draining import drain, new_queue, taken
from spigot.stores.sqs import HAND, SqsQueue
from support.provider import numbered

if TYPE_CHECKING:
    from aws.bed.emulator import Emulator
    from spigot.practice import PracticeJenkins


class Unlucky(SqsQueue):
    """The real queue; whenever a receive brings nothing, what was in hand ends just then."""

    def receive(self) -> int:
        came = super().receive()
        end = time.monotonic() + 10.0
        while not came and self.in_hand and time.monotonic() < end:
            time.sleep(0.005)
        return came


def test_a_lane_longer_than_the_hand_is_drained_to_its_end(
    emulator: Emulator,  # noqa: ARG001
    jenkins: PracticeJenkins,
) -> None:
    """While one of a lane is in hand, SQS hands out no other: nothing came says nothing then."""
    queue = new_queue(Unlucky)
    webhooks = taken(numbered("acme/long", number) for number in range(2 * HAND + 3))
    for webhook in webhooks:
        queue.keep(webhook)
    drain(queue, jenkins.url)
    assert [one.body for one in jenkins.taken] == [one.body for one in webhooks]
