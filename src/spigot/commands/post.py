"""A post: a webhook as its provider sends it, headers and all. For ``spigot send`` and the demo."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
import uuid
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_plus, urlsplit

from spigot.errors import SpigotError
from spigot.providers import Sender
from spigot.routing import route

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.signatures import Verifier

PROVIDERS = ("github", "gitlab", "bitbucket", "gitea")
"""Whose webhooks can be made."""

_PATIENCE = 30.0
_HOOK_ID = "1"


class Post(NamedTuple):
    """One request that a provider makes.

    Attributes:
        path: The hook path of the plugin that Jenkins takes this provider's webhooks with.
        headers: Its headers, those of the connection apart.
        body: Its body.
        delivery: Its delivery id.
    """

    path: str
    headers: dict[str, str]
    body: bytes
    delivery: str


class Answer(NamedTuple):
    """What the receiver answered.

    Attributes:
        status: The HTTP status.
        text: The body, as far as it is text.
        took: Seconds until the answer was there.
    """

    status: int
    text: str
    took: float


def make(
    provider: str,
    event: str,
    body: bytes,
    *,
    secret: str | None = None,
    delivery: str | None = None,
    form: bool = False,
) -> Post:
    """Make a post.

    Args:
        provider: One of `PROVIDERS`.
        event: The event, as the provider writes it.
        body: The payload, JSON.
        secret: What it is signed with, or the token in GitLab's case; None for neither.
        delivery: The delivery id; None for a fresh one.
        form: GitHub's form encoding instead of JSON.
    """
    delivery = delivery or str(uuid.uuid4())
    kind = "application/json"
    if form:
        kind, body = "application/x-www-form-urlencoded", b"payload=" + _form_encoded(body)
    headers = {"Accept": "*/*", "Content-Type": kind}
    headers |= _HEADERS[provider](event, delivery, secret, body)
    return Post(route(Sender(provider, event, delivery), {}), headers, body, delivery)


def signed(post: Post, verifier: Verifier) -> Post:
    """Return a post signed so that a hook's verifier passes it."""
    headers = tuple((name.lower().encode(), value.encode()) for name, value in post.headers.items())
    lines = verifier.sign(headers, post.body, post.delivery, time.time())
    added = {name.decode().title(): value.decode("latin-1") for name, value in lines}
    return post._replace(headers=post.headers | added)


def send(post: Post, url: str) -> Answer:
    """Send a post to a URL.

    Raises:
        SpigotError: Nobody answers there, or HTTP cannot carry it.
    """
    parts = urlsplit(url)
    https = parts.scheme == "https"
    connect = http.client.HTTPSConnection if https else http.client.HTTPConnection
    began = time.monotonic()
    connection = connect(parts.hostname or "", parts.port, timeout=_PATIENCE)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, post.body, post.headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (ValueError, http.client.InvalidURL):
        # Without its cause, which may quote a token.
        raise SpigotError(
            "It cannot be sent: the event, the delivery id, the secret or the path has characters "
            "that HTTP does not carry."
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise SpigotError(
            f"Nobody takes webhooks at {parts.scheme}://{parts.netloc.rpartition('@')[2]}: "
            f"{getattr(error, 'strerror', None) or error or type(error).__name__}. "
            "Start `spigot serve`, or name another address with --url."
        ) from error
    finally:
        connection.close()
    return Answer(answer.status, text.strip(), time.monotonic() - began)


def guess_event(provider: str, body: bytes) -> str | None:
    """Guess the event from the payload's shape; None if nothing gives it away."""
    try:
        payload = json.loads(body)
    except ValueError:
        return None
    if not isinstance(payload, dict):
        return None
    if provider == "gitlab":
        return _GITLAB.get(str(payload.get("object_kind")))
    for event, keys in _BITBUCKET if provider == "bitbucket" else _GITHUB:
        if payload.keys() >= set(keys.split()):
            return event
    return None


# The first row whose keys are all there wins, so what has more comes before what has less.
_GITHUB = (
    ("ping", "zen hook_id"),
    ("push", "ref before after commits"),
    ("create", "ref ref_type master_branch"),
    ("delete", "ref ref_type pusher_type"),
    ("pull_request_review_thread", "thread pull_request"),
    ("pull_request_review_comment", "comment pull_request"),
    ("pull_request_review", "review pull_request"),
    ("pull_request", "pull_request number"),
    ("issue_comment", "issue comment"),
    ("issues", "issue action"),
    ("workflow_job", "workflow_job"),
    ("deployment_status", "deployment_status"),
    ("deployment_review", "approver workflow_run"),
    ("deployment", "deployment"),
    ("workflow_run", "workflow_run"),
    ("check_run", "check_run"),
    ("check_suite", "check_suite"),
    ("discussion_comment", "discussion comment"),
    ("discussion", "discussion"),
    ("commit_comment", "comment repository"),
    ("status", "sha state context"),
    ("release", "release"),
    ("fork", "forkee"),
    ("gollum", "pages"),
    ("star", "starred_at"),
    ("merge_group", "merge_group"),
    ("label", "label"),
    ("milestone", "milestone"),
    ("repository_dispatch", "client_payload branch"),
    ("workflow_dispatch", "workflow inputs"),
)
_GITLAB = {
    "push": "Push Hook",
    "tag_push": "Tag Push Hook",
    "merge_request": "Merge Request Hook",
    "note": "Note Hook",
    "issue": "Issue Hook",
    "pipeline": "Pipeline Hook",
    "build": "Job Hook",
    "release": "Release Hook",
    "deployment": "Deployment Hook",
    "wiki_page": "Wiki Page Hook",
}
_BITBUCKET = (
    ("repo:push", "push repository"),
    ("pullrequest:comment_created", "pullrequest comment"),
    ("pullrequest:updated", "pullrequest"),
)


def _github(event: str, delivery: str, secret: str | None, body: bytes) -> dict[str, str]:
    headers = {
        "User-Agent": "GitHub-Hookshot/0000000",
        "X-GitHub-Delivery": delivery,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": _HOOK_ID,
    }
    if secret is not None:
        headers["X-Hub-Signature"] = "sha1=" + _sign(secret, body, "sha1")
        headers["X-Hub-Signature-256"] = "sha256=" + _sign(secret, body)
    return headers


def _gitlab(event: str, delivery: str, secret: str | None, _body: bytes) -> dict[str, str]:
    headers = {
        "User-Agent": "GitLab/18.0.0",
        "Idempotency-Key": delivery,
        "X-Gitlab-Event": event,
        "X-Gitlab-Webhook-UUID": str(uuid.uuid4()),
        "X-Gitlab-Event-UUID": str(uuid.uuid4()),
        "X-Gitlab-Instance": "https://gitlab.example",
    }
    return headers if secret is None else headers | {"X-Gitlab-Token": secret}


def _bitbucket(event: str, delivery: str, secret: str | None, body: bytes) -> dict[str, str]:
    headers = {
        "User-Agent": "Bitbucket-Webhooks/2.0",
        "X-Attempt-Number": "1",
        "X-Event-Key": event,
        "X-Hook-UUID": str(uuid.uuid4()),
        "X-Request-UUID": delivery,
    }
    if secret is not None:
        headers["X-Hub-Signature"] = "sha256=" + _sign(secret, body)
    return headers


def _gitea(event: str, delivery: str, secret: str | None, body: bytes) -> dict[str, str]:
    """Gitea's ``services/webhook/deliver.go``: its own headers, those of Gogs, those of GitHub."""
    headers = {"User-Agent": "Go-http-client/1.1"}
    for name in ("Gitea", "Gogs", "GitHub"):
        headers[f"X-{name}-Delivery"] = delivery
        headers[f"X-{name}-Event"] = event
        headers[f"X-{name}-Event-Type"] = event
    signature = _sign(secret, body) if secret is not None else ""
    headers["X-Gitea-Signature"] = headers["X-Gogs-Signature"] = signature
    headers["X-Hub-Signature"] = "sha1=" + (_sign(secret, body, "sha1") if secret else "")
    headers["X-Hub-Signature-256"] = "sha256=" + signature
    return headers


_HEADERS: dict[str, Callable[[str, str, str | None, bytes], dict[str, str]]] = {
    "github": _github,
    "gitlab": _gitlab,
    "bitbucket": _bitbucket,
    "gitea": _gitea,
}


def _form_encoded(value: bytes) -> bytes:
    """Encode as Java's ``URLEncoder``: so Jenkins' github plugin does it to check a signature."""
    return quote_plus(value, safe="*").replace("~", "%7E").encode()


def _sign(secret: str, body: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()
