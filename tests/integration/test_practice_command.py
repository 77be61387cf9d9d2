"""``python -m spigot.practice`` runs a practice Jenkins that can be told its phase."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from spigot.practice import Phase, PracticeJenkins, Visit
from spigot.practice.command import Control, describe, read_order
from support.practice import HOOK, PUSH, push, send


class TestCommand:
    def test_an_order_names_a_phase_and_a_time(self) -> None:
        assert read_order("ready", None) == (Phase.READY, None)
        assert read_order("down", "500ms") == (Phase.DOWN, 0.5)
        assert read_order("starting", "2m") == (Phase.STARTING, 120.0)

    @pytest.mark.parametrize(
        ("to", "how_long", "word"),
        [("off", None, "ready"), ("down", None, "for=TIME"), ("down", "soon", "10s")],
    )
    def test_a_wrong_order_says_what_is_right(
        self, to: str, how_long: str | None, word: str
    ) -> None:
        with pytest.raises(ValueError, match=word):
            read_order(to, how_long)

    def test_the_control_closes_the_port_for_a_while(self) -> None:
        control = Control(Phase.READY)
        seen = threading.Event()

        class Watched(PracticeJenkins):
            def boot(self) -> str:
                assert self.phase is Phase.DOWN
                with pytest.raises(ConnectionRefusedError):
                    push(self)
                session = super().boot()
                seen.set()
                return session

        with Watched(control=control, context_path="/jenkins") as jenkins:
            control.jenkins = jenkins
            before = jenkins.session
            got = send(jenkins, "POST", "/practice/phase?to=down&for=50ms")
            assert (got.status, json.loads(got.body)) == (200, {"phase": "down", "for": 0.05})
            assert seen.wait(5)
            control.join()
            assert json.loads(send(jenkins, "GET", "/practice/phase").body) == {"phase": "ready"}
            assert jenkins.session != before
            assert jenkins.visits == []

    def test_the_control_works_while_all_else_hangs(self) -> None:
        control = Control(Phase.HANGING)
        with PracticeJenkins(control=control, phase=Phase.HANGING) as jenkins:
            control.jenkins = jenkins
            assert send(jenkins, "POST", "/practice/phase?to=ready").status == 200
            control.join()
            assert jenkins.phase is Phase.READY
            assert send(jenkins, "POST", "/practice/phase?to=down").status == 400
            assert send(jenkins, "DELETE", "/practice/phase").status == 405

    @pytest.mark.parametrize(
        ("header", "body", "line"),
        [
            ((b"X-GitHub-Event", b"push"), b'{"repository": {"full_name": "a/b"}}', "push a/b 200"),
            (
                (b"x-gitlab-event", b"Push Hook"),
                b'{"project": {"path_with_namespace": "g/a"}}',
                "Push Hook g/a 200",
            ),
            (
                (b"X-GitHub-Event", b"push"),
                b"payload=%7B%22repository%22%3A%7B%22full_name%22%3A%22a%2Fb%22%7D%7D",
                "push a/b 200",
            ),
            ((b"X-GitHub-Event", b"pu\x1bsh"), b"[]", "pu?sh - 200"),
            ((b"Host", b"x"), b"{", "- - 200"),
        ],
    )
    def test_a_webhook_is_described_in_a_line(
        self, header: tuple[bytes, bytes], body: bytes, line: str
    ) -> None:
        visit = Visit(0.0, "POST", b"/project/x?token=hush", (header,), body, 200)
        assert describe(visit) == line

    def test_it_runs_in_the_foreground_until_it_is_told_to_stop(self) -> None:
        command = [sys.executable, "-m", "spigot.practice", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline().split("127.0.0.1:")[1].split("/")[0])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            with closing(connection):
                connection.request("POST", HOOK, b'{"repository": {"full_name": "a/b"}}', PUSH)
                assert connection.getresponse().status == 200
            assert process.stdout.readline() == "push a/b 200\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
