"""Pull requests hear of it through the deployed stack: both Lambdas, S3, SQS, and a GitHub."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from spigot.aws.notices import TOKEN_KEY
from support.github import TOKEN, FakeGitHub
from support.provider import github

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws.bed.deployed import Deployed

SHA = "a" * 40
PULL = {
    "action": "opened",
    "number": 7,
    "pull_request": {"number": 7, "head": {"sha": SHA}},
    "repository": {"full_name": "octo/hello"},
}


@pytest.fixture
def fake(stack: Deployed) -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        stack.deploy("--set", "Notices=status", "--set", f"NoticesApi={fake.url}")
        stack.keep(TOKEN_KEY, json.dumps({"token": TOKEN}).encode())
        yield fake
        stack.deploy("--set", "Notices=off")
    assert fake.strange == []


def test_a_queued_pull_request_is_pending_and_then_a_success(
    stack: Deployed, fake: FakeGitHub
) -> None:
    stack.toggle("OFF")
    assert stack.send(github("pull_request", json.dumps(PULL).encode())).body["status"] == "stored"
    assert fake.words("octo/hello", SHA) == ["pending"]
    stack.toggle("ON")
    assert stack.drain()["delivered"] == 1
    assert fake.words("octo/hello", SHA) == ["pending", "success"]
    assert not [key for key in stack.kept() if key.startswith("notices/")]
