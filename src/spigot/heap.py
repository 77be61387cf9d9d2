"""How the C library keeps the memory that Python asks it for."""

from __future__ import annotations

import contextlib

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGE = 1024 * 1024
_SPARE = 4 * 1024 * 1024


def give_back_large_blocks() -> None:
    """Have large blocks of memory go back to the system as soon as they are free.

    Else glibc keeps them for later once it has seen some, and the heap of a gateway that bodies of
    25 MiB went through stays in pieces, of which most are never used again. And growing a block is
    cheap this way: its pages are moved, not copied. A few megabytes stay at the end of the heap,
    or each read from a socket would ask the system for its memory anew. Where there is no glibc,
    or nothing may be called in it, this does nothing.
    """
    with contextlib.suppress(ImportError, OSError, AttributeError, TypeError, MemoryError):
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _SPARE)
