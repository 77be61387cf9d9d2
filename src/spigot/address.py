"""Where Jenkins is, where to listen, and where a Spigot on AWS is."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[A-Za-z0-9._-]+")
_CONTEXT = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")
_AWS = "aws://"
_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """Where to listen, or to connect to.

    Attributes:
        host: A name or an IP address, without brackets.
        port: When listening, 0 takes any free one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of what listens there in plain HTTP."""
        return f"http://{self}"

    @property
    def loopback(self) -> bool:
        """Whether it is of this machine alone; of names, only ``localhost`` counts."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``HOST:PORT``, IPv6 in brackets; raise ``ValueError`` if it is anything else."""
        match = re.fullmatch(r"(?:\[([^\]]*:[^\]]*)\]|([^:\[\]]+)):([0-9]{1,5})", text)
        if not match or int(match[3]) > 65535:
            raise ValueError(f"{text!r} is not HOST:PORT")
        host = match[1] or match[2]
        _check_host(host)
        return cls(host, int(match[3]))


class StackName(NamedTuple):
    """A Spigot on AWS.

    Attributes:
        name: The name of its CloudFormation stack.
    """

    name: str

    def __str__(self) -> str:
        return f"{_AWS}{self.name}"

    @classmethod
    def parse(cls, text: str) -> StackName | None:
        """Read ``aws://STACK``; None if it is something else, ``ValueError`` if it is no name."""
        if not text.startswith(_AWS):
            return None
        name = text.removeprefix(_AWS).removesuffix("/")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", name):
            raise ValueError(f"{name!r} is no name of a stack")
        return cls(name)


class Target(NamedTuple):
    """Where Jenkins is.

    Attributes:
        scheme: ``http`` or ``https``.
        host: A name or an IP address, in lower case, without brackets.
        port: The scheme's usual one where none was given.
        context: Jenkins' context path, such as ``/jenkins``, without a trailing slash; or empty.
    """

    scheme: str
    host: str
    port: int
    context: str

    @property
    def url(self) -> str:
        """The URL to which a path at Jenkins is appended; a usual port is left out."""
        return f"{self.scheme}://{self.authority}{self.context}"

    @property
    def authority(self) -> str:
        """What a ``Host`` header says of it; a usual port is left out."""
        usual = self.port == _PORTS[self.scheme]
        return bracketed(self.host) if usual else str(Address(self.host, self.port))

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read Jenkins' URL; raise ``ValueError`` unless it is a host and a context path alone."""
        parts = split_url(text)
        context = parts.path.rstrip("/")
        if "@" in parts.netloc or re.search("[?#]", text) or not _CONTEXT.fullmatch(context):
            raise ValueError("not a host and a context path alone")
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        return cls(parts.scheme, parts.hostname or "", port, context)

    @classmethod
    def parse_private(cls, text: str) -> Target:
        """Read a URL to which a token may be sent: https, or http to this machine alone.

        Raises:
            ValueError: It is not, or is none.
        """
        target = cls.parse(text)
        if target.scheme != "https" and not Address(target.host, target.port).loopback:
            raise ValueError("a token would go over the network in the clear")
        return target


def bracketed(host: str) -> str:
    """Return a host as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def split_url(text: str) -> SplitResult:
    """Split an http or https URL that names a host; raise ``ValueError`` if it is anything else."""
    # urlsplit drops line breaks without a word: what it returns would not be what was written.
    if not re.fullmatch("[!-~]+", text):
        raise ValueError("a URL has neither spaces nor control characters")
    parts = urlsplit(text)
    if parts.scheme not in _PORTS or parts.port == 0:
        raise ValueError("not an http or https URL with a usable port")
    _check_host(parts.hostname or "")
    return parts


def _check_host(host: str) -> None:
    if ":" in host:
        ipaddress.IPv6Address(host)
    elif not _HOST.fullmatch(host):
        raise ValueError("not a host name or an IP address")
