from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from support.calls import NEVER, Call
from support.disk import SECTOR, Disk, Luck

if TYPE_CHECKING:
    from support.disk import Image

DATA = "/srv/data"
FILE = f"{DATA}/file"
OLD = b"o" * SECTOR * 4
NEW = b"n" * SECTOR * 4

NOTHING, ALL = Luck(0), Luck(1)


@pytest.fixture
def disk() -> Disk:
    return Disk(DATA, {DATA: None, FILE: OLD})


_moments = itertools.count()


def do(disk: Disk, name: str, file: str = "", *strings: str | bytes, **more: Any) -> None:
    """Have a call made that begins and ends now, unless it is said to end elsewhere."""
    now = next(_moments)
    texts = tuple(text.encode() if isinstance(text, str) else text for text in strings)
    result = sum(map(len, texts)) if name == "pwrite64" else 0
    disk.apply(Call(name, file, texts, "", (), result, "", now, now, 0.0)._replace(**more))


def write(disk: Disk, data: bytes, offset: int = 0, **more: Any) -> None:
    do(disk, "pwrite64", FILE, data, numbers=(len(data), offset), **more)


def content(disk: Disk, luck: Luck) -> bytes | None:
    return disk.image(luck)[FILE]


def mixtures(disk: Disk, unit: int = SECTOR) -> list[Image]:
    return [disk.image(Luck(0.5, unit, seed)) for seed in range(200)]


def test_what_was_not_synced_may_be_there_or_not(disk: Disk) -> None:
    write(disk, NEW)
    assert content(disk, NOTHING) == OLD
    assert content(disk, ALL) == NEW


def test_a_write_may_be_torn_between_any_two_sectors(disk: Disk) -> None:
    write(disk, NEW)
    found = {bytes(image[FILE] or b"") for image in mixtures(disk)}
    assert found == {
        b"".join(letter * SECTOR for letter in letters)
        for letters in itertools.product((b"o", b"n"), repeat=4)
    }
    whole = {bytes(image[FILE] or b"") for image in mixtures(disk, unit=0)}
    assert whole == {OLD, NEW}


def test_a_later_write_may_be_there_without_an_earlier_one(disk: Disk) -> None:
    write(disk, b"1" * SECTOR)
    write(disk, b"2" * SECTOR, SECTOR)
    rest = OLD[2 * SECTOR :]
    found = {bytes(image[FILE] or b"").removesuffix(rest) for image in mixtures(disk, unit=0)}
    assert found == {
        first * SECTOR + second * SECTOR for first in (b"o", b"1") for second in (b"o", b"2")
    }


def test_what_was_synced_stays_also_in_a_sector_with_something_newer(disk: Disk) -> None:
    write(disk, b"aaaa", 10)
    do(disk, "fdatasync", FILE)
    write(disk, b"bbbb", 14)
    assert {bytes(image[FILE] or b"")[10:18] for image in mixtures(disk)} == {
        b"aaaaoooo",
        b"aaaabbbb",
    }


def test_a_sync_covers_only_what_had_ended_when_it_began(disk: Disk) -> None:
    write(disk, NEW, ended=NEVER)
    do(disk, "fsync", FILE)
    assert content(disk, NOTHING) == OLD


def test_a_failed_call_changes_nothing(disk: Disk) -> None:
    write(disk, NEW)
    do(disk, "fsync", FILE, result=-1)
    do(disk, "unlink", "", FILE, result=-1)
    assert content(disk, NOTHING) == OLD
    assert content(disk, ALL) == NEW


def test_a_files_length_is_as_uncertain_as_its_content(disk: Disk) -> None:
    write(disk, b"x" * SECTOR, len(OLD))
    do(disk, "ftruncate", FILE, numbers=(SECTOR,))
    sizes = {len(image[FILE] or b"") for image in mixtures(disk)}
    assert sizes == {len(OLD), len(OLD) + SECTOR, SECTOR}
    assert content(disk, ALL) == OLD[:SECTOR]
    do(disk, "fsync", FILE)
    assert content(disk, NOTHING) == OLD[:SECTOR]


def test_what_was_cut_off_comes_back_as_zeros(disk: Disk) -> None:
    do(disk, "ftruncate", FILE, numbers=(0,))
    do(disk, "fallocate", FILE, numbers=(0, 0, 100))
    do(disk, "fsync", FILE)
    assert content(disk, NOTHING) == bytes(100)


def test_a_new_file_is_certain_once_its_directory_is_synced_too(disk: Disk) -> None:
    other = f"{DATA}/other"
    do(disk, "openat", "", other, opened=other, words="O_RDWR|O_CREAT")
    do(disk, "pwrite64", other, b"x", numbers=(1, 0))
    do(disk, "fdatasync", other)
    assert other not in disk.image(NOTHING)
    assert disk.image(ALL)[other] == b"x"
    do(disk, "fsync", DATA)
    assert disk.image(NOTHING)[other] == b"x"


def test_a_removed_file_may_come_back_until_its_directory_is_synced(disk: Disk) -> None:
    do(disk, "unlink", "", FILE)
    assert content(disk, NOTHING) == OLD
    assert FILE not in disk.image(ALL)
    do(disk, "fsync", DATA)
    assert FILE not in disk.image(NOTHING)


def test_without_its_directory_a_file_is_not_there() -> None:
    disk = Disk(DATA)
    do(disk, "mkdir", "", DATA)
    do(disk, "openat", "", FILE, opened=FILE, words="O_RDWR|O_CREAT")
    do(disk, "fsync", DATA)
    assert disk.image(NOTHING) == {}
    do(disk, "fsync", "/srv")
    assert disk.image(NOTHING) == {DATA: None, FILE: b""}


def test_what_is_written_through_a_mapping_may_be_anything(disk: Disk) -> None:
    do(disk, "mmap", FILE, words="PROT_READ|PROT_WRITE, MAP_SHARED")
    assert content(disk, ALL) != OLD
    assert len(content(disk, ALL) or b"") == len(OLD)


def test_the_same_seed_gives_the_same_image(disk: Disk) -> None:
    write(disk, NEW)
    assert disk.image(Luck(0.5, seed=3)) == disk.image(Luck(0.5, seed=3))


def test_what_is_not_followed_is_an_error_and_other_files_are_nobodys_business(disk: Disk) -> None:
    do(disk, "write", "/elsewhere", b"x")
    do(disk, "renameat2", "", "/elsewhere", "/there")
    with pytest.raises(ValueError, match="not followed: write"):
        do(disk, "write", FILE, b"x")
    with pytest.raises(ValueError, match="not followed: rename"):
        do(disk, "rename", "", "/elsewhere", FILE)
