"""Real GitHub payloads, for the demo, the tests and the benchmarks.

They are the examples of github.com from the npm package ``@octokit/webhooks-examples`` 7.6.1 (MIT
licence, project octokit/webhooks): 329 bodies of 58 events, 8 kB in the median, 27 kB at most. They
come without headers and signatures.
"""

from __future__ import annotations

import json
import lzma
from importlib.resources import files
from typing import NamedTuple


class Example(NamedTuple):
    """One example webhook.

    Attributes:
        event: GitHub's name of the event, as in ``X-GitHub-Event``.
        body: The payload as minified JSON in UTF-8.
    """

    event: str
    body: bytes


def github_payloads() -> list[Example]:
    """Return all examples, in the order in which they were published.

    Unpacks 4 MB anew on each call: call it once.
    """
    packed = files("spigot").joinpath("data", "github-payloads.json.xz").read_bytes()
    return [
        Example(row["event"], _minified(row["payload"]))
        for row in json.loads(lzma.decompress(packed))
    ]


def _minified(payload: object) -> bytes:
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
