"""A GitHub on loopback, as far as notices go: a real HTTP server that checks what it is asked.

Its answers are those of GitHub's documentation (REST: commit statuses, issue comments, rate
limits). Whatever it does not know is an error that the test sees in `strange`.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "ghp_theTokenOfTheTests0123456789"
BASE = "/api/v3"

_STATUS = re.compile(r"/repos/([\w-]+/[\w.-]+)/statuses/([0-9a-f]{40})")
_COMMENTS = re.compile(r"/repos/([\w-]+/[\w.-]+)/issues/(\d+)/comments(\?\S*)?")
_COMMENT = re.compile(r"/repos/([\w-]+/[\w.-]+)/issues/comments/(\d+)")
_REQUIRED = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}

Answer = tuple[int, dict[str, str], Any]


@dataclass
class Comment:
    """A comment as it stands: whose pull request, and all texts that it has had."""

    repository: str
    number: int
    texts: list[str] = field(default_factory=list)


class FakeGitHub:
    """Takes statuses and comments; use it as a context manager.

    Attributes:
        statuses: By repository and hash, the states that were set, in order, with descriptions.
        comments: By id.
        asked: Method and path of each request with a good token, in order.
        strange: What no client of GitHub's should ask.
        trouble: What to do instead of working: an answer, ``hang``, ``reset``, or ``lost`` (it does
            what it is asked and its answer gets lost); None to work.
        hung: How many requests hang, or did.
        scopes: The header of a classic token.
    """

    def __init__(self, token: str = TOKEN) -> None:
        self.statuses: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.comments: dict[int, Comment] = {}
        self.asked: list[str] = []
        self.strange: list[str] = []
        self.trouble: Answer | str | None = None
        self.hung = 0
        self.scopes: str | None = None
        self._token = token
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._port = 0

    def start(self) -> None:
        """Take connections, on the port of the last time if there was one."""
        github = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle_one_request()

            def do(self) -> None:
                github.handle(self)

            do_GET = do_POST = do_PATCH = do  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._over.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._over.is_set():
            self.stop()

    @property
    def url(self) -> str:
        """The base URL of its API."""
        return f"http://127.0.0.1:{self._port}{BASE}"

    def words(self, repository: str, sha: str) -> list[str]:
        """Return the states that a commit has had."""
        return [word for word, _ in self.statuses.get((repository, sha), [])]

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        trouble = self.trouble
        if trouble == "reset":
            linger = struct.pack("ii", 1, 0)
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if trouble == "hang":
            self.hung += 1
            self._over.wait(30)
        if trouble in ("reset", "hang"):
            request.close_connection = True
            return
        status, headers, value = (
            trouble if isinstance(trouble, tuple) else self._work(request, body)
        )
        if trouble == "lost":
            request.close_connection = True
            return
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        request.send_response(status)
        for name, text in headers.items():
            request.send_header(name, text)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _work(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return 401, {}, {"message": "Bad credentials"}
        with self._lock:
            return self._obey(request, body)

    def _obey(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        method, path = request.command, request.path
        missing = [name for name, text in _REQUIRED.items() if request.headers.get(name) != text]
        if missing or not request.headers.get("User-Agent") or not path.startswith(f"{BASE}/"):
            self.strange.append(f"{method} {path} {missing}")
            return 403, {}, {"message": "Request forbidden by administrative rules."}
        self.asked.append(f"{method} {path.removeprefix(BASE)}")
        path = path.removeprefix(BASE)
        if method == "GET" and path == "/rate_limit":
            scopes = {} if self.scopes is None else {"X-OAuth-Scopes": self.scopes}
            return 200, scopes, {"resources": {}, "rate": {"limit": 5000}}
        value = json.loads(body) if body else {}
        if method == "POST" and (found := _STATUS.fullmatch(path)):
            return self._set(found[1], found[2], value)
        if found := _COMMENTS.fullmatch(path):
            return self._talk(method, found[1], int(found[2]), value)
        if method == "PATCH" and (found := _COMMENT.fullmatch(path)):
            comment = self.comments.get(int(found[2]))
            if comment is None or comment.repository != found[1]:
                return 404, {}, {"message": "Not Found"}
            comment.texts.append(value["body"])
            return 200, {}, {"id": int(found[2])}
        self.strange.append(f"{method} {path}")
        return 404, {}, {"message": "Not Found"}

    def _set(self, repository: str, sha: str, value: dict[str, Any]) -> Answer:
        if value.get("state") not in ("pending", "success", "error", "failure"):
            return 422, {}, {"message": "Validation Failed"}
        if len(value.get("description", "")) > 140:
            return 422, {}, {"message": "description is too long (maximum is 140 characters)"}
        self.statuses.setdefault((repository, sha), []).append(
            (value["state"], value["description"])
        )
        return 201, {}, {"id": 1, "context": value["context"], "state": value["state"]}

    def _talk(self, method: str, repository: str, number: int, value: dict[str, Any]) -> Answer:
        if method == "GET":
            found = [
                {"id": id_, "body": comment.texts[-1]}
                for id_, comment in self.comments.items()
                if (comment.repository, comment.number) == (repository, number)
            ]
            return 200, {}, found
        id_ = 7000 + len(self.comments)
        self.comments[id_] = Comment(repository, number, [value["body"]])
        return 201, {}, {"id": id_}
