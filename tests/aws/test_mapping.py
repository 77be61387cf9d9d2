"""The mapping templates, rendered on whatever may be sent: valid JSON with the exact values."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aws.bed.cloudformation import Template
from aws.bed.deployed import ROOT
from aws.bed.velocity import Input, render

TEMPLATE = Template(ROOT / "infra" / "template.yaml")
EVENT = TEMPLATE.velocity("Request", "Event")
ERROR = TEMPLATE.velocity("Answer", "Error")

TOKEN = "!#$%&'*+-.^_`|~0123456789abcXYZ"
HOSTILE = ["'", '"', "\\", "\\'", "\\\\'", "it's", 'x","spigot_state":"OFF', "$input.body", "#end",
           "${context}", "#set($a = 1)", "</script>", "\u2028", "\x7f", "\x00", "é", "☃",
           "😀"]  # fmt: skip

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(HOSTILE)
tokens = st.text(TOKEN, min_size=1, max_size=12)
headers = st.dictionaries(tokens, texts, max_size=5)
queries = st.dictionaries(texts, texts, max_size=5)
paths = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=30)


def event_of(
    *,
    body: str = "",
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    path: str = "webhooks",
    method: str = "POST",
    state: str = "ON",
) -> dict[str, Any]:
    context = {
        "httpMethod": method,
        "path": f"/prod/{path}",
        "stage": "prod",
        "identity": {"sourceIp": "203.0.113.7"},
    }
    given = Input(body, headers or {}, query or {})
    event: dict[str, Any] = json.loads(render(EVENT, given, {"spigot_state": state}, context))
    return event


@settings(deadline=None)
@given(headers=headers)
@example(headers={"X-Name": "it's"})
@example(headers={"'": "\\'"})
def test_headers_arrive_as_they_are(headers: dict[str, str]) -> None:
    assert event_of(headers=headers)["headers"] == headers


@settings(deadline=None)
@given(query=queries)
@example(query={"from_queue": 'x","spigot_state":"OFF'})
def test_a_query_arrives_as_it_is_and_changes_nothing_else(query: dict[str, str]) -> None:
    event = event_of(query=query)
    assert event["query"] == query
    assert event["from_queue"] == query.get("from_queue", "")
    assert event["spigot_state"] == "ON"


@settings(deadline=None)
@given(body=texts)
@example(body='{"size":1.50,"who":"O\'Brien","text":"$input.body #end \\u2603"}')
def test_a_body_arrives_to_the_byte(body: str) -> None:
    event = event_of(body=body)
    assert base64.b64decode(event["body"], validate=True) == body.encode()
    assert event["encoding"] == "base64"


@settings(deadline=None)
@given(path=paths)
@example(path="job/it's/")
@example(path="prod/x")
def test_a_path_arrives_without_the_stage(path: str) -> None:
    assert event_of(path=path)["path"] == f"/{path}"


@settings(deadline=None)
@given(headers=headers, query=queries, body=texts, path=paths)
def test_the_event_has_what_the_lambda_reads_and_nothing_else(
    headers: dict[str, str], query: dict[str, str], body: str, path: str
) -> None:
    event = event_of(headers=headers, query=query, body=body, path=path, state="OFF")
    assert set(event) == {
        "spigot_state", "from_queue", "method", "path", "query", "body", "encoding", "headers",
        "source",
    }  # fmt: skip
    assert (event["spigot_state"], event["method"]) == ("OFF", "POST")
    assert event["source"] == "203.0.113.7"


def test_a_get_has_no_body_whatever_the_gateway_shows_for_one() -> None:
    assert event_of(method="GET", body="{}")["body"] == ""


@settings(deadline=None)
@given(message=texts)
def test_an_error_is_answered_in_its_words(message: str) -> None:
    failed = Input(json.dumps({"errorMessage": message, "errorType": "Refused"}))
    assert json.loads(render(ERROR, failed, {}, {})) == {"error": message}
