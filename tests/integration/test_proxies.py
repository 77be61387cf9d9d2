"""The examples of deploy/ for nginx and Caddy: what goes through them reaches Jenkins untouched."""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spigot.payloads import github_payloads
from support.checker import PERFECT, compare
from support.gateway import wait_until
from support.provider import github, plain, send, send_over

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spigot.practice import PracticeJenkins
    from spigot.practice.visits import Visit
    from support.gateway import GatewayProcess
    from support.provider import Request

DEPLOY = Path(__file__).parents[2] / "deploy"
ADDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")

EVENTS = ("push", "pull_request", "issue_comment", "release", "create", "check_run")

ODD = (
    "/project/folder/caf%C3%A9%20%7ejob",
    "/generic-webhook-trigger/invoke?token=practice&x=%2f%C3%A4+b;c&&empty=&flag",
    "/generic-webhook-trigger/invoke?token=practice&x=a%zzb",
    "/git/notifyCommit?url=https://git.example/octo/hello.git",
)


def nginx(folder: Path, port: int, upstream: int) -> list[str]:
    """Write a configuration around the example, without its TLS, and return the command."""
    server = (DEPLOY / "nginx.conf").read_text("utf-8")
    server = re.sub(r"(?m)^ *(ssl_.*|access_log .*|error_log .*)\n", "", server)
    server = server.replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    server = server.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error crit;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}{server}}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", f"{folder}/conf", "-e", f"{folder}/error"]


def caddy(folder: Path, port: int, upstream: int) -> list[str]:
    """Write the example with other addresses, without its TLS, and return the command."""
    site = (DEPLOY / "Caddyfile").read_text("utf-8")
    site = site.replace("hooks.example.com {", f"http://:{port} {{\n\tbind 127.0.0.1")
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    (folder / "conf").write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{site}")
    return ["caddy", "run", "--config", f"{folder}/conf", "--adapter", "caddyfile"]


def missing(program: str) -> pytest.MarkDecorator:
    where = f"{os.environ.get('PATH', '')}:/usr/sbin"
    return pytest.mark.skipif(
        shutil.which(program, path=where) is None, reason=f"{program} is not installed"
    )


@pytest.fixture(
    params=[
        pytest.param(nginx, id="nginx", marks=missing("nginx")),
        pytest.param(caddy, id="caddy", marks=missing("caddy")),
    ]
)
def proxy(request: pytest.FixtureRequest, tmp_path: Path, gateway: GatewayProcess) -> Iterator[int]:
    """A proxy in front of the gateway; its port."""
    folder = tmp_path / "proxy"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with running(request.param(folder, port, gateway.port), folder, port):
        yield port


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """Run a server until the end of the block."""

    def listens() -> bool:
        assert process.poll() is None, (folder / "said").read_text("utf-8")
        with closing(socket.socket()) as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0

    environment = {"PATH": f"{os.environ['PATH']}:/usr/sbin", "HOME": str(folder)}
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    try:
        wait_until(listens)
        yield
    finally:
        process.terminate()
        process.wait()


def in_order_of_names(visit: Visit) -> Visit:
    """Return a visit without what a proxy adds; repeated headers keep their order."""
    lines = [line for line in visit.headers if line[0].lower().decode() not in ADDED]
    return visit._replace(headers=tuple(sorted(lines, key=lambda line: line[0].lower())))


def sorted_request(request: Request) -> Request:
    return request._replace(
        headers=tuple(sorted(request.headers, key=lambda each: each[0].lower()))
    )


def test_what_goes_through_a_proxy_reaches_jenkins_untouched(
    proxy: int, jenkins: PracticeJenkins, gateway: GatewayProcess
) -> None:
    examples = [each for each in github_payloads() if each.event in EVENTS]
    repeated = (("X-Some", "one"), ("X-Some", "two"), ("x_under_score", "kept"))
    requests = [
        github(event, body, form=bool(number % 3 == 0), extra=repeated)
        for number, (event, body) in enumerate(examples)
    ]
    noise = random.Random(1).randbytes((25 << 20) // 2).hex()
    largest = f'{{"noise": "{noise}"}}'.replace(noise[-13:], "", 1).encode()
    assert len(largest) == 25 << 20
    requests += [github("push", largest), *(plain(target) for target in ODD)]
    sent = send_over(proxy, requests, 4)
    assert {one.answer.status for one in sent} == {200}
    gateway.until(lambda status: status["delivered"] + status["dead"] == len(requests))
    visits = [in_order_of_names(visit) for visit in jenkins.hooks]
    assert compare([sorted_request(one.request) for one in sent], visits) == PERFECT
    signed = [visit for visit in jenkins.taken if visit.target == b"/github-webhook/"]
    assert len(signed) == len(examples) + 1  # Jenkins' own check of the signature passed


def test_the_callers_address_is_handed_on(
    proxy: int, jenkins: PracticeJenkins, gateway: GatewayProcess
) -> None:
    send(proxy, plain("/git/notifyCommit?url=https://git.example/x.git"))
    gateway.until(lambda status: status["delivered"] + status["dead"] == 1)
    headers = {name.lower(): value for name, value in jenkins.hooks[-1].headers}
    assert headers[b"x-forwarded-for"] == b"127.0.0.1"
