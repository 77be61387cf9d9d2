"""The configuration: one table of options, read once into one frozen ``Settings``.

A value comes from the command line, else the environment, else ``spigot.toml``, else the default.
Defaults are written as in the file and read by the same readers, so what the documentation shows
is what holds. Reading fails on the first thing that is wrong, a name that nobody knows included:
a misspelt option that was passed over in silence would show only when it is needed.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spigot import kinds, units
from spigot.address import Address, StackName, Target
from spigot.errors import SettingsError
from spigot.hook_secret import places
from spigot.kinds import HookSetting
from spigot.notices import Mode
from spigot.option import Given, Option, Origin, check_names, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spigot.networks import Network

__all__ = ["OPTIONS", "Address", "HookSetting", "Option", "Settings", "Target", "describe", "load"]

_FILE = "spigot.toml"
_OTHER_VARIABLES = ("SPIGOT_CONFIG", "SPIGOT_S3_BUCKET", "SPIGOT_STACK")
_AWS_VARIABLES = ("SPIGOT_SECRET", "SPIGOT_SIGNATURE")
"""What `make deploy` takes. Here it would be passed over, and no signature checked."""

_KUBERNETES = re.compile(r"SPIGOT_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_[A-Z]+(_[A-Z]+)?)")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured; ``OPTIONS`` says what each means.

    Times are seconds, sizes bytes, paths absolute if ``cwd`` was. Its ``repr`` holds no secret.
    """

    target: Target | None
    listen: Address
    admin: Address
    admin_token: str | None = field(repr=False)
    data: Path | StackName
    log_level: str
    max_body: int
    memory: int
    max_header: int
    max_headers: int
    header_timeout: float
    body_timeout: float
    idle_timeout: float
    max_connections: int
    max_requests: int
    rate_per_address: int
    trusted_proxies: tuple[Network, ...]
    tls_certificate: Path | None
    tls_key: Path | None
    admin_tls_certificate: Path | None
    admin_tls_key: Path | None
    min_free: int
    connect_timeout: float
    read_timeout: float
    retry_delays: tuple[float, ...]
    settle_after: float
    recall: float
    probe: str
    probe_status: int
    probe_header: str
    probe_every: float
    probe_timeout: float
    api_token: str | None = field(repr=False)
    queue_most: int
    parallel: int
    rate: int
    repository_gap: float
    keep_delivered: float
    keep_dead: float
    ca_file: Path | None
    proxy: str = field(repr=False)
    notices: Mode
    notices_token: str | None = field(repr=False)
    notices_api: Target
    notices_after: float
    only_hooks: bool
    routes: Mapping[str, str]
    hooks: tuple[HookSetting, ...]

    @property
    def directory(self) -> Path:
        """The data directory.

        Raises:
            SettingsError: The webhooks are kept on AWS.
        """
        if isinstance(self.data, StackName):
            raise SettingsError(
                f"data is {self.data}: this needs a directory of this machine. Name one with --data"
                " or SPIGOT_DATA."
            )
        return self.data


# fmt: off
OPTIONS: tuple[Option, ...] = (
    Option("target", kinds.TARGET, "", ("SPIGOT_TARGET", "TARGET_URL"),
           "Jenkins: its URL with the context path."),
    Option("listen", kinds.ADDRESS, "0.0.0.0:8000", ("SPIGOT_LISTEN",),
           "Where webhooks are taken in."),
    Option("admin", kinds.ADDRESS, "127.0.0.1:8001", ("SPIGOT_ADMIN",),
           "Where status and metrics are; beyond loopback only with `admin_token`."),
    Option("admin_token", kinds.SECRET, "", ("SPIGOT_ADMIN_TOKEN",),
           "What `admin` asks for: `env:NAME` or `file:PATH`; in the variable also the token.",
           secret=True),
    Option("data", kinds.DATA, "./spigot-data", ("SPIGOT_DATA",),
           "The directory that keeps the webhooks; for commands also `aws://STACK`."),
    Option("log_level", kinds.LEVEL, "INFO", ("SPIGOT_LOG_LEVEL", "LOG_LEVEL"),
           "`DEBUG`, `INFO`, `WARNING` or `ERROR`."),
    Option("max_body", kinds.SIZE_ABOVE_0, "25MiB", ("SPIGOT_MAX_BODY",),
           "The largest body taken in; GitHub sends up to 25 MB."),
    Option("memory", kinds.SIZE_ABOVE_0, "128MiB", ("SPIGOT_MEMORY",),
           "How much webhooks on their way to the disk may take; beyond it the answer is 503."),
    Option("max_header", kinds.SIZE_ABOVE_0, "32KiB", ("SPIGOT_MAX_HEADER",),
           "The largest request line and headers together; beyond it the answer is 431."),
    Option("max_headers", kinds.COUNT_ABOVE_0, 100, ("SPIGOT_MAX_HEADERS",),
           "How many headers a request may have; beyond it the answer is 431."),
    Option("header_timeout", kinds.DURATION_ABOVE_0, "10s", ("SPIGOT_HEADER_TIMEOUT",),
           "How long the headers of a request may take; beyond it the answer is 408."),
    Option("body_timeout", kinds.DURATION_ABOVE_0, "60s", ("SPIGOT_BODY_TIMEOUT",),
           "How long the body of a request may take; beyond it the answer is 408."),
    Option("idle_timeout", kinds.DURATION_ABOVE_0, "75s", ("SPIGOT_IDLE_TIMEOUT",),
           "How long a connection may wait for its next request."),
    Option("max_connections", kinds.COUNT_ABOVE_0, 4096, ("SPIGOT_MAX_CONNECTIONS",),
           "How many connections there may be; one more closes an idle one, or gets 503."),
    Option("max_requests", kinds.COUNT_ABOVE_0, 4096, ("SPIGOT_MAX_REQUESTS",),
           "How many requests may be in progress at once; beyond it the answer is 503."),
    Option("rate_per_address", kinds.COUNT, 0, ("SPIGOT_RATE_PER_ADDRESS",),
           "How many requests a second one address may send; `0`: any number."),
    Option("trusted_proxies", kinds.NETWORKS, [], ("SPIGOT_TRUSTED_PROXIES",),
           "The proxies in front whose `X-Forwarded-For` is believed."),
    Option("tls_certificate", kinds.FILE, "", ("SPIGOT_TLS_CERTIFICATE",),
           'The PEM file of the certificate chain of `listen`; `""`: plain HTTP.'),
    Option("tls_key", kinds.FILE, "", ("SPIGOT_TLS_KEY",),
           'The PEM file of its key; `""`: it stands in `tls_certificate`.'),
    Option("admin_tls_certificate", kinds.FILE, "", ("SPIGOT_ADMIN_TLS_CERTIFICATE",),
           'The PEM file of the certificate chain of `admin`; `""`: plain HTTP.'),
    Option("admin_tls_key", kinds.FILE, "", ("SPIGOT_ADMIN_TLS_KEY",),
           'The PEM file of its key; `""`: it stands in `admin_tls_certificate`.'),
    Option("min_free", kinds.SIZE, "512MiB", ("SPIGOT_MIN_FREE",),
           "How much disk stays free; below it the answer is 503."),
    Option("connect_timeout", kinds.DURATION_ABOVE_0, "3s", ("SPIGOT_CONNECT_TIMEOUT",),
           "How long a connection to Jenkins may take."),
    Option("read_timeout", kinds.DURATION_ABOVE_0, "60s", ("SPIGOT_READ_TIMEOUT",),
           "How long Jenkins may take to answer a webhook."),
    Option("retry_delays", kinds.DURATIONS, ["2s", "10s", "1m", "5m", "15m"],
           ("SPIGOT_RETRY_DELAYS",),
           "The waits before further attempts; a webhook that fails after the last one is dead."),
    Option("settle_after", kinds.DURATION, "5m", ("SPIGOT_SETTLE_AFTER",),
           "How long after it became ready Jenkins may still be loading plugins and jobs."),
    Option("recall", kinds.DURATION, "60s", ("SPIGOT_RECALL",),
           "How far back from a restart webhooks are delivered once more where that is harmless."),
    Option("probe", kinds.PROBE, "", ("SPIGOT_PROBE",),
           'The path at Jenkins that tells whether it is ready; `""`: Spigot finds one.'),
    Option("probe_status", kinds.STATUS, 0, ("SPIGOT_PROBE_STATUS",),
           "The one status of a good answer to the probe; `0`: any with the header."),
    Option("probe_header", kinds.HEADER, "X-Jenkins", ("SPIGOT_PROBE_HEADER",),
           'The header of a good answer to the probe, `Name` or `Name: value`; or `none`.'),
    Option("probe_every", kinds.DURATION_ABOVE_0, "30s", ("SPIGOT_PROBE_EVERY",),
           "How often Jenkins is probed while webhooks flow."),
    Option("probe_timeout", kinds.DURATION_ABOVE_0, "5s", ("SPIGOT_PROBE_TIMEOUT",),
           "How long Jenkins may take to answer a probe."),
    Option("api_token", kinds.LOGIN, "", ("SPIGOT_API_TOKEN",),
           "Where `USER:TOKEN` for Jenkins' API is kept; with it a quiet-down is seen.",
           secret=True),
    Option("queue_most", kinds.COUNT, 1000, ("SPIGOT_QUEUE_MOST",),
           "How many builds may wait at Jenkins before webhooks go one a second; `0`: any number."),
    Option("parallel", kinds.PARALLEL, 16, ("SPIGOT_PARALLEL",),
           "How many webhooks are on their way to Jenkins at once at most, 1 to 256."),
    Option("rate", kinds.COUNT, 0, ("SPIGOT_RATE",),
           "How many webhooks go to Jenkins in a second at most; `0`: as many as it takes."),
    Option("repository_gap", kinds.DURATION, "0s", ("SPIGOT_REPOSITORY_GAP",),
           "The least time between two webhooks of one repository."),
    Option("keep_delivered", kinds.DURATION, "7d", ("SPIGOT_KEEP_DELIVERED",),
           "How long delivered webhooks are kept."),
    Option("keep_dead", kinds.DURATION, "90d", ("SPIGOT_KEEP_DEAD",),
           "How long dead webhooks are kept."),
    Option("ca_file", kinds.FILE, "", ("SPIGOT_CA_FILE",),
           'The PEM file of authorities to trust for Jenkins; `""`: those of the system.'),
    Option("proxy", kinds.PROXY, "", ("SPIGOT_PROXY",),
           'The proxy to Jenkins, a URL; `none`: no proxy; `""`: as the environment says.',
           secret=True),
    Option("notices", kinds.NOTICES, "off", ("SPIGOT_NOTICES",),
           "How GitHub's pull requests hear that a webhook is held: `off`, `status`, `comment`."),
    Option("notices_token", kinds.SECRET, "", ("SPIGOT_NOTICES_TOKEN",),
           "Where the token for GitHub's API is kept: `env:NAME` or `file:PATH`.", secret=True),
    Option("notices_api", kinds.API, "https://api.github.com", ("SPIGOT_NOTICES_API",),
           "The base URL of GitHub's API."),
    Option("notices_after", kinds.DURATION, "30s", ("SPIGOT_NOTICES_AFTER",),
           "How long a webhook is held before its pull request hears of it."),
    Option("only_hooks", kinds.FLAG, default=False, env=("SPIGOT_ONLY_HOOKS",),
           help="Close the hook paths that Spigot knows by itself; only `[[hooks]]` are open."),
    Option("routes", kinds.ROUTES, {}, (),
           "For `/webhooks`: an event's path at Jenkins where that is not `/github-webhook/`."),
    Option("hooks", kinds.HOOKS, [], (),
           "Hook paths: `path`, if wanted `provider`, `below`, `secret`, `signature`, `allow`."),
)
# fmt: on


def describe() -> list[Option]:
    """Return all options in the order in which documentation shows them."""
    return list(OPTIONS)


def load(
    overrides: Mapping[str, object] = {},
    *,
    environ: Mapping[str, str],
    config: Path | None = None,
    cwd: Path,
) -> Settings:
    """Read the configuration.

    Args:
        overrides: Options from the command line by name; None counts as not given.
        environ: The environment; an empty variable counts as not set.
        config: The file; else ``SPIGOT_CONFIG`` names it, else it is ``spigot.toml`` if there.
        cwd: What relative paths are relative to.

    Raises:
        SettingsError: Something is wrong; it says where, what it is unless secret, what is allowed.
    """
    file, table = _read_file(config, environ, cwd)
    names = [option.name for option in OPTIONS]
    check_names(overrides, names, source="command line")
    check_names(table, names, source=file)

    def given(option: Option) -> Given:
        def made(value: object, source: str, origin: Origin) -> Given:
            return Given(value, source, origin, environ, cwd)

        if (value := overrides.get(option.name)) is not None:
            return made(value, "--" + option.name.replace("_", "-"), Origin.COMMAND_LINE)
        for variable in option.env:
            if value := environ.get(variable):
                return made(value, variable, Origin.ENVIRONMENT)
        if option.name in table:
            return made(table[option.name], f"{file}: {option.name}", Origin.FILE)
        return made(option.default, f"default of {option.name}", Origin.DEFAULT)

    chosen = [(option, given(option)) for option in OPTIONS]
    secrets = [value.value for option, value in chosen if option.secret]
    data = next(value for option, value in chosen if option.name == "data")
    others = _OTHER_VARIABLES + (_AWS_VARIABLES if _is_on_aws(data) else ())
    _check_variables(environ, [*secrets, *places(table.get("hooks"))], others)
    settings = Settings(
        **{option.name: read(value, option.kind, secret=option.secret) for option, value in chosen}
    )
    _check_together(settings)
    return settings


def _read_file(
    config: Path | None, environ: Mapping[str, str], cwd: Path
) -> tuple[str, dict[str, Any]]:
    """Return the file's name for errors, and what is in it; nothing if there need be no file."""
    variable = environ.get("SPIGOT_CONFIG")
    name = str(config or variable or _FILE)
    if not (config or variable or (cwd / name).exists()):
        return name, {}
    try:
        return name, tomllib.loads((cwd / name).read_text("utf-8"))
    except OSError as error:
        said = "" if config or not variable else " (named by SPIGOT_CONFIG)"
        why = error.strerror or type(error).__name__
        raise SettingsError(f"{name}{said} cannot be read: {why}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{name}: line {line} is not UTF-8, which TOML must be") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name} is not TOML: {error}") from None


def _is_on_aws(data: Given) -> bool:
    return isinstance(data.value, str) and data.value.startswith("aws://")


def _check_variables(
    environ: Mapping[str, str], secrets: list[Any], others: tuple[str, ...]
) -> None:
    """Refuse ``SPIGOT_…`` variables that nobody knows, unless a secret points there."""
    known = [variable for option in OPTIONS for variable in option.env]
    pointed_at = {text.removeprefix("env:") for text in secrets if str(text).startswith("env:")}
    given = [
        name
        for name, value in environ.items()
        if name.startswith("SPIGOT_") and name not in pointed_at and not _injected(name, value)
    ]
    check_names(given, [*known, *others], source="environment", prefix="SPIGOT_")


def _injected(name: str, value: str) -> bool:
    """Whether Kubernetes set it, which describes every service in variables of its name."""
    if name.endswith("_PORT") and re.match("(tcp|udp|sctp)://", value):
        return True
    return _KUBERNETES.fullmatch(name) is not None


def _check_together(settings: Settings) -> None:
    if not settings.admin.loopback and settings.admin_token is None:
        raise SettingsError(
            f"admin is {settings.admin}, which other machines may reach, and there is no "
            "admin_token; set SPIGOT_ADMIN_TOKEN, or let admin listen on 127.0.0.1"
        )
    if settings.max_body > settings.memory:
        raise SettingsError(
            f"max_body is {units.format_size(settings.max_body)}, but memory only "
            f"{units.format_size(settings.memory)}: such a body would never be taken in; "
            "allowed: a max_body that is not above memory"
        )
    if settings.notices is not Mode.OFF and settings.notices_token is None:
        raise SettingsError(
            f"notices is {str(settings.notices)!r}, and there is no token for GitHub; set "
            'notices_token (SPIGOT_NOTICES_TOKEN) to where it is kept, or notices to "off"'
        )
    for name in ("tls", "admin_tls"):
        if getattr(settings, f"{name}_key") and not getattr(settings, f"{name}_certificate"):
            raise SettingsError(
                f"{name}_key is set, but {name}_certificate is not; set both for TLS, or neither"
            )
