"""What API Gateway hands over is read to the byte, in either shape."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from spigot.aws.event import read
from spigot.errors import Refused


def event(**fields: Any) -> dict[str, Any]:
    return {
        "spigot_state": "ON",
        "from_queue": "",
        "method": "POST",
        "path": "/github-webhook/",
        "query": {},
        "body": base64.b64encode(b'{"a": 1.50}').decode(),
        "encoding": "base64",
        "headers": {"X-GitHub-Event": "push", "Content-Type": "application/json"},
    } | fields


def test_our_template_hands_over_the_request_as_it_was() -> None:
    request = read(
        event(method="GET", path="/git/notifyCommit", query={"url": "a b", "token": "t"})
    )
    assert (request.method, request.path) == ("GET", "/git/notifyCommit")
    assert request.query == "url=a+b&token=t"
    assert request.body == b'{"a": 1.50}'
    assert request.headers == (
        (b"x-github-event", b"push"),
        (b"content-type", b"application/json"),
    )


def test_what_aws_put_in_is_taken_out_again() -> None:
    added = {
        "Via": "1.1 x", "X-Amzn-Trace-Id": "Root=1", "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https", "CloudFront-Viewer-Country": "DE",
        "X-Amz-Cf-Id": "x",
    }  # fmt: skip
    assert read(event(headers={**added, "X-Kept": "1"})).headers == ((b"x-kept", b"1"),)


def test_the_older_template_hands_over_a_parsed_body_for_the_routed_path() -> None:
    request = read(
        {
            "spigot_state": "OFF",
            "from_queue": "true",
            "body": {"a": [1, "é"]},
            "headers": {"X-GitHub-Event": "push"},
        }
    )
    assert (request.on, request.from_queue) == (False, True)
    assert (request.method, request.path, request.query) == ("POST", "/webhooks", "")
    assert request.body == '{"a":[1,"é"]}'.encode()


def test_what_is_between_the_lambdas_does_not_reach_jenkins() -> None:
    request = read(event(query={"from_queue": "true", "a": "1"}, from_queue="true"))
    assert request.query == "a=1"
    assert request.from_queue


@pytest.mark.parametrize(
    ("state", "on"), [("ON", True), ("OFF", False), ("off", False), ("", True)]
)
def test_only_off_closes_the_valve(state: str, on: bool) -> None:
    assert read(event(spigot_state=state)).on is on


@pytest.mark.parametrize(
    "broken",
    [{}, {"headers": {}}, {"body": "", "headers": []}, event(body="***"), event(body="a")],
)
def test_what_is_neither_shape_is_refused_and_says_so(broken: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        read(broken)
    assert refused.value.status == 400
