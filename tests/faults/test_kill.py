"""Killed at any moment, again and again: what was answered 200 arrives, in order."""

from __future__ import annotations

import http.client
import random
import sqlite3
import threading
import time
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING

import pytest

from spigot.practice import Phase, PracticeJenkins
from spigot.web.limits import LARGE
from support.checker import PERFECT, compare
from support.gateway import PATIENCE, GatewayProcess
from support.provider import SECRET, Line, Request, numbered

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.chaos

KILLS = 50
SENDERS = 4
LANES = 3
"""Of each sender."""

PAUSE = 0.004
"""Seconds between two webhooks of a sender."""

SETTINGS = {"SPIGOT_RETRY_DELAYS": "0.1,0.2,0.5,1,2,2,2"}


class Sender(threading.Thread):
    """Sends webhooks of its own lanes one after the other, each again until it is answered."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__()
        self.promised: list[Request] = []
        self.unanswered = 0
        self.known = 0
        self.refused: list[int] = []
        self.over = threading.Event()
        self.prefix = name
        self._port = port

    def run(self) -> None:
        with Line(self._port) as line:
            number = 0
            while not self.over.is_set():
                request = self.request(number)
                if self._send(line, request):
                    number += 1
                self.over.wait(PAUSE)

    def request(self, number: int) -> Request:
        repository = f"octo/{self.prefix}-{number % LANES}"
        return numbered(repository, number, padding=0 if number % 40 else LARGE)

    def _send(self, line: Line, request: Request) -> bool:
        try:
            answer = line.send(request)
        except ConnectionRefusedError:
            return False
        except (OSError, http.client.HTTPException):
            self.unanswered += 1
            return False
        if answer.status == 200:
            self.known += answer.body["status"] == "duplicate"
            self.promised.append(request)
            return True
        self.refused.append(answer.status)
        return False


class Weather(threading.Thread):
    """Lets Jenkins go down and come back, up for half of the time."""

    def __init__(self, jenkins: PracticeJenkins, chance: random.Random) -> None:
        super().__init__()
        self.over = threading.Event()
        self._jenkins = jenkins
        self._chance = chance

    def run(self) -> None:
        while not self.over.is_set():
            self.over.wait(self._chance.uniform(0.2, 0.6))
            self._jenkins.phase = Phase.DOWN
            self._jenkins.boot()
            self.over.wait(self._chance.uniform(0.2, 0.6))
            self._jenkins.phase = Phase.READY


def test_what_was_answered_200_survives_fifty_kills_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(20)
    with (
        PracticeJenkins(github_secrets=[SECRET]) as jenkins,
        closing(GatewayProcess(tmp_path, jenkins.url, SETTINGS)) as gateway,
    ):
        senders = [Sender(f"sender-{number}", gateway.port) for number in range(SENDERS)]
        weather = Weather(jenkins, random.Random(21))
        threads: list[Sender | Weather] = [*senders, weather]
        began = time.monotonic()
        starts = []
        for thread in threads:
            thread.start()
        try:
            for number in range(KILLS):
                if number % 5 == 3:  # before it takes anything, perhaps
                    gateway.launch()
                else:
                    starts.append(gateway.start())
                time.sleep(chance.uniform(0.02, 0.4))
                gateway.kill()
            killed_for = time.monotonic() - began
            gateway.start()
            time.sleep(0.1)
        finally:
            for thread in threads:
                thread.over.set()
            for thread in threads:
                thread.join(PATIENCE)
        status = gateway.until(lambda status: not status["waiting"])
        assert gateway.terminate() == 0

        promised = [request for sender in senders for request in sender.promised]
        # What a sender was about to repeat when it stopped may have been taken.
        last = [sender.request(len(sender.promised)) for sender in senders]
        found = compare(promised, jenkins.taken, also_sent=last)

    with closing(sqlite3.connect(gateway.data / "spigot.db")) as db:
        intact = db.execute("PRAGMA integrity_check").fetchall()
        (stored,) = db.execute("SELECT count(*) FROM webhooks").fetchone()
        totals = db.execute("SELECT stored, waiting, delivered FROM totals").fetchone()
        delivered, recalled = db.execute(
            "SELECT count(*), sum(reason LIKE '%once more%') FROM attempts "
            "WHERE verdict = 'delivered'"
        ).fetchone()
    with capsys.disabled():
        print(
            f"\n{KILLS} kills in {killed_for:.1f} s: {len(promised)} webhooks promised, "
            f"{sum(sender.unanswered for sender in senders)} requests cut off, "
            f"{sum(sender.known for sender in senders)} of them known when they came again, "
            f"{recalled} delivered once more after restarts of Jenkins, "
            f"{found.duplicates - recalled} for another reason; start to 200 from /healthz "
            f"{median(starts):.2f} s"
        )
    assert promised
    assert [refused for sender in senders for refused in sender.refused] == []
    assert found._replace(duplicates=0) == PERFECT
    assert status["dead"] == 0
    assert intact == [("ok",)]
    assert totals == (stored, 0, delivered)
    assert recalled
    strange = [
        line
        for line in gateway.log_text().splitlines()
        if '"ERROR"' in line or not line.startswith("{")
    ]
    assert strange == []


def test_killed_while_it_makes_its_database_it_starts_the_next_time(tmp_path: Path) -> None:
    with PracticeJenkins() as jenkins:
        for number in range(8):
            directory = tmp_path / str(number)
            directory.mkdir()
            with closing(GatewayProcess(directory, jenkins.url)) as gateway:
                gateway.launch()
                end = time.monotonic() + PATIENCE
                while not (gateway.data / "spigot.db").exists() and time.monotonic() < end:
                    pass
                time.sleep(number * 0.002)
                gateway.kill()
                gateway.start()
                assert gateway.terminate() == 0
