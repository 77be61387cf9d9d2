"""How long the machine stands still by itself, whatever runs on it.

    .venv/bin/python -m bench.stalls [--seconds 4]

Two threads hand each other a number over a socket, a third syncs a file in between: what a webhook
asks of a machine, without Spigot. Where a virtual machine may use its processors for a part of each
tenth of a second only, the longest of these rounds are tens of times as long as the usual ones,
and no 99th percentile measured on it can be better.
"""

from __future__ import annotations

import argparse
import os
import queue
import socket
import tempfile
import threading
import time
from typing import NamedTuple

LONG = 0.002
"""Seconds from which a round has been held up."""

PAGES = 3
SPAN = 700


class Stalls(NamedTuple):
    """What was seen.

    Attributes:
        rate: Rounds a second.
        median: Seconds that one took.
        held_up: Which part of the time went into rounds longer than `LONG`.
        longest: Seconds.
    """

    rate: float
    median: float
    held_up: float
    longest: float

    def __str__(self) -> str:
        """Say it in a sentence."""
        return (
            f"held up for {self.held_up:.0%} of the time, {self.longest * 1000:.0f} ms at most, "
            f"by {self.rate:,.0f} syncs/s that take {self.median * 1000:.2f} ms in the median"
        )


def measure(seconds: float) -> Stalls:
    """Go round for so many seconds."""
    work: queue.SimpleQueue[threading.Lock | None] = queue.SimpleQueue()
    near, far = socket.socketpair()
    with tempfile.TemporaryFile() as file:

        def sync() -> None:
            number, page = 0, os.urandom(4096) * PAGES
            while (done := work.get()) is not None:
                os.pwrite(file.fileno(), page, number % SPAN * len(page))
                os.fsync(file.fileno())
                number += 1
                done.release()

        def answer() -> None:
            done = threading.Lock()
            done.acquire()
            while far.recv(16):
                work.put(done)
                done.acquire()
                far.send(b".")
            work.put(None)

        threads = [threading.Thread(target=each) for each in (sync, answer)]
        for thread in threads:
            thread.start()
        took: list[float] = []
        end = (last := time.perf_counter()) + seconds
        while last < end:
            near.send(b".")
            near.recv(16)
            took.append(time.perf_counter() - last)
            last += took[-1]
        near.close()
        for thread in threads:
            thread.join()
        far.close()
    took.sort()
    held_up = sum(one for one in took if one > LONG) / sum(took)
    return Stalls(len(took) / sum(took), took[len(took) // 2], held_up, took[-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    print(measure(parser.parse_args().seconds))
