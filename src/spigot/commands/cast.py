"""Who plays in the demo: a real gateway process, and a provider that sends real payloads."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from spigot.commands import post
from spigot.commands.tally import Sent
from spigot.errors import SpigotError
from spigot.payloads import github_payloads

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

_PATIENCE = 20.0
_EVENTS = frozenset({"push", "pull_request", "issue_comment", "check_run", "release", "create"})
_REPOSITORY = "Codertocat/Hello-World"
"""The repository that most of the examples are about."""


class GatewayProcess:
    """``spigot serve`` as a process of its own that can be killed and started again.

    Args:
        directory: Where it runs; data and log go below it.
        target: Jenkins' URL.
    """

    def __init__(self, directory: Path, target: str) -> None:
        self.data = directory / "data"
        self._directory = directory
        self._target = target
        self._log = directory / "gateway.log"
        self._listen = "127.0.0.1:0"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it takes webhooks; stays the same when it is started again."""
        return f"http://{self._listen}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Start it and return how many seconds it took until webhooks were taken.

        Raises:
            SpigotError: It did not start.
        """
        began = time.monotonic()
        words = ["serve", "--target", self._target, "--data", str(self.data)]
        words += ["--listen", self._listen, "--admin", "127.0.0.1:0"]
        foreign = ("SPIGOT_", "TARGET_URL", "LOG_LEVEL")
        environ = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "spigot", *words],
                cwd=self._directory,
                env=environ | {"SPIGOT_PROXY": "none", "SPIGOT_MIN_FREE": "16MiB"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        while (listen := self._started()) is None:
            if self._process.poll() is not None or time.monotonic() - began > _PATIENCE:
                said = self._log.read_text("utf-8", "replace").strip().splitlines()
                raise SpigotError(f"The gateway did not start: {said[-1] if said else 'no word'}")
            time.sleep(0.01)
        self._listen = listen.removeprefix("http://")
        return time.monotonic() - began

    def kill(self) -> None:
        """``kill -9``: it has no chance to write anything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in order, if it runs."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _started(self) -> str | None:
        """Return where it listens, once its log says so."""
        for line in self._log.read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if said.get("event") == "Gateway started":
                    return str(said["listen"])
        return None


class Provider:
    """Sends real payloads of several repositories, signed, one after the other.

    Like providers that repeat, it sends again, under the same delivery id, what was not answered.

    Args:
        url: Where it sends to.
        secret: What it signs with.
        repositories: The names it puts in place of the examples' own.
        every: Seconds between two webhooks.
    """

    def __init__(self, url: str, secret: str, repositories: list[str], every: float) -> None:
        self.sent = 0
        self.repeated = 0
        self.stored: list[Sent] = []
        self._url = url
        self._secret = secret
        self._repositories = repositories
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)

    def stop(self) -> None:
        """Send nothing further; what is on its way is answered first."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        examples = [
            example
            for example in github_payloads()
            if example.event in _EVENTS and _REPOSITORY.encode() in example.body
        ]
        turns = zip(itertools.cycle(examples), itertools.cycle(self._repositories))
        for example, repository in turns:
            body = example.body.replace(_REPOSITORY.encode(), repository.encode())
            one = post.make("github", example.event, body, secret=self._secret)
            self.sent += 1
            while not self._stored(one):
                self.repeated += 1
                if self._over.wait(0.05):
                    return
            self.stored.append(Sent(one.delivery, repository, one.body))
            if self._over.wait(self._every):
                return

    def _stored(self, one: post.Post) -> bool:
        try:
            return post.send(one, self._url + one.path).status == 200
        except SpigotError:
            return False
