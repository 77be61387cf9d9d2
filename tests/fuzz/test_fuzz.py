"""Some thousands of hostile inputs; ``python -m bench.fuzz`` throws a million."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvloop

from support import fuzz
from support.gateway import GatewayProcess
from support.hostile import Hostile

if TYPE_CHECKING:
    from pathlib import Path


def test_the_parsers_refuse_hostile_requests_or_make_sane_webhooks_of_them() -> None:
    statuses = fuzz.parsers(Hostile(1), 10_000)
    assert {200, 400, 404, 405} <= set(statuses)


def test_hostile_streams_are_answered_and_exactly_what_is_answered_200_is_kept() -> None:
    statuses = uvloop.run(fuzz.framing(Hostile(2), 10_000))
    assert {200, 400, 404, 405, 413} <= set(statuses)


def test_a_gateway_under_hostile_streams_stores_what_it_promises_and_goes_on(
    tmp_path: Path,
) -> None:
    with GatewayProcess(tmp_path, "http://127.0.0.1:9") as gateway:
        thrown = fuzz.throw(gateway.port, Hostile(3), 2_000)
        fuzz.hold(gateway, [thrown])
    assert {200, 400, 404, 405} <= set(thrown.statuses)
