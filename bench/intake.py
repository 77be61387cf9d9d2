"""How many webhooks Spigot stores per second, synced, with the valve OFF.

    .venv/bin/python bench/intake.py [--seconds 5] [--rounds 3] [--connections 32]

Real payloads of about 8 kB with GitHub's headers, sent by wrk (Debian's package `wrk`) over
keep-alive connections to a gateway on loopback; each answer comes after its webhook is synced to
disk. Beside it, in the same rounds, the same requests to a bare uvicorn application that stores
nothing: what this machine can do at all. Prints the median of the rounds, and their spread.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from spigot.payloads import github_payloads
from spigot.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

LUA = """
local function read(name)
  local file = io.open('%(folder)s/' .. name, 'rb')
  local text = file:read('*a')
  file:close()
  return text
end
local requests = {}
for i = 0, %(count)d - 1 do
  local head, body = read(i .. '.head'), read(i .. '.body')
  requests[i] = {head, '\\r\\nContent-Length: ' .. #body .. '\\r\\n\\r\\n' .. body}
end
local prefix, number = '', 0
function init(args)
  math.randomseed(os.time())
  prefix = string.format('%%08x-%%06x-', math.random(0, 2^31 - 1), math.random(0, 2^24 - 1))
end
function request()
  number = number + 1
  local one = requests[number %% %(count)d]
  return one[1] .. prefix .. string.format('%%012d', number) .. one[2]
end
"""

BARE = """
import uvicorn
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})
uvicorn.run(app, port=%d, log_level="error", access_log=False, lifespan="off")
"""


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: it sends the requests (Debian: apt-get install wrk).")
    with tempfile.TemporaryDirectory(prefix="spigot-bench-") as name:
        script = write_requests(Path(name))
        results: dict[str, list[tuple[float, float, float]]] = {"spigot": [], "bare uvicorn": []}
        for number in range(options.rounds):
            for target, serve in (("spigot", spigot), ("bare uvicorn", bare)):
                with serve(Path(name) / f"data-{number}") as port:
                    results[target].append(load(script, port, options.connections, options.seconds))
    print(f"{options.connections} connections, {options.seconds} s a round, {os.cpu_count()} CPUs")
    print(f"{'':14}{'per second':>12}{'(min-max)':>16}{'p50 ms':>9}{'p99 ms':>9}")
    for target, rounds in results.items():
        rate, p50, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
        rates = [round(one[0]) for one in rounds]
        spread = f"({min(rates)}-{max(rates)})"
        print(f"{target:14}{rate:12.0f}{spread:>16}{p50:9.2f}{p99:9.2f}")


def write_requests(folder: Path) -> Path:
    """Write each request's head and body, and wrk's script, into `folder`."""
    examples = [one for one in github_payloads() if 6_000 <= len(one.body) <= 10_500]
    for number, (event, body) in enumerate(examples):
        head = (
            "POST /github-webhook/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "User-Agent: GitHub-Hookshot/0123abc\r\nAccept: */*\r\n"
            f"Content-Type: application/json\r\nX-GitHub-Event: {event}\r\n"
            "X-GitHub-Hook-ID: 12345678\r\n"
            f"X-Hub-Signature: sha1={'0' * 40}\r\nX-Hub-Signature-256: sha256={'0' * 64}\r\n"
            "X-GitHub-Delivery: "
        )
        (folder / f"{number}.head").write_text(head, newline="")
        (folder / f"{number}.body").write_bytes(body)
    script = folder / "requests.lua"
    script.write_text(LUA % {"count": len(examples), "folder": folder})
    return script


@contextlib.contextmanager
def spigot(data: Path) -> Iterator[int]:
    """Run a gateway with the valve OFF; yield its port."""
    store = SqliteStore(data)
    store.panel.set_valve(on=False, reason="benchmark")
    store.close()
    port, admin = free_port(), free_port()
    command = [
        sys.executable, "-m", "spigot", "serve", "--data", str(data), "--target", "http://127.0.0.1:9",
        "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}",
    ]  # fmt: skip
    with running(command, port):
        yield port


@contextlib.contextmanager
def bare(_: Path) -> Iterator[int]:
    """Run a bare uvicorn application; yield its port."""
    port = free_port()
    with running([sys.executable, "-c", BARE % port], port):
        yield port


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a server and wait until it answers; end it afterwards."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def load(script: Path, port: int, connections: int, seconds: int) -> tuple[float, float, float]:
    """Run wrk; return requests per second, and the median and 99th percentile in milliseconds."""
    url = f"http://127.0.0.1:{port}"
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "-s",
        str(script),
        "--latency",
        url,
    ]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"Requests failed:\n{text}")
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0])
    return rate, percentile(text, "50%"), percentile(text, "99%")


def percentile(text: str, name: str) -> float:
    """Read one line of wrk's latency distribution, in milliseconds."""
    value, unit = re.findall(rf"\s{name}\s+([\d.]+)(us|ms|s)", text)[0]
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
