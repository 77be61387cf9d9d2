"""A backup holds all that was answered before it began, and a gateway goes on from it."""

from __future__ import annotations

import math
import os
import random
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from spigot.errors import StoreError
from spigot.stores.backup import STEP_PAGES, back_up, restore
from spigot.stores.history import Selection
from spigot.stores.sqlite import SqliteStore
from spigot.webhook import Verdict
from support.checker import PERFECT, compare
from support.commands import run
from support.gateway import GatewayProcess
from support.provider import Line, numbered
from support.stores import end, put, put_all, webhook

if TYPE_CHECKING:
    from pathlib import Path

    from spigot.practice import PracticeJenkins
    from support.provider import Request


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A store with one webhook that waits and one that was delivered."""
    with closing(SqliteStore(tmp_path / "data")) as store:
        put(store, webhook(delivery="waits"))
        end(store, webhook(delivery="ended"), Verdict.DELIVERED)
    return tmp_path / "data"


def test_everything_answered_before_it_began_is_in_it_and_flows_from_there(
    tmp_path: Path, jenkins: PracticeJenkins
) -> None:
    stop = threading.Event()
    promised: list[Request] = []
    closed = {"SPIGOT_RECALL": "0"}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with GatewayProcess(tmp_path / "one", jenkins.url, closed) as gateway:
        with closing(gateway.store()) as store:
            store.panel.set_valve(on=False)

        def send() -> None:
            line = Line(gateway.port)
            while not stop.is_set():
                request = numbered("octo/hello", len(promised))
                assert line.send(request).status == 200
                promised.append(request)
            line.close()

        sender = threading.Thread(target=send)
        sender.start()
        try:
            while len(promised) < 300:
                pass
            before = list(promised)
            copy = back_up(gateway.data, tmp_path / "backup")
        finally:
            stop.set()
            sender.join()
        assert copy.waiting >= len(before)
    with closing(GatewayProcess(tmp_path / "two", jenkins.url, closed)) as other:
        assert restore(tmp_path / "backup", other.data) == copy
        other.start()
        assert other.status()["valve"] == "OFF"
        with closing(other.store()) as store:
            store.panel.set_valve(on=True)
        other.until_delivered(copy.waiting)
    findings = compare(before, jenkins.taken, also_sent=promised)
    assert findings == PERFECT


def test_a_backup_is_one_file_that_only_its_owner_reads(tmp_path: Path, data: Path) -> None:
    copy = back_up(data, tmp_path / "backup")
    assert (copy.webhooks, copy.waiting) == (2, 1)
    assert copy.size == (tmp_path / "backup").stat().st_size
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "data"]


def test_what_is_restored_is_what_was_backed_up(tmp_path: Path, data: Path) -> None:
    back_up(data, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "new" / "data")
    with closing(SqliteStore(data)) as old, closing(SqliteStore(tmp_path / "new/data")) as new:
        assert new.history.entries(Selection()) == old.history.entries(Selection())
        assert new.history.show("waits") == old.history.show("waits")


def test_a_file_that_is_there_is_replaced_only_if_asked_for(tmp_path: Path, data: Path) -> None:
    (tmp_path / "backup").write_text("precious")
    with pytest.raises(StoreError, match="is there already"):
        back_up(data, tmp_path / "backup")
    assert (tmp_path / "backup").read_text() == "precious"
    assert back_up(data, tmp_path / "backup", force=True).webhooks == 2


@pytest.mark.parametrize("name", ["spigot.db", "spigot.db-wal"])
def test_a_store_that_is_there_is_never_overwritten(tmp_path: Path, data: Path, name: str) -> None:
    back_up(data, tmp_path / "backup")
    there = tmp_path / "there"
    there.mkdir()
    (there / name).write_bytes(b"precious")
    with pytest.raises(StoreError, match="There is a store"):
        restore(tmp_path / "backup", there)
    assert {path.name: path.read_bytes() for path in there.iterdir()} == {name: b"precious"}


def test_a_copy_that_was_cut_short_by_a_crash_is_made_anew(tmp_path: Path, data: Path) -> None:
    (tmp_path / "backup.part").write_text("half")
    assert back_up(data, tmp_path / "backup").webhooks == 2
    assert not (tmp_path / "backup.part").exists()


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at" * 9)
    with closing(sqlite3.connect(tmp_path / "other")) as db:
        db.execute("CREATE TABLE other (x)")
    (tmp_path / "empty").touch()
    for name, why in (
        ("text", "is not an SQLite"),
        ("other", "not Spigot's"),
        ("empty", "is empty"),
        ("none", "no file"),
    ):
        with pytest.raises(StoreError, match=why):
            restore(tmp_path / name, tmp_path / "new")
    assert not (tmp_path / "new" / "spigot.db").exists()


def test_commits_meanwhile_neither_enter_a_copy_nor_start_it_anew(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SqliteStore(data)) as store:
        put_all(store, [webhook(body=random.randbytes(10_000)) for _ in range(200)])
        sync = os.fdatasync
        steps: list[int] = []

        def step(descriptor: int) -> None:
            steps.append(descriptor)
            put(store, webhook())
            sync(descriptor)

        monkeypatch.setattr(os, "fdatasync", step)
        copy = back_up(data, tmp_path / "backup")
        assert len(steps) == math.ceil(copy.size / 4096 / STEP_PAGES) > 5
        assert copy.webhooks == 202
        assert store.panel.counts().stored == 202 + len(steps)


def test_a_damaged_store_makes_no_backup(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "data")) as store:
        put_all(store, [webhook(body=bytes(range(256)) * 40) for _ in range(200)])
    file = tmp_path / "data" / "spigot.db"
    content = bytearray(file.read_bytes())
    content[8 * 4096 : 12 * 4096] = b"\x55" * 4 * 4096
    file.write_bytes(content)
    with pytest.raises(StoreError):
        back_up(tmp_path / "data", tmp_path / "backup")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_where_it_cannot_be_written_it_says_so(tmp_path: Path, data: Path) -> None:
    with pytest.raises(StoreError, match=r"Cannot write .*: No such file or directory"):
        back_up(data, tmp_path / "nowhere" / "backup")


def test_the_commands_say_what_they_did(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIGOT_DATA", str(data))
    file = str(tmp_path / "backup")
    result = run("backup", file)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{file} holds 2 webhooks (1 waiting), ")
    assert run("backup", file).exit_code == 1
    assert run("backup", file, "--force", "--json").stdout.startswith('{"webhooks": 2, ')
    result = run("restore", file, "--data", str(tmp_path / "new"))
    assert (result.exit_code, run("restore", file).exit_code) == (0, 1)
    assert result.stdout.startswith(f"{tmp_path / 'new'} holds 2 webhooks (1 waiting), ")
