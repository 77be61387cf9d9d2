"""``spigot check``: would it work? Configuration, data directory, Jenkins, its webhook plugins."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from spigot.commands.common import Start, data_option, json_option, print_json, target_option
from spigot.commands.tables import Column, table
from spigot.errors import NoRoom, SettingsError, StoreError
from spigot.masking import mask_path, printable
from spigot.sight import State

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.hook import Hook
    from spigot.hooks import Hooks
    from spigot.jenkins import Jenkins
    from spigot.settings import Settings

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}
_LOST = (
    "No plugin answers at any hook path below {target}. Is that Jenkins' whole URL, its context "
    "path (such as /jenkins) included, and nothing more?"
)
_OPEN = (
    "{open} of {all} open hook paths have no secret: Spigot takes there what anybody sends, and "
    "only Jenkins' own check applies. Give them one in [[hooks]], or close them with only_hooks."
)
_ANYBODY = (
    "Notices go to the pull requests that webhooks name. Where a hook has no secret, anybody can "
    "have Spigot speak, with its token, at a commit or pull request of their choice."
)


class Finding(NamedTuple):
    """What was found of one thing.

    Attributes:
        what: The thing: a directory, a path at Jenkins.
        good: Whether it works; None if that cannot be told.
        why: In words.
        needed: Whether the check fails if it does not work.
    """

    what: str
    good: bool | None
    why: str
    needed: bool = False


@click.command("check")
@target_option
@data_option
@json_option
@click.pass_obj
def check_command(start: Start, *, target: str | None, data: str | None, as_json: bool) -> None:
    """Check the configuration, the data directory, Jenkins, and which plugins answer there.

    Changes nothing at Jenkins. Fails if something cannot work: no room, no Jenkins, a hook that the
    configuration names has no plugin behind it, or no hook has, or GitHub refuses the token for
    notices.
    """
    settings = start.settings(target=target, data=data)
    if settings.target is None:
        raise SettingsError("No Jenkins is named. Give its URL with --target or TARGET_URL.")
    from spigot.app import hooks_of, jenkins_of

    jenkins = jenkins_of(settings, settings.target)
    directory = look_at_data(settings.directory, settings.min_free)
    probes = look_at_jenkins(jenkins, settings)
    ready = next((probe.good for probe in probes if probe.good is not None), None)
    open_hooks = hooks_of(settings)
    hooks = look_at_hooks(jenkins, open_hooks, settings, reachable=ready is not False)
    token = look_at_token(jenkins, settings) if ready is not False else []
    jenkins.close()
    notices = look_at_notices(settings)
    found = (directory, *hooks, *token, *notices)
    unfit = [one for one in found if one.needed and one.good is False]
    schemes = {
        _shown(hook): hook.verifier.scheme.name if hook.verifier else None
        for hook in open_hooks.all
    }
    without = list(schemes.values()).count(None)
    notes = [_OPEN.format(open=without, all=len(schemes))] if without else []
    if without and notices:
        notes.append(_ANYBODY)
    lost = any(one.good is False for one in hooks) and not any(one.good for one in hooks)
    if lost:
        notes.insert(0, _LOST.format(target=settings.target.url))
    ok = not unfit and not lost and ready is not False
    if as_json:
        print_json(
            {
                "ok": ok,
                "target": settings.target.url,
                "data": _object(directory),
                "probes": [_object(probe) for probe in (*probes, *token)],
                "hooks": [_object(hook) for hook in hooks],
                "notices": [_object(one) for one in notices],
                "signatures": schemes,
                "notes": notes,
            }
        )
    else:
        _print("Data directory", [directory])
        _print(f"Jenkins at {settings.target.url}", [*probes, *token])
        _print("Hooks at Jenkins (* the configuration needs it)", hooks)
        if notices:
            _print("Notices", notices)
        for note in notes:
            click.echo(note)
    click.get_current_context().exit(0 if ok else 1)


def look_at_data(directory: Path, min_free: int) -> Finding:
    """Tell whether webhooks can be kept there; makes nothing."""
    from spigot.ports import Clock
    from spigot.stores import database
    from spigot.stores.room import Room

    shown = str(directory)
    there = directory
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding(shown, good=False, why=f"{there} cannot be written to", needed=True)
    try:
        if (directory / "spigot.db").exists():
            database.prepare(directory, create=False)
        Room(there, min_free=min_free, clock=Clock()).check(0)
    except (StoreError, NoRoom) as error:
        return Finding(shown, good=False, why=str(error), needed=True)
    why = "writable, with room" if there == directory else f"will be made; {there} is writable"
    return Finding(shown, good=True, why=why, needed=True)


def look_at_jenkins(jenkins: Jenkins, settings: Settings) -> list[Finding]:
    """Ask each probe that may tell whether Jenkins is ready."""
    from spigot.app import probe_of
    from spigot.guard import CANDIDATES
    from spigot.sight import read

    probe = probe_of(settings)
    findings = []
    for path in [settings.probe] if settings.probe else CANDIDATES:
        sight = read(jenkins.ask("GET", path, {"User-Agent": "spigot"}), probe.expected)
        good = {State.READY: True, State.NOT_READY: False, State.UNKNOWN: None}[sight.state]
        findings.append(Finding(path, good, f"{sight.state}: {sight.evidence}"))
    return findings


def look_at_token(jenkins: Jenkins, settings: Settings) -> list[Finding]:
    """Ask with the API token, if there is one, whether Jenkins is quieting down."""
    from spigot.app import probe_of
    from spigot.sight import QUIET_QUESTION

    login = probe_of(settings).login
    if not login:
        return []
    asked = jenkins.ask("GET", QUIET_QUESTION, {"User-Agent": "spigot", "Authorization": login})
    what = "/api/json with api_token"
    if asked.status == 200 and b"quietingDown" in asked.body:
        return [Finding(what, good=True, why="a quiet-down will be seen", needed=True)]
    why = asked.error or f"{asked.status}: api_token has to be USER:TOKEN of one with Overall/Read"
    return [Finding(what, good=False if asked.status else None, why=why, needed=True)]


def look_at_notices(settings: Settings) -> list[Finding]:
    """Ask GitHub, if notices are on, whether it takes the token; changes nothing there."""
    from spigot.live import voice_of
    from spigot.ports import Clock

    voice = voice_of(settings, Clock())
    if voice is None:
        return []
    said = voice.github.check()
    voice.github.close()
    what = f"{settings.notices_api.url} with notices_token"
    if said.done:
        scopes = "" if said.scopes is None else f" (its scopes: {said.scopes or 'none'})"
        why = f"takes the token{scopes}; what it may do shows with the first notice"
        return [Finding(what, good=True, why=why, needed=True)]
    # A GitHub Enterprise Server without limits has no such page.
    good = False if said.status == 401 else None
    return [Finding(what, good=good, why=said.error, needed=True)]


def look_at_hooks(
    jenkins: Jenkins, hooks: Hooks, settings: Settings, *, reachable: bool
) -> list[Finding]:
    """Ask at each open hook path, where a harmless question exists, whether a plugin answers."""
    needed = {hook.path for hook in settings.hooks} | set(settings.routes.values())
    findings = []
    for hook in hooks.all:
        good, why = _ask(jenkins, hook) if reachable else (None, "not asked: Jenkins is not ready")
        if hook.verifier:
            why += f"; signature: {hook.verifier.scheme.name}"
        findings.append(Finding(_shown(hook), good, why, needed=hook.path in needed))
    findings += [
        Finding(
            mask_path(path),
            good=False,
            why="[routes] leads here, and no open hook has this path: add it as [[hooks]]",
            needed=True,
        )
        for path in sorted(set(settings.routes.values()))
        if not _open(hooks, path)
    ]
    return findings


def _ask(jenkins: Jenkins, hook: Hook) -> tuple[bool | None, str]:
    from spigot.hook import Presence

    question = hook.question
    if question is None:
        return None, "nothing harmless tells whether a plugin answers here"
    headers = {"User-Agent": "spigot"} | dict(question.headers)
    answer = jenkins.ask(question.method, question.path, headers)
    if not answer.status:
        return None, answer.error
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    presence = question.understand(answer.status, kind)
    return {
        Presence.LOADED: (True, f"its plugin answers ({answer.status})"),
        Presence.ABSENT: (False, f"no plugin answers ({answer.status})"),
        Presence.UNKNOWN: (
            None,
            f"{answer.status}, which is neither the plugin's nor Jenkins' own",
        ),
    }[presence]


def _open(hooks: Hooks, path: str) -> bool:
    return any(
        path == hook.path or (hook.below and path.startswith(hook.path)) for hook in hooks.all
    )


def _shown(hook: Hook) -> str:
    return mask_path(hook.path) + ("…" if hook.below else "")


def _object(finding: Finding) -> dict[str, Any]:
    return finding._asdict()


def _print(title: str, findings: list[Finding]) -> None:
    click.echo(click.style(title, bold=True))
    rows = [
        (
            _MARKS[one.good][0],
            printable(one.what) + (" *" if one.needed else ""),
            printable(one.why),
        )
        for one in findings
    ]
    lines = table((Column(""), Column(""), Column("", cut="end")), rows, None)[1:]
    for line, finding in zip(lines, findings, strict=True):
        mark, colour = _MARKS[finding.good]
        click.echo(f"  {click.style(mark, fg=colour)}{line[1:]}")
    click.echo()
