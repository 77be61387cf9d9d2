"""Whether the time of a refusal tells how much of a signature was right.

    .venv/bin/python bench/signatures.py [--count 20000]

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
import random
import re
import statistics
import time
from typing import TYPE_CHECKING

from spigot.errors import Refused
from spigot.signatures import SCHEMES, Verifier, scheme_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.webhook import Headers

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
        _print(name, *measure(*_checks(name), count))
    right = bytes(PLAIN)
    _print(
        f"== on {PLAIN} bytes",
        *measure(*(_equal(right, one) for one in (b"!" + right[1:], right[:-1] + b"!")), count),
    )


def measure(
    early: Callable[[], None], late: Callable[[], None], count: int
) -> tuple[float, float, float]:
    """Return the medians of two functions' times in microseconds, and Welch's t between them."""
    order = [early, late] * count
    random.Random(1).shuffle(order)
    times: dict[Callable[[], None], list[int]] = {early: [], late: []}
    for one in order[:1000]:
        one()
    gc.disable()
    for one in order:
        began = time.perf_counter_ns()
        one()
        times[one].append(time.perf_counter_ns() - began)
    gc.enable()
    limit = statistics.quantiles(times[early] + times[late], n=10)[-1]
    a, b = ([taken for taken in times[one] if taken <= limit] for one in (early, late))
    spread = statistics.variance(a) / len(a) + statistics.variance(b) / len(b)
    t = (statistics.fmean(a) - statistics.fmean(b)) / spread**0.5
    return statistics.median(times[early]) / 1000, statistics.median(times[late]) / 1000, t


def _checks(name: str) -> tuple[Callable[[], None], Callable[[], None]]:
    scheme = scheme_named(name)
    verifier = Verifier(scheme, (scheme.key(SECRETS.get(name, "c29tZXRoaW5nIHNlY3JldA")),))
    lines = verifier.sign((), BODY, "msg_1", NOW)
    stamp, (header, right) = (lines[:-1] if scheme.stamped else ()), lines[-1]
    begin = len(PUBLIC.match(right)[0])
    early = right[:begin] + b"!" + right[begin + 1 :]
    late = right[:-2] + b"!" + right[-1:]
    first, last = (_refusal(verifier, (*stamp, (header, wrong))) for wrong in (early, late))
    return first, last


def _refusal(verifier: Verifier, headers: Headers) -> Callable[[], None]:
    def check() -> None:
        try:
            verifier.verify(headers, BODY, NOW)
        except Refused:
            return
        raise AssertionError("it must be refused")

    return check


def _equal(right: bytes, wrong: bytes) -> Callable[[], None]:
    def check() -> None:
        assert not right == wrong  # noqa: SIM201 - this very comparison is measured

    return check


def _print(name: str, early: float, late: float, t: float) -> None:
    print(f"{name:<20} {early:>9.3f} µs {late:>9.3f} µs {t:>7.1f}")


if __name__ == "__main__":
    main()
