"""The admin listener: status and metrics, on loopback or behind a token."""

from __future__ import annotations

import contextlib
import hmac
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spigot.web.metrics import render
from spigot.web.same_site import SameSite

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from prometheus_client.registry import Collector
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send


def admin_app(
    status: Callable[[], dict[str, Any]], collector: Collector, *, token: Callable[[], str | None]
) -> ASGIApp:
    """Return the admin listener's application.

    Args:
        status: Returns the status object; may take a few milliseconds.
        collector: Yields the metrics.
        token: Returns what a request has to bring as ``Authorization: Bearer …``; None for nothing.
    """

    async def get_status(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(status))

    async def get_metrics(_: Request) -> Response:
        text = await run_in_threadpool(render, collector)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    app = Starlette(
        routes=[
            Route("/api/status", get_status, methods=["GET"]),
            Route("/metrics", get_metrics, methods=["GET"]),
        ]
    )
    return _Token(SameSite(app, lambda: token() is not None), token)


def admin_server(app: ASGIApp, tls: ssl.SSLContext | None) -> uvicorn.Server:
    """Return the server of the admin listener, to be run on a socket.

    Args:
        app: What it serves.
        tls: For TLS; None for plain HTTP.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    config.ssl = tls
    return _Server(config)


class _Server(uvicorn.Server):
    """The signals are the gateway's, not uvicorn's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class _Token:
    """Lets only requests through that know the token, compared in constant time."""

    def __init__(self, app: ASGIApp, token: Callable[[], str | None]) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = self._token()
        if scope["type"] == "http" and token is not None:
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                response = JSONResponse(
                    {"error": "Send the admin token: Authorization: Bearer TOKEN."},
                    status_code=401,
                    headers={"WWW-Authenticate": "Bearer"},
                )
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
