"""The admin listener: status and metrics, on loopback or behind a token."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spigot.web.metrics import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client.registry import Collector
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send


def admin_app(
    status: Callable[[], dict[str, Any]], collector: Collector, *, token: str | None
) -> ASGIApp:
    """Return the admin listener's application.

    Args:
        status: Returns the status object; may take a few milliseconds.
        collector: Yields the metrics.
        token: What a request has to bring as ``Authorization: Bearer …``; None for nothing.
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
    return _Token(app, token) if token else app


class _Token:
    """Lets only requests through that know the token, compared in constant time."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                response = JSONResponse(
                    {"error": "Send the admin token: Authorization: Bearer TOKEN."},
                    status_code=401,
                    headers={"WWW-Authenticate": "Bearer"},
                )
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
