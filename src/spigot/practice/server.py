"""The practice Jenkins itself: it listens, changes its phase, and tells what came."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from spigot.errors import SpigotError
from spigot.practice.connection import Connection
from spigot.practice.pages import Phase
from spigot.practice.plugins import KNOWN, Plugins
from spigot.practice.site import Site
from spigot.practice.visits import Counts, Visit, Visits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from spigot.practice.faults import Fault
    from spigot.practice.http import Answer, Request
    from spigot.practice.strain import Strain

_T = TypeVar("_T")
_PATIENCE = 10.0
"""Seconds that a change may take to come into force before something is plainly broken."""


class PracticeJenkins:
    """One practice Jenkins on one port; use it as a context manager, from any thread.

    It serves from a thread of its own. The port stays its own from `start` to `stop`, also while
    the phase is DOWN and connections are refused.

    Args:
        host: The address to listen on.
        port: The port; 0 for any free one.
        context_path: Where Jenkins lives, such as ``/jenkins``.
        github_secrets: Secrets of the github plugin; none means signatures are not checked.
        gwt_tokens: Tokens of generic-webhook-trigger, and of the other plugins that take tokens.
        gitlab_jobs: GitLab jobs by path with their secret token, None for one without.
        plugins: The plugins installed, all that are known by default.
        keep: How many visits to keep, the newest; None for all, 0 for counting only.
        delay: Seconds before every answer to a webhook; can be set later too.
        strain: How well it bears webhooks; None for any number; can be set later too.
        event_delay: Seconds until branch sources act on an event; None for each plugin's own, 5 s
            or GitLab's 30 s.
        phase: The phase it starts in.
        clock: Tells UNIX seconds, for visits and for what is forgotten.
        control: Sees each request first; an answer of its own ends it there, unrecorded.
        on_taken: Is called in the serving thread with each webhook that Jenkins took.

    Raises:
        ValueError: A plugin is not known, or the context path is not like ``/jenkins``.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        context_path: str = "",
        github_secrets: Sequence[str] = (),
        gwt_tokens: Sequence[str] = ("practice",),
        gitlab_jobs: Mapping[str, str | None] | None = None,
        plugins: Collection[str] = KNOWN,
        keep: int | None = None,
        delay: float = 0.0,
        strain: Strain | None = None,
        event_delay: float | None = None,
        phase: Phase = Phase.READY,
        clock: Callable[[], float] = time.time,
        control: Callable[[Request], Answer | None] | None = None,
        on_taken: Callable[[Visit], None] | None = None,
    ) -> None:
        if unknown := set(plugins) - KNOWN:
            raise ValueError(f"unknown plugins {sorted(unknown)}: use some of {sorted(KNOWN)}")
        if context_path and (context_path[0] != "/" or context_path[-1] == "/"):
            raise ValueError(
                f"context path {context_path!r}: write it like /jenkins, or leave it empty"
            )
        jobs = {"practice": None} if gitlab_jobs is None else dict(gitlab_jobs)
        have = Plugins(frozenset(plugins), tuple(github_secrets), tuple(gwt_tokens), jobs)
        self._site = Site(context_path, have, Visits(keep, clock), phase)
        self._site.delay = delay
        self._site.put_under(strain)
        self._site.event_delay = event_delay
        self._site.control = control
        self._site.on_taken = on_taken
        self._address = (host, port)
        self._peers: set[Connection] = set()
        self._held: socket.socket | None = None
        self._server: asyncio.AbstractServer | None = None
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen, unless the phase is DOWN, and serve until `stop`.

        Raises:
            SpigotError: The address cannot be listened on.
        """
        host, port = self._address
        try:
            self._held = self._bind()
        except OSError as error:
            raise SpigotError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another address or port"
            ) from error
        self._address = (host, self._held.getsockname()[1])
        if (
            sys.platform != "linux"
        ):  # elsewhere a port cannot be held by one socket and used by another
            self._held.close()
        self._loop = _new_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="practice", daemon=True)
        self._thread.start()
        try:
            self._run(self._enter(self._site.phase))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Close the port and all connections; does nothing if it does not run."""
        if self._thread is None:
            return
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._thread = None
        self._loop.close()
        if self._held is not None:
            self._held.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port; fixed from `start` on."""
        return self._address[1]

    @property
    def url(self) -> str:
        """Jenkins' URL with its context path, without a slash at the end."""
        return f"http://{self._address[0]}:{self.port}{self._site.context}"

    @property
    def phase(self) -> Phase:
        """The phase in force. Setting it returns once the new one is.

        DOWN closes the port and resets open connections. DOWN and CLEANING_UP end the life of what
        was taken and not yet acted on. No phase changes the session: that is `boot`. After a break
        under strain, a phase that was set meanwhile stays.
        """
        return self._site.phase

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self._run(self._enter(phase))

    @property
    def session(self) -> str:
        """The ``X-Jenkins-Session`` of this boot."""
        return self._site.session

    def boot(self) -> str:
        """Begin a new boot within the phase in force: a new session, pending events forgotten.

        Returns:
            The new session.
        """
        self._run(self._boot())
        return self.session

    def restart(self) -> str:
        """Go DOWN, boot, STARTING, READY, without a pause; return the new session.

        Whoever wants to look around in between sets the phases and calls `boot` instead.
        """
        self.phase = Phase.DOWN
        self.boot()
        self.phase = Phase.STARTING
        self.phase = Phase.READY
        return self.session

    def fault(self, path_prefix: str, fault: Fault | None) -> None:
        """Put a fault in force for paths below the context path that start so; None ends it.

        A fault comes before the phase: its status is answered while Jenkins starts, too. Of several
        that fit, the longest prefix counts.
        """
        self._site.faults.set(path_prefix, fault)

    @property
    def delay(self) -> float:
        """Seconds before every answer to a webhook."""
        return self._site.delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._site.delay = seconds

    @property
    def queued(self) -> int:
        """How many builds wait in Jenkins' queue, as ``/queue/api/json`` lists them."""
        return self._site.queued

    @queued.setter
    def queued(self, builds: int) -> None:
        self._site.queued = builds

    @property
    def strain(self) -> Strain | None:
        """How well it bears webhooks.

        A new strain begins with nothing in progress, and with `breaks` and `most_in_progress` at
        zero; what is in progress ends as it would have under the old one.
        """
        load = self._site.load
        return None if load is None else load.strain

    @strain.setter
    def strain(self, strain: Strain | None) -> None:
        self._site.put_under(strain)

    @property
    def breaks(self) -> int:
        """How often it broke under the strain in force; 0 without one."""
        load = self._site.load
        return 0 if load is None else load.breaks

    @property
    def most_in_progress(self) -> int:
        """The most webhooks in progress at once under the strain in force; 0 without one."""
        load = self._site.load
        return 0 if load is None else load.most

    @property
    def visits(self) -> list[Visit]:
        """Every kept visit, in the order of arrival."""
        return self._site.visits.all

    @property
    def hooks(self) -> list[Visit]:
        """The kept visits to hook paths that were more than probes, taken or not."""
        return self._site.visits.hooks

    @property
    def taken(self) -> list[Visit]:
        """The kept webhooks that Jenkins itself answered as taken, those it forgot included."""
        return self._site.visits.taken

    @property
    def acted_on(self) -> list[Visit]:
        """The kept webhooks that Jenkins acted on by now: at once, or after the event's delay."""
        return self._site.visits.acted_on

    @property
    def forgotten(self) -> list[Visit]:
        """The kept webhooks that Jenkins took and lost: pending when it ended, or taken after."""
        return self._site.visits.forgotten

    @property
    def counts(self) -> Counts:
        """Totals since the start or the last `clear`, right whatever is kept."""
        return self._site.visits.counts

    def wait_for(self, n_taken: int, timeout: float = 5.0) -> bool:
        """Wait until so many webhooks were taken in all; False if the timeout, seconds, is over."""
        return self._site.visits.wait_for(n_taken, timeout)

    def clear(self) -> None:
        """Drop all visits and count from zero; phase, session, faults and strain stay."""
        self._site.visits.clear()

    def _bind(self) -> socket.socket:
        sock = socket.socket()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(self._address)
        except BaseException:
            sock.close()
            raise
        return sock

    def _run(self, change: Coroutine[None, None, _T]) -> _T:
        if self._thread is None:
            change.close()
            raise SpigotError("this practice Jenkins does not run: start it first")
        return asyncio.run_coroutine_threadsafe(change, self._loop).result(_PATIENCE)

    async def _enter(self, phase: Phase) -> None:
        self._site.stay()
        if phase in {Phase.DOWN, Phase.CLEANING_UP}:
            self._site.visits.end_boot()
        sock = self._bind() if phase is not Phase.DOWN and self._server is None else None
        self._site.phase = phase
        if phase is Phase.DOWN:
            await self._close()
        elif sock is not None:
            self._server = await self._loop.create_server(
                lambda: Connection(self._site, self._loop, self._peers), sock=sock, backlog=1024
            )

    async def _boot(self) -> None:
        self._site.boot()

    async def _close(self) -> None:
        self._site.stay()
        if self._site.load is not None:
            self._site.load.drop()
        if self._server is not None:
            self._server.close()
            self._server = None
        while self._peers:
            for connection in tuple(self._peers):
                connection.reset()
            await asyncio.sleep(0)


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "linux":
        try:
            import uvloop
        except ImportError:
            pass
        else:
            return uvloop.new_event_loop()
    return asyncio.new_event_loop()
