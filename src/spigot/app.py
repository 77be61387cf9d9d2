"""Wires a gateway together, runs it, and takes it apart in the right order."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from spigot.address import Address
from spigot.delivery import Delivery
from spigot.drain import Drain
from spigot.errors import SettingsError, SpigotError
from spigot.guard import Guard, Probe
from spigot.hook import Hook
from spigot.hook_secret import check_cover
from spigot.hooks import Hooks
from spigot.jenkins import Jenkins
from spigot.live import Live, check_admin, kept_fixed
from spigot.log import Log, configure
from spigot.meters import Meters
from spigot.notices import held_because
from spigot.notify import Notifier
from spigot.pace import Pace
from spigot.plugins import KNOWN
from spigot.ports import Clock
from spigot.report import Reporter
from spigot.sight import Expected
from spigot.status import status_of
from spigot.stores.sqlite import SqliteStore
from spigot.stores.upkeep import Upkeep
from spigot.teller import Teller
from spigot.web.admin import admin_app, admin_server
from spigot.web.edge import Edge
from spigot.web.handshakes import listen
from spigot.web.metrics import GatewayCollector
from spigot.web.questions import Questions
from spigot.web.tls import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spigot.address import Target
    from spigot.settings import HookSetting, Settings

STOP_SECONDS = 8.0
"""What a stop may take; ten seconds are what service managers give."""

_log = Log(__name__)


class Gateway:
    """One gateway on one data directory in front of one Jenkins.

    Args:
        settings: The configuration; `target` must be set.
        inherited: Sockets to listen on instead of opening them: ``public``, ``admin``.
        reread: Returns the configuration as it is now, for a reload.
        notifier: Tells the service manager.

    Raises:
        SettingsError: Something in the configuration cannot be used.
        StoreError: The data directory cannot be used, or another gateway uses it.
        SpigotError: A port cannot be listened on.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        inherited: Mapping[str, socket.socket] = {},
        reread: Callable[[], Settings] | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        if settings.target is None:
            raise SettingsError(
                "No Jenkins is named. Give its URL with --target or TARGET_URL, such as "
                "http://localhost:8080/jenkins."
            )
        directory = settings.directory
        self.settings = settings
        self.clock = Clock()
        self.meters = Meters()
        self._reread = reread or (lambda: settings)
        self._reloads = asyncio.Lock()
        self._notifier = notifier or Notifier({})
        self._live = self._live_of(settings)
        tls, admin_tls = self._live.tls, self._live.admin_tls
        self._tls = Certificate(tls) if tls else None
        self._admin_tls = Certificate(admin_tls) if admin_tls else None
        self._jenkins = jenkins_of(settings, settings.target)
        self._public = inherited.get("public") or _listen(
            settings.listen, "listen", "SPIGOT_LISTEN"
        )
        self._admin = inherited.get("admin") or _listen(settings.admin, "admin", "SPIGOT_ADMIN")
        check_admin(self.admin_address, settings.admin_token)
        self.store = SqliteStore(directory, min_free=settings.min_free, clock=self.clock)
        self.store.lock.take()
        report = self.store.panel.report()
        self.guard = Guard(
            self._jenkins, self.clock, probe=self._live.probe, memory=report,
            changed=lambda: self.drain.wake(),
        )  # fmt: skip
        self._delivery = Delivery(
            self._jenkins, self.guard, self._live.policy, self.clock, random.random
        )
        self._pace = Pace(settings.parallel, settings.rate)
        self.drain = Drain(
            self.store, self._delivery, self.guard, self.clock, pace=self._pace,
            meters=self.meters, recall=settings.recall, gap=settings.repository_gap,
            on_state=lambda: self._reporter.report(),
        )  # fmt: skip
        self._teller = Teller(self.store, self.clock, self._why_held, self._live.voice)
        self._reporter = Reporter(
            self.store.panel, self.drain, self.guard, self.clock, self._teller
        )  # fmt: skip
        self.store.on_arrival = self.drain.arrived
        self._upkeep = Upkeep(
            self.store, keep_delivered=settings.keep_delivered, keep_dead=settings.keep_dead,
            clock=self.clock,
        )  # fmt: skip
        self._edge: Edge | None = None

    @property
    def address(self) -> Address:
        """Where webhooks are taken in."""
        return Address(*self._public.getsockname()[:2])

    @property
    def admin_address(self) -> Address:
        """Where the admin listener is."""
        return Address(*self._admin.getsockname()[:2])

    @property
    def url(self) -> str:
        """The URL of the public listener."""
        return f"http{'s' if self._tls else ''}://{self.address}"

    @property
    def admin_url(self) -> str:
        """The URL of the admin listener."""
        return f"http{'s' if self._admin_tls else ''}://{self.admin_address}"

    def status(self) -> dict[str, Any]:
        """Return the status object."""
        return status_of(self.store.panel, serving=True, now=self.clock.now())

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT, then stop in order; SIGHUP reloads.

        Args:
            started: Called once requests are taken.
        """
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        reloads: set[asyncio.Task[None]] = set()
        on_terminal = sys.stderr.isatty()

        def hang_up() -> None:
            if on_terminal and not sys.stderr.isatty():
                stop.set()  # the terminal was closed: nobody asks for a reload
                return
            task = asyncio.ensure_future(self.reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, hang_up)
        await self.start()
        self._notifier.ready()
        started()
        await stop.wait()
        self._notifier.stopping()
        _log.info("Stopping: nothing new is taken, what is in flight ends")
        await self.stop()

    async def start(self) -> None:
        """Take requests and let webhooks flow."""
        settings = self.settings
        assert settings.target is not None
        live = self._live
        self._edge = edge = Edge(
            live.intake, self.store.put, self.store.room.check, access=live.access,
            limits=live.limits, questions=Questions(self._jenkins.pass_on), meters=self.meters,
        )  # fmt: skip
        self._server = await listen(edge, self._public, self._tls.front if self._tls else None)
        collector = GatewayCollector(
            self.meters, self.status, lambda: edge.held, lambda: self.store.room.free
        )
        self._admin_server = admin_server(
            admin_app(self.status, collector, token=lambda: self._live.settings.admin_token),
            self._admin_tls.front if self._admin_tls else None,
        )
        self._admin_task = asyncio.create_task(self._admin_server.serve(sockets=[self._admin]))
        self._upkeep.start()
        self._teller.start()
        self.guard.start()
        report = self.store.panel.report()
        self.drain.start(report.get("holds", []))
        _log.info(
            "Gateway started", listen=self.url, admin=self.admin_url, target=settings.target.url,
            data=str(settings.data), waiting=self.store.panel.counts().waiting,
        )  # fmt: skip

    async def reload(self) -> None:
        """Read the configuration again; what is wrong leaves the old one in place.

        New requests and attempts go by the new one; no connection is cut. What cannot change is
        named in the log.
        """
        async with self._reloads:
            self._notifier.reloading()
            loop = asyncio.get_running_loop()
            try:
                read = await loop.run_in_executor(None, self._reread)
                settings, fixed = kept_fixed(self._live.settings, read)
                live = self._live_of(settings)
                check_admin(self.admin_address, live.settings.admin_token)
            except SpigotError as error:
                _log.error("Configuration not reloaded, the old one stays", reason=str(error))
            except Exception as error:  # noqa: BLE001 - a reload must not end the gateway
                _log.error("A reload failed inside Spigot, the old one stays", exc=error)
            else:
                self._adopt(live, fixed)
            self._notifier.ready()

    def _live_of(self, settings: Settings) -> Live:
        return Live.of(settings, hooks_of(settings), probe_of(settings), self.clock)

    def _adopt(self, live: Live, fixed: list[str]) -> None:
        settings, old, edge = live.settings, self._live, self._edge
        assert edge is not None
        edge.intake, edge.limits = live.intake, live.limits
        edge.access = live.access
        for certificate, context in ((self._tls, live.tls), (self._admin_tls, live.admin_tls)):
            if certificate and context:
                certificate.serve(context)
        self._delivery.policy = live.policy
        self._teller.use(live.voice)
        if live.probe != old.probe:
            self.guard.ask_so(live.probe)
        self._jenkins.set_timeouts(
            settings.connect_timeout, settings.read_timeout, settings.probe_timeout
        )
        self._pace.set_rate(settings.rate)
        self._upkeep.keep(settings.keep_delivered, settings.keep_dead)
        self.store.room.min_free = settings.min_free
        configure(settings.log_level)
        self._live = live
        _log.info("Configuration reloaded")
        if fixed:
            _log.warning("Configuration: these options take a restart", options=fixed)

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

    def _why_held(self, path: str) -> str:
        known, hold = self.guard.readiness, self.drain.holds.get(path)
        return held_because(self.store.panel.valve(), known.state, path, hold)

    def _close(self) -> None:
        self._teller.stop()
        self._upkeep.stop()
        self._jenkins.close()
        self.store.close()


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
