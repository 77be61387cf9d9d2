"""Whether the time of a refusal tells how much of a signature was right.

    .venv/bin/python -m bench.signatures [--count 20000]

For each scheme, wrong signatures of one length are checked in random order: some differ from the
right one in their first character, some only in their last. A check that stopped at the first
difference would take longer for the latter. Prints the medians and Welch's t of the two samples,
their slowest tenth cut off, as the method *dudect* does (Reparaz, Balasch, Verbauwhede 2017); up to
4.5 it sees no difference. For comparison the last row compares with ``==``, on signatures long
enough to show it: the method finds a difference where there is one.
"""

from __future__ import annotations

import argparse
import gc
import math
import random
import re
import statistics
import time
from typing import TYPE_CHECKING

from spigot.errors import Refused
from spigot.signatures import SCHEMES, Verifier, scheme_named

if TYPE_CHECKING:
    from collections.abc import Callable


SEEN = 4.5
BODY = b'{"repository": {"full_name": "octo/hello"}}' * 20
NOW = 1_760_000_000.0
SECRETS = {"basic": "user:c29tZXRoaW5nIHNlY3JldA", "standard-webhooks": "c29tZXRoaW5nIHNlY3JldCE="}
PUBLIC = re.compile(rb"(sha\d+=|v1,|Basic )?")  # everybody knows it, so it may be right
PLAIN = 4096


def main() -> None:
    """Measure each scheme, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="refusals of each kind")
    count = parser.parse_args().count
    print(f"{count} refusals of each kind; |t| above {SEEN} would show a difference")
    print(f"{'scheme':<20} {'first wrong':>12} {'last wrong':>12} {'t':>7}")
    for name in (*(scheme.name for scheme in SCHEMES), "token:X-Hook-Token"):
        check, right = _scheme(name)
        _print(name, check, right, count)
    plain = b"x" * PLAIN
    _print(f"== on {PLAIN} bytes", plain.__eq__, plain, count)


def measure(
    check: Callable[[bytes], object], early: bytes, late: bytes, count: int
) -> tuple[list[int], list[int]]:
    """Return the times of so many checks of each of two values, in nanoseconds."""
    order = [early, late] * count
    random.Random(1).shuffle(order)
    times: dict[bytes, list[int]] = {early: [], late: []}
    gc.disable()
    for one in order:
        value = bytes(bytearray(one))  # at a place of its own: places in memory differ in speed
        began = time.perf_counter_ns()
        check(value)
        took = time.perf_counter_ns() - began
        times[one].append(took)
    gc.enable()
    return times[early], times[late]


def welch(a: list[int], b: list[int]) -> float:
    """Return Welch's t of two samples, the slowest tenth of both together cut off."""
    limit = statistics.quantiles(a + b, n=10)[-1]
    a, b = ([taken for taken in sample if taken <= limit] for sample in (a, b))
    spread = statistics.variance(a) / len(a) + statistics.variance(b) / len(b)
    return (statistics.fmean(a) - statistics.fmean(b)) / math.sqrt(spread)


def _scheme(name: str) -> tuple[Callable[[bytes], object], bytes]:
    """Return what refuses a header's value, and the value that it would not refuse."""
    scheme = scheme_named(name)
    verifier = Verifier(scheme, (scheme.key(SECRETS.get(name, "c29tZXRoaW5nIHNlY3JldA")),))
    lines = verifier.sign((), BODY, "msg_1", NOW)
    stamp, (header, right) = (lines[:-1] if scheme.stamped else ()), lines[-1]

    def check(value: bytes) -> None:
        try:
            verifier.verify((*stamp, (header, value)), BODY, NOW)
        except Refused:
            return
        raise AssertionError("it must be refused")

    return check, right


def _print(name: str, check: Callable[[bytes], object], right: bytes, count: int) -> None:
    public = PUBLIC.match(right)
    begin = public.end() if public else 0
    early = right[:begin] + b"!" + right[begin + 1 :]
    late = right[:-2] + b"!" + right[-1:]
    measure(check, early, late, 500)  # warms up
    a, b = measure(check, early, late, count)
    first, last = statistics.median(a) / 1000, statistics.median(b) / 1000
    print(f"{name:<20} {first:>9.3f} µs {last:>9.3f} µs {welch(a, b):>7.1f}")


if __name__ == "__main__":
    main()
