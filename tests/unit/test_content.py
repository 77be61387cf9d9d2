from __future__ import annotations

import random
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.payloads import github_payloads
from spigot.stores.content import (
    PART_BYTES,
    PIECE_BYTES,
    Recent,
    pack,
    pack_large,
    read,
    read_parts,
    unpack,
)

if TYPE_CHECKING:
    from spigot.webhook import Headers

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_!~", min_size=1).map(str.encode)
VALUES = st.binary().map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))


def there_and_back(messages: list[tuple[Headers, bytes]]) -> list[tuple[Headers, bytes]]:
    piece = pack(messages)
    starts = [0, *piece.ends]
    messages_ = unpack(piece.frame)
    return [read(messages_, *span) for span in zip(starts, piece.ends, strict=False)]


MESSAGES = st.lists(st.tuples(st.lists(st.tuples(NAMES, VALUES)).map(tuple), st.binary()))


@given(MESSAGES)
def test_headers_and_bodies_come_back_to_the_byte(messages: list[tuple[Headers, bytes]]) -> None:
    assert there_and_back(messages) == messages


@given(st.lists(st.tuples(NAMES, VALUES)).map(tuple), st.binary(), st.integers(1, 50))
def test_a_large_message_comes_back_from_parts_of_any_size(
    headers: Headers, body: bytes, step: int
) -> None:
    frame, size = pack_large(headers, body)
    packed = b"".join(frame)
    assert size == len(unpack(packed))
    parts = [packed[start : start + step] for start in range(0, len(packed), step)]
    assert read_parts(parts) == (headers, body)
    with pytest.raises(LookupError, match="missing"):
        read_parts(parts[:-1])


def test_the_parts_of_a_large_message_are_of_about_one_size() -> None:
    parts, _ = pack_large((), random.Random(1).randbytes(5 * PART_BYTES))
    assert [len(part) // PART_BYTES for part in parts] == [1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n", b"a: b\r\n\r\nc"])
def test_without_headers_the_body_is_not_taken_for_any(body: bytes) -> None:
    assert there_and_back([((), body), ((), b"next")]) == [((), body), ((), b"next")]


def test_real_payloads_become_at_most_a_third_as_large() -> None:
    bodies = [example.body for example in github_payloads()]
    packed = sum(len(pack([((), body)]).frame) for body in bodies)
    assert packed * 3 < sum(map(len, bodies))


def test_webhooks_packed_together_take_less_than_half_the_room_that_each_takes_alone() -> None:
    bodies = [example.body for example in github_payloads()[:16]]
    alone = sum(len(pack([((), body)]).frame) for body in bodies)
    assert len(pack([((), body) for body in bodies]).frame) * 2 < alone


def test_what_is_packed_has_the_shape_of_an_http_message() -> None:
    program = (
        "import sys\n"
        "if sys.version_info >= (3, 14): from compression import zstd\n"
        "else: from backports import zstd\n"
        "sys.stdout.buffer.write(zstd.decompress(sys.stdin.buffer.read()))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program],
        input=pack([(((b"a", b"1"), (b"b", b"")), b"{}"), ((), b"next")]).frame,
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert shown.stdout == b"a: 1\r\nb: \r\n\r\n{}\r\nnext"


def test_many_threads_pack_at_once() -> None:
    results: dict[int, bool] = {}

    def work(number: int) -> None:
        body = bytes([number]) * 100_000
        results[number] = all(there_and_back([((), body)]) == [((), body)] for _ in range(20))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(8), True)


def test_pieces_read_lately_are_fetched_once_and_only_a_few_are_kept() -> None:
    frames = {number: pack([((), bytes([number]) * 100)]).frame for number in range(5)}
    fetched: list[int] = []

    def fetch(number: int) -> bytes:
        fetched.append(number)
        return frames[number]

    recent = Recent(fetch, most=2)
    for number in (0, 0, 1, 0, 2, 0, 1):
        assert read(recent.messages(number), 0, 102) == ((), bytes([number]) * 100)
    assert fetched == [0, 1, 2, 1]


def test_a_large_piece_is_not_kept() -> None:
    fetched: list[int] = []

    def fetch(number: int) -> bytes:
        fetched.append(number)
        return pack([((), bytes(5 * PIECE_BYTES))]).frame

    recent = Recent(fetch)
    recent.messages(1)
    recent.messages(1)
    assert fetched == [1, 1]
