"""The event as the Lambda gets it through the deployed API; the Lambda is the tests' own."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from aws.bed.deployed import Deployed
from support.provider import FORM, JSON, Request, plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aws.bed.emulator import Emulator
    from spigot.practice import PracticeJenkins


@pytest.fixture(scope="module")
def api(emulator: Emulator, practice: PracticeJenkins, stubs: Path) -> Iterator[Deployed]:  # noqa: ARG001
    with Deployed("echo", practice.url, stubs) as deployed:
        yield deployed


@pytest.mark.parametrize("kind", [JSON, f"{JSON}; charset=UTF-8", FORM])
@pytest.mark.parametrize("path", ["/webhooks", "/github-webhook/", "/project/a/b%2Fc"])
def test_the_event_says_what_was_sent(api: Deployed, kind: str, path: str) -> None:
    body = b'payload={"a":1.50,"b":"\xe2\x98\x83 it\'s"}'
    request = Request(
        "", "", f"{path}?token=it's&x=%22", (("Content-Type", kind), ("X-A", "'\"\\")), body
    )
    answer = api.send(request)
    assert answer.status == 200, answer
    event = answer.body["event"]
    assert (event["method"], event["path"]) == ("POST", path)
    assert event["query"] == {"token": "it's", "x": '"'}
    assert base64.b64decode(event["body"]) == body
    assert event["headers"]["X-A"] == "'\"\\"
    assert event["spigot_state"] == "ON"


def test_a_get_comes_through_where_a_plugin_takes_it(api: Deployed) -> None:
    answer = api.send(plain("/git/notifyCommit?url=x", body=b"", method="GET"))
    assert answer.status == 200
    event = answer.body["event"]
    assert (event["method"], event["path"], event["body"]) == ("GET", "/git/notifyCommit", "")


def test_webhooks_takes_no_get(api: Deployed) -> None:
    assert api.send(plain("/webhooks", body=b"", method="GET")).status == 403


def test_another_content_type_is_refused_by_the_gateway(api: Deployed) -> None:
    request = Request("", "", "/webhooks", (("Content-Type", "text/plain"),), b"x")
    assert api.send(request).status == 415


def test_another_stage_leads_nowhere(api: Deployed) -> None:
    assert api.send(plain("/webhooks"), stage="/test").status == 403


@pytest.mark.parametrize(
    "message",
    ["one", "two\nlines", "Task timed out after 20.00 seconds", 'a "quote", it\'s \\ odd', "☃"],
)
def test_whatever_a_lambda_fails_with_is_a_500_that_says_so(api: Deployed, message: str) -> None:
    answer = api.send(plain("/webhooks", body=f"fail {message}".encode()))
    assert (answer.status, answer.body) == (500, {"error": message})


TRAPS = ["", "carriage\rreturn", "next\u0085line", "line\u2028separator"]


@pytest.mark.parametrize("message", TRAPS)
def test_there_are_messages_that_api_gateway_takes_for_no_error(
    api: Deployed, message: str
) -> None:
    assert api.send(plain("/webhooks", body=f"fail {message}".encode())).status == 200


@pytest.mark.parametrize("message", [*TRAPS, "two\nlines", "long " * 5000])
def test_what_the_handler_makes_of_them_is_a_500(api: Deployed, message: str) -> None:
    answer = api.send(plain("/webhooks", body=f"explain {message}".encode()))
    assert answer.status == 500
    assert 0 < len(answer.body["error"]) <= 1000
