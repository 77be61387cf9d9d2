"""HTTP as a client: the request as it is given, the whole exchange within a time.

The standard library's client makes the connections; what goes over them is `exchange`'s, for higher
clients rewrite percent-encodings and add headers.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from spigot.errors import SettingsError
from spigot.exchange import READ_BYTES, Answer, exchange
from spigot.headers import end_to_end
from spigot.ports import Clock, Passed
from spigot.timed import TimedSocket

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.address import Target

IDLE_SECONDS = 5.0
"""An idle connection is used again only for so long: a stale one looks like an outage."""

UNFIT = "an answer that is too long, or none of HTTP's final ones"
"""What is said of an answer that cannot be returned whole."""


class Client:
    """Keeps connections to one server alive and sends over them; safe for many threads.

    Args:
        target: Where the server is.
        connect_timeout: Seconds a connection may take.
        ca_file: The PEM file of authorities to trust; None for those of the system.
        proxy: The proxy's URL; ``none`` for none; empty for what the environment says.
        clock: Tells the time.

    Attributes:
        connect_timeout: May be replaced.

    Raises:
        SettingsError: The authorities cannot be read, or the proxy is of no use.
    """

    def __init__(
        self,
        target: Target,
        *,
        connect_timeout: float = 3.0,
        ca_file: Path | None = None,
        proxy: str = "none",
        clock: Clock | None = None,
    ) -> None:
        self._target = target
        self.connect_timeout = connect_timeout
        self._proxy = _find_proxy(target, proxy)
        self._tls = _trust(ca_file) if target.scheme == "https" else None
        # In absolute form where a proxy forwards plain HTTP (RFC 9112, section 3.2.2).
        through = self._proxy is not None and self._tls is None
        self._before_path = target.url if through else target.context
        # What each request says first.
        self._lines = [(b"Host", target.authority.encode("latin-1", "replace"))]
        if self._proxy is not None and through:
            self._lines += [(k.encode(), v.encode()) for k, v in self._proxy.headers.items()]
        self._clock = clock or Clock()
        self._idle: deque[_Idle] = deque()
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        target: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        timeout: float,
    ) -> Passed:
        """Make a request over a connection of its own and return the whole answer; never raises.

        Args:
            method: The method.
            target: Path and query, below the target's context path.
            headers: As `exchange` takes them.
            body: The body.
            timeout: Seconds that it may take once there is a connection.
        """
        try:
            connection = self.connection(fresh=True)
        except FAILURES as error:
            return Passed(0, error=say(error))
        try:
            answer = self.exchange(connection, method, target, headers, body, timeout)
        except FAILURES as error:
            connection.close()
            return Passed(0, error=say(error))
        if answer.broken:
            return Passed(0, error=say(answer.broken))
        if answer.status < 200 or len(answer.body) >= READ_BYTES:
            return Passed(0, error=UNFIT)
        kept = tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in end_to_end(answer.headers)
        )
        return Passed(answer.status, answer.reason, kept, answer.body)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            while self._idle:
                self._idle.pop().connection.close()

    def exchange(
        self,
        connection: TimedSocket,
        method: str,
        target: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        timeout: float,
    ) -> Answer:
        """Make an exchange; the connection is kept if it can be used again, else closed.

        Args:
            connection: From `connection`.
            method: The method.
            target: Path and query, below the target's context path.
            headers: Sent as they are, besides ``Host`` and ``Content-Length``.
            body: The body.
            timeout: Seconds that it may take, from the first byte sent to the last one read.

        Raises:
            FAILURES: There was no answer; the caller closes the connection.
        """
        connection.give(timeout)
        lines = [*self._lines, *headers]
        answer = exchange(connection, method, self._before_path + target, lines, body)
        if answer.reusable:
            self._keep(connection)
        else:
            connection.close()
        return answer

    def _keep(self, connection: TimedSocket) -> None:
        now = self._clock.monotonic()
        with self._lock:
            self._idle.append(_Idle(now, connection))
            while now - self._idle[0].since >= IDLE_SECONDS:
                self._idle.popleft().connection.close()

    def connection(self, *, fresh: bool = False) -> TimedSocket:
        """Return an open connection: the one used last, if it is still good, or a new one.

        Raises:
            FAILURES: There is none to be had.
        """
        while not fresh:
            with self._lock:
                if not self._idle:
                    break
                since, connection = self._idle.pop()
            if self._clock.monotonic() - since < IDLE_SECONDS and connection.is_quiet():
                return connection
            connection.close()
        return self._connect()

    def _connect(self) -> TimedSocket:
        place = self._proxy or self._target
        http_: http.client.HTTPConnection
        if self._tls is None:
            http_ = http.client.HTTPConnection(place.host, place.port, timeout=self.connect_timeout)
        else:
            http_ = http.client.HTTPSConnection(
                place.host, place.port, timeout=self.connect_timeout, context=self._tls
            )
            if self._proxy is not None:
                http_.set_tunnel(self._target.host, self._target.port, dict(self._proxy.headers))
        try:
            http_.connect()
        except BaseException:
            http_.close()
            raise
        return TimedSocket(http_.sock, self._clock)


FAILURES = (OSError, http.client.HTTPException, ValueError)
"""What the network does, a host name that cannot be one, and what is no HTTP."""


class _Idle(NamedTuple):
    since: float
    connection: TimedSocket


class _Proxy:
    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url if "//" in url else f"http://{url}")
            self.host, self.port = parts.hostname or "", parts.port or 3128
        except ValueError:
            parts, self.host = urlsplit(""), ""
        if not self.host or parts.scheme != "http":
            raise SettingsError(
                "The proxy is no http://HOST:PORT. Set `proxy` (SPIGOT_PROXY, for Jenkins) to one, "
                'or to "none", or mend the http_proxy and https_proxy variables.'
            )
        self.headers: dict[str, str] = {}
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            token = base64.b64encode(pair.encode()).decode()
            self.headers["Proxy-Authorization"] = f"Basic {token}"


def _find_proxy(target: Target, proxy: str) -> _Proxy | None:
    if proxy == "none":
        return None
    if not proxy:
        import urllib.request  # as slow to import as all else here, and mostly not needed

        if urllib.request.proxy_bypass(f"{target.host}:{target.port}"):
            return None
        proxy = urllib.request.getproxies().get(target.scheme, "")
    return _Proxy(proxy) if proxy else None


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"ca_file: {ca_file} holds no certificates in PEM form ({error})."
        ) from error


def say(error: BaseException) -> str:
    """Say in words what broke."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message} (ca_file names further authorities to trust)"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "unknown host"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError):
        return "connection reset"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"no readable HTTP ({type(error).__name__})"
