"""What the public listener puts up with: the limits that requests and connections are held to."""

from __future__ import annotations

from typing import NamedTuple

LARGE = 256 * 1024
"""Bodies from this size on are read on a thread of their own: the others do not wait for them."""

HUGE = 4 * 1024 * 1024
"""Bodies from this size on have another one, for each takes long."""

LINGER_SECONDS = 2.0
"""How long a refused sender may go on sending before its connection is cut."""

PART_SECONDS = 0.25
"""How long a sender has at a stop to see that its connection is closed, before it is cut."""

SMALL_SHARE = 8
"""Small bodies have an eighth of the memory on top: a flood of large ones leaves room for them."""


class Limits(NamedTuple):
    """Limits; sizes are bytes, times seconds. The defaults are those of the settings.

    Attributes:
        max_body: The largest body.
        memory: What bodies may take before they are on disk, all together.
        max_header: Request line and headers together; Jenkins itself takes 8 KiB of headers.
        max_headers: Header lines.
        header_timeout: From a request's first byte to the end of its headers.
        body_timeout: From there to the end of its body.
        idle_timeout: Between two requests; nginx closes its own side after 60 s, and so first.
        max_connections: Connections in all.
        max_requests: Requests that are being read or stored, in all.
    """

    max_body: int = 25 * 1024 * 1024
    memory: int = 128 * 1024 * 1024
    max_header: int = 32 * 1024
    max_headers: int = 100
    header_timeout: float = 10.0
    body_timeout: float = 60.0
    idle_timeout: float = 75.0
    max_connections: int = 4096
    max_requests: int = 4096

    def has_room(self, held: int, size: int) -> bool:
        """Tell whether memory has room for a body.

        Args:
            held: Bytes that all bodies take, this one's included as far as they are there.
            size: Bytes of this body, as far as they are known.
        """
        small = self.memory // SMALL_SHARE if size < LARGE else 0
        return held <= self.memory + small
