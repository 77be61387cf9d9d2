"""A body while it comes in."""

from __future__ import annotations

from io import BytesIO


class Body:
    """Puts a body together, with no copy of the whole.

    A list of parts would let a sender of tiny chunks take forty times the memory, and a bytearray
    would be copied at the end.

    Attributes:
        size: Its bytes so far.
    """

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self._parts: bytes | BytesIO = b""
        self.size = 0

    def add(self, part: bytes) -> None:
        """Add a part at the end."""
        if isinstance(self._parts, BytesIO):
            self._parts.write(part)
        elif self._parts:
            first, self._parts = self._parts, BytesIO()
            self._parts.writelines((first, part))
        else:
            self._parts = part
        self.size += len(part)

    def whole(self) -> bytes:
        """Return all of it."""
        return self._parts if isinstance(self._parts, bytes) else self._parts.getvalue()
