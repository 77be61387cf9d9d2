"""Requests out of a connection's bytes: parsed, held to the limits, refused as early as can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import httptools

from spigot.errors import Refused
from spigot.web import answers
from spigot.web.head import check_head, without_upgrade

if TYPE_CHECKING:
    from spigot.intake import Admitted
    from spigot.providers import Fields
    from spigot.web.edge import Edge
    from spigot.webhook import Headers


class Request(NamedTuple):
    """A complete request.

    Attributes:
        admitted: Where it goes; None for the question whether all is well.
        source: The address that asks; empty where nobody needs to know.
        headers: All header lines.
        fields: The first value of each header.
        body: The body.
        keep_alive: Whether the sender may send another one.
    """

    admitted: Admitted | None
    source: str
    headers: Headers
    fields: Fields
    body: bytes
    keep_alive: bool


class Hears(Protocol):
    """What a reader tells of what it reads."""

    @property
    def peer(self) -> str:
        """The address at the other end."""

    def begun(self) -> None:
        """Hear that a request begins."""

    def head_is_read(self, *, continues: bool) -> None:
        """Hear that a request's headers are there; it may ask first whether to send the body."""

    def counts(self) -> None:
        """Hear that a request is in progress; it is until it is answered."""

    def came(self, size: int) -> None:
        """Hear that so many bytes of a body came, and are in memory."""

    def complete(self, request: Request) -> None:
        """Take a complete request."""


class RequestReader:
    """Reads the requests of one connection. The ``on_…`` methods are the parser's.

    Args:
        edge: What all connections share: the intake, the limits, who may send.
        hears: Is told what was read.

    Attributes:
        begun: A request has begun and is not complete.
        head_is_read: All its headers are there.
    """

    def __init__(self, edge: Edge, hears: Hears) -> None:
        self._edge = edge
        self._hears = hears
        self._parser = httptools.HttpRequestParser(self)
        self._chunk = 0
        self._fields: Fields
        self._admitted: Admitted | None
        self._body: bytes | bytearray
        self._reset()

    @property
    def body_size(self) -> int:
        """Bytes of the body as far as it came."""
        return len(self._body)

    def forget_body(self) -> None:
        """Free the memory of a body that nobody will take."""
        self._body = b""

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            Refused: This is no request that is taken, and where the next begins is not known.
        """
        self._unread += len(data)
        self._chunk = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            raise (cause if isinstance(cause, Refused) else answers.unreadable()) from None
        if self._unread > self._edge.limits.max_header:
            raise answers.too_long_head(self._edge.limits.max_header)

    def on_message_begin(self) -> None:
        """A request starts."""
        self.begun = True
        self._hears.begun()

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
        self._check_head()
        self._fields = fields = dict(reversed(self._headers))
        check_head(self._parser.get_http_version(), self._headers, fields)
        edge = self._edge
        method = self._parser.get_method().decode("latin-1")
        if self._target.partition(b"?")[0] == b"/healthz" and method == "GET":
            self._hears.head_is_read(continues=False)
            return
        if edge.access.watches:
            self._source = edge.access.enter(self._hears.peer, self._headers)
        self._admitted = admitted = edge.intake.admit(method, self._target)
        if self._source and admitted.hook is not None:
            edge.access.check(admitted.hook.path, self._source)
        length = fields.get(b"content-length")
        if length is not None:
            self._length = int(length)
            self._check_size(self._length)
        if edge.requests >= edge.limits.max_requests:
            raise answers.no_room("Too many requests are being read and stored at once.")
        self._hears.counts()
        self._hears.head_is_read(continues=fields.get(b"expect", b"").lower() == b"100-continue")

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._unread = 0
        if isinstance(self._body, bytearray):
            self._body += body
        else:
            # A list of pieces would let a sender of tiny chunks take forty times the memory.
            self._body = bytearray(self._body + body) if self._body else body
        self._hears.came(len(body))
        size = len(self._body)
        self._check_size(size)
        if not self._edge.limits.has_room(self._edge.held, max(size, self._length)):
            raise answers.no_room("Too many webhooks are on their way to the disk at once.")

    def on_message_complete(self) -> None:
        """A request is complete."""
        if self._asks_upgrade():
            return
        request = Request(
            self._admitted,
            self._source,
            tuple(self._headers),
            self._fields,
            bytes(self._body),
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
        self._admitted = None
        self._source = ""
        self._body = b""

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

    def _check_size(self, size: int) -> None:
        if size > self._edge.limits.max_body:
            raise answers.too_large(self._edge.limits.max_body)

    def _asks_upgrade(self) -> bool:
        """Tell whether the parser will stop after this head; CONNECT has no path and is refused."""
        return self._parser.should_upgrade() and self._parser.get_method() != b"CONNECT"

    def _feed(self, data: bytes) -> None:
        """Feed the parser; a request that asks for HTTP/2 or the like is fed again without that."""
        rest: bytes | memoryview = data
        while rest:  # as many as fit may ask at once: no recursion, and no copies of the rest
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]
            else:
                break
            head = without_upgrade(self._parser, self._target, self._headers)
            self._chunk += len(head)
            self._parser = httptools.HttpRequestParser(self)
            self._reset()
            self._parser.feed_data(head)  # not where it was caught: that would hide why it refuses
