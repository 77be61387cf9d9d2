from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from spigot.errors import NoRoom
from spigot.stores import room as room_module
from spigot.stores.room import LOOK_AGAIN, Room
from support.stores import HandClock

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024


class Disk:
    """A disk with as much free as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 0
        self.looks = 0
        self.broken = False
        monkeypatch.setattr(os, "statvfs", self._statvfs)

    def _statvfs(self, _: object) -> SimpleNamespace:
        self.looks += 1
        if self.broken:
            raise FileNotFoundError
        return SimpleNamespace(f_bavail=self.free // 4096, f_frsize=4096)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def room(tmp_path: Path, disk: Disk, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(room_module, "RESERVE", MIB)
    disk.free = 100 * MIB
    return Room(tmp_path, min_free=10 * MIB, clock=clock)


def test_there_is_room_down_to_the_floor_and_not_below(room: Room) -> None:
    room.check(90 * MIB)
    with pytest.raises(NoRoom) as caught:
        room.check(90 * MIB + 1)
    assert "Only 100MiB of disk are left" in str(caught.value)
    assert "10MiB (min_free) must stay free" in str(caught.value)


def test_free_pages_of_the_database_are_room_too(room: Room) -> None:
    room.reusable = 50 * MIB
    assert room.free == 150 * MIB
    room.check(140 * MIB)


def test_the_disk_is_looked_at_only_now_and_then(room: Room, disk: Disk, clock: HandClock) -> None:
    for _ in range(100):
        room.check(0)
    assert disk.looks == 1
    disk.free = 0
    clock.advance(LOOK_AGAIN)
    with pytest.raises(NoRoom):
        room.check(0)
    assert disk.looks == 2


def test_a_clock_that_is_set_back_does_not_stop_the_looking(
    room: Room, disk: Disk, clock: HandClock
) -> None:
    room.check(0)
    clock.adjust(-10_000)
    clock.advance(LOOK_AGAIN)
    room.check(0)
    assert disk.looks == 2


def test_in_a_directory_that_is_gone_there_is_no_room(room: Room, disk: Disk) -> None:
    disk.broken = True
    with pytest.raises(NoRoom):
        room.check(0)
    room.keep_reserve()


def test_the_reserve_is_really_laid_aside(room: Room, tmp_path: Path) -> None:
    room.keep_reserve()
    reserve = tmp_path / "reserve"
    assert reserve.stat().st_size == MIB
    assert reserve.stat().st_blocks * 512 >= MIB


def test_the_reserve_is_given_up_once_and_laid_aside_again(room: Room, tmp_path: Path) -> None:
    assert not room.give_up_reserve()
    room.keep_reserve()
    room.keep_reserve()
    assert room.give_up_reserve()
    assert list(tmp_path.iterdir()) == []
    assert not room.give_up_reserve()
    room.keep_reserve()
    assert (tmp_path / "reserve").exists()


def test_near_the_floor_no_reserve_is_taken_whatever_is_free_in_the_database(
    room: Room, disk: Disk, tmp_path: Path
) -> None:
    disk.free = 12 * MIB - 4096
    room.reusable = 100 * MIB
    room.keep_reserve()
    assert list(tmp_path.iterdir()) == []


def test_half_a_reserve_does_not_stay(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    room.keep_reserve()
    assert list(tmp_path.iterdir()) == []
    assert not room.give_up_reserve()
