"""No web page that somebody has open may change anything at the admin listener."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing (RFC 9110, section 9.2.1), and must not here either."""


def flaw_of(headers: dict[str, str], *, has_token: bool) -> str:
    """Say what shows that a request comes from another site; empty if nothing does.

    Browsers say it in ``Sec-Fetch-Site`` (W3C Fetch Metadata), older ones in ``Origin`` (RFC 6454);
    what is no browser sends neither. It is the rule of Go's ``http.CrossOriginProtection``. A page
    whose name was pointed at this machine (DNS rebinding) is of the same site for the browser: only
    the name in ``Host`` gives it away, so without a token it must be none or ``localhost``.

    Args:
        headers: The first value of each header, names in lower case.
        has_token: Whether the request had to bring a token, which no foreign page has.
    """
    host = headers.get("host", "")
    if not (has_token or _is_local(host)):
        return f"it was sent to the name {host[:100]!r}, and without admin_token only addresses do"
    site = headers.get("sec-fetch-site")
    if site is not None:
        known = site in ("same-origin", "none")
        return "" if known else f"the browser says that it comes from elsewhere ({site[:20]!r})"
    origin = headers.get("origin")
    if origin is None or urlsplit(origin).netloc.lower() == host.lower():
        return ""
    return f"it comes from a page of {origin[:100]!r}"


def _is_local(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        ipaddress.ip_address(name)
    except ValueError:
        return host.partition(":")[0].lower() == "localhost"
    return True


class SameSite:
    """Lets requests that may change something through only if no other site sent them.

    Args:
        app: What they are for.
        has_token: Tells whether a token is asked for.
    """

    def __init__(self, app: ASGIApp, has_token: Callable[[], bool]) -> None:
        self._app = app
        self._has_token = has_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 403, or pass on."""
        if scope["type"] == "http" and scope["method"] not in SAFE:
            headers = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in reversed(scope["headers"])
            }
            if flaw := flaw_of(headers, has_token=self._has_token()):
                text = (
                    f"This request may come from another web site: {flaw}. Use the dashboard or "
                    "the spigot commands, or send it with the admin token and without Origin."
                )
                await JSONResponse({"error": text}, status_code=403)(scope, receive, send)
                return
        await self._app(scope, receive, send)
