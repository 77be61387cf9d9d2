"""Requests that two servers could read in two ways: refused, or read as RFC 9112 says, once.

Each goes to a whole gateway, and right behind it on the same connection a webhook that a smuggler
would like to have taken although it is, by then, no request of its own.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple

import pytest

from spigot.practice import PracticeJenkins
from support.gateway import GatewayProcess, wait_until
from support.listener import PATIENCE, answers_in, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator

POST = b"POST /github-webhook/ HTTP/1.1\r\n"
HOST = b"Host: hooks.example\r\n"
EVENT = b"X-GitHub-Event: push\r\nContent-Type: application/json\r\n"
P = POST + HOST + EVENT
C = P + b"Transfer-Encoding: chunked\r\n"
BODY = b"Content-Length: 2\r\n\r\n{}"
END = b"\r\n0\r\n\r\n"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
BEHIND = P + b"X-Behind: yes\r\nContent-Length: 6\r\n\r\nbehind"
SCAN = b"GET /git/notifyCommit?url=x"


class Got(NamedTuple):
    """What Jenkins gets for a request that is taken."""

    body: bytes = b"{}"
    target: bytes = b"/github-webhook/"
    method: str = "POST"
    closes: bool = False


ONE = Got()


def to(target: bytes) -> bytes:
    """Return a webhook to this target."""
    return b"POST " + target + b" HTTP/1.1\r\n" + HOST + EVENT + BODY


def chunks(text: bytes) -> bytes:
    """Return a webhook with this as its chunked body."""
    return C + b"\r\n" + text


# What it is, its bytes, and either the status of the refusal or what Jenkins gets. Where a refusal
# is not what RFC 9112 asks for by itself, it is what it allows, and the note says so.
CASES: list[tuple[str, bytes, int | Got]] = [
    # Section 6.3: a length and a coding at once is an attempt to smuggle.
    ("length, then coding", P + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" + END, 400),
    ("coding, then length", C + b"Content-Length: 5\r\n" + END, 400),
    ("both in a request for h2c", P + UPGRADE + b"Content-Length: 5\r\n" + C[len(P) :] + END, 400),
    # Section 6.3: lengths that differ; equal ones may be refused too.
    ("two lengths", P + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    ("the same length twice", P + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    ("a list of lengths", P + b"Content-Length: 2, 3\r\n\r\n{}", 400),
    ("a list of one length", P + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    ("two lengths and h2c", P + UPGRADE + b"Content-Length: 3\r\n" + BODY, 400),
    # Section 6.2 (RFC 9110, 8.6): a length is digits.
    ("a length with a plus", P + b"Content-Length: +2\r\n\r\n{}", 400),
    ("a negative length", P + b"Content-Length: -2\r\n\r\n{}", 400),
    ("a hexadecimal length", P + b"Content-Length: 0x2\r\n\r\n{}", 400),
    ("an underscore in a length", P + b"Content-Length: 1_0\r\n\r\n{}", 400),
    ("a space in a length", P + b"Content-Length: 1 2\r\n\r\n{}", 400),
    ("no length in the length", P + b"Content-Length:\r\n\r\n{}", 400),
    ("a vertical tab before a length", P + b"Content-Length: \x0b2\r\n\r\n{}", 400),
    ("a length beyond 64 bits", P + b"Content-Length: 18446744073709551618\r\n\r\n{}", 400),
    ("a length of 5,000 digits", P + b"Content-Length: " + b"0" * 5000 + b"2\r\n\r\n{}", 400),
    ("the largest length", P + b"Content-Length: 18446744073709551615\r\n\r\n{}", 413),
    ("white space around a length", P + b"Content-Length:\t2 \t\r\n\r\n{}", ONE),
    ("a length that covers a request",
     P + b"Content-Length: %d\r\n\r\n" % len(BEHIND) + BEHIND, Got(BEHIND)),
    ("no length: no body", P + b"\r\n", Got(b"")),
    # Section 5.2: a folded line is refused.
    ("a folded header", P + b"X-A: b\r\n c\r\n" + BODY, 400),
    ("a folded length", P + b"Content-Length:\r\n 2\r\n\r\n{}", 400),
    ("a folded coding", P + b"Transfer-Encoding:\r\n\tchunked\r\n" + END, 400),
    ("a fold before the first header", POST + b" X-A: b\r\n" + HOST + EVENT + BODY, 400),
    # Section 2.2: a bare CR is invalid; a bare LF may be taken for the end of a line, and is not.
    ("a bare CR in a value", P + b"X-A: b\rc\r\n" + BODY, 400),
    ("a bare CR as the end of a line", P + b"X-A: b\rContent-Length: 2\r\n\r\n{}", 400),
    ("bare LFs", (P + BODY).replace(b"\r\n", b"\n"), 400),
    ("a bare LF as the end of a line", P + b"X-A: b\n" + BODY, 400),
    ("a bare LF as the end of the head", P + b"Content-Length: 2\r\n\n{}", 400),
    ("bare LFs around chunks", chunks(b"2\n{}\n0\n\n"), 400),
    ("a bare LF after a chunk", chunks(b"2\r\n{}\n0\r\n\r\n"), 400),
    ("a bare CR after a chunk's size", chunks(b"2\r{}\r\n0\r\n\r\n"), 400),
    # Section 5.1: no white space between name and colon.
    ("a space before the colon", P + b"Content-Length : 2\r\n\r\n{}", 400),
    ("a tab before the colon", P + b"Transfer-Encoding\t: chunked\r\n" + END, 400),
    # Section 7.1: chunks.
    ("a chunk size beyond 64 bits", chunks(b"FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"), 400),
    ("the largest chunk size, never filled", chunks(b"FFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"), 0),
    ("a chunk size with many zeros", chunks(b"0" * 40 + b"2\r\n{}\r\n0\r\n\r\n"), ONE),
    ("a negative chunk size", chunks(b"-2\r\n{}\r\n0\r\n\r\n"), 400),
    ("a chunk size with a plus", chunks(b"+2\r\n{}\r\n0\r\n\r\n"), 400),
    ("a chunk size with 0x", chunks(b"0x2\r\n{}\r\n0\r\n\r\n"), 400),
    ("no chunk size", chunks(b"\r\n{}\r\n0\r\n\r\n"), 400),
    ("a chunk size that is none", chunks(b"g\r\n{}\r\n0\r\n\r\n"), 400),
    ("a space before a chunk size", chunks(b" 2\r\n{}\r\n0\r\n\r\n"), 400),
    ("a space after a chunk size", chunks(b"2 \r\n{}\r\n0\r\n\r\n"), 400),
    ("a chunk shorter than its size", chunks(b"3\r\n{}\r\n0\r\n\r\n"), 400),
    ("a chunk longer than its size", chunks(b"1\r\n{}\r\n0\r\n\r\n"), 400),
    ("chunk extensions", chunks(b'1;a=b\r\n{\r\n1;a="b;c"\r\n}\r\n0;x\r\n\r\n'), ONE),
    ("a bare LF in a chunk extension", chunks(b"2;a\n{}\r\n0\r\n\r\n"), 400),
    ("a bare CR in a chunk extension", chunks(b"2;a\rb\r\n{}\r\n0\r\n\r\n"), 400),
    ("a NUL in a chunk extension", chunks(b"2;a\x00\r\n{}\r\n0\r\n\r\n"), 400),
    ("a length in a trailer", chunks(b"2\r\n{}\r\n0\r\nContent-Length: 50\r\n\r\n"), 400),
    ("a coding in a trailer", chunks(b"2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400),
    ("a folded trailer", chunks(b"2\r\n{}\r\n0\r\nX-A: b\r\n c\r\n\r\n"), 400),
    ("a trailer that asks for h2c", chunks(b"2\r\n{}\r\n0\r\n" + UPGRADE + b"\r\n"), ONE),
    ("a chunk that is a request",
     chunks(b"%x\r\n" % len(BEHIND) + BEHIND + b"\r\n0\r\n\r\n"), Got(BEHIND)),
    # Section 6.1: chunked comes last and once; 501 where the end can be seen all the same.
    ("an unknown coding", P + b"Transfer-Encoding: xchunked\r\n" + END, 400),
    ("chunked, identity", P + b"Transfer-Encoding: chunked, identity\r\n" + END, 400),
    ("identity, chunked", P + b"Transfer-Encoding: identity, chunked\r\n" + END, 501),
    ("identity", P + b"Transfer-Encoding: identity\r\n" + END, 400),
    ("identity and a length", P + b"Transfer-Encoding: identity\r\n" + BODY, 400),
    ("chunked, chunked", P + b"Transfer-Encoding: chunked, chunked\r\n" + END, 400),
    ("chunked twice", C + b"Transfer-Encoding: chunked\r\n" + END, 400),
    ("chunked, then identity", C + b"Transfer-Encoding: identity\r\n" + END, 400),
    ("identity, then chunked", P + b"Transfer-Encoding: identity\r\n" + C[len(P) :] + END, 400),
    ("an empty coding", P + b"Transfer-Encoding:\r\n" + END, 400),
    ("an empty coding and a length", P + b"Transfer-Encoding:\r\n" + BODY, 400),
    ("a quoted coding", P + b'Transfer-Encoding: "chunked"\r\n' + END, 400),
    ("a coding with a parameter", P + b"Transfer-Encoding: chunked;a=b\r\n" + END, 400),
    ("a vertical tab before a coding", P + b"Transfer-Encoding: \x0bchunked\r\n" + END, 400),
    ("white space after a coding", P + b"Transfer-Encoding: chunked \t\r\n" + END, 400),
    ("a coding in capitals", P + b"Transfer-Encoding: CHUNKED\r\n\r\n2\r\n{}" + END, ONE),
    ("a coding in HTTP/1.0", C.replace(b"1.1", b"1.0") + b"\r\n2\r\n{}" + END, 400),
    ("another name for a coding", P + b"Transfer_Encoding: chunked\r\n" + BODY, ONE),
    # Section 5: names are tokens, values have no control characters (RFC 9110, 5.5).
    ("a NUL in a value", P + b"X-A: a\x00b\r\n" + BODY, 400),
    ("a NUL in a name", P + b"X\x00A: b\r\n" + BODY, 400),
    ("an escape in a value", P + b"X-A: \x1b[31m\r\n" + BODY, 400),
    ("a DEL in a value", P + b"X-A: \x7f\r\n" + BODY, 400),
    ("a letter that is no ASCII in a name", P + b"X-\xe9: b\r\n" + BODY, 400),
    ("no name", P + b": b\r\n" + BODY, 400),
    ("no colon", P + b"nothing\r\n" + BODY, 400),
    # Section 3.2: one Host, always.
    ("no host", POST + EVENT + BODY, 400),
    ("two hosts", P + b"Host: other.example\r\n" + BODY, 400),
    ("no host in HTTP/1.0", (POST + EVENT + BODY).replace(b"1.1", b"1.0"), Got(closes=True)),
    # Section 3.2: only the origin form is for a server; ours hands nothing else on.
    ("the absolute form", to(b"http://hooks.example/github-webhook/"), 400),
    ("the authority form", to(b"hooks.example:80"), 400),
    ("the asterisk form", to(b"*"), 400),
    ("a tunnel", b"CONNECT hooks.example:80 HTTP/1.1\r\n" + HOST + BODY, 400),
    ("two slashes", to(b"//github-webhook/"), 404),
    ("another host as the path", to(b"//other.example/github-webhook/"), 404),
    ("a way up", to(b"/project/../github-webhook/"), 404),
    ("a way up from a hook", to(b"/github-webhook/../script"), 404),
    ("an encoded way up", to(b"/project/%2e%2e/script"), 404),
    ("a way up, encoded twice", to(b"/project/%252e%252e/script"), 404),
    ("a way up with a backslash", to(b"/project/..\\script"), 404),
    ("a way up with a parameter", to(b"/project/..;/script"), 404),
    ("an encoded slash", to(b"/github-webhook%2f"), 404),
    ("a path parameter", to(b"/github-webhook/;a=b"), 404),
    ("a fragment after the path", to(b"/github-webhook/#x"), 400),
    ("a fragment after the query", to(b"/github-webhook/?a#x"), 400),
    ("a space in the query", to(b"/github-webhook/?a= b"), 400),
    ("a NUL in the query", to(b"/github-webhook/?a=\x00"), 400),
    ("an escape in the query", to(b"/github-webhook/?a=\x1b[31m"), 400),
    ("a bare CR in the query", to(b"/github-webhook/?a=\rb"), 400),
    ("a byte that is no ASCII", to(b"/github-webhook/?a=\xe9"), 400),
    ("an encoded line break", to(b"/github-webhook/?a=%0d%0aX-A:%201"),
     Got(target=b"/github-webhook/?a=%0d%0aX-A:%201")),
    ("what should be encoded", to(b'/github-webhook/?a="<>{}|^`\\'),
     Got(target=b'/github-webhook/?a="<>{}|^`\\')),
    # Section 3: the request line.
    ("HTTP/0.9", SCAN + b"\r\n\r\n", 400),
    ("HTTP/0.9 by name", SCAN + b" HTTP/0.9\r\n" + HOST + b"\r\n", 400),
    ("HTTP/1.2", P.replace(b"1.1", b"1.2") + BODY, 400),
    ("HTTP/2.0", P.replace(b"1.1", b"2.0") + BODY, 400),
    ("HTTP/01.1", P.replace(b"1.1", b"01.1") + BODY, 400),
    ("http/1.1", P.replace(b"HTTP", b"http") + BODY, 400),
    ("a method in small letters", P.replace(b"POST", b"post") + BODY, 400),
    ("a tab as separator", P.replace(b"POST ", b"POST\t") + BODY, 400),
    ("a space at the start", b" " + P + BODY, 400),
    ("two spaces as separator", P.replace(b"POST ", b"POST  ") + BODY, ONE),
    ("empty lines at the start", b"\r\n\r\n" + P + BODY, ONE),
    ("an old client that stays", P.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\n" + BODY,
     ONE),
    ("an old client", P.replace(b"1.1", b"1.0") + BODY, Got(closes=True)),
    ("a client that leaves", P + b"Connection: close\r\n" + BODY, Got(closes=True)),
    ("a GET with a body", SCAN + b" HTTP/1.1\r\n" + HOST + BODY,
     Got(target=SCAN[4:], method="GET")),
    # RFC 9113, 3.4, and RFC 9110, 7.8: HTTP/2 is not spoken, a wish for it is passed over.
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), 400),
    ("h2c", P + UPGRADE + BODY, ONE),
    ("h2c in chunks", C + UPGRADE + b"\r\n2\r\n{}" + END, ONE),
    ("a web socket", SCAN + b" HTTP/1.1\r\n" + HOST
     + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
     Got(b"", target=SCAN[4:], method="GET")),
    ("a wish for h2c where nothing is", to(b"/nothing").replace(EVENT, UPGRADE), 404),
    # RFC 9110, 7.6.1: what `Connection` names is not handed on, and changes nothing here.
    ("a length called hop-by-hop", P + b"Connection: content-length\r\n" + BODY, ONE),
]  # fmt: skip


@pytest.fixture(scope="module")
def jenkins() -> Iterator[PracticeJenkins]:
    with PracticeJenkins() as jenkins:
        yield jenkins


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, jenkins: PracticeJenkins
) -> Iterator[GatewayProcess]:
    """A gateway for all of them; at the end, all it says is which webhooks Jenkins did not like."""
    with GatewayProcess(tmp_path_factory.mktemp("smuggling"), jenkins.url) as gateway:
        gateway.until(lambda status: bool(status["jenkins"] == "ready"))
        yield gateway
        assert {record["logger"] for record in gateway.alarms()} <= {"spigot.drain"}


def talk(port: int, data: bytes, answers: int) -> tuple[list[int], bool]:
    """Send; return the statuses and whether the gateway closed, which is waited for without any."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
        line.sendall(data)
        if not answers:
            line.shutdown(socket.SHUT_WR)
        received = b""
        while received.count(b"}\n") < answers:
            if not (part := line.recv(65536)):
                break
            received += part
        line.settimeout(0.02 if answers > 1 else PATIENCE)
        try:
            received += read_all(line)
        except TimeoutError:
            return [status for status, _, _ in answers_in(received)], False
        return [status for status, _, _ in answers_in(received)], True


@pytest.mark.parametrize(("raw", "reading"), [pytest.param(*c[1:], id=c[0]) for c in CASES])
def test_what_can_be_read_in_two_ways_is_refused_or_one_request(
    gateway: GatewayProcess, jenkins: PracticeJenkins, raw: bytes, reading: int | Got
) -> None:
    jenkins.clear()
    wanted: list[tuple[str, bytes, bytes]] = []
    if isinstance(reading, int):
        statuses, closed = talk(gateway.port, raw + BEHIND, min(reading, 1))
        assert (statuses, closed) == ([reading] if reading else [], True)
    else:
        statuses, closed = talk(gateway.port, raw + BEHIND, 1 if reading.closes else 2)
        assert (statuses, closed) == ([200] if reading.closes else [200, 200], reading.closes)
        wanted = [(reading.method, reading.target, reading.body)]
        wanted += [] if reading.closes else [("POST", b"/github-webhook/", b"behind")]
    # Whatever else would be on its way to Jenkins is there before a webhook that is sent now.
    assert talk(gateway.port, P + b"X-Last: yes\r\nConnection: close\r\n" + BODY, 1)[0] == [200]
    wait_until(lambda: len(jenkins.hooks) > len(wanted) and not gateway.status()["waiting"])
    visits = jenkins.hooks
    assert [(one.method, one.target, one.body) for one in visits[:-1]] == wanted
    assert b"x-last" in dict(visits[-1].headers)
    for visit in visits:
        names = [name.lower() for name, _ in visit.headers]
        assert names.count(b"host") == 1
        assert names.count(b"content-length") == (1 if visit.body or visit.method == "POST" else 0)
        assert not {b"transfer-encoding", b"upgrade"} & set(names)
