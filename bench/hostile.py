"""A good sender's webhooks while somebody attacks: all of them taken, how fast, in how much memory.

    .venv/bin/python -m bench.hostile [--seconds 20] [--rate 50] [ATTACK…]

The attacks, each against a gateway of its own that delivers to a practice Jenkins: ``none`` for
comparison, ``slow`` (1,000 connections on which headers dribble), ``large`` (200 senders of 25 MiB
at once, each of which tries again when it is refused), ``forged`` (bad signatures) and ``refused``
(what names no provider), both read whole and refused, on 32 connections as fast as they are
answered. The gateway checks signatures. It, the attacker and Jenkins are processes of their own;
the good sender signs real payloads and connects anew for each.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from itertools import cycle
from pathlib import Path

import uvloop

from bench import servers
from spigot.payloads import github_payloads
from support.jenkins import JenkinsProcess
from support.provider import SECRET, github, send

SLOW, LARGE, REFUSED = 1000, 200, 32
SIZE = 25 * 1024 * 1024
HEAD = b"POST /github-webhook/ HTTP/1.1\r\nHost: hooks.example\r\nX-GitHub-Event: push\r\n"


def main() -> None:
    """Attack in each way, and print a line on it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("attacks", nargs="*", default=list(ATTACKS), metavar="ATTACK")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each attack lasts")
    parser.add_argument("--rate", type=float, default=50.0, help="good webhooks per second")
    parser.add_argument("--attacker", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
    if options.attacker:
        uvloop.run(attack(options.attacks[0], options.attacker, options.seconds))
        return
    print(
        f"{'attack':9}{'sent':>7}{'taken':>7}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'MB':>6}"
        "  the attacker's answers"
    )
    for name in options.attacks:
        print(measure(name, options.seconds, options.rate), flush=True)


def measure(name: str, seconds: float, rate: float) -> str:
    """Attack a gateway, be the good sender meanwhile, and return the line."""
    with (
        tempfile.TemporaryDirectory(prefix="spigot-bench-") as folder,
        closing(JenkinsProcess(Path(folder))) as jenkins,
        closing(servers.gateway(Path(folder), jenkins.url)) as gateway,
    ):
        gateway.environment["LOG_LEVEL"] = "WARNING"
        jenkins.start()
        gateway.start()
        gateway.until(lambda status: bool(status["jenkins"] == "ready"))
        words = [name, "--attacker", str(gateway.port), "--seconds", str(seconds)]
        attacker = subprocess.Popen(
            [sys.executable, "-m", "bench.hostile", *words], stdout=subprocess.PIPE, text=True
        )
        time.sleep(1.0)
        taken, times = be_good(gateway.port, seconds - 2.0, rate)
        said = attacker.communicate()[0].strip()
        peak = gateway.peak_rss
    times.sort()
    p50, p99 = times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000
    return (
        f"{name:9}{len(times):7}{taken:7}{p50:9.1f}{p99:9.1f}{times[-1] * 1000:9.1f}"
        f"{peak / 1e6:6.0f}  {said}"
    )


def be_good(port: int, seconds: float, rate: float) -> tuple[int, list[float]]:
    """Send webhooks at a steady rate; return how many were taken, and how long each took."""
    examples = cycle([one for one in github_payloads() if len(one.body) < 10_500])
    taken, times = 0, []
    begin = time.monotonic()
    while (now := time.monotonic()) < begin + seconds:
        request = github(*next(examples))
        with contextlib.suppress(OSError):
            taken += send(port, request).status == 200
        times.append(time.monotonic() - now)
        time.sleep(max(0.0, begin + len(times) / rate - time.monotonic()))
    return taken, times


async def attack(name: str, port: int, seconds: float) -> None:
    """Attack until the time is over, and print how that was answered."""
    answers: Counter[str] = Counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ATTACKS[name](port, answers)
    print(", ".join(f"{what}: {number}" for what, number in sorted(answers.items())))


async def none(_: int, __: Counter[str]) -> None:
    """Leave it alone."""
    await asyncio.sleep(3600)


async def slow(port: int, answers: Counter[str]) -> None:
    """Dribble headers on many connections."""

    async def dribble(number: int) -> None:
        await asyncio.sleep(number / SLOW)
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                answers["connections"] += 1
                writer.write(HEAD)
                while not reader.at_eof() and not writer.is_closing():
                    writer.write(b"X-Slow: yes\r\n")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(65536), 0.5)
                writer.close()
            await asyncio.sleep(0.5)

    await asyncio.gather(*map(dribble, range(SLOW)))


async def large(port: int, answers: Counter[str]) -> None:
    """Send large bodies on many connections."""
    block = os.urandom(1024 * 1024)
    mark = hmac.digest(SECRET.encode(), block * (SIZE // len(block)), "sha256").hex().encode()
    head = HEAD + b"X-Hub-Signature-256: sha256=%s\r\n" % mark

    async def push(number: int) -> None:
        while True:
            status = "cut"
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(head + b"X-GitHub-Delivery: %d\r\n" % number)
                writer.write(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % SIZE)
                with contextlib.suppress(OSError):
                    for _ in range(SIZE // len(block)):
                        writer.write(block)
                        await writer.drain()
                status = (await reader.readline())[9:12].decode() or status
                writer.close()
            answers[status] += 1
            if status == "200":
                return
            await asyncio.sleep(0.5)

    await asyncio.gather(*map(push, range(LARGE)))


async def forged(port: int, answers: Counter[str]) -> None:
    """Send what is signed wrongly, as fast as it is refused."""
    await _flood(port, answers, HEAD)


async def refused(port: int, answers: Counter[str]) -> None:
    """Send what names no provider, as fast as it is refused."""
    await _flood(port, answers, b"POST /webhooks HTTP/1.1\r\nHost: hooks.example\r\n")


async def _flood(port: int, answers: Counter[str], head: bytes) -> None:
    body = next(one.body for one in github_payloads() if 8000 < len(one.body) < 9000)
    head += b"Content-Type: application/json\r\nX-Hub-Signature-256: sha256=" + b"0" * 64
    request = head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def flood() -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                while True:
                    writer.write(request)
                    answer = await reader.readuntil(b"\r\n\r\n")
                    length = int(answer.partition(b"content-length: ")[2].partition(b"\r")[0])
                    await reader.readexactly(length)
                    answers[answer[9:12].decode()] += 1

    await asyncio.gather(*(flood() for _ in range(REFUSED)))


ATTACKS = {"none": none, "slow": slow, "large": large, "forged": forged, "refused": refused}


if __name__ == "__main__":
    main()
