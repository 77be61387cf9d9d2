"""The gateway's counts."""

import threading

import pytest

from spigot.meters import BOUNDS, Durations, Meters
from spigot.webhook import Attempt, Decision, Happened, Outcome, Verdict


def attempt(verdict: Verdict, took: float = 0.0) -> Attempt:
    return Attempt(0.0, took, Outcome(Happened.ANSWERED, 200), Decision(verdict, "200"))


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (BOUNDS[0], 0), (BOUNDS[0] * 1.01, 1), (BOUNDS[-1], -2), (BOUNDS[-1] + 1, -1)],
)
def test_a_duration_falls_into_the_bucket_whose_bound_it_does_not_exceed(
    seconds: float, bucket: int
) -> None:
    durations = Durations()
    durations.add(seconds)
    assert durations.buckets[bucket] == 1
    assert sum(durations.buckets) == 1
    assert durations.total == seconds


def test_attempts_are_counted_by_verdict_and_timed() -> None:
    meters = Meters()
    for verdict in (Verdict.DELIVERED, Verdict.DELIVERED, Verdict.HOLD_FLOW):
        meters.attempted(attempt(verdict, 0.5))
    assert meters.attempts == {"delivered": 2, "hold_flow": 1}
    assert meters.delivery.total == 1.5


def test_many_threads_lose_no_count() -> None:
    meters = Meters()

    def work() -> None:
        for _ in range(500):
            meters.attempted(attempt(Verdict.DEAD, 1.0))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meters.attempts["dead"] == 2000
    assert meters.delivery.total == 2000.0
