"""How many requests each address may send in a second. Pure."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spigot.networks import IPAddress

ADDRESSES = 10_000
"""For how many addresses it is remembered; about a megabyte."""

_IPV6_PREFIX = 64


class Rates:
    """A token bucket for each address: it holds one second's worth and is refilled all the time.

    Kept as the time at which the bucket is full again (the generic cell rate algorithm, ITU-T
    I.371). An IPv6 sender has at least 64 bits to choose from (RFC 6177), so its network counts.
    Not safe for threads.

    Args:
        rate: Requests a second.
        addresses: For how many addresses it is remembered; beyond, the one heard of least recently
            is forgotten, and begins anew.
    """

    def __init__(self, rate: int, *, addresses: int = ADDRESSES) -> None:
        self.rate = rate
        self._gap = 1.0 / rate
        self._most = addresses
        self._full_at: dict[IPAddress, float] = {}

    def take(self, address: IPAddress, tick: float) -> float:
        """Count a request.

        Args:
            address: Who sends it.
            tick: When, on a clock that only goes forward.

        Returns:
            0 if it may go; else the seconds until the next one may, and this one is not counted.
        """
        if isinstance(address, ipaddress.IPv6Address):
            host_bits = 128 - _IPV6_PREFIX
            address = ipaddress.IPv6Address(int(address) >> host_bits << host_bits)
        full_at = max(self._full_at.pop(address, tick), tick) + self._gap
        wait = full_at - tick - max(1.0, self._gap)
        if wait > 1e-9:  # what the sums of floats are off
            full_at -= self._gap
        self._full_at[address] = full_at
        if len(self._full_at) > self._most:
            del self._full_at[next(iter(self._full_at))]
        return wait if wait > 1e-9 else 0.0

    def __len__(self) -> int:
        """For how many addresses it is remembered now."""
        return len(self._full_at)
