"""A plain HTTP client for tests of a practice Jenkins: one connection a request."""

from __future__ import annotations

import http.client
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from spigot.practice import PracticeJenkins

HOOK = "/github-webhook/"
PUSH = {"Content-Type": "application/json", "X-GitHub-Event": "push"}


class Got(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def send(
    jenkins: PracticeJenkins,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 5.0,
) -> Got:
    connection = http.client.HTTPConnection("127.0.0.1", jenkins.port, timeout=timeout)
    with closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Got(answer.status, answer.headers, answer.read())


def push(jenkins: PracticeJenkins, path: str = HOOK) -> int:
    return send(jenkins, "POST", path, PUSH, b"{}").status
