"""Real GitHub webhooks as they go over the wire: signed, each with a delivery id of its own."""

from __future__ import annotations

import hmac
import json
import statistics
from typing import NamedTuple

from spigot.payloads import Example, github_payloads

SECRET = "the octopus has nine arms"

SIZES = {"8 kB": (6_000, 10_500), "26 kB": (25_000, 1 << 20)}
"""Two sizes by their median: GitHub's usual payloads, and the largest in its public collection."""


class Wire(NamedTuple):
    """A request up to its delivery id, and from there on."""

    before: bytes
    after: bytes

    def with_id(self, delivery: str) -> bytes:
        """Return the whole request."""
        return self.before + delivery.encode("ascii") + self.after


def examples(size: str) -> list[Example]:
    """Return GitHub's own examples of a size of `SIZES`, those that name a repository."""
    least, most = SIZES[size]
    return [
        one
        for one in github_payloads()
        if least <= len(one.body) <= most and "repository" in json.loads(one.body)
    ]


def median_bytes(size: str) -> int:
    """Return how long the bodies of a size are in the median."""
    return round(statistics.median(len(one.body) for one in examples(size)))


def wires(size: str, path: str, *, lanes: int = 0) -> list[Wire]:
    """Return the examples of a size as GitHub sends them to a path.

    Args:
        size: One of `SIZES`.
        path: The path.
        lanes: Let them come from so many repositories, one after the other in turn: in the
            collection nearly all are of one. 0 leaves them as they are.
    """
    return [
        wire(_renamed(one, number % lanes) if lanes else one, path)
        for number, one in enumerate(examples(size))
    ]


def _renamed(example: Example, number: int) -> Example:
    """Return an example of another repository, as long as it was."""
    name = json.loads(example.body)["repository"]["full_name"]
    new = f"octo/{number:05d}".ljust(len(name), "x")[: len(name)]
    return example._replace(body=example.body.replace(name.encode(), new.encode()))


def wire(example: Example, path: str) -> Wire:
    """Return one as GitHub sends it, signed with `SECRET`."""
    event, body = example
    sha1, sha256 = (hmac.digest(SECRET.encode(), body, name).hex() for name in ("sha1", "sha256"))
    before = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "User-Agent: GitHub-Hookshot/0123abc\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nX-GitHub-Event: {event}\r\n"
        "X-GitHub-Hook-ID: 12345678\r\n"
        f"X-Hub-Signature: sha1={sha1}\r\nX-Hub-Signature-256: sha256={sha256}\r\n"
        "X-GitHub-Delivery: "
    )
    return Wire(before.encode(), b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
