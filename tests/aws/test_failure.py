"""What a Lambda fails with is one line that API Gateway's pattern surely matches."""

from __future__ import annotations

import pytest

from aws.bed.gateway import matches
from spigot.aws.failure import LONGEST, failed
from spigot.errors import Refused, SpigotError, StoreError

PATTERN = r"(\n|.)+"


@pytest.mark.parametrize(
    "error",
    [
        SpigotError(""), SpigotError(" \r\n"), SpigotError("a\rb"), SpigotError("a\u2028b"),
        SpigotError("x" * 100_000), StoreError(), Refused(401, "", reason="signature"),
        AssertionError(), KeyError("QUEUE_URL"), MemoryError(), RecursionError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "secret"),
    ],
)  # fmt: skip
def test_every_error_matches(error: Exception) -> None:
    message = str(failed(error))
    assert matches(PATTERN, message)
    assert message.isprintable()
    assert len(message) <= LONGEST


def test_a_message_for_a_person_stays_as_it_is() -> None:
    assert str(failed(SpigotError("The queue is not there: ☃."))) == "The queue is not there: ☃."


def test_a_fault_inside_spigot_tells_its_kind_and_nothing_of_the_webhook() -> None:
    message = str(failed(ValueError("cannot read b'{\"token\": 1}'")))
    assert "ValueError" in message
    assert "token" not in message
