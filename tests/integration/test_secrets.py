"""No secret is shown however a gateway fails: in logs, answers, pages, commands or titles."""

from __future__ import annotations

import base64
import http.client
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from spigot.cli import main
from spigot.practice import Fault, Phase, PracticeJenkins
from support.gateway import GatewayProcess, reserve, wait_until
from support.provider import numbered, plain, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.provider import Request

ADMIN = "admin-3b1f8e-secret"
API = "api-77c0de-secret"
PROXY = "proxy-91ab5c-secret"
GITLAB = "gitlab-5d4e21-secret"
GWT = "gwt-88aa07/secret"
DOCKER = "docker-46f3d9-secret"
BASIC = "basic-c2b7e0-secret"
COOKIE = "cookie-0f9e8d-secret"


def encoded(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


LOGINS = {"robot": API, "us": PROXY, "provider": BASIC}
SECRETS = {
    *(ADMIN, API, PROXY, GITLAB, GWT, DOCKER, BASIC, COOKIE),
    GWT.replace("/", "%2F"),
    *(encoded(f"{user}:{password}") for user, password in LOGINS.items()),
}
ENVIRONMENT = {
    "SPIGOT_ADMIN_TOKEN": ADMIN,
    "SPIGOT_API_TOKEN": f"robot:{API}",
    "LOG_LEVEL": "DEBUG",
    "SPIGOT_CONNECT_TIMEOUT": "1",
}

WEBHOOKS: dict[str, Request] = {
    "GitLab": plain("/gitlab-webhook/post", (("X-Gitlab-Token", GITLAB),)),
    "GWT": plain(f"/generic-webhook-trigger/invoke?token={GWT.replace('/', '%2F')}"),
    "Docker Hub": plain(f"/dockerhub-webhook/{DOCKER}/notify"),
    "a login": plain(
        "/project/practice",
        (("Authorization", f"Basic {encoded(f'provider:{BASIC}')}"), ("Cookie", f"sid={COOKIE}")),
    ),
    "a reset": plain("/bitbucket-hook/", (("X-Api-Key", GITLAB),)),
    "a URL with a login": plain(
        f"/git/notifyCommit?url=https://provider:{BASIC}@git.example/x.git&token={GWT}"
    ),
}
REFUSED = (
    plain(f"/dockerhub-webhook/{DOCKER}/../notify"),
    plain(f"/dockerhub-webhook/{DOCKER}%2fx/notify"),
    plain(f"/nowhere/?token={GWT}", (("X-Gitlab-Token", GITLAB),)),
    plain(f"/generic-webhook-trigger/invoke/?token={GWT}"),
)


def echo_of(secret: str) -> bytes:
    """What a Jenkins answers whose error page shows what it was sent."""
    return f"Oops: {secret} {secret.replace('/', '%2F')} {encoded(secret)}".encode()


class Seen:
    """All that a person, a program or another user of the machine can see of a gateway."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.texts: list[tuple[str, str]] = []

    def send(self, request: Request) -> int:
        answer = send(self.gateway.port, request)
        self.texts.append((f"the answer to {request.method}", json.dumps([*answer])))
        return answer.status

    def get(self, path: str, token: str = ADMIN) -> str:
        with closing(http.client.HTTPConnection("127.0.0.1", self.gateway.admin_port)) as line:
            line.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = line.getresponse()
            text = answer.read().decode()
            self.texts.append((path.partition("?")[0], f"{answer.getheaders()} {text}"))
            return text

    def until(self, holds: Callable[[dict[str, Any]], object]) -> None:
        wait_until(lambda: holds(json.loads(self.get("/api/status"))))

    def look(self) -> None:
        """Look at everything there is."""
        self.get("/metrics")
        self.get("/api/status", ADMIN[:-1])
        self.get(f"/api/nothing?token={ADMIN}", "")
        ids = [one["id"] for one in json.loads(self.command("list", "--json"))]
        for words in (
            *(["show", id_, *json_] for id_ in ids for json_ in ([], ["--json"])),
            ["list"], ["status"], ["status", "--json"], ["check"], ["check", "--json"],
        ):  # fmt: skip
            self.command(*words)
        for file in ("cmdline", "comm"):
            path = Path(f"/proc/{self.gateway.pid}/{file}")
            if path.exists():  # on Linux
                self.texts.append((file, path.read_text("utf-8")))
        with closing(sqlite3.connect(self.gateway.data / "spigot.db")) as db:
            self.texts.append(("the report", db.execute("SELECT * FROM gateway").fetchone()[0]))

    def command(self, *words: str) -> str:
        done = CliRunner(env=self.gateway.environment).invoke(main, words)
        self.texts.append((f"spigot {words[0]}", f"{done.output} {done.exc_info}"))
        return done.stdout

    def leaks(self) -> list[tuple[str, str, str]]:
        """Return each text with a secret in it: where, which, and the words around it."""
        self.texts.append(("the log", self.gateway.log_text()))
        return leaks(self.texts)


def leaks(texts: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    assert all(text for _, text in texts)
    return [
        (where, secret, text[max(0, text.index(secret) - 200) :][:400])
        for where, text in texts
        for secret in SECRETS
        if secret in text
    ]


@pytest.fixture
def echo() -> Iterator[PracticeJenkins]:
    """A Jenkins that shows in its answers what it was sent."""
    with PracticeJenkins() as jenkins:
        redirect = (("Location", f"/?token={GWT}"),)
        crumb = b"No valid crumb was included in the request. "
        jenkins.fault("/gitlab-webhook/post", Fault(400, body=echo_of(GITLAB)))
        jenkins.fault("/generic-webhook-trigger/", Fault(500, body=echo_of(GWT)))
        jenkins.fault("/project/", Fault(403, body=echo_of(f"provider:{BASIC}") + COOKIE.encode()))
        jenkins.fault("/bitbucket-hook/", Fault(reset=True))
        jenkins.fault("/git/", Fault(302, redirect, echo_of(GWT)))
        jenkins.fault("/dockerhub-webhook/", Fault(403, body=crumb + echo_of(DOCKER)))
        yield jenkins


@pytest.fixture
def seen(tmp_path: Path, echo: PracticeJenkins) -> Iterator[Seen]:
    """A gateway before it."""
    with GatewayProcess(tmp_path, echo.url, ENVIRONMENT) as gateway:
        yield Seen(gateway)


def test_what_jenkins_refuses_fails_on_or_redirects_shows_none(seen: Seen) -> None:
    for request in WEBHOOKS.values():
        assert seen.send(request) == 200
    for request in REFUSED:
        assert seen.send(request) == 404
    seen.until(lambda status: (status["dead"], len(status["paths_held"])) == (4, 2))
    seen.look()
    assert seen.leaks() == []


def test_an_outage_shows_none(seen: Seen, echo: PracticeJenkins) -> None:
    echo.phase = Phase.DOWN
    seen.until(lambda status: status["jenkins"] == "not ready")
    for request in WEBHOOKS.values():
        assert seen.send(request) == 200
    seen.look()
    assert seen.leaks() == []


def test_a_store_that_fails_shows_none_in_its_tracebacks(seen: Seen) -> None:
    with closing(sqlite3.connect(seen.gateway.data / "spigot.db")) as db:
        db.execute("ALTER TABLE contents RENAME TO elsewhere")
        for request in WEBHOOKS.values():
            assert seen.send(request) == 503
        db.execute("ALTER TABLE elsewhere RENAME TO contents")
    assert any("traceback" in record for record in seen.gateway.log())
    seen.look()
    assert seen.leaks() == []


def test_a_full_disk_shows_none(tmp_path: Path) -> None:
    full = {**ENVIRONMENT, "SPIGOT_MIN_FREE": "9000000GiB"}
    with closing(GatewayProcess(tmp_path, "http://127.0.0.1:9", full)) as gateway:
        gateway.launch()
        wait_until(gateway.reachable)
        seen = Seen(gateway)
        for request in WEBHOOKS.values():
            assert seen.send(request) == 503
        seen.look()
        assert seen.leaks() == []


@pytest.mark.parametrize("answers", [False, True], ids=["away", "asks for a login"])
def test_a_proxy_to_jenkins_that_fails_shows_none(tmp_path: Path, *, answers: bool) -> None:
    with closing(reserve()) as nobody, PracticeJenkins() as other:
        other.fault("/", Fault(407, body=f"not you, us:{PROXY}".encode()))
        port = other.port if answers else nobody.getsockname()[1]
        way = {**ENVIRONMENT, "SPIGOT_PROXY": f"http://us:{PROXY}@127.0.0.1:{port}"}
        for target in ("http://jenkins.example", "https://jenkins.example"):
            folder = tmp_path / target.partition(":")[0]
            folder.mkdir()
            with GatewayProcess(folder, target, way) as gateway:
                seen = Seen(gateway)
                for request in WEBHOOKS.values():
                    assert seen.send(request) == 200
                seen.until(lambda status: "not asked" not in str(status["evidence"]))
                seen.look()
                assert seen.leaks() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"SPIGOT_API_TOKEN": f"{API}"},
        {"SPIGOT_API_TOKEN": f"robot:{API}\n"},
        {"SPIGOT_ADMIN_TOKEN": f"{ADMIN}\x01"},
        {"SPIGOT_ADMIN_TOKEN": f"{ADMIN}é"},
        {"SPIGOT_PROXY": f"ftp://us:{PROXY}@127.0.0.1:9"},
        {"SPIGOT_PROXY": f"http://us:{PROXY}@127.0.0.1:port"},
        {"SPIGOT_PROXY": "", "HTTPS_PROXY": f"socks5://us:{PROXY}@127.0.0.1:9"},
        {"TARGET_URL": f"https://us:{PROXY}@jenkins.example"},
        {"TARGET_URL": f"jenkins.example/?token={GWT}"},
        {"SPIGOT_LISTEN": "127.0.0.1:99999"},
    ],
    ids=lambda wrong: " ".join(f"{name}" for name in wrong),
)
def test_a_wrong_configuration_shows_none(tmp_path: Path, wrong: dict[str, str]) -> None:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("SPIGOT_")}
    environment = {
        **clean, **ENVIRONMENT, "TARGET_URL": "https://jenkins.example", "SPIGOT_PROXY": "none",
        "SPIGOT_DATA": str(tmp_path / "file" / "data"), **wrong,
    }  # fmt: skip
    (tmp_path / "file").touch()  # what would start fails on its data directory
    for words in (["serve"], ["check"]):
        command = [sys.executable, "-m", "spigot", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in (1, 2)
        assert leaks([(" ".join(words), done.stdout + done.stderr)]) == []


def test_a_secret_in_the_clear_would_be_found(seen: Seen) -> None:
    seen.send(numbered("octo/hello", 1)._replace(target="/github-webhook/"))
    seen.texts.append(("a test", f"says {GWT}"))
    assert [where for where, *_ in seen.leaks()] == ["a test"]
