"""A provider of webhooks: signs them, and sends them over connections that stay open."""

from __future__ import annotations

import hmac
import http.client
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECRET = "the octopus has nine arms"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

Fields = tuple[tuple[str, str], ...]


class Request(NamedTuple):
    """A webhook as a provider sends it.

    Attributes:
        key: What tells it from all others; it is in its headers.
        lane: Within it, webhooks have to stay in order.
        target: Path and query.
        headers: All but ``Host`` and ``Content-Length``.
        body: The body.
        method: The method.
    """

    key: str
    lane: str
    target: str
    headers: Fields
    body: bytes
    method: str = "POST"


class Answer(NamedTuple):
    """What came back.

    Attributes:
        status: The HTTP status.
        body: The JSON of the body.
        headers: The answer's headers, names in lower case.
    """

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


class Sent(NamedTuple):
    """A webhook and its answer."""

    request: Request
    answer: Answer


def github(
    event: str,
    body: bytes,
    *,
    form: bool = False,
    key: str | None = None,
    target: str = "/github-webhook/",
    extra: Fields = (),
) -> Request:
    """Return a GitHub webhook, signed as GitHub signs: SHA-256 and SHA-1 of the body as sent.

    Args:
        event: The event.
        body: The payload as JSON.
        form: Send it as a form, percent-encoded as Java does, so that Jenkins' github plugin, which
            encodes it anew for its check, finds the same bytes.
        key: The delivery id; a new one by default.
        target: Path and query.
        extra: Further headers.
    """
    lane = f"{target.partition('?')[0]} {_repository(body)}"
    if form:
        body = b"payload=" + quote_plus(body, safe="*").replace("~", "%7E").encode()
    key = key or str(uuid.uuid4())
    headers = (
        ("User-Agent", "GitHub-Hookshot/044aadd"),
        ("Accept", "*/*"),
        ("X-GitHub-Delivery", key),
        ("X-GitHub-Event", event),
        ("X-GitHub-Hook-ID", "292430182"),
        ("X-Hub-Signature", f"sha1={hmac.digest(SECRET.encode(), body, 'sha1').hex()}"),
        ("X-Hub-Signature-256", f"sha256={hmac.digest(SECRET.encode(), body, 'sha256').hex()}"),
        ("Content-Type", FORM if form else JSON),
        *extra,
    )
    return Request(key, lane, target, headers, body)


def numbered(repository: str, number: int, *, padding: int = 0) -> Request:
    """Return a push of a repository, always the same for the same arguments.

    Its key names repository and number; it is small, unless so many bytes of padding are wanted.
    """
    payload = {"repository": {"full_name": repository}, "number": number, "padding": "x" * padding}
    return github("push", json.dumps(payload).encode(), key=f"{repository}#{number}")


def plain(
    target: str, headers: Fields = (), body: bytes = b"{}", *, method: str = "POST"
) -> Request:
    """Return a webhook of no known provider; a header of its own tells it from others."""
    key = str(uuid.uuid4())
    fields = (("Content-Type", JSON), ("X-Test-Key", key), *headers)
    return Request(key, target.partition("?")[0], target, fields, body, method)


class Line:
    """One connection to a gateway, kept open and opened again where it was closed."""

    def __init__(self, port: int, *, timeout: float = 10.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def send(self, request: Request) -> Answer:
        """Send one webhook and return the answer.

        Raises:
            OSError, http.client.HTTPException: There was none; nothing was promised.
        """
        connection = self._connection
        try:
            connection.putrequest(
                request.method, request.target, skip_host=True, skip_accept_encoding=True
            )
            connection.putheader("Host", "hooks.example")
            for name, value in request.headers:
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, json.loads(answer.read()), fields)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def send_all(port: int, requests: Iterable[Request], *, timeout: float = 10.0) -> list[Sent]:
    """Send webhooks one after the other over one connection; return them with their answers."""
    with Line(port, timeout=timeout) as line:
        return [Sent(request, line.send(request)) for request in requests]


def send_over(
    port: int, requests: Sequence[Request], connections: int, *, timeout: float = 10.0
) -> list[Sent]:
    """Send webhooks over several connections at once, each lane on one of them, in order."""
    lanes = {request.lane: None for request in requests}
    turn = {lane: number % connections for number, lane in enumerate(lanes)}
    parts = [
        [request for request in requests if turn[request.lane] == number]
        for number in range(connections)
    ]
    with ThreadPoolExecutor(connections) as pool:
        return [
            sent
            for part in pool.map(lambda part: send_all(port, part, timeout=timeout), parts)
            for sent in part
        ]


def send(port: int, request: Request) -> Answer:
    """Send one webhook over a connection of its own."""
    with Line(port) as line:
        return line.send(request)


def _repository(body: bytes) -> str:
    payload = json.loads(body)
    return str((payload.get("repository") or {}).get("full_name"))
