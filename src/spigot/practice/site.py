"""What a practice Jenkins is at this moment, apart from its sockets."""

from __future__ import annotations

import asyncio
import math
import secrets
from typing import TYPE_CHECKING

from spigot.practice.faults import Faults
from spigot.practice.pages import Phase, State, result
from spigot.practice.plugins import Plugins, is_hook, plugin_at
from spigot.practice.strain import Load, Strain
from spigot.practice.visits import Entry, Visit, Visits

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.practice.http import Answer, Headers, Request


class Site:
    """The state that connections answer from. Its loop's thread alone changes it.

    Attributes:
        context: The context path, ``/jenkins`` or empty.
        plugins: The plugins and their configuration.
        visits: The record of what came.
        phase: The phase in force.
        session: The ``X-Jenkins-Session`` of this boot.
        delay: Seconds before every answer to a webhook.
        queued: How many builds wait in the queue.
        event_delay: Seconds until branch sources act on an event; None for each plugin's own.
        load: What is in progress under the strain in force; None without one.
        faults: The faults in force.
        control: Sees each request first; an answer of its own ends it there, unrecorded.
        on_taken: Is told of each webhook that Jenkins took.
    """

    def __init__(self, context: str, plugins: Plugins, visits: Visits, phase: Phase) -> None:
        self.context = context
        self.plugins = plugins
        self.visits = visits
        self.phase = phase
        self.session = new_session()
        self.delay = 0.0
        self.queued = 0
        self.event_delay: float | None = None
        self.load: Load | None = None
        self.faults = Faults()
        self.control: Callable[[Request], Answer | None] | None = None
        self.on_taken: Callable[[Visit], None] | None = None
        self._turn = 0
        self._comeback: asyncio.TimerHandle | None = None

    def arrived(self, request: Request, target: bytes, headers: Headers) -> Entry:
        """Record a request, before it is answered."""
        entry = Entry(self.visits.clock(), request, target, headers, hook=is_hook(request))
        self.visits.arrived(entry)
        return entry

    def answer(self, entry: Entry, own: Answer | None) -> Answer:
        """Answer a request and record that.

        Args:
            entry: The request's place in the record.
            own: A fault's answer, which Jenkins never sees; None for the phase's.
        """
        if own is not None:
            entry.status = own.status
            return own
        request = entry.request
        answer, taken = result(
            State(self.phase, self.session, self.plugins, self.queued), request, self._turn
        )
        self._turn += request.method == "POST" and self.phase is Phase.EARLY_BOOT
        entry.status = answer.status
        if taken:
            self.visits.took(entry, self._event_delay(request))
            if self.on_taken is not None:
                self.on_taken(entry.visit)
        return answer

    def boot(self) -> None:
        """Begin a new boot within the phase in force: a new session, pending events forgotten."""
        self.visits.end_boot()
        self.session = new_session()

    def put_under(self, strain: Strain | None) -> None:
        """Put a strain in force, with nothing in progress and its counts at zero; None ends it."""
        self.load = None if strain is None else Load(strain, self._break)

    def stay(self) -> None:
        """Stay in the phase in force: one that broke does not come back by itself any more."""
        if self._comeback is not None:
            self._comeback.cancel()
            self._comeback = None

    def _break(self, strain: Strain) -> None:
        self.phase = Phase.STARTING
        self.visits.end_boot()
        loop = asyncio.get_running_loop()
        self._comeback = loop.call_later(strain.restart_seconds, self._come_back)

    def _come_back(self) -> None:
        self._comeback = None
        self.boot()
        self.phase = Phase.READY

    def _event_delay(self, request: Request) -> float:
        if self.phase is Phase.CLEANING_UP:
            return math.inf
        plugin = plugin_at(request.path)
        if plugin is None or plugin.event_delay == 0:
            return 0.0
        return plugin.event_delay if self.event_delay is None else self.event_delay


def new_session() -> str:
    """Return what tells one boot from another: eight hex digits (``Jenkins.SESSION_HASH``)."""
    return secrets.token_hex(4)
