"""Wires a gateway together, runs it, and takes it apart in the right order."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import signal
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from spigot.address import Address
from spigot.decide import Policy
from spigot.delivery import Delivery
from spigot.drain import Drain
from spigot.errors import SettingsError, SpigotError
from spigot.guard import Guard, Probe
from spigot.hook_secret import check_cover
from spigot.hooks import KNOWN, Hook, Hooks
from spigot.intake import Intake
from spigot.jenkins import Jenkins
from spigot.log import Log
from spigot.meters import Meters
from spigot.pace import Pace
from spigot.ports import Clock
from spigot.report import Reporter
from spigot.sight import Expected
from spigot.status import status_of
from spigot.stores.sqlite import SqliteStore
from spigot.stores.upkeep import Upkeep
from spigot.web.admin import admin_app
from spigot.web.edge import Edge
from spigot.web.metrics import GatewayCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spigot.address import Target
    from spigot.settings import HookSetting, Settings

STOP_SECONDS = 8.0
"""What a stop may take; ten seconds are what service managers give."""

_log = Log(__name__)


class Gateway:
    """One gateway on one data directory in front of one Jenkins.

    Args:
        settings: The configuration; `target` must be set.

    Raises:
        SettingsError: Something in the configuration cannot be used.
        StoreError: The data directory cannot be used, or another gateway uses it.
        SpigotError: A port cannot be listened on.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.target is None:
            raise SettingsError(
                "No Jenkins is named. Give its URL with --target or TARGET_URL, such as "
                "http://localhost:8080/jenkins."
            )
        self.settings = settings
        self.clock = Clock()
        self.meters = Meters()
        self._hooks = hooks_of(settings)
        self._jenkins = jenkins_of(settings, settings.target)
        self._public = _listen(settings.listen, "listen", "SPIGOT_LISTEN")
        self._admin = _listen(settings.admin, "admin", "SPIGOT_ADMIN")
        self.store = SqliteStore(settings.data, min_free=settings.min_free, clock=self.clock)
        self.store.lock.take()
        report = self.store.panel.report()
        self.guard = Guard(
            self._jenkins, self.clock, probe=probe_of(settings), memory=report,
            changed=lambda: self.drain.wake(),
        )  # fmt: skip
        policy = Policy(settings.retry_delays, settings.settle_after)
        self.drain = Drain(
            self.store,
            Delivery(self._jenkins, self.guard, policy, self.clock, random.random),
            self.guard,
            self.clock,
            pace=Pace(settings.parallel, settings.rate),
            meters=self.meters,
            recall=settings.recall,
            gap=settings.repository_gap,
            on_state=lambda: self._reporter.report(),
        )
        self._reporter = Reporter(self.store.panel, self.drain, self.guard, self.clock)
        self.store.on_arrival = self.drain.arrived
        self._upkeep = Upkeep(
            self.store,
            keep_delivered=settings.keep_delivered,
            keep_dead=settings.keep_dead,
            clock=self.clock,
        )
        self._edge: Edge | None = None

    @property
    def address(self) -> Address:
        """Where webhooks are taken in."""
        return Address(*self._public.getsockname()[:2])

    @property
    def admin_address(self) -> Address:
        """Where the admin listener is."""
        return Address(*self._admin.getsockname()[:2])

    def status(self) -> dict[str, Any]:
        """Return the status object."""
        return status_of(self.store.panel, serving=True, now=self.clock.now())

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT, then stop in order.

        Args:
            started: Called once requests are taken.
        """
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await self.start()
        started()
        await stop.wait()
        _log.info("Stopping: nothing new is taken, what is in flight ends")
        await self.stop()

    async def start(self) -> None:
        """Take requests and let webhooks flow."""
        settings = self.settings
        assert settings.target is not None
        intake = Intake(
            self._hooks, settings.routes, context=settings.target.context, clock=self.clock
        )
        self._edge = edge = Edge(
            intake, self.store.put, self.store.room.check,
            max_body=settings.max_body, memory=settings.memory, meters=self.meters,
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(edge.connection, sock=self._public, backlog=1024)
        collector = GatewayCollector(
            self.meters, self.status, lambda: edge.held, lambda: self.store.room.free
        )
        self._admin_server = _AdminServer(
            uvicorn.Config(
                admin_app(self.status, collector, token=settings.admin_token),
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._admin_task = asyncio.create_task(self._admin_server.serve(sockets=[self._admin]))
        self._upkeep.start()
        self.guard.start()
        report = self.store.panel.report()
        self.drain.start(report.get("holds", []))
        _log.info(
            "Gateway started",
            listen=self.address.url,
            admin=self.admin_address.url,
            target=settings.target.url,
            data=str(settings.data),
            waiting=self.store.panel.counts().waiting,
        )

    async def stop(self) -> None:
        """Stop taking, let what is in flight end, and close the store; `STOP_SECONDS` at most."""
        loop = asyncio.get_running_loop()
        end = loop.time() + STOP_SECONDS
        self._server.close()
        assert self._edge is not None
        self.guard.stop()
        resting = loop.run_in_executor(None, self.drain.stop, STOP_SECONDS - 1)
        await self._edge.stop(STOP_SECONDS / 2)
        self._admin_server.should_exit = True
        if not await resting:
            _log.warning(
                "Attempts still ran and were left; their webhooks wait and are sent again at the "
                "next start",
                attempts=self.drain.running,
            )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._admin_task, max(0.1, end - loop.time()))
        await loop.run_in_executor(None, self._close)
        _log.info("Gateway stopped")

    def _close(self) -> None:
        self._upkeep.stop()
        self._jenkins.close()
        self.store.close()


class _AdminServer(uvicorn.Server):
    """The signals are the gateway's, not uvicorn's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def hooks_of(settings: Settings) -> Hooks:
    """Return the hook paths that the settings ask for.

    One with the path of a known hook keeps what is known of its plugin.

    Raises:
        SettingsError: A path is not usable, or its secret could be got around.
    """
    known = {hook.path: hook for hook in KNOWN}

    def made(setting: HookSetting) -> Hook:
        hook = known.get(setting.path) or Hook(setting.path)
        return hook._replace(
            provider=setting.provider or hook.provider,
            below=setting.below or hook.below,
            verifier=setting.verifier,
        )

    hooks = Hooks(map(made, settings.hooks), only=settings.only_hooks)
    check_cover(hooks)
    return hooks


def jenkins_of(settings: Settings, target: Target) -> Jenkins:
    """Return the way to Jenkins that the settings ask for."""
    return Jenkins(
        target,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        probe_timeout=settings.probe_timeout,
        ca_file=settings.ca_file,
        proxy=settings.proxy,
    )


def probe_of(settings: Settings) -> Probe:
    """Return how the settings ask Jenkins whether it is ready."""
    token = settings.api_token
    login = f"Basic {base64.b64encode(token.encode()).decode()}" if token else ""
    return Probe(
        settings.probe,
        Expected(settings.probe_status, settings.probe_header),
        settings.probe_every,
        login,
        settings.queue_most,
    )


def _listen(address: Address, option: str, variable: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=1024)
    except OSError as error:
        raise SpigotError(
            f"Cannot listen on {address}: {error.strerror or error}. Is something else running "
            f"there? Choose another with `{option}` ({variable})."
        ) from error
