"""``spigot hold``: keep webhooks while a command works on Jenkins, then let them flow."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import click

from spigot.commands import child
from spigot.commands.common import SPARE, Start, data_option, opened, rests
from spigot.commands.holding import Ebb, Flow, Look, Ready, Watch, length, look, title
from spigot.commands.talk import Talk
from spigot.commands.when import read_length, reads
from spigot.errors import Overtaken, SpigotError, StoreError
from spigot.masking import printable
from spigot.status import summary
from spigot.times import local
from spigot.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.ports import Served

_LOOK_EVERY = 0.25
_COUNT_EVERY = 0.5
_COUNT_REST = 10
"""How many times as long as a count takes the next one waits: the gateway needs the processor."""


class Plan(NamedTuple):
    """What is to be done.

    Attributes:
        command: CMD and its arguments.
        reason: Why the valve is closed; empty to name CMD.
        timeout: Seconds until Jenkins has to be ready.
        patience: Seconds that attempts under way have to end.
        insist: Jenkins has to restart.
        wait: Wait for the backlog too.
    """

    command: tuple[str, ...]
    reason: str
    timeout: float
    patience: float
    insist: bool
    wait: bool


@click.command("hold", context_settings={"allow_interspersed_args": False})
@click.option(
    "--timeout",
    callback=reads(read_length),
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="Until when Jenkins must be ready; the valve opens by itself then.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at the status.")
@click.option("--restart", is_flag=True, help="Insist that Jenkins restarts.")
@click.option("--no-wait", is_flag=True, help="Do not wait until what was kept has flowed.")
@data_option
@click.argument("command", nargs=-1, required=True, metavar="-- CMD...", type=click.UNPROCESSED)
@click.pass_obj
def hold_command(
    start: Start,
    *,
    timeout: float,
    reason: str,
    restart: bool,
    no_wait: bool,
    data: str | None,
    command: tuple[str, ...],
) -> None:
    """Keep webhooks while CMD restarts or upgrades Jenkins.

    Closes the valve, waits until no attempt runs, runs CMD, waits until Jenkins is ready, opens the
    valve, and waits until what was kept has flowed. If CMD fails, the valve is opened at once.

    The exit status is CMD's if that failed, 1 if Jenkins was not ready in time.
    """
    settings = start.settings(data=data)
    patience = min(settings.read_timeout + SPARE, timeout / 2)
    plan = Plan(command, reason.strip(), timeout, patience, insist=restart, wait=not no_wait)
    with opened(settings) as store, child.Signals() as signals:
        if not store.serving:
            raise SpigotError(
                f"No `spigot serve` runs on {settings.data}: nobody would keep webhooks, or see "
                "Jenkins come back. Start it, or name its directory with --data. "
                f"{title(command)} was not run."
            )
        status = _Hold(store, signals, Talk(), plan).run()
    sys.exit(status)


class _Hold:
    """One hold; each step says what it did, and returns the exit status so far."""

    def __init__(self, store: Served, signals: child.Signals, talk: Talk, plan: Plan) -> None:
        self._store = store
        self._panel = store.panel
        self._signals = signals
        self._talk = talk
        self._plan = plan
        self._title = title(plan.command)
        self._end = time.monotonic() + plan.timeout
        self._closed: int | None = None  # the version of the valve that is ours to open

    def run(self) -> int:
        """Do it all and leave the valve as it was before."""
        try:
            try:
                status = self._until_stopped(self._keep)
            finally:
                last = self._open()
            if not status and self._plan.wait and self._panel.valve().on:
                status = self._until_stopped(lambda: self._let_flow(last))
        finally:
            self._say_state()
        return status

    def _until_stopped(self, work: Callable[[], int]) -> int:
        try:
            return work()
        except child.Stopped as stopped:
            self._talk.say(str(stopped))
            return 128 + stopped.number

    def _keep(self) -> int:
        version = self._close()
        if not rests(self._store, version, self._plan.patience, self._signals.pause):
            waited = format_duration(self._plan.patience)
            self._talk.say(f"An attempt still runs after {waited}: {self._title} was not run.")
            return 1
        if self._panel.valve().on:
            self._talk.say(f"The valve is ON again already: {self._title} was not run.")
            return 1
        self._talk.say("No attempt runs any more.")
        watch, status = self._run_command()
        return status or self._await_jenkins(watch)

    def _close(self) -> int:
        """Close the valve unless it is OFF, and return the version at which attempts have ended."""
        valve = self._panel.valve()
        until = time.time() + self._plan.timeout
        if valve.on:
            reason = self._plan.reason or f"spigot hold: {self._title}"
            try:
                valve = self._panel.set_valve(
                    on=False, reason=reason, until=until, before=valve.version
                )
            except Overtaken:
                return self._close()  # look again
            self._closed = valve.version
            timeout = format_duration(self._plan.timeout)
            self._talk.say(f"Valve OFF for at most {timeout}: webhooks are kept.")
        else:
            why = f" ({printable(valve.reason)})" if valve.reason else ""
            self._talk.say(f"The valve is OFF already{why}, and stays as it is.")
            if valve.until is not None and valve.until < until:
                at = local(valve.until, time.time())
                self._talk.say(f"Mind that it opens by itself at {at}, whatever runs then.")
        return valve.version

    def _run_command(self) -> tuple[Watch, int]:
        began = time.monotonic()
        watch = Watch.begin(self._look(), began)

        def look_on() -> None:
            nonlocal watch
            with contextlib.suppress(StoreError):  # the command must not be left for that
                watch = watch.after(self._look(), time.monotonic())
                if self._panel.valve().on and not seen_open:
                    seen_open.append(True)
                    self._talk.say("The valve is ON again: webhooks flow while the command runs.")

        seen_open: list[bool] = []
        self._talk.say(f"Running {self._title}")
        try:
            ended = child.run(self._plan.command, self._signals, look_on)
        except OSError as error:
            self._talk.say(
                f"{self._plan.command[0]!r} cannot be run: {error.strerror or error}. Is it a "
                "program, and its name right?"
            )
            return watch, 127 if isinstance(error, FileNotFoundError) else 126
        took = length(time.monotonic() - began)
        if ended.status is None:
            self._talk.say(f"{self._title} still runs, after {took}.")
        else:
            self._talk.say(f"{self._title} ended with {ended.status} after {took}.")
        if ended.stopped is not None:
            raise ended.stopped
        return watch, ended.status or 0

    def _await_jenkins(self, watch: Watch) -> int:
        began, insist, said = time.monotonic(), self._plan.insist, ""
        watch = watch.ended(began)
        while True:
            now = time.monotonic()
            watch = watch.after(self._look(), now)
            ready = watch.judge(now, self._end, insist=insist)
            if ready is not Ready.WAIT:
                break
            if (news := watch.news(insist=insist)) != said:
                self._talk.say(said := news)
            self._signals.pause(_LOOK_EVERY)
        self._talk.say(watch.verdict(ready, now - began, self._plan.timeout))
        return 1 if ready is Ready.LATE else 0

    def _open(self) -> int:
        """Open the valve, if it is still as this hold left it; return the last position before."""
        try:
            last, valve = self._store.signs().position, self._panel.valve()
            if self._closed is None:
                return last
            # Also where its time is over: a clock that is set back must not close it again.
            self._panel.set_valve(on=True, before=self._closed)
            self._talk.say("Valve ON: its time was over." if valve.on else "Valve ON.")
        except Overtaken:
            word = self._panel.valve().word
            self._talk.say(f"Somebody has turned the valve meanwhile: it stays {word}.")
        except StoreError as error:
            if self._closed is None:
                raise
            now = time.time()
            until = local(now + self._end - time.monotonic(), now)
            raise StoreError(f"{error} The valve opens by itself at {until}.") from error
        return last

    def _let_flow(self, last: int) -> int:
        """Wait until what waited at the opening, up to a position, has flowed."""
        began = time.monotonic()
        ebb, said = Ebb.begin(self._panel.backlog(last), began), ""
        if not ebb.total:
            return 0
        with self._talk.bar(ebb.total) as show:
            while True:
                tick = time.monotonic()
                held = [path for path, *_ in self._panel.report().get("holds", ())]
                backlog, seen = self._panel.backlog(last, held), self._look()
                ebb = ebb.after(backlog, seen, tick, on=self._panel.valve().on)
                show(ebb.total - ebb.left)
                flow = ebb.judge(tick, self._plan.timeout)
                if flow is not Flow.WAIT:
                    break
                news = "" if ebb.gone is None else f"Jenkins: {printable(seen.evidence)}"
                if news and news != said:
                    self._talk.say(said := news)
                spent = time.monotonic() - tick
                self._signals.pause(max(_COUNT_EVERY, _COUNT_REST * spent))
        self._talk.say(ebb.verdict(flow, time.monotonic() - began, self._plan.timeout))
        return 1 if flow in (Flow.GONE, Flow.STUCK) else 0

    def _look(self) -> Look:
        self._store.rouse()
        return look(self._panel.report(), serving=self._store.serving)

    def _say_state(self) -> None:
        try:
            known = self._store.status(time.time())
        except StoreError as error:
            self._talk.say(f"How the valve stands now cannot be told: {error}")
            return
        kept = known["valve"] == "ON" and known["jenkins"] == "not ready"
        tail = ": kept until Jenkins is ready" if kept else ""
        if not self._store.serving:
            tail = ". `spigot serve` is not running"
        self._talk.say(f"Valve {printable(summary(known, time.time()))}{tail}.")
