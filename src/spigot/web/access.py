"""Who may send: the address that asks, what each hook allows, and how often anybody may."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from spigot.errors import Refused
from spigot.networks import Source, holds, source_of
from spigot.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spigot.networks import Network
    from spigot.ports import Clock

_FORWARDED = b"x-forwarded-for"


class Access:
    """Decides by address, before a body is read; for one thread.

    Args:
        clock: Tells the time.
        allow: The networks that may send, by the path of the hook; a hook that is not in it takes
            from everywhere.
        trusted: The proxies whose ``X-Forwarded-For`` is believed.
        rate: Requests a second that one address may send; 0 for any number.

    Attributes:
        watches: Whether addresses matter at all.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        allow: Mapping[str, Sequence[Network]] | None = None,
        trusted: Sequence[Network] = (),
        rate: int = 0,
    ) -> None:
        self._clock = clock
        self._allow = {path: tuple(networks) for path, networks in (allow or {}).items()}
        self._trusted = tuple(trusted)
        self._rates = Rates(rate) if rate else None
        self.watches = bool(self._allow) or self._rates is not None

    def enter(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> Source:
        """Return who asks, after counting the request.

        Args:
            peer: The address at the other end of the connection.
            headers: The header lines, names in lower case.

        Raises:
            Refused: 429 with ``Retry-After`` if it asks too often.
        """
        forwarded = []
        if self._trusted:
            forwarded = [value.decode("latin-1") for name, value in headers if name == _FORWARDED]
        source = source_of(peer, forwarded, self._trusted)
        address = source.address
        if self._rates is not None and address is not None:
            wait = self._rates.take(address, self._clock.monotonic())
            if wait:
                raise Refused(
                    429,
                    f"{address} sends more than {self._rates.rate} requests a second. Send it "
                    "again later; whoever runs Spigot can raise rate_per_address "
                    "(SPIGOT_RATE_PER_ADDRESS).",
                    reason="rate",
                    headers=(("Retry-After", str(math.ceil(wait))),),
                )
        return source

    def check(self, hook: str, source: Source) -> None:
        """Make sure that a hook takes from an address.

        Args:
            hook: The hook's path.
            source: What `enter` returned.

        Raises:
            Refused: 403.
        """
        networks = self._allow.get(hook)
        if networks is None or (source.certain and holds(networks, source.address)):
            return
        who = str(source.address) if source.certain else "an address that is not known"
        raise Refused(
            403,
            f"{hook} does not take webhooks from {who}. If the sender is meant to, add its "
            "address to `allow` in the [[hooks]] table of that path; if this is the address "
            "of a proxy in front of Spigot, name it in trusted_proxies, and let it write "
            "X-Forwarded-For.",
            reason="address",
        )
