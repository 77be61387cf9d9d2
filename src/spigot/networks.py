"""Addresses and networks: who asks, and whether somebody let them. Pure.

A header such as ``X-Forwarded-For`` can be written by anybody, so only what trusted proxies added
is believed: the address that asks is the right-most one that is not a trusted proxy.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(text: str) -> Network:
    """Read a network such as ``140.82.112.0/20``, or one address.

    Raises:
        ValueError: It is none, or has bits beyond its prefix: a typing error, most likely.
    """
    return ipaddress.ip_network(text)


def parse_address(text: str) -> IPAddress | None:
    """Read an address as sockets and proxies write it; None if it is none.

    A port that follows it (some proxies add one) and a zone are left out. An IPv4 address in IPv6's
    clothes (RFC 4291, section 2.5.5.2), as a listener for both shows it, is the IPv4 address.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def holds(networks: Iterable[Network], address: IPAddress | None) -> bool:
    """Tell whether an address is in one of the networks."""
    return address is not None and any(address in network for network in networks)


class Source(NamedTuple):
    """Who asks.

    Attributes:
        address: The right-most address that is no trusted proxy; None if the peer has none.
        certain: Whether that is who asks; if not, it is the proxy that passes somebody on.
    """

    address: IPAddress | None
    certain: bool


def source_of(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> Source:
    """Return who asks.

    Where a trusted proxy should have written an address and did not, nobody vouches for what stands
    before it: the request counts as that proxy's, and is nobody's whom a list could name.

    Args:
        peer: The address at the other end of the connection.
        forwarded: The values of all ``X-Forwarded-For`` headers, in their order.
        trusted: The proxies whose word is taken.
    """
    source = parse_address(peer)
    if not forwarded or not holds(trusted, source):
        return Source(source, certain=source is not None)
    for text in reversed(",".join(forwarded).split(",")):
        address = parse_address(text)
        if address is None:
            return Source(source, certain=False)
        source = address
        if not holds(trusted, address):
            break
    return Source(source, certain=True)
