"""``spigot serve``: the gateway in the foreground, before a real Jenkins or a practice one."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import sys
from typing import TYPE_CHECKING

import click

from spigot.address import Address
from spigot.commands.common import Start, data_option, target_option
from spigot.errors import SpigotError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spigot.app import Gateway
    from spigot.practice import PracticeJenkins
    from spigot.settings import Settings

_PRACTICE_PORT = 8080


@click.command("serve")
@target_option
@data_option
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where webhooks are taken in. [SPIGOT_LISTEN, 0.0.0.0:8000]",
)
@click.option(
    "--admin",
    metavar="HOST:PORT",
    help="Where status and metrics are. [SPIGOT_ADMIN, 127.0.0.1:8001]",
)
@click.option("--practice", is_flag=True, help="Start a practice Jenkins too, and deliver to that.")
@click.pass_obj
def serve_command(
    start: Start,
    *,
    target: str | None,
    data: str | None,
    listen: str | None,
    admin: str | None,
    practice: bool,
) -> None:
    """Take webhooks in, keep them safe, and deliver them to Jenkins.

    Runs until it is interrupted or terminated; what waits then stays on disk. Logs go to standard
    error.
    """
    if practice and target:
        raise click.UsageError("--practice brings its own Jenkins: leave --target out.")
    import uvloop

    from spigot.app import Gateway
    from spigot.descriptors import allow_connections
    from spigot.heap import give_back_large_blocks
    from spigot.inherited import inherited_sockets
    from spigot.log import configure
    from spigot.notify import Notifier

    give_back_large_blocks()
    with contextlib.ExitStack() as stack:
        jenkins = stack.enter_context(_practice()) if practice else None

        def read() -> Settings:
            return start.settings(
                target=jenkins.url if jenkins else target, data=data, listen=listen, admin=admin
            )

        settings = read()
        configure(settings.log_level)
        allow_connections(settings.max_connections)
        gateway = Gateway(
            settings,
            inherited=inherited_sockets(os.environ, os.getpid()),
            reread=read,
            notifier=Notifier(os.environ),
        )
        options = {"--data": data, "--url": listen and gateway.url}

        def say() -> None:
            if jenkins is not None:
                _print(_practice_text(gateway, jenkins, options))
            elif sys.stdout.isatty():
                _print(_text(gateway))

        uvloop.run(gateway.run(say))


@contextlib.contextmanager
def _practice() -> Iterator[PracticeJenkins]:
    """Run a practice Jenkins on its usual port, or on a free one if that is taken."""
    from spigot.practice import Phase, PracticeJenkins
    from spigot.practice.command import Control, describe

    control = Control(Phase.READY)

    def started(port: int) -> PracticeJenkins:
        control.jenkins = PracticeJenkins(
            port=port,
            keep=100,
            control=control,
            on_taken=lambda visit: _print(f"The practice Jenkins took: {describe(visit)}"),
        )
        return control.jenkins.start()

    try:
        jenkins = started(_PRACTICE_PORT)
    except SpigotError:
        jenkins = started(0)
    try:
        yield jenkins
    finally:
        jenkins.stop()


def _text(gateway: Gateway) -> str:
    """Say what to do at the provider, and where to look."""
    target = gateway.settings.target
    assert target is not None
    host, port = gateway.address
    here = socket.gethostname() if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared only
    public = f"{gateway.url.partition(':')[0]}://{Address(here, port)}"
    return f"""\
Spigot takes webhooks at {public} and delivers them to Jenkins at {target.url}

  At the provider, change the host of the webhook's URL and leave its path, as in
      {public}/github-webhook/
  Status and metrics   {gateway.admin_url}/api/status and /metrics
  Webhooks are kept    in {gateway.settings.data}
  Ctrl-C stops it; what waits stays on disk.
"""


def _practice_text(
    gateway: Gateway, jenkins: PracticeJenkins, options: dict[str, str | None]
) -> str:
    """Say what runs and what to try.

    Args:
        gateway: What runs.
        jenkins: What it delivers to.
        options: Options that the commands to try need, with their values; None where they do not.
    """

    def command(words: str, *names: str) -> str:
        given = [part for name in names if (value := options[name]) for part in (name, value)]
        return shlex.join([_program(), *words.split(), *given])

    phase = f"{jenkins.url}/practice/phase"
    admin = gateway.admin_url
    return f"""\
Spigot takes webhooks at {gateway.url}; status is at {admin}/api/status
A practice Jenkins is at {jenkins.url}/ (it answers as Jenkins does, and builds nothing)

Try in another terminal:
  {command("send example:push", "--url")}
      sends a push as GitHub does; the practice Jenkins gets it at once
  {command("off --reason upgrade", "--data")}
      closes the valve: send another one, and it is kept
  {command("status --watch", "--data")}
      shows what waits and what happens next
  {command("on", "--data")}
      opens the valve: what waits flows
  curl -X POST '{phase}?to=down&for=30s'
      takes the practice Jenkins down for 30 seconds; to=starting lets it boot until to=ready

Ctrl-C stops both; what waits stays in {gateway.settings.data}
"""


def _program() -> str:
    """Return how a person at this prompt can call Spigot."""
    called = sys.argv[0]
    return "spigot" if shutil.which("spigot") or not called.endswith("spigot") else called


def _print(text: str) -> None:
    # A closed pipe is no reason to stop taking webhooks.
    with contextlib.suppress(OSError):
        click.echo(text)
