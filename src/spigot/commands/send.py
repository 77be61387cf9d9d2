"""``spigot send``: post a payload as a provider would, to see where it goes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from spigot.address import Address, split_url
from spigot.commands import post
from spigot.commands.common import Start, json_option, print_json
from spigot.commands.tables import Column, table
from spigot.errors import Refused, SpigotError
from spigot.masking import mask_path, printable
from spigot.ports import Clock
from spigot.providers import Sender
from spigot.routing import route
from spigot.status import webhooks

if TYPE_CHECKING:
    from spigot.commands.post import Answer, Post
    from spigot.signatures import Verifier

_EXAMPLE = "example:"


@click.command("send")
@click.argument("file")
@click.option("--event", metavar="NAME", help="The event. [told by the payload]")
@click.option("--provider", type=click.Choice(post.PROVIDERS), default="github", show_default=True)
@click.option(
    "--secret",
    metavar="env:NAME|file:PATH",
    help="Where the secret is that it is signed with: as the hook is configured, or else in the "
    "provider's usual way, as always with --url. [without --url: the configured one]",
)
@click.option("--url", metavar="URL", help="Where to. [the address that `spigot serve` listens on]")
@click.option("--path", metavar="PATH", help="The hook path. [as the provider's Jenkins plugin]")
@click.option("--form", is_flag=True, help="GitHub's form encoding instead of JSON.")
@click.option("--delivery", metavar="ID", help="The delivery id. [a fresh one each time]")
@click.option(
    "--count", type=click.IntRange(min=1), default=1, metavar="N", help="Send it so many times. [1]"
)
@json_option
@click.pass_obj
def send_command(
    start: Start,
    *,
    file: str,
    event: str | None,
    provider: str,
    secret: str | None,
    url: str | None,
    path: str | None,
    form: bool,
    delivery: str | None,
    count: int,
    as_json: bool,
) -> None:
    """Send a payload as a provider would.

    FILE holds the JSON payload; - reads it from standard input; example:push takes a real payload
    that comes with Spigot, and example:list shows which there are.
    """
    if file == f"{_EXAMPLE}list":
        _list_examples(as_json=as_json)
        return
    if form and provider != "github":
        raise click.UsageError("--form is GitHub's encoding: the others always send JSON.")
    body, told = _read(file)
    event = event or told or _guess(provider, body)
    key = _secret(secret)

    def make(secret: str | None) -> Post:
        return post.make(provider, event, body, secret=secret, delivery=delivery, form=form)

    where = _url(start, url, path, make(None))
    # To another address nothing goes that the configuration keeps secret.
    verifier = None if url else _verifier(start, where, Sender(provider, event, delivery), key)
    made = [
        post.signed(make(None), verifier) if verifier is not None else make(key)
        for _ in range(count)
    ]
    answers = []
    for one in made:
        answers.append((one, post.send(one, where)))
        if not as_json:
            _say(*answers[-1])
    if as_json:
        print_json([_object(one, answer) for one, answer in answers])
    refused = sum(not 200 <= answer.status < 300 for _, answer in answers)
    if refused:
        raise SpigotError(f"{webhooks(refused)} of {count} not taken; the answer says why.")


def _read(file: str) -> tuple[bytes, str | None]:
    """Return the payload, and its event where it is known."""
    if file.startswith(_EXAMPLE):
        from spigot.payloads import github_payloads

        name = file.removeprefix(_EXAMPLE)
        for example in github_payloads():
            if example.event == name:
                return example.body, name
        raise click.UsageError(
            f"There is no example {name!r}; `spigot send example:list` shows all."
        )
    if file == "-":
        return sys.stdin.buffer.read(), None
    return _file(file), None


def _guess(provider: str, body: bytes) -> str:
    event = post.guess_event(provider, body)
    if event is None:
        raise click.UsageError(
            "The payload's shape does not tell which event it is: name it with --event."
        )
    click.echo(f"The event is not named; by the payload's shape it is {event!r}.", err=True)
    return event


def _secret(text: str | None) -> str | None:
    """Return the secret from where the option says it is kept; it is never shown."""
    if text is None:
        return None
    scheme, _, rest = text.partition(":")
    if scheme == "env":
        secret = os.environ.get(rest, "")
    elif scheme == "file":
        secret = _file(rest).decode("utf-8", "replace").rstrip("\r\n")
    else:
        raise click.UsageError("--secret names the place of the secret: env:NAME or file:PATH.")
    if not secret:
        raise click.UsageError(f"--secret points at {rest!r}, which is not set or is empty.")
    return secret


def _file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror or error}.") from None


def _url(start: Start, url: str | None, path: str | None, first: Post) -> str:
    """Return the whole URL: of what is not given, the listening address and the plugin's path."""
    if path is not None and not path.startswith("/"):
        raise click.UsageError(f"--path {path!r} must begin with a slash.")
    if url is None:
        listen = start.settings().listen
        anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared only
        url = f"http://{Address(anywhere.get(listen.host, listen.host), listen.port)}"
    try:
        split_url(url)
    except ValueError:
        raise click.UsageError(f"--url {url!r} is not an http or https URL.") from None
    if path is None and urlsplit(url).path in {"", "/"}:
        path = first.path
    return url if path is None else url.rstrip("/") + path


def _verifier(start: Start, where: str, sender: Sender, secret: str | None) -> Verifier | None:
    """Return what checks the hook that a URL leads to; with the given secret in place of its own.

    Raises:
        UsageError: The given secret is none for the way in which the hook is signed.
    """
    from spigot.app import hooks_of
    from spigot.intake import Intake

    settings = start.settings()
    context = settings.target.context if settings.target else ""
    hooks = hooks_of(settings)
    intake = Intake(hooks, settings.routes, context=context, clock=Clock())
    try:
        admitted = intake.admit(
            "POST", urlsplit(where)._replace(scheme="", netloc="").geturl().encode()
        )
        hook = admitted.hook or hooks.find("POST", route(sender, settings.routes))
    except Refused:
        return None  # whoever listens there says why
    if hook.verifier is None:
        return None
    scheme = hook.verifier.scheme
    shown = f"{mask_path(hook.path)} ({scheme.name})"
    if secret is None:
        click.echo(f"Signed with the configured secret of {shown}.", err=True)
        return hook.verifier
    try:
        key = scheme.key(secret)
    except ValueError as error:
        # Without its cause, which may quote the secret.
        raise click.UsageError(f"--secret is not one for {shown}: it {error}.") from None
    click.echo(f"Signed with --secret as {shown} is configured.", err=True)
    return hook.verifier._replace(keys=(key,))


def _say(one: Post, answer: Answer) -> None:
    text = printable(answer.text)
    click.echo(f"{one.delivery}  {answer.status} in {answer.took * 1000:.1f} ms  {text}")


def _object(one: Post, answer: Answer) -> dict[str, object]:
    return {
        "delivery": one.delivery,
        "status": answer.status,
        "answer": answer.text,
        "took_s": round(answer.took, 6),
    }


def _list_examples(*, as_json: bool) -> None:
    from collections import Counter

    from spigot.payloads import github_payloads

    numbers = Counter(example.event for example in github_payloads())
    if as_json:
        print_json(sorted(numbers))
        return
    rows = [(f"{_EXAMPLE}{event}", str(number)) for event, number in sorted(numbers.items())]
    for line in table((Column("EXAMPLE"), Column("PAYLOADS OF THIS EVENT")), rows, None):
        click.echo(line)
