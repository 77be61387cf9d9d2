"""The kinds of values that options take, and how each is read."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from spigot import units
from spigot.address import Address, StackName, Target, split_url
from spigot.errors import SettingsError
from spigot.hook_secret import KEPT, follow, verifier_of
from spigot.networks import parse_network
from spigot.notices import Mode
from spigot.option import Given, Kind, Origin, check_names, read
from spigot.plugins import KNOWN
from spigot.providers import PROVIDERS
from spigot.signatures import NAMES, scheme_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spigot.networks import Network
    from spigot.signatures import Scheme, Verifier

_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()+,;=:@%/-]*")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_PROVIDERS = sorted(
    {provider.name for provider in PROVIDERS} | {hook.provider for hook in KNOWN if hook.provider}
)
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class HookSetting(NamedTuple):
    """A hook path that the user added.

    Attributes:
        path: A path at Jenkins, below the context path.
        provider: Who sends to it, such as ``github``; None to tell by the request.
        below: Whether every path below it belongs to it as well.
        verifier: Takes only what was signed with the hook's secret; None: it has none.
        allow: The networks that may send to it; empty for everybody.
    """

    path: str
    provider: str | None
    below: bool
    verifier: Verifier | None = None
    allow: tuple[Network, ...] = ()


def _target(given: Given) -> Target | None:
    return Target.parse(given.text) if given.text else None


def _address(given: Given) -> Address:
    return Address.parse(given.text)


def _secret(given: Given) -> str | None:
    """Follow a secret to where it is kept.

    Written out, it may stand in the environment alone: a file gets committed and a command line
    shows in the list of processes.
    """
    if not given.text:
        return None
    found = follow(given)
    if found is not None:
        found = found.strip()
    elif given.origin is Origin.ENVIRONMENT:
        found = given.text
    else:
        raise SettingsError(f"{given.source} is written out; allowed: {KEPT}")
    if not re.fullmatch("[!-~]+", found):
        raise ValueError("no header can carry it")
    return found


def _login(given: Given) -> str | None:
    found = _secret(given)
    if found is not None and not re.fullmatch("[^:]+:.+", found):
        raise ValueError("no user and token")
    return found


def _header(given: Given) -> str:
    if given.text in ("", "none"):
        return ""
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(: ?[ -~]+)?", given.text):
        raise ValueError("no header")
    return given.text


def _path(given: Given) -> Path:
    path = os.fspath(given.value) if isinstance(given.value, Path) else given.text
    if not path or "\0" in path:
        raise ValueError("no path")
    return given.cwd / path


def _data(given: Given) -> Path | StackName:
    stack = StackName.parse(given.value) if isinstance(given.value, str) else None
    return stack or _path(given)


def _existing_file(given: Given) -> Path | None:
    if given.value == "":
        return None
    path = _path(given)
    if not path.is_file():
        raise ValueError("no such file")
    return path


def _level(given: Given) -> str:
    if (level := given.text.upper()) not in _LEVELS:
        raise ValueError("no such level")
    return level


def _bool(given: Given) -> bool:
    if isinstance(given.value, bool):
        return given.value
    if given.origin is Origin.FILE:
        raise TypeError("not a boolean")
    if (text := given.text.lower()) not in _YES + _NO:
        raise ValueError("neither yes nor no")
    return text in _YES


def _whole(least: int, most: int) -> Kind:
    def read_(given: Given) -> int:
        number = given.value
        if given.origin is not Origin.FILE and re.fullmatch("[0-9]{1,9}", str(number)):
            number = int(number)
        if type(number) is not int:
            raise TypeError("not a whole number")
        if not least <= number <= most:
            raise ValueError("out of range")
        return number

    return Kind("number", f"a whole number from {least} to {most}", read_)


def _more_than_nothing(kind: Kind) -> Kind:
    def read_(given: Given) -> Any:
        if not (value := kind.read(given)):
            raise ValueError("nothing")
        return value

    return Kind(kind.name, f"{kind.allowed}; more than 0", read_)


def _durations(given: Given) -> tuple[float, ...]:
    values = given.value
    if isinstance(values, str) and given.origin is not Origin.FILE:
        values = [part.strip() for part in values.split(",")]
    if not isinstance(values, list | tuple):
        raise TypeError("not a list")
    if not values:
        raise ValueError("empty")
    return tuple(units.parse_duration(value) for value in values)


def _networks(given: Given) -> tuple[Network, ...]:
    values = given.value
    if isinstance(values, str) and given.origin is not Origin.FILE:
        values = [part.strip() for part in values.split(",")]
    if not isinstance(values, list | tuple):
        raise TypeError("not a list")
    return tuple(read(given.inner(number, one), NETWORK) for number, one in enumerate(values, 1))


def _api(given: Given) -> Target:
    return Target.parse_private(given.text)


def _notices(given: Given) -> Mode:
    return Mode(given.text)


def _path_at_jenkins(given: Given) -> str:
    if not _PATH.fullmatch(given.text):
        raise ValueError("not a path")
    return given.text


def _probe(given: Given) -> str:
    return _path_at_jenkins(given) if given.text else ""


def _proxy(given: Given) -> str:
    if given.text not in ("", "none"):
        split_url(given.text)
    return given.text


def _provider(given: Given) -> str | None:
    if given.text not in ("", *_PROVIDERS):
        raise ValueError("no such provider")
    return given.text or None


def _signature(given: Given) -> Scheme | None:
    return scheme_named(given.text) if given.text else None


def _routes(given: Given) -> Mapping[str, str]:
    if not isinstance(given.value, dict):
        raise TypeError("not a table")
    return MappingProxyType(
        {event: read(given.inner(event, path), AT_JENKINS) for event, path in given.value.items()}
    )


def _hooks(given: Given) -> tuple[HookSetting, ...]:
    tables = given.value
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise TypeError("not an array of tables")
    hooks = [_hook(given.inner(number, table)) for number, table in enumerate(tables, 1)]
    paths = [hook.path for hook in hooks]
    for number, path in enumerate(paths):
        if path in paths[:number]:
            raise SettingsError(f"{given.source}: two of them have the path {path!r}; keep one")
    return tuple(hooks)


def _hook(given: Given) -> HookSetting:
    check_names(given.value, [*HOOK_KEYS, "secret"], source=given.source)
    if "path" not in given.value:
        raise SettingsError(f"{given.source} has no path; every hook needs one")
    if isinstance(path := given.value["path"], str) and path.endswith(("*", "…", "...")):
        raise SettingsError(
            f"{given.source}.path is {path!r}; name the path alone and set below = true in the "
            "same table to cover everything below it"
        )
    values = {
        key: read(given.inner(key, given.value.get(key, default)), kind)
        for key, (kind, default) in HOOK_KEYS.items()
    }
    scheme = values.pop("signature")
    known = next((one.provider for one in KNOWN if one.path == values["path"]), None)
    verifier = verifier_of(given, scheme, values["provider"] or known)
    hook = HookSetting(**values, verifier=verifier)
    if hook.below and not hook.path.endswith("/"):
        raise SettingsError(
            f"{given.source}.path is {hook.path!r}, with below = true; end it with a slash"
        )
    return hook


TARGET = Kind(
    "URL",
    "an http or https URL of a host, with Jenkins' context path if it has one and without user, "
    "query or fragment, such as https://jenkins.example/jenkins",
    _target,
)
ADDRESS = Kind("address", "HOST:PORT, such as 127.0.0.1:8001, localhost:0 or [::1]:8001", _address)
SECRET = Kind("secret", f"{KEPT}; visible ASCII without spaces", _secret)
PATH = Kind("path", "a path", _path)
DATA = Kind("path", "a path, or aws:// with the name of a stack on AWS", _data)
FILE = Kind("path", "the path of a file that exists", _existing_file)
LEVEL = Kind("level", ", ".join(_LEVELS), _level)
FLAG = Kind("boolean", "true or false", _bool)
LOGIN = Kind(
    "secret", f"{KEPT}; what is kept there is USER:TOKEN in visible ASCII without spaces", _login
)
HEADER = Kind("header", 'none, a header\'s name, or "Name: value"', _header)
NETWORK = Kind(
    "network",
    "an address or a network in CIDR notation without bits beyond its prefix, such as "
    "140.82.112.0/20 or 10.0.0.7",
    lambda given: parse_network(given.text),
)
NETWORKS = Kind(
    "networks",
    'a list such as ["140.82.112.0/20", "2a0a:a440::/29"]; in an environment variable separated '
    "by commas",
    _networks,
)
PARALLEL = _whole(1, 256)
COUNT = _whole(0, 100_000)
COUNT_ABOVE_0 = _whole(1, 100_000)
STATUS = _whole(0, 599)
SIZE = Kind("size", units.SIZE, lambda given: units.parse_size(given.value))
SIZE_ABOVE_0 = _more_than_nothing(SIZE)
DURATION = Kind("duration", units.DURATION, lambda given: units.parse_duration(given.value))
DURATION_ABOVE_0 = _more_than_nothing(DURATION)
DURATIONS = Kind(
    "durations",
    'a list such as ["2s", "1m"], in an environment variable 2s,1m; each ' + units.DURATION,
    _durations,
)
AT_JENKINS = Kind(
    "path at Jenkins", "a path at Jenkins: it begins with / and has no query", _path_at_jenkins
)
PROBE = Kind(
    "path at Jenkins", 'a path at Jenkins such as "/login", or "" to find one by itself', _probe
)
PROXY = Kind(
    "URL",
    '"" (as the environment says), "none", or a URL such as http://proxy.example:3128',
    _proxy,
)
API = Kind(
    "URL",
    "the https URL of GitHub's API, such as https://github.example/api/v3 (http to this machine)",
    _api,
)
NOTICES = Kind("word", ", ".join(Mode), _notices)
ROUTES = Kind("table", 'a table of events, such as pull_request = "/ghprbhook/"', _routes)
HOOKS = Kind(
    "tables",
    "[[hooks]] tables with the keys path, provider, below, secret, signature and allow",
    _hooks,
)
PROVIDER = Kind("word", f'"" (told by the request), {", ".join(_PROVIDERS)}', _provider)
SIGNATURE = Kind(
    "word",
    f'"" (as the provider signs), {", ".join(NAMES)}, whose HEADER has token, secret, password or '
    "api-key in its name so that its value is never shown",
    _signature,
)

HOOK_KEYS: dict[str, tuple[Kind, Any]] = {
    "path": (AT_JENKINS, None),
    "provider": (PROVIDER, ""),
    "below": (FLAG, False),
    "signature": (SIGNATURE, ""),
    "allow": (NETWORKS, []),
}
"""The keys of a hook's table, ``secret`` apart: what each may be, and its default."""
