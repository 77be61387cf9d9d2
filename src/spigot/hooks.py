"""The hooks that are open here, and which requests belong to which.

A webhook keeps its path, so these are Spigot's own addresses too. Nothing but a hook can be reached
through Spigot: paths match exactly, and what may follow a prefix is checked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_to_bytes

from spigot.errors import Refused, SettingsError
from spigot.masking import MASK, mask_path, printable
from spigot.plugins import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spigot.hook import Hook


class Hooks:
    """The hooks that are open here.

    Args:
        extra: Hooks of the configuration; one with the path of a known hook replaces it.
        only: Leave the known hooks closed.

    Raises:
        SettingsError: An extra hook's path is not a usable path.
    """

    def __init__(self, extra: Iterable[Hook] = (), *, only: bool = False) -> None:
        hooks = {} if only else {hook.path: hook for hook in KNOWN}
        for hook in extra:
            _check(hook)
            hooks[hook.path] = hook
        self._exact = {path: hook for path, hook in hooks.items() if not hook.below}
        # Longest first: of two prefixes, the more precise one counts.
        self._prefixes = sorted(
            (hook for hook in hooks.values() if hook.below), key=lambda hook: -len(hook.path)
        )

    @property
    def all(self) -> tuple[Hook, ...]:
        """Every open hook."""
        return (*self._exact.values(), *self._prefixes)

    def find(self, method: str, path: str) -> Hook:
        """Return the hook that a request belongs to.

        Args:
            method: As received.
            path: Below the target's context path, percent-encoded as received, without query.

        Raises:
            Refused: 404 if the path belongs to no hook, or could lead elsewhere at Jenkins; 405
                with ``Allow`` if the hook does nothing on this method.
        """
        hook = self._exact.get(path) or self._above(path)
        if method not in hook.methods:
            allowed = ", ".join(hook.methods)
            raise Refused(
                405,
                f"{hook.path} takes {allowed}, not {_shown(method)}: set the webhook's method.",
                reason="method",
                headers=(("Allow", allowed),),
            )
        return hook

    def _above(self, path: str) -> Hook:
        for hook in self._prefixes:
            rest = path.removeprefix(hook.path)
            if rest and rest != path:
                flaw = _flaw(rest)
                if flaw:
                    shown = f"{hook.path}{MASK}" if hook.job == "path-token" else _shown(path)
                    raise Refused(
                        404,
                        f"{shown} is not taken, for it has {flaw}: below {hook.path} write the path"
                        " as Jenkins shows it, percent-encoded.",
                        reason="unsafe_path",
                    )
                return hook
        raise Refused(404, f"{_shown(path)} is not a hook path: {self._hint(path)}", reason="path")

    def _hint(self, path: str) -> str:
        if f"{path}/" in self._exact:
            return (
                f"the webhook's path has to be {path}/ with a slash at the end; Jenkins would only"
                " redirect there, and providers do not follow."
            )
        for hook in self._prefixes:
            if hook.path in {path, f"{path}/"}:
                return f"what it is for has to follow, as in {hook.path}…"
        for known in self._exact:
            if path.rstrip("/") == known:
                return f"the webhook's path has to be {known} without a slash at the end."
            if path.endswith(known):
                return (
                    f"{known} is, but {_shown(path.removesuffix(known))} before it is not the"
                    " context path of the target."
                )
        names = ", ".join(f"{hook.path}…" if hook.below else hook.path for hook in self.all)
        return (
            f"use the path that Jenkins' plugin documents, one of {names}, or POST /webhooks; open"
            " others with [[hooks]] in the configuration."
        )


_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_SEPARATORS = re.compile(r"[/\\;]")
_SHOWN = 200


def _shown(text: str) -> str:
    return printable(mask_path(text))[:_SHOWN]


def _check(hook: Hook) -> None:
    inner = hook.path[1:].removesuffix("/")
    if not hook.path.startswith("/") or _flaw(inner) or (hook.below and hook.path[-1] != "/"):
        raise SettingsError(
            f"hooks: path {_shown(hook.path)!r} is not usable: write an absolute, percent-encoded"
            " path without query, with a slash at the end if everything below it belongs to it."
        )


def _flaw(rest: str) -> str:
    """Say what in the path after a prefix could lead out of the hook; empty if nothing does.

    One slash at the end is fine (ActionResolver drops empty segments). A slash encoded twice,
    ``%252F``, is how Jenkins writes the slash in a branch job's name.
    """
    if not (rest.isascii() and rest.isprintable()) or " " in rest:
        return "a character that must be percent-encoded"
    if "?" in rest or "#" in rest or _BAD_ESCAPE.search(rest):
        return "a broken percent-encoding, ? or #"
    for segment in rest.removesuffix("/").split("/"):
        flaw = _flaw_of_segment(segment)
        if flaw:
            return flaw
    return ""


def _flaw_of_segment(segment: str) -> str:
    if not segment:
        return "an empty segment"
    try:
        name = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return "a percent-encoding that is not UTF-8"
    if _SEPARATORS.search(name):
        return "an encoded slash, a backslash or a semicolon"
    # Whatever decodes a second time must not find a way out either.
    twice = unquote(name)
    if any(char < " " or char == "\x7f" for char in twice):
        return "a control character"
    if any(part in {".", ".."} for part in _SEPARATORS.split(twice)):
        return "a dot segment"
    return ""
