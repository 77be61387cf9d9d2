"""Requests out of a connection's bytes: parsed, held to the limits, refused as early as can be."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol

import httptools

from spigot.errors import Refused
from spigot.web import answers
from spigot.web.body import Body
from spigot.web.head import check_head, without_upgrade
from spigot.web.limits import LARGE

if TYPE_CHECKING:
    from spigot.intake import Admitted
    from spigot.providers import Fields
    from spigot.web.edge import Edge
    from spigot.webhook import Headers


class Request(NamedTuple):
    """A complete request.

    Attributes:
        admitted: Where it goes; None for the question whether all is well.
        headers: All header lines.
        fields: The first value of each header.
        body: The body.
        keep_alive: Whether the sender may send another one.
    """

    admitted: Admitted | None
    headers: Headers
    fields: Fields
    body: bytes
    keep_alive: bool


class Hears(Protocol):
    """What a reader tells of what it reads."""

    @property
    def peer(self) -> str:
        """The address at the other end."""

    def asked(self) -> None:
        """Hear that the sender asks whether to send the body."""

    def complete(self, request: Request) -> None:
        """Take a complete request; its bytes and its place among those in progress with it."""


class RequestReader:
    """Reads the requests of one connection. The ``on_…`` methods are the parser's.

    Args:
        edge: What all connections share: the intake, the limits, who may send. What is read
            counts there, in `held` and `requests`.
        hears: Is told what was read.

    Attributes:
        begun: A request has begun and is not complete.
        head_is_read: All its headers are there.
        since: When either happened last, a tick.
    """

    def __init__(self, edge: Edge, hears: Hears) -> None:
        self._edge = edge
        self._hears = hears
        self._parser = httptools.HttpRequestParser(self)
        self._chunk = 0
        self._fields: Fields
        self._admitted: Admitted | None
        self._body: Body
        self.since = 0.0
        self._reset()

    @property
    def left(self) -> int:
        """How many bytes of the body are yet to come, at most."""
        return (self._length or self._edge.limits.max_body) - self._body.size

    def forget(self) -> None:
        """Give back what a request takes that will not be complete."""
        self._edge.held -= self._body.size
        self._edge.requests -= self._counts
        self._reset()

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            Refused: This is no request that is taken, and where the next begins is not known.
        """
        self._unread += len(data)
        self._chunk = len(data)
        rest: bytes | memoryview = data
        try:
            while rest:  # as many as fit may ask at once: no recursion, and no copies of the rest
                try:
                    self._parser.feed_data(rest)
                except httptools.HttpParserUpgrade as upgrade:
                    rest = memoryview(rest)[upgrade.args[0] :]
                else:
                    break
                self._feed_again()  # not where it was caught: that would hide why it refuses
        except httptools.HttpParserError as error:
            cause = error.__context__
            raise (cause if isinstance(cause, Refused) else answers.unreadable()) from None
        if self._unread > self._edge.limits.max_header:
            raise answers.too_long_head(self._edge.limits.max_header)

    def on_message_begin(self) -> None:
        """A request starts."""
        self.begun = True
        self.since = monotonic()

    def on_url(self, url: bytes) -> None:
        """Part of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line. A trailer is none: it comes too late to be trusted (RFC 9110, 6.5.1)."""
        if not self.head_is_read:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """All headers are there: refuse now what need not be read."""
        self.head_is_read = True
        if self._asks_upgrade():
            return
        self.since = monotonic()
        self._check_head()
        edge = self._edge
        self._fields = fields = dict(reversed(self._headers))
        check_head(self._parser.get_http_version(), self._headers, fields)
        method = self._parser.get_method().decode("latin-1")
        if self._target.partition(b"?")[0] == b"/healthz" and method == "GET":
            return
        watches = edge.access.watches
        source = edge.access.enter(self._hears.peer, self._headers) if watches else None
        self._admitted = edge.intake.admit(method, self._target)
        if source is not None:
            _, hook = edge.intake.lead(self._admitted, fields)
            edge.access.check(hook.path, source)
        length = fields.get(b"content-length")
        if length is not None:
            self._length = int(length)
            if self._length > edge.limits.max_body:
                raise answers.too_large(edge.limits.max_body)
            if self._length >= LARGE:
                # What would not be taken in the end need not be read, nor take memory meanwhile.
                self._check_room(edge.held + self._length)
        if edge.requests >= edge.limits.max_requests:
            raise answers.no_room("Too many requests are being read and stored at once.")
        edge.requests += 1
        self._counts = 1
        expects = fields.get(b"expect")
        if expects is not None and expects.lower() == b"100-continue":
            self._hears.asked()

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._unread = 0
        self._body.add(body)
        edge, size = self._edge, self._body.size
        edge.held += len(body)
        limits = edge.limits
        if size > limits.max_body:
            raise answers.too_large(limits.max_body)
        if edge.held > limits.memory:  # on the way of every webhook, only where it may be no
            self._check_room(edge.held)

    def on_message_complete(self) -> None:
        """A request is complete."""
        if self._asks_upgrade():
            return
        request = Request(
            self._admitted,
            tuple(self._headers),
            self._fields,
            self._body.whole(),
            self._parser.should_keep_alive(),
        )
        self._reset()
        self._hears.complete(request)

    def _reset(self) -> None:
        self.begun = False
        self.head_is_read = False
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._fields = {}
        self._unread = 0
        self._length = 0
        self._counts = 0
        self._admitted = None
        self._body = Body()

    def _check_head(self) -> None:
        limits = self._edge.limits
        if len(self._headers) > limits.max_headers:
            raise answers.too_many_headers(limits.max_headers)
        if self._unread + self._chunk > limits.max_header:
            # Only now it is worth counting: what was fed holds other requests or a body, perhaps.
            lines = sum(len(name) + len(value) + 4 for name, value in self._headers)
            if len(self._target) + lines > limits.max_header:
                raise answers.too_long_head(limits.max_header)
        self._unread = 0

    def _check_room(self, held: int) -> None:
        size = max(self._body.size, self._length)
        if not self._edge.limits.has_room(held, size):
            raise answers.no_room("Too many webhooks are on their way to the disk at once.")

    def _asks_upgrade(self) -> bool:
        """Tell whether the parser will stop after this head; CONNECT has no path and is refused."""
        return self._parser.should_upgrade() and self._parser.get_method() != b"CONNECT"

    def _feed_again(self) -> None:
        """Feed a new parser a head that asked for HTTP/2 or the like, without that wish."""
        head = without_upgrade(self._parser, self._target, self._headers)
        self._chunk += len(head)
        self._parser = httptools.HttpRequestParser(self)
        self._reset()
        self._parser.feed_data(head)
