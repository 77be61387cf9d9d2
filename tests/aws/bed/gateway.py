"""The data plane of a REST API: what the emulator leaves out between a provider and a Lambda.

The API is read back as it was deployed: resources, methods, templates, patterns, the stage and its
variables, and the Lambda's resource policy. Only the way of a request through them is done here.
"""

from __future__ import annotations

import fnmatch
import functools
import http.server
import json
import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

import boto3

from aws.bed.velocity import Input, render

if TYPE_CHECKING:
    from collections.abc import Mapping

FORBIDDEN = (403, b'{"message":"Forbidden"}')
UNKNOWN = (403, b'{"message":"Missing Authentication Token"}')
UNSUPPORTED = (415, b'{"message":"Unsupported Media Type"}')
BROKEN = (500, b'{"message":"Internal server error"}')
ADDED = {
    "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
}
"""What a regional API puts into the headers that its templates see."""

NO_JSON = (400, b'{"message":"Could not parse request body into json"}')
_DOT = r"[^\n\r\u0085\u2028\u2029]"


class _Asked(NamedTuple):
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Gateway:
    """One deployed API, listening on loopback; a context manager.

    Args:
        api: The API's id.
    """

    def __init__(self, api: str) -> None:
        self._api = api
        self._client = boto3.client("apigateway")
        self._lambda = boto3.client("lambda")
        self._integrations = functools.cache(self._read)
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = _Asked(self.command, self.path, dict(self.headers.items()), body)
                status, content = gateway.handle(asked)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = answer  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, asked: _Asked) -> tuple[int, bytes]:
        """Take a request the way that API Gateway documents; return status and content."""
        parts = urlsplit(asked.target)
        stage, _, path = parts.path[1:].partition("/")
        try:
            served = self._client.get_stage(restApiId=self._api, stageName=stage)
        except self._client.exceptions.NotFoundException:
            return FORBIDDEN
        variables, integrations = served["variables"], self._integrations(served["deploymentId"])
        exact = any(resource == f"/{path}" for resource, _ in integrations)
        resource = f"/{path}" if exact else "/{proxy+}"
        integration = integrations.get((resource, asked.method)) if path else None
        if integration is None:
            return UNKNOWN
        kind = {name.lower(): value for name, value in asked.headers.items()}.get("content-type")
        template = integration["requestTemplates"].get((kind or "application/json").split(";")[0])
        if template is None:
            assert integration["passthroughBehavior"] == "NEVER"
            return UNSUPPORTED
        given = Input(
            asked.body.decode("utf-8", "replace"),
            {**asked.headers, **ADDED},
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {} if exact else {"proxy": path.strip("/")},
        )
        context = {
            "httpMethod": asked.method,
            "path": parts.path,
            "stage": stage,
            "identity": {"sourceIp": "203.0.113.7"},
        }
        event = render(template, given, variables, context)
        source = f"{self._api}/{stage}/{asked.method}{resource}"
        return self._answer(integration, event, source, variables)

    def _read(self, deployment: str) -> dict[tuple[str, str], dict[str, Any]]:  # noqa: ARG002
        """Return the integrations by path and method: a stage serves a snapshot of the API."""
        items = self._client.get_resources(restApiId=self._api, limit=500, embed=["methods"])[
            "items"
        ]
        return {
            (one["path"], method): details["methodIntegration"]
            for one in items
            for method, details in one.get("resourceMethods", {}).items()
        }

    def _answer(self, integration: dict[str, Any], event: str, source: str,
                variables: Mapping[str, str]) -> tuple[int, bytes]:  # fmt: skip
        found = re.search(r"functions/(.+)/invocations", integration["uri"])
        assert found
        if not self._may_invoke(found[1], source):
            return BROKEN
        try:
            json.loads(event)
        except ValueError:
            return NO_JSON
        result = self._lambda.invoke(FunctionName=found[1], Payload=event.encode())
        text = result["Payload"].read().decode()
        failure = json.loads(text)["errorMessage"] if result.get("FunctionError") else ""
        responses = integration["integrationResponses"].values()
        chosen = next(
            (
                one
                for one in responses
                if one.get("selectionPattern") and matches(one["selectionPattern"], failure)
            ),
            next((one for one in responses if not one.get("selectionPattern")), None),
        )
        if chosen is None:
            return BROKEN
        template = (chosen.get("responseTemplates") or {}).get("application/json")
        content = render(template, Input(text), variables, {}) if template else text
        return int(chosen["statusCode"]), content.encode()

    def _may_invoke(self, function: str, source: str) -> bool:
        """Tell whether the Lambda's own policy lets this API in; the emulator does not look."""
        return may_invoke(self._lambda, function, "apigateway.amazonaws.com", f"*:{source}")


def matches(pattern: str, failure: str) -> bool:
    """Match as Java does, whose dot stands for no line terminator, of which it knows more."""
    java = re.sub(r"\\.|\.", lambda found: found[0] if found[0] != "." else _DOT, pattern)
    return re.fullmatch(java, failure) is not None


def may_invoke(client: Any, function: str, service: str, source: str) -> bool:
    """Tell whether a Lambda's resource policy lets a service invoke it on behalf of a source."""
    try:
        policy = json.loads(client.get_policy(FunctionName=function)["Policy"])
    except client.exceptions.ResourceNotFoundException:
        return False
    return any(
        one["Effect"] == "Allow"
        and one["Principal"] == {"Service": service}
        and one["Action"] == "lambda:InvokeFunction"
        and _alike(one["Condition"]["ArnLike"]["AWS:SourceArn"], source)
        for one in policy["Statement"]
    )


def _alike(pattern: str, source: str) -> bool:
    """Compare ARNs; a source that begins with ``*:`` has any partition, region and account."""
    if source.startswith("*:"):
        return fnmatch.fnmatchcase(source[2:], pattern.rsplit(":", 1)[-1])
    return fnmatch.fnmatchcase(source, pattern)
