"""From a request to a webhook: the only road to a 2xx. Pure but for the id and the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spigot.errors import Refused
from spigot.providers import identify
from spigot.repository import repository_of
from spigot.routing import lane_of, route
from spigot.webhook import Webhook, new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spigot.hook import Hook
    from spigot.hooks import Hooks
    from spigot.ports import Clock
    from spigot.providers import Fields
    from spigot.webhook import Headers

ROUTED = "/webhooks"
"""Where webhooks go that shall be routed by their event."""


class Admitted(NamedTuple):
    """A request whose path and method are good, before its body is read.

    Attributes:
        method: Its method.
        path: Its path below the context path, as received.
        query: Its query string, as received.
        hook: The hook that takes it; None if its event will tell (`ROUTED`).
    """

    method: str
    path: str
    query: str
    hook: Hook | None


class Intake:
    """Knows which requests are webhooks, and reads them.

    Args:
        hooks: The hook paths.
        routes: Jenkins paths by event, for `ROUTED`.
        context: Jenkins' context path, such as ``/jenkins``; requests may carry it or not.
        clock: Tells the time.
    """

    def __init__(
        self, hooks: Hooks, routes: Mapping[str, str], *, context: str, clock: Clock
    ) -> None:
        self._hooks = hooks
        self._routes = routes
        self._context = context
        self._clock = clock

    def admit(self, method: str, target: bytes) -> Admitted:
        """Look at a request's method and target.

        Args:
            method: As received, such as ``POST``.
            target: The request target in origin form, as received.

        Raises:
            Refused: 400 for a target that is no path, 404 for a path that is no hook, 405.
        """
        try:
            text = target.decode("ascii")
        except UnicodeDecodeError:
            text = ""
        if not text.startswith("/") or "#" in text:  # RFC 9112, section 3.2: no fragment either
            raise Refused(
                400,
                "The request target must be a path that begins with / and is plain ASCII; "
                "everything else has to be percent-encoded.",
                reason="target",
            )
        path, _, query = text.partition("?")
        if self._context and path.startswith(self._context + "/"):
            path = path[len(self._context) :]
        if path == ROUTED:
            if method != "POST":
                refused = Refused(
                    405, f"Send webhooks to {ROUTED} with POST.", reason="method",
                    headers=(("Allow", "POST"),),
                )  # fmt: skip
                raise explained(refused, method, query)
            return Admitted(method, path, query, None)
        try:
            return Admitted(method, path, query, self._hooks.find(method, path))
        except Refused as refused:
            raise explained(refused, method, query) from None

    def lead(self, admitted: Admitted, fields: Fields) -> tuple[str, Hook]:
        """Say where a request goes at Jenkins, and which hook it belongs to.

        Args:
            admitted: What `admit` returned for it.
            fields: The first value of each header.

        Raises:
            Refused: 400 if it was sent to `ROUTED` and nothing tells where it belongs; 404 or 405
                if it belongs to a hook that is closed, or that takes no such method.
        """
        if admitted.hook is not None:
            return admitted.path, admitted.hook
        path = route(identify(fields), self._routes)
        return path, self._hooks.find(admitted.method, path)

    def webhook(self, admitted: Admitted, headers: Headers, fields: Fields, body: bytes) -> Webhook:
        """Read a whole request.

        Args:
            admitted: What `admit` returned for it.
            headers: All header lines.
            fields: The first value of each header.
            body: The body.

        Raises:
            Refused: As `lead` does; 401 if its hook has a secret, and it was not signed with it.
        """
        sender = identify(fields)
        path, hook = self.lead(admitted, fields)
        now = self._clock.now()
        if hook.verifier is not None:
            hook.verifier.verify(headers, body, now)
        repository = repository_of(body, fields.get(b"content-type", b""))
        return Webhook(
            new_id(now),
            now,
            admitted.method,
            path,
            admitted.query,
            headers,
            body,
            hook.path,
            sender.provider,
            sender.event,
            sender.delivery,
            lane_of(hook, path, admitted.query, fields, repository),
        )


def explained(refused: Refused, method: str, query: str) -> Refused:
    """Say more where a payload comes by GET, as Gitea and Gogs can be set to send it.

    Jenkins' plugins take a payload by POST alone (`GiteaWebhookAction` answers 400), and turning
    the request into one would change what was signed.
    """
    by_get = any(part.startswith("payload=") for part in query.split("&"))
    if refused.status != 405 or method != "GET" or not by_get:
        return refused
    return Refused(
        405,
        f"{refused.error} This one carries its payload in the URL, which Jenkins does not read: in "
        "Gitea's or Gogs' webhook choose POST and application/json.",
        reason=refused.reason,
        headers=refused.headers,
    )
