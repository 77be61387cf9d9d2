"""No 2xx leaves before the sync of the commit that holds its webhook: seen in the system calls."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from spigot.practice import Phase
from spigot.web.limits import LARGE
from support.calls import read_calls
from support.gateway import GatewayProcess
from support.promises import promised, unsynced
from support.provider import numbered, send_over
from support.strace import strace, traced_lines

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.practice import PracticeJenkins
    from support.calls import Call

CONNECTIONS = 8
WEBHOOKS = 300

UNSYNCED = """
from spigot.stores import database
connect = database.connect
def careless(*arguments, **options):
    db = connect(*arguments, **options)
    db.execute("PRAGMA synchronous = OFF")
    return db
database.connect = careless
from spigot.cli import main
main()
"""
"""A Spigot that leaves it to the system when anything gets to the disk."""

pytestmark = [pytest.mark.chaos, pytest.mark.usefixtures("tracing")]


def traced(
    tmp_path: Path, jenkins: PracticeJenkins, command: list[str]
) -> tuple[set[str], list[Call], str]:
    """Send webhooks over several connections; return their ids, the calls, and the log's path."""
    output = tmp_path / "trace"
    requests = [
        numbered(f"octo/{number % (2 * CONNECTIONS)}", number, padding=LARGE * (number % 50 == 0))
        for number in range(WEBHOOKS)
    ]
    with closing(GatewayProcess(tmp_path, jenkins.url)) as gateway:
        gateway.command = [*strace(output), sys.executable, *command]
        gateway.start()
        pid = gateway.pid
        sent = send_over(gateway.port, requests, CONNECTIONS)
        jenkins.phase = Phase.DOWN
        again = [numbered("octo/again", number) for number in range(20)]
        sent += send_over(gateway.port, again, 1) + send_over(gateway.port, again, 1)
        jenkins.phase = Phase.READY
        gateway.until(lambda status: not status["waiting"])
        assert gateway.terminate() == 0
        log = f"{gateway.data}/spigot.db-wal"
    assert {answer.status for _, answer in sent} == {200}
    assert {answer.body["status"] for _, answer in sent[-20:]} == {"duplicate"}
    return {answer.body["id"] for _, answer in sent}, read_calls(traced_lines(output, pid)), log


def test_each_200_leaves_after_the_sync_of_the_commit_that_holds_its_webhook(
    tmp_path: Path, jenkins: PracticeJenkins, capsys: pytest.CaptureFixture[str]
) -> None:
    ids, calls, log = traced(tmp_path, jenkins, ["-m", "spigot", "serve"])
    syncs = sum(call.name == "fdatasync" and call.file == log for call in calls)
    with capsys.disabled():
        print(f"\n{len(ids)} webhooks answered 200, {syncs} syncs of the log, traced")
    assert set(promised(calls)) == ids  # the trace shows every answer
    assert unsynced(calls, log) == {}


def test_a_gateway_that_does_not_sync_is_found_out(
    tmp_path: Path, jenkins: PracticeJenkins
) -> None:
    ids, calls, log = traced(tmp_path, jenkins, ["-c", UNSYNCED, "serve"])
    assert set(promised(calls)) == ids
    assert unsynced(calls, log) == dict.fromkeys(ids, "answered before its commit was synced")
