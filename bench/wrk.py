"""wrk, the load generator (Debian's package `wrk`): as many requests as a server answers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from bench.payloads import Wire

_LUA = """
local function read(name)
  local file = io.open('%(folder)s/' .. name, 'rb')
  local text = file:read('*a')
  file:close()
  return text
end
local requests = {}
for i = 0, %(count)d - 1 do
  requests[i] = {read(i .. '.before'), read(i .. '.after')}
end
local prefix, number = '', 0
function init(args)
  math.randomseed(tonumber(args[1]))
  prefix = string.format('%%08x-%%06x-', math.random(0, 2^31 - 1), math.random(0, 2^24 - 1))
end
function request()
  number = number + 1
  local one = requests[number %% %(count)d]
  return one[1] .. prefix .. string.format('%%012d', number) .. one[2]
end
"""


class Load(NamedTuple):
    """What wrk saw.

    Attributes:
        rate: Answers a second.
        p50: The median of the time until an answer, milliseconds.
        p99: The 99th percentile.
        answers: All answers.
    """

    rate: float
    p50: float
    p99: float
    answers: int


class Wrk:
    """Sends some requests over and over, each with a new delivery id.

    Args:
        folder: A new folder for the requests and wrk's script.
        wires: The requests.

    Attributes:
        wires: As given.
    """

    _seed = 0

    def __init__(self, folder: Path, wires: list[Wire]) -> None:
        folder.mkdir(parents=True)
        self.wires = wires
        for number, (before, after) in enumerate(wires):
            (folder / f"{number}.before").write_bytes(before)
            (folder / f"{number}.after").write_bytes(after)
        self._script = folder / "requests.lua"
        self._script.write_text(_LUA % {"count": len(wires), "folder": folder})

    def run(self, port: int, connections: int, seconds: int) -> Load:
        """Send for so many whole seconds over keep-alive connections.

        Raises:
            SystemExit: Something was not answered 2xx: the figures would mean nothing.
        """
        Wrk._seed += 1  # no two runs make the same delivery ids
        command = [
            "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s",
            "-s", str(self._script), f"http://127.0.0.1:{port}", "--", str(Wrk._seed),
        ]  # fmt: skip
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if "Non-2xx" in text or "Socket errors" in text:
            sys.exit(f"Requests failed:\n{text}")
        return Load(
            float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0]),
            _milliseconds(text, "50%"),
            _milliseconds(text, "99%"),
            int(re.findall(r"(\d+) requests in", text)[0]),
        )


def need() -> None:
    """End with a plain word if wrk is missing."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: it sends the requests (Debian: apt-get install wrk).")


def _milliseconds(text: str, name: str) -> float:
    """Read one line of wrk's latency distribution."""
    value, unit = re.findall(rf"\s{name}\s+([\d.]+)(us|ms|s)", text)[0]
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
