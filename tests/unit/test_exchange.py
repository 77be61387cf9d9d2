"""One request and its answer: what is sent, and what is made of any bytes that come back."""

from __future__ import annotations

import http.client
import io
import socket
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.exchange import HEAD_BYTES, READ_BYTES, TOGETHER, Answer, exchange
from spigot.ports import Clock
from spigot.timed import TimedSocket

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = [(b"Host", b"jenkins.example")]


class Pieces:
    """Stands in for a connection: takes all, and answers in pieces; then it is closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.sent: list[bytes] = []
        self._pieces = iter(pieces)

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, most: int) -> bytes:
        piece = next(self._pieces, b"")
        assert len(piece) <= most
        return piece


def answered(*pieces: bytes, method: str = "POST") -> Answer:
    sock: TimedSocket = Pieces(*pieces)  # type: ignore[assignment]
    return exchange(sock, method, "/", HOST, b"")


def sent(
    method: str, target: str = "/", headers: tuple[tuple[bytes, bytes], ...] = (), body: bytes = b""
) -> list[bytes]:
    pieces = Pieces(b"HTTP/1.1 200 OK\r\n\r\n")
    sock: TimedSocket = pieces  # type: ignore[assignment]
    exchange(sock, method, target, [*HOST, *headers], body)
    return pieces.sent


class TestWhatIsSent:
    def test_a_head_and_a_small_body_leave_together(self) -> None:
        line = b"POST /a%2fb?c HTTP/1.1\r\nHost: jenkins.example\r\nX: \xff\r\n"
        assert sent("POST", "/a%2fb?c", ((b"X", b"\xff"),), b"{}") == [
            line + b"Content-Length: 2\r\n\r\n{}"
        ]
        head, body = sent("POST", body=bytes(TOGETHER + 1))
        assert head.endswith(b"\r\nContent-Length: 65537\r\n\r\n")
        assert body == bytes(TOGETHER + 1)

    @pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y", "/\x7f", "/\0", "/ä"])
    def test_a_target_stays_in_its_line(self, target: str) -> None:
        with pytest.raises(ValueError, match=r"target|ascii"):
            sent("POST", target)

    @pytest.mark.parametrize("line", [(b"X", b"y\r\nZ: z"), (b"X\n", b"y"), (b"X", b"\0")])
    def test_a_header_stays_in_its_line(self, line: tuple[bytes, bytes]) -> None:
        with pytest.raises(ValueError, match="header"):
            sent("POST", headers=(line,))


class TestBodies:
    @pytest.mark.parametrize(
        ("rest", "body", "reusable"),
        [
            (b"Content-Length: 2\r\n\r\nok", b"ok", True),
            (b"content-length:2\r\n\r\nokHTTP/1.1 200", b"ok", False),
            (b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nT: v\r\n\r\n", b"ok", True),
            (b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"", True),
            (b"\r\nto the end", b"to the end", False),
            (b"Content-Length: -2\r\n\r\nok", b"ok", False),
            (b"Connection: keep-alive, Close\r\nContent-Length: 0\r\n\r\n", b"", False),
        ],
        ids=["length", "more than it", "chunks", "both", "neither", "no length", "told to close"],
    )
    def test_a_body_ends_where_its_head_says(
        self, rest: bytes, body: bytes, reusable: bool
    ) -> None:
        answer = answered(b"HTTP/1.1 200 OK\r\n" + rest)
        assert (answer.body, answer.reusable, answer.broken) == (body, reusable, None)

    @pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
    def test_some_have_none_whatever_their_length(self, status: bytes) -> None:
        answer = answered(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n")
        assert (answer.body, answer.reusable) == (b"", True)
        head = answered(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method="HEAD")
        assert (head.body, head.reusable) == (b"", True)

    @pytest.mark.parametrize("length", [b"Content-Length: 99999999\r\n", b""])
    def test_of_a_long_one_the_beginning_is_read(self, length: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\n" + length + b"\r\n"
        answer = answered(head, *[bytes(READ_BYTES)] * 3)
        assert (len(answer.body), answer.reusable, answer.broken) == (READ_BYTES, False, None)
        chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"
        answer = answered(chunk, *[bytes(READ_BYTES)] * 3)
        assert (len(answer.body), answer.reusable, answer.broken) == (READ_BYTES, False, None)

    @pytest.mark.parametrize(
        "rest",
        [
            b"Content-Length: 9\r\n\r\nhalf",
            b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf",
            b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalfmore\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n-1\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX: ",
        ],
    )
    def test_one_that_breaks_leaves_the_status(self, rest: bytes) -> None:
        answer = answered(b"HTTP/1.1 200 OK\r\n" + rest)
        assert (answer.status, answer.body, answer.reusable) == (200, b"half", False)
        assert answer.broken is not None


class TestHeads:
    def test_a_folded_header_is_one_line(self) -> None:
        answer = answered(b"HTTP/1.1 200 OK\r\nX-A: b\r\n\t c\r\nno colon\r\nX-A : d\r\n\r\n")
        assert answer.headers == [(b"x-a", b"b c"), (b"x-a", b"d")]
        assert (answer.get(b"x-a"), answer.get(b"x-b")) == ("b c", "")

    def test_bare_line_feeds_are_understood(self) -> None:
        answer = answered(b"HTTP/1.1 204\nX: y\n\n")
        assert (answer.status, answer.reason, answer.headers) == (204, "", [(b"x", b"y")])

    def test_a_head_closed_in_the_middle_has_a_status(self) -> None:
        assert answered(b"HTTP/1.1 200 OK\r\nX-").status == 200

    @pytest.mark.parametrize(
        "data", [b"HTTP/1.1 200", b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.1 20\n\n"]
    )
    def test_without_a_status_there_is_no_answer(self, data: bytes) -> None:
        with pytest.raises(ValueError, match="no "):
            answered(data)

    def test_one_that_never_ends_is_given_up(self) -> None:
        with pytest.raises(ValueError, match="too long"):
            answered(b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"y" * (HEAD_BYTES // 2)] * 3)

    def test_nothing_at_all_is_a_closed_connection(self) -> None:
        with pytest.raises(ConnectionError, match="closed without an answer"):
            answered()


def answers() -> st.SearchStrategy[bytes]:
    """Return answers as servers make them."""
    value = st.text("abc /;=,.", max_size=8).map(str.encode)
    line = st.builds(lambda name, value: b"X-" + name + b": " + value, st.just(b"A"), value)
    body = st.binary(max_size=60)

    def chunked(parts: list[bytes]) -> bytes:
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part]
        return b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"

    framed = st.one_of(
        body.map(lambda body: b"Content-Length: %d\r\n\r\n%b" % (len(body), body)),
        st.lists(body, max_size=4).map(chunked),
        body.map(lambda body: b"Connection: close\r\n\r\n" + body),
    )
    status = st.sampled_from([b"200 OK", b"201", b"302 Found", b"404 Not Found", b"503 "])
    return st.builds(
        lambda status, lines, rest: (
            b"HTTP/1.1 " + status + b"\r\n" + b"".join(one + b"\r\n" for one in lines) + rest
        ),
        status, st.lists(line, max_size=4), framed,
    )  # fmt: skip


class Replay:
    """A socket for the standard library's client, which is asked what it makes of the same."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._data)


@given(answers(), st.lists(st.integers(1, 200), max_size=6))
def test_an_answer_is_read_as_the_standard_library_reads_it_in_whatever_pieces_it_comes(
    data: bytes, cuts: list[int]
) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    found = answered(*pieces)
    other = http.client.HTTPResponse(Replay(data))  # type: ignore[arg-type]
    other.begin()
    assert (found.status, found.reason, found.body) == (other.status, other.reason, other.read())
    assert found.reusable is not other.will_close
    assert [value.decode("latin-1") for name, value in found.headers if name == b"x-a"] == [
        value.strip() for value in other.headers.get_all("X-A", [])
    ]


@pytest.fixture
def pair() -> Iterator[tuple[TimedSocket, socket.socket]]:
    here, there = socket.socketpair()
    timed = TimedSocket(here, Clock())
    yield timed, there
    timed.close()
    there.close()


def test_what_takes_too_long_ends_in_time(pair: tuple[TimedSocket, socket.socket]) -> None:
    timed, there = pair
    timed.give(0.02)
    with pytest.raises(TimeoutError):
        timed.recv(1)
    with pytest.raises(TimeoutError):
        timed.sendall(bytes(32 * 1024 * 1024))
    timed.give(5.0)
    assert timed.is_quiet()
    there.sendall(b"x")
    assert not timed.is_quiet()
    assert timed.recv(9) == b"x"
