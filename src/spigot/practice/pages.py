"""What answers at a practice Jenkins in each phase: its own pages, or what is before it.

A pure rule: from a phase and a request to an answer. Where Jenkins itself is at work, its plugins
answer at their paths (`spigot.practice.plugins`), its pages everywhere else.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from spigot.practice.http import Answer
from spigot.practice.plugins import CREDENTIAL, SLASHLESS, Plugins, is_hook, takes

if TYPE_CHECKING:
    from spigot.practice.http import Request

HTML = "text/html;charset=utf-8"
VERSION = "2.579"
"""The version in ``X-Jenkins``."""

MAX_HEAD_BYTES = 8192
"""Winstone's default for request line and headers together."""


class Phase(StrEnum):
    """A time in Jenkins' life as its clients see it, or something that stands before it."""

    DOWN = "down"
    """The port is closed: connections are refused."""
    STARTING = "starting"
    """503 and a page on every path, without ``X-Jenkins`` and ``Retry-After``."""
    EARLY_BOOT = "early_boot"
    """GET as in starting; POST meets the crumb filter first: 500 and 403 in turn."""
    READY = "ready"
    """Plugins and pages answer."""
    QUIET_DOWN = "quiet_down"
    """As ready; only ``quietingDown`` in ``/api/json`` says so."""
    CLEANING_UP = "cleaning_up"
    """Exiting: answers as if ready, and forgets every webhook it takes."""
    PROXY_502 = "proxy_502"
    """A reverse proxy that cannot reach Jenkins answers on every path."""
    PROXY_503 = "proxy_503"
    """The same, with 503."""
    PROXY_504 = "proxy_504"
    """The same, with 504."""
    HANGING = "hanging"
    """Connections are accepted and read, and nothing is ever answered."""
    MAINTENANCE = "maintenance"
    """A proxy's 200 and a page on every path."""
    SINGLE_SIGN_ON = "single_sign_on"
    """Only POSTs to hook paths reach Jenkins; all else is sent to the sign-on."""


AT_WORK = frozenset({Phase.READY, Phase.QUIET_DOWN, Phase.CLEANING_UP, Phase.SINGLE_SIGN_ON})
"""The phases in which webhooks get to Jenkins and its plugins."""


class State(NamedTuple):
    """What an answer depends on besides the request.

    Attributes:
        phase: The phase in force.
        session: The ``X-Jenkins-Session`` of this boot.
        plugins: The plugins and their configuration.
        queued: How many builds wait in the queue.
    """

    phase: Phase
    session: str
    plugins: Plugins
    queued: int = 0


class Result(NamedTuple):
    """An answer, and whether Jenkins took a webhook with it."""

    answer: Answer
    taken: bool = False


def _html(status: int, title: str, *headers: tuple[str, str]) -> Answer:
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Answer(status, page.encode(), HTML, headers)


def _json(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode(), "application/json;charset=utf-8")


STARTING = _html(
    503,
    "Starting Jenkins",
    ("Cache-Control", "no-cache,no-store,must-revalidate"),
    ("Expires", "0"),
)
NO_CRUMB = _html(403, "Error 403 No valid crumb was included in the request")
NO_ISSUER = _html(500, "Error 500 Server Error")
NOT_JENKINS = _html(404, "Error 404 Not Found")
SUSPICIOUS = _html(400, "Error 400 Semicolons are not allowed in the request URI")
TOO_MANY_HEADERS = _html(431, "Error 431 Request Header Fields Too Large")
SIGN_ON = Answer(302, headers=(("Location", "https://sso.example/sign-in"),))
HEALTHY = _json({"status": True})
NO_LOGIN = _html(403, "Authentication required")
NOT_FOUND = _html(404, "Not Found - Jenkins")
PAGES = {
    "/": NO_LOGIN,
    "/login": _html(200, "Sign in - Jenkins"),
    "/whoAmI/api/json": _json({"name": "anonymous", "anonymous": True, "authenticated": True}),
    "/tcpSlaveAgentListener/": Answer(200, b"Jenkins\n"),
}
"""Jenkins' pages that anybody may read, and its root, which nobody may without a login."""
_PROXY = (("Server", "practice-proxy"),)
_BEFORE_JENKINS = {
    Phase.STARTING: STARTING,
    Phase.PROXY_502: _html(502, "502 Bad Gateway", *_PROXY),
    Phase.PROXY_503: _html(503, "503 Service Temporarily Unavailable", *_PROXY),
    Phase.PROXY_504: _html(504, "504 Gateway Time-out", *_PROXY),
    Phase.MAINTENANCE: _html(200, "Down for maintenance", *_PROXY),
}


def result(state: State, request: Request, turn: int) -> Result:
    """Return what answers a request, and whether Jenkins took it as a webhook.

    Args:
        state: Phase, session, plugins. The phases DOWN and HANGING never answer.
        request: What was asked.
        turn: Counts requests; early in boot, POSTs fail in one way or the other by it.
    """
    phase = state.phase
    if (answer := _BEFORE_JENKINS.get(phase)) is not None:
        return Result(answer)
    post = request.method == "POST"
    if phase is Phase.EARLY_BOOT:
        return Result((NO_ISSUER, NO_CRUMB)[turn % 2] if post else STARTING)
    hook = is_hook(request)
    if phase is Phase.SINGLE_SIGN_ON and not (post and hook):
        return Result(SIGN_ON)
    if (answer := _refusal(request)) is not None:
        return Result(answer)
    if (answer := state.plugins.answer(request)) is not None:
        return Result(answer, taken=hook and takes(request, answer))
    return Result(_page(state, request))


def _refusal(request: Request) -> Answer | None:
    """What Jetty and the first filter refuse before Jenkins looks at it."""
    if request.head_bytes > MAX_HEAD_BYTES:
        return TOO_MANY_HEADERS
    if ";" in request.path:
        return SUSPICIOUS
    return None if request.inside else NOT_JENKINS


def _page(state: State, request: Request) -> Answer:
    """Answer where no plugin does: first the crumb filter, then Stapler, then Jenkins' pages."""
    plugin = SLASHLESS.get(request.path)
    if plugin is not None and plugin.name in state.plugins.installed:
        # ghprb's crumb exclusion knows only the path with its slash (GhprbCrumbExclusion).
        if request.method == "POST" and plugin.name == "ghprb":
            return NO_CRUMB
        return _with_slash(request)
    if request.method == "POST":
        return NO_CRUMB
    if request.path in {"", "/health", "/tcpSlaveAgentListener"}:
        return _with_slash(request)
    if request.path == "/health/":
        return HEALTHY
    if request.path in {"/api/json", "/queue/api/json"}:
        return _advertised(state, _api(state, request))
    return _advertised(state, PAGES.get(request.path, NOT_FOUND))


def _api(state: State, request: Request) -> Answer:
    """The API: for whoever may read; who may not still learns that this is Jenkins."""
    credential = request.fields.get(b"authorization")
    if credential is None:
        return NO_LOGIN
    if credential != CREDENTIAL:
        return _html(401, "Error 401 Unauthorized")
    if request.path == "/queue/api/json":
        return _json({"items": [{"id": number} for number in range(_cut(state.queued, request))]})
    quieting = state.phase is Phase.QUIET_DOWN
    value = {"_class": "hudson.model.Hudson", "quietingDown": quieting, "quietDownReason": None}
    return _json(value)


def _cut(queued: int, request: Request) -> int:
    """Cut a list as a range in ``tree`` asks (``{0,N}``, hudson.model.Api)."""
    asked = re.search(r"\{0,(\d+)\}", request.parameter("tree") or "")
    return min(queued, int(asked[1])) if asked else queued


def _advertised(state: State, answer: Answer) -> Answer:
    """Add what only Jenkins' pages carry (``Functions.advertiseHeaders``)."""
    marks = (("X-Hudson", "1.395"), ("X-Jenkins", VERSION), ("X-Jenkins-Session", state.session))
    return answer._replace(headers=answer.headers + marks)


def _with_slash(request: Request) -> Answer:
    """Stapler's redirect to the slashed URL (``DirectoryishDispatcher``), also for POST."""
    query = f"?{request.query}" if request.query else ""
    return Answer(302, headers=(("Location", f"{request.context}{request.path}/{query}"),))
