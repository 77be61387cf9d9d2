"""``python -m spigot.practice``: a practice Jenkins in the foreground, with a small control.

``GET /practice/phase`` tells the phase. ``POST /practice/phase?to=PHASE&for=TIME`` sets it, for
that long if ``for`` is given (``500ms``, ``10s``, ``5m``; a bare number is seconds), then back to
the last phase that was set for good. ``to=down`` needs ``for``, because the port then really
refuses, this control included; from there it comes back as after a restart, with a new session. The
control is at the server's root, outside the context path, and works in every other phase. Whoever
reaches the port may use it.

One line is printed for each webhook taken: event, repository, status.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from spigot.errors import SpigotError
from spigot.practice import Phase, PracticeJenkins, Visit
from spigot.practice.http import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spigot.practice.http import Request

_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_EVENTS = (b"x-gitea-event", b"x-github-event", b"x-gitlab-event", b"x-event-key")
# Long enough for the answer to be read before the connection it came on is reset.
_ANSWERED = 0.1


class Control:
    """Changes the phase of a practice Jenkins by HTTP, and back again when the time is over.

    Args:
        phase: The phase it starts in.
    """

    jenkins: PracticeJenkins
    """What it controls; to be set before the first request."""

    def __init__(self, phase: Phase) -> None:
        self._home = phase
        self._timers: list[threading.Timer] = []

    def __call__(self, request: Request) -> Answer | None:
        """Answer a request to the control; None for any other."""
        path = request.context + request.path if request.inside else request.path
        if path != "/practice/phase":
            return None
        if request.method == "GET":
            return _json(200, {"phase": self.jenkins.phase})
        if request.method != "POST":
            return _json(405, {"error": "use GET to see the phase, POST to set it"})
        order = parse_qs(request.query)
        try:
            phase, seconds = read_order(order.get("to", [""])[0], order.get("for", [None])[0])
        except ValueError as error:
            return _json(400, {"error": str(error)})
        for timer in self._timers:
            timer.cancel()
        self._timers = [_later(_ANSWERED, self._set, phase)]
        if seconds is None:
            self._home = phase
        else:
            self._timers.append(_later(_ANSWERED + seconds, self._set, self._home))
        return _json(200, {"phase": phase, "for": seconds})

    def join(self) -> None:
        """Wait until the last order is carried out, its way back included."""
        for timer in self._timers:
            timer.join()

    def _set(self, phase: Phase) -> None:
        if self.jenkins.phase is Phase.DOWN:
            self.jenkins.boot()
        self.jenkins.phase = phase


def read_order(to: str, how_long: str | None) -> tuple[Phase, float | None]:
    """Return the phase and the seconds, None for good, that an order names.

    Raises:
        ValueError: It names no phase or no time, or goes down for good.
    """
    try:
        phase = Phase(to)
    except ValueError:
        raise ValueError(f"to={to!r} is no phase: use one of {', '.join(Phase)}") from None
    if how_long is None:
        if phase is Phase.DOWN:
            raise ValueError("down needs for=TIME: nobody could call it back")
        return phase, None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|)", how_long)
    if found is None:
        raise ValueError(f"for={how_long!r} is no time: write 500ms, 10s or 5m")
    return phase, float(found[1]) * _UNITS[found[2]]


def describe(visit: Visit) -> str:
    """Return a webhook as one line: event, repository, status; never its path or query."""
    fields = {name.lower(): value for name, value in reversed(visit.headers)}
    event = next((fields[name] for name in _EVENTS if name in fields), b"-").decode("latin-1")
    line = f"{event} {_repository(visit.body)} {visit.status}"
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _repository(body: bytes) -> str:
    try:
        if body.startswith(b"payload="):
            body = parse_qs(body.decode())["payload"][0].encode()
        value = json.loads(body)
        if "project" in value:
            return str(value["project"]["path_with_namespace"])
        return str(value["repository"]["full_name"])
    except (ValueError, KeyError, TypeError, IndexError):
        return "-"


def _json(status: int, value: object) -> Answer:
    return Answer(status, json.dumps(value).encode(), "application/json")


def _later(seconds: float, call: Callable[[Phase], None], phase: Phase) -> threading.Timer:
    timer = threading.Timer(seconds, call, (phase,))
    timer.daemon = True
    timer.start()
    return timer


def _stop(*_: object) -> None:
    raise SystemExit(0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a practice Jenkins until it is interrupted or terminated."""
    parser = argparse.ArgumentParser(prog="python -m spigot.practice", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--context-path", default="", metavar="/PATH")
    phases = tuple(phase for phase in Phase if phase is not Phase.DOWN)  # nobody could call it back
    parser.add_argument("--phase", type=Phase, default=Phase.READY, choices=phases)
    parser.add_argument("--quiet", action="store_true", help="print nothing for a webhook taken")
    options = parser.parse_args(arguments)
    control = Control(options.phase)
    try:
        jenkins = PracticeJenkins(
            host=options.host,
            port=options.port,
            context_path=options.context_path,
            phase=options.phase,
            keep=0,
            control=control,
            on_taken=None if options.quiet else lambda visit: print(describe(visit), flush=True),
        )
        control.jenkins = jenkins
        signal.signal(signal.SIGTERM, _stop)
        with jenkins:
            print(f"A practice Jenkins is at {jenkins.url}/ ({jenkins.phase})", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    except (SpigotError, ValueError) as error:
        parser.error(str(error))
