"""What Jenkins' webhook plugins answer: one row a plugin, no sockets and no state.

Which codes and texts a plugin uses is named at its function by the plugin's own class. None of
these answers carries ``X-Jenkins``: only Jenkins' pages do.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_plus, unquote

from spigot.practice.events import (
    BITBUCKET_CLOUD_EVENTS,
    BITBUCKET_SERVER_EVENTS,
    GITEA_EVENTS,
    GITHUB_EVENTS,
    GITLAB_JOB_EVENTS,
    GITLAB_SOURCE_EVENTS,
)
from spigot.practice.http import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CREDENTIAL = b"Basic " + b64encode(b"practice:token")
"""The one API token a practice Jenkins knows, as an ``Authorization`` value."""

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_IDENTITY = b64encode(b"the public key of a practice Jenkins").decode()


def _json(status: int, value: object) -> Answer:
    return Answer(status, json.dumps(value).encode(), "application/json;charset=utf-8")


def _error(status: int, text: str) -> Answer:
    """Answer as Stapler's ``HttpResponses.error`` does: the text, then a stack trace."""
    trace = f"org.kohsuke.stapler.HttpResponses$1: {text}\n\tat practice.Plugin.answer\n"
    return Answer(status, trace.encode())


def _crashed(text: str) -> Answer:
    """Answer as Jenkins does when a plugin throws."""
    return Answer(
        500, f"<html><body>Oops! {text}</body></html>".encode(), "text/html;charset=utf-8"
    )


def _is_json(body: bytes | str) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Plugins:
    """The plugins a practice Jenkins has, and what they are configured with.

    Attributes:
        installed: Names out of `KNOWN`.
        github_secrets: Shared secrets of the github plugin; none means signatures are not checked.
        tokens: The tokens of generic-webhook-trigger; ``/git/notifyCommit``, the scan trigger and
            the Docker registries' paths know the same ones.
        gitlab_jobs: Job path such as ``folder/job`` to its secret token, None for no check. The
            GitLab branch source demands one of these tokens if there are any.
    """

    installed: frozenset[str]
    github_secrets: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ("practice",)
    gitlab_jobs: Mapping[str, str | None] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer | None:
        """Return the answer of the plugin at that exact path; None if there is none."""
        plugin = plugin_at(request.path)
        if plugin is None or plugin.name not in self.installed:
            return None
        return plugin.answer(self, request)


def _github(plugins: Plugins, request: Request) -> Answer:
    """``GitHubWebHook``, ``RequirePostWithGHHookPayload``, ``GHEventPayload``."""
    if request.method != "POST":
        return Answer(405, b"Method POST required", headers=(("Allow", "POST"),))
    if request.header("x-jenkins-validation") is not None:
        return Answer(200, headers=(("X-Instance-Identity", _IDENTITY),))
    if request.header("x-github-event") not in GITHUB_EVENTS:
        return Answer(400, b"Hook should contain event type")
    signed = request.body
    if (content_type := request.header("content-type")) == FORM:
        payload = request.form_payload()
        # Java's URLEncoder: unlike Python's, it keeps the asterisk and encodes the tilde.
        signed = b"payload=" + quote_plus(payload, safe="*").replace("~", "%7E").encode()
        has_payload = bool(payload)
    else:
        has_payload = content_type == JSON and bool(request.body)
    if not has_payload:
        return Answer(400, b"Hook should contain payload")
    if plugins.github_secrets and not _github_signature_holds(plugins, request, signed):
        return Answer(400, b"No valid signature found for any of the configured secrets")
    return Answer(200)


def _github_signature_holds(plugins: Plugins, request: Request, signed: bytes) -> bool:
    """``GHWebhookSignature``: lower-case hex, compared in constant time."""
    for header, algorithm in ((b"x-hub-signature-256", "sha256"), (b"x-hub-signature", "sha1")):
        if not (sent := request.fields.get(header)):
            continue
        for secret in plugins.github_secrets:
            digest = hmac.digest(secret.encode(), signed, algorithm).hex()
            if hmac.compare_digest(sent, f"{algorithm}={digest}".encode()):
                return True
    return False


def _ghprb(_: Plugins, request: Request) -> Answer:
    """``GhprbRootAction``: a wrong signature is not told to the sender."""
    content_type = (request.header("content-type") or "").lower()
    if content_type.startswith(FORM):
        payload: bytes | str = request.form_payload()
    elif content_type.startswith(JSON):
        payload = request.body
    else:
        return Answer(415)
    return Answer(200) if payload else Answer(400)


def _generic(plugins: Plugins, request: Request) -> Answer:
    """``GenericWebHookRequestReceiver``: GET triggers too."""
    if request.method == "OPTIONS":
        return Answer(200)
    bearer = re.match(r"Bearer (.+)", request.header("authorization") or "")
    sent = (
        request.parameter("token"),
        request.header("token"),
        bearer and bearer[1],
        request.header("x-gitlab-token"),
    )
    if not any(token in plugins.tokens for token in sent if token):
        return _json(404, {"jobs": None, "message": "No job has this token."})
    dry = request.header("gwt-dry-run") == "true"
    job = {"triggered": not dry, "id": 0 if dry else 1, "url": "" if dry else "queue/item/1/"}
    return _json(200, {"jobs": {"practice": job}, "message": "Triggered jobs."})


def _multibranch(plugins: Plugins, request: Request) -> Answer:
    """``ComputedFolderWebHookRequestReceiver``: an unknown token is 200, none at all a crash."""
    token = request.parameter("token") or request.header("token")
    if not token:
        return _crashed("java.lang.NullPointerException")
    if token in plugins.tokens:
        return _json(200, {"jobs": {"practice": {"triggered": True}}})
    return _json(200, {"message": "No folder has this token."})


def _gitlab_job(plugins: Plugins, request: Request) -> Answer:
    """``ActionResolver`` of gitlab-plugin: parses, then checks the token."""
    job = unquote(request.path.removeprefix("/project/")).strip("/")
    if job not in plugins.gitlab_jobs:
        return Answer(404, b"No such job")
    if request.method != "POST":
        place = "/job/".join(("", *job.split("/")))
        return Answer(302, headers=(("Location", f"{request.context}{quote_plus(place, '/')}/"),))
    if request.header("x-gitlab-event") not in GITLAB_JOB_EVENTS:
        return Answer(404)
    if not _is_json(request.body):
        return _crashed("the payload cannot be read")
    secret = plugins.gitlab_jobs[job]
    allowed = secret is None or request.fields.get(b"authorization") == CREDENTIAL
    if allowed or request.header("x-gitlab-token") == secret:
        return Answer(200)
    return _error(401, "Unauthorized")


def _gitlab_source(plugins: Plugins, request: Request) -> Answer:
    """``GitLabWebHookAction`` and ``GitLabSystemHookAction``."""
    if request.method != "POST":
        return _error(400, "Only POST is supported here")
    if request.header("content-type") != JSON:
        return _error(400, "Only application/json is supported here")
    if not (event := request.header("x-gitlab-event")):
        return _error(400, "The header X-Gitlab-Event is missing")
    secrets = [secret for secret in plugins.gitlab_jobs.values() if secret is not None]
    if secrets and request.header("x-gitlab-token") not in secrets:
        return _error(401, "The token does not match")
    if event not in GITLAB_SOURCE_EVENTS or not _is_json(request.body):
        return _error(500, "The event is not supported or cannot be read")
    return Answer(200)


def _bitbucket(_: Plugins, request: Request) -> Answer:
    """``BitbucketHookReceiver``: an empty body is only logged."""
    if not request.body:
        return Answer(200)
    form = (request.header("content-type") or "").lower().startswith(FORM)
    payload = request.form_payload() if form else request.body
    return Answer(200) if _is_json(payload) else _crashed("the payload is not JSON")


def _bitbucket_source(_: Plugins, request: Request) -> Answer:
    """``BitbucketSCMSourcePushHookReceiver``: Cloud and Data Center differ in header and query."""
    event = request.header("x-event-key")
    if request.parameter("server_url"):
        known = event in BITBUCKET_SERVER_EVENTS and request.header("x-request-id")
    else:
        known = event in BITBUCKET_CLOUD_EVENTS and request.header("x-request-uuid")
    if not known:
        return _error(400, "No processor takes this webhook")
    if not request.body:
        return _error(400, "The payload is empty")
    return Answer(200) if _is_json(request.body) else _crashed("the payload is not JSON")


def _gitea(_: Plugins, request: Request) -> Answer:
    """``GiteaWebhookAction``: no signature is checked."""
    if request.method != "POST":
        return _error(400, "Only POST is supported here")
    if request.header("content-type") != JSON:
        return _error(400, "Only application/json is supported here")
    if not (event := request.header("x-gitea-event")):
        return _error(400, "The header X-Gitea-Event is missing")
    if event not in GITEA_EVENTS:
        return Answer(200, b"Ignored")
    return Answer(200, b"Processed") if _is_json(request.body) else _crashed("unreadable payload")


def _notify_commit(plugins: Plugins, request: Request) -> Answer:
    """``GitStatus``: everything is in the query, by GET or POST."""
    url, token, sha1 = map(request.parameter, ("url", "token", "sha1"))
    if not url:
        return Answer(400, b"The query parameter url is missing")
    if not token:
        return Answer(401, b"An access token is required")
    if token not in plugins.tokens:
        return Answer(403, b"Invalid access token")
    if " " in url or (sha1 and not re.fullmatch(r"[0-9a-fA-F]{1,40}", sha1)):
        return Answer(400, b"Bad URL or sha1")
    return Answer(200, b"Scheduled practice\n" if sha1 else b"Scheduled polling of practice\n")


def _registry(plugins: Plugins, request: Request) -> Answer:
    """``DockerHubWebHook`` redirects once it took one; its siblings answer 200."""
    if request.method != "POST":
        return Answer(405, headers=(("Allow", "POST"),))
    registry, token, *rest = request.path[1:].split("/")
    if token not in plugins.tokens or rest != ["notify"]:
        return Answer(403)
    if registry != "dockerhub-webhook":
        return Answer(200)
    return Answer(302, headers=(("Location", f"{request.context}/"),))


class Plugin(NamedTuple):
    """One row: a plugin's name, its endpoint, and how it answers there.

    Attributes:
        name: The plugin's id in Jenkins' update centre.
        path: The exact path, or all below it where it ends in an asterisk.
        answer: Its answer to a request at that path.
        event_delay: Seconds an event waits in memory before the plugin acts on it (``SCMEvent``).
    """

    name: str
    path: str
    answer: Callable[[Plugins, Request], Answer]
    event_delay: float = 0.0


TABLE = (
    Plugin("github", "/github-webhook/", _github, 5.0),
    Plugin("ghprb", "/ghprbhook/", _ghprb),
    Plugin("generic-webhook-trigger", "/generic-webhook-trigger/invoke", _generic),
    Plugin("multibranch-scan-webhook-trigger", "/multibranch-webhook-trigger/invoke", _multibranch),
    Plugin("gitlab-plugin", "/project/*", _gitlab_job),
    Plugin("gitlab-branch-source", "/gitlab-webhook/post", _gitlab_source, 30.0),
    Plugin("gitlab-branch-source", "/gitlab-systemhook/post", _gitlab_source, 30.0),
    Plugin("bitbucket", "/bitbucket-hook/", _bitbucket),
    Plugin(
        "cloudbees-bitbucket-branch-source",
        "/bitbucket-scmsource-hook/notify",
        _bitbucket_source,
        5.0,
    ),
    Plugin("gitea", "/gitea-webhook/post", _gitea),
    Plugin("git", "/git/notifyCommit", _notify_commit),
    Plugin("dockerhub-notification", "/dockerhub-webhook/*", _registry),
    Plugin("dockerhub-notification", "/dockerregistry-webhook/*", _registry),
    Plugin("dockerhub-notification", "/acr-webhook/*", _registry),
)
KNOWN = frozenset(plugin.name for plugin in TABLE)
"""The names of all plugins that a practice Jenkins can have."""

_EXACT = {plugin.path: plugin for plugin in TABLE if not plugin.path.endswith("*")}
_BELOW = tuple((plugin.path[:-1], plugin) for plugin in TABLE if plugin.path.endswith("*"))
SLASHLESS = {path[:-1]: plugin for path, plugin in _EXACT.items() if path.endswith("/")}
"""Paths that lack only their last slash, with the plugin behind that slash."""


def plugin_at(path: str) -> Plugin | None:
    """Return the plugin whose endpoint that path is, None if it is none's."""
    if (plugin := _EXACT.get(path)) is not None:
        return plugin
    return next((plugin for prefix, plugin in _BELOW if path.startswith(prefix)), None)


def is_probe(request: Request) -> bool:
    """Whether a request to a hook path asks only if the plugin is there, and changes nothing."""
    if request.method in {"HEAD", "OPTIONS"}:
        return True
    if request.path == "/github-webhook/":
        return request.method == "GET" or b"x-jenkins-validation" in request.fields
    if request.path == "/generic-webhook-trigger/invoke":
        return request.fields.get(b"gwt-dry-run") == b"true"
    return False


def is_hook(request: Request) -> bool:
    """Whether a request is a webhook: at a hook path, last slash or not, and not just a probe."""
    path = request.path
    at_plugin = plugin_at(path) is not None or path in SLASHLESS
    return request.inside and at_plugin and not is_probe(request)


def takes(request: Request, answer: Answer) -> bool:
    """Whether a plugin's answer to a webhook says that it took it."""
    if answer.status == 302:
        return request.path.startswith("/dockerhub-webhook/")
    return 200 <= answer.status < 300
