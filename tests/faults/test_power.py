"""The power fails at a sync: whatever of the rest reached the disk, what was promised is there.

A gateway is recorded, from the making of its store over a power cut and a kill to a stop. Then, for
syncs of it, the files are built anew as they may stand just before the sync returns: that is when
the least is certain and the most was promised since the sync before.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spigot.stores.content import PART_BYTES
from spigot.webhook import State
from support.calls import SYNCS
from support.commands import json_of
from support.disk import SECTOR, Disk, Luck
from support.ledger import Ledger
from support.recording import Recording, record
from support.salvage import salvage
from support.supply import lay_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.calls import Call
    from support.disk import Image

pytestmark = pytest.mark.chaos

SYNCS_TRIED = os.environ.get("POWER_SYNCS", "40")
"""At how many syncs the power fails; ``all`` for each of them."""

SEED = int(os.environ.get("POWER_SEED", "22"))
WEBHOOKS = int(os.environ.get("POWER_WEBHOOKS", "30"))
"""About how many are delivered in each of the three runs of the gateway."""

MIXED = int(os.environ.get("POWER_MIXED", "2"))
"""Images of each moment in which some of the unsynced reached the disk, besides none and all."""

FIRST = 12
"""So many syncs from the start, when the store is made, are always tried."""


@pytest.fixture(scope="module")
def recording(tracing: None, tmp_path_factory: pytest.TempPathFactory) -> Recording:  # noqa: ARG001
    return record(tmp_path_factory.mktemp("recorded"), webhooks=WEBHOOKS)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A path to lay images out at, in memory where there is room: hundreds are opened."""
    memory = Path("/dev/shm")
    inside = memory if os.access(memory, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=inside) as directory:
        yield Path(directory) / "image"


def moments(
    recording: Recording, ignored: Callable[[Call], bool] = lambda _: False
) -> Iterator[tuple[Call, Disk]]:
    """Yield each sync with the disk as it is just before that is over.

    Args:
        recording: What happened.
        ignored: Syncs that this disk returns from without having done anything.
    """
    directory = recording.directory
    for image, calls in recording.spans:
        disk = Disk(str(directory), image)
        for call in calls:
            if call.name in SYNCS and call.result == 0:
                if str(directory.parent) == call.file or call.file.startswith(str(directory)):
                    yield call, disk
                if ignored(call):
                    continue
            disk.apply(call)


def chosen(recording: Recording, chance: random.Random) -> set[int]:
    """Return the syncs to try, by where they end: half of them of the log, if there is a choice."""
    syncs = [sync for sync, _ in moments(recording)]
    if SYNCS_TRIED == "all":
        return {sync.ended for sync in syncs}
    first, rest = syncs[:FIRST], syncs[FIRST:]
    log = [sync for sync in rest if sync.file.endswith("-wal")]
    others = [sync for sync in rest if not sync.file.endswith("-wal")]
    some = min(len(others), int(SYNCS_TRIED) // 2)
    picked = chance.sample(others, some)
    picked += chance.sample(log, min(len(log), max(0, int(SYNCS_TRIED) - some - len(first))))
    return {sync.ended for sync in (*first, *picked)}


def fates(chance: random.Random) -> list[Luck]:
    """Return what may have become of the unsynced: nothing, all, and mixtures."""
    mixtures = [
        Luck(
            chance.choice((0.1, 0.5, 0.9)), chance.choice((SECTOR, 4096, 0)), chance.getrandbits(32)
        )
        for _ in range(MIXED)
    ]
    return [Luck(0), Luck(1), *mixtures]


def faults_of(
    image: Image, recording: Recording, ledger: Ledger, sync: Call, place: Path, *, certain: bool
) -> list[str]:
    """Open what the power cut left, and return what is wrong with it.

    Args:
        image: What it left.
        recording: What was recorded.
        ledger: What had been promised.
        sync: The moment.
        place: Where the image is laid out, and removed again.
        certain: It holds nothing but what was synced.
    """
    lay_out(image, recording.directory, place)
    try:
        found = salvage(place)
        if certain:
            ledger.note_certain(found)
            listed = json_of("list", "--limit", "100000", "--data", str(place))
            assert {entry["id"] for entry in listed} == found.webhooks.keys()
        return ledger.faults(found, sync)
    except Exception as error:  # noqa: BLE001 - whatever it is, somebody could not get at theirs
        return [f"cannot be read: {error!r}"]
    finally:
        shutil.rmtree(place)


def test_what_was_promised_survives_a_power_cut_at_any_sync(
    recording: Recording, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    tried = chosen(recording, chance)
    ledger = Ledger(recording)
    broken: list[str] = []
    syncs: Counter[str] = Counter()
    images = 0
    began = time.monotonic()
    for sync, disk in moments(recording):
        syncs[sync.file.rpartition("/")[2]] += 1
        for number, luck in enumerate(fates(chance) if sync.ended in tried else ()):
            image = disk.image(luck)
            faults = faults_of(image, recording, ledger, sync, place, certain=number == 0)
            broken += [f"{luck}; sync of {sync.file}, {sync.ended}: {fault}" for fault in faults]
            images += 1
    with capsys.disabled():
        print(
            f"\n{ledger.promised_by(sync)} webhooks promised, {sum(syncs.values())} syncs "
            f"({', '.join(f'{count} of {name}' for name, count in syncs.most_common())}); the "
            f"power failed at {len(tried)} of them, with {images} outcomes, opened in "
            f"{time.monotonic() - began:.0f} s: {len(broken)} faults"
        )
    assert broken == []
    # What is hard was in it: the log started over, webhooks in parts, dead ones, pruned ones.
    starts = [
        call
        for span in recording.spans
        for call in span.calls
        if call.file.endswith("-wal") and call.name == "pwrite64" and not call.numbers[-1]
    ]
    assert len(starts) > 6  # one is written when it is made, of which there are at most six
    sent = [request for lane in recording.lanes.values() for _, request in lane]
    assert any(len(request.body) > PART_BYTES for request in sent)
    lay_out(disk.image(Luck(1)), recording.directory, place)
    left = salvage(place).webhooks
    assert {kept.state for kept in left.values()} >= {State.DELIVERED, State.DEAD}
    assert len(left) < ledger.promised_by(sync)


def test_a_disk_on_which_a_kind_of_sync_does_nothing_is_found_out(
    recording: Recording, place: Path
) -> None:
    tried = chosen(recording, random.Random(SEED))
    ledger = Ledger(recording)

    def is_found_out(useless: Path) -> bool:
        return any(
            faults_of(disk.image(Luck(0)), recording, ledger, sync, place, certain=False)
            for sync, disk in moments(recording, ignored=lambda call: call.file == str(useless))
            if sync.ended in tried
        )

    data = recording.directory
    assert is_found_out(data / "spigot.db-wal")
    assert is_found_out(data / "spigot.db")
    assert is_found_out(data)
    assert is_found_out(data.parent)
    assert not is_found_out(data / "serve.lock")
