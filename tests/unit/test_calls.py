from __future__ import annotations

import pytest

from support.calls import NEVER, read_calls


def shown(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


LOG = shown("/data/spigot.db-wal")
SOCKET = shown("socket:[42]")


def test_a_write_tells_its_file_its_bytes_its_offset_and_when() -> None:
    (call,) = read_calls([f'7  12.5 pwrite64(4<{LOG}>, "{shown("abc")}", 3, 4096) = 3'], first=20)
    assert (call.name, call.file, call.data) == ("pwrite64", "/data/spigot.db-wal", b"abc")
    assert (call.numbers, call.result) == ((3, 4096), 3)
    assert (call.began, call.ended, call.at) == (20, 20, 12.5)


def test_what_a_write_did_not_take_is_not_written() -> None:
    (call,) = read_calls([f'7  1.0 write(4<{SOCKET}>, "{shown("abcdef")}", 6) = 2'])
    assert call.data == b"ab"


def test_a_failed_write_wrote_nothing() -> None:
    (call,) = read_calls([f'7 1.0 write(4<{SOCKET}>, "{shown("ab")}", 2) = -1 EAGAIN (Try again)'])
    assert (call.data, call.result) == (b"", -1)


def test_a_call_among_those_of_other_threads_ends_where_it_is_resumed() -> None:
    sync, send = read_calls(
        [
            f"7  1.0 fdatasync(4<{LOG}> <unfinished ...>",
            f'8  1.1 sendto(5<{SOCKET}>, "{shown("x")}", 1, 0, NULL, 0) = 1',
            "7  1.2 <... fdatasync resumed>)        = 0",
        ]
    )
    assert (sync.name, sync.began, sync.ended, sync.result) == ("fdatasync", 0, 2, 0)
    assert (send.name, send.began, send.ended) == ("sendto", 1, 1)


@pytest.mark.parametrize(
    "lines",
    [
        [f"7  1.0 fdatasync(4<{LOG}> <unfinished ...>", "7  1.1 +++ killed by SIGKILL +++"],
        [f"7  1.0 fdatasync(4<{LOG}>) = ?", "7  1.1 +++ killed by SIGKILL +++"],
        [f"7  1.0 fdatasync(4<{LOG}> <unfinished ...>", "7  1.1 <... fdatasync resumed>) = ?"],
    ],
)
def test_a_call_that_a_kill_cut_off_never_ends(lines: list[str]) -> None:
    (call,) = read_calls(lines)
    assert (call.ended, call.result) == (NEVER, None)


def test_the_parts_of_a_message_are_one_text() -> None:
    parts = ", ".join(f'{{iov_base="{shown(part)}", iov_len=2}}' for part in ("ab", "cd"))
    (call,) = read_calls(
        [f"7  1.0 sendmsg(5<{SOCKET}>, {{msg_iov=[{parts}], msg_flags=0}}, 0) = 4"]
    )
    assert (call.file, call.data) == ("socket:[42]", b"abcd")


def test_an_opened_file_is_named_and_a_deleted_one_is_marked() -> None:
    opened, written = read_calls(
        [
            f'7  1.0 openat(AT_FDCWD<{shown("/")}>, "{LOG}", O_RDWR|O_CREAT, 0600) = 4<{LOG}>',
            f'7  1.1 pwrite64(4<{LOG}>(deleted), "{shown("a")}", 1, 0) = 1',
        ]
    )
    assert (opened.file, opened.opened) == ("", "/data/spigot.db-wal")
    assert "O_CREAT" in opened.words
    assert written.file == "/data/spigot.db-wal(deleted)"


def test_signals_and_ends_are_no_calls() -> None:
    assert (
        read_calls(["7  1.0 --- SIGTERM {si_signo=SIGTERM} ---", "7  1.1 +++ exited with 0 +++"])
        == []
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("strace: something", "no line of strace"),
        ("7  1.0 nothing like a call", "no call"),
        (f'7  1.0 write(4<{SOCKET}>, "{shown("ab")}"..., 9) = 9', "left out a part"),
    ],
)
def test_what_cannot_be_read_is_an_error(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_calls([line])
