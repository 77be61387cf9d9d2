"""How many files and sockets this process may have open."""

from __future__ import annotations

import resource

from spigot.log import Log

SPARE = 256
"""For the store, Jenkins, the admin listener and whatever else; connections come on top."""

_log = Log(__name__)


def allow_connections(number: int) -> None:
    """Raise the limit of open files so that so many connections fit, as far as it may be raised.

    The usual soft limit of 1,024 is for programs that use select(2); see systemd's notes on file
    descriptor limits.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number + SPARE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        _log.warning(
            "Fewer files may be open than max_connections needs: raise the limit (LimitNOFILE= of "
            "the systemd unit, ulimit -n) or lower max_connections",
            limit=most,
            wanted=wanted,
        )
