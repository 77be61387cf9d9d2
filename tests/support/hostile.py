"""Input that nobody sends by mistake: mutated requests, odd bodies, and garbage, from a seed."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "hunter2-tO-be-masked"
"""Stands in places of secrets only: it must never be part of a lane, or shown."""

_HOST = b"Host: hooks.example\r\n"
_JSON = b"Content-Type: application/json\r\n"
_FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
_GITHUB = b"X-GitHub-Event: push\r\nX-GitHub-Delivery: 72d3162e\r\n"
_PAYLOAD = b'{"ref": "refs/heads/main", "repository": {"id": 1, "full_name": "octo/hello"}}'

TARGETS = tuple(
    target.replace("TOKEN", TOKEN).encode("latin-1")
    for target in (
        "/github-webhook/", "/webhooks", "/ghprbhook/", "/jenkins/github-webhook/?a=%2f&&=b",
        "/generic-webhook-trigger/invoke?token=TOKEN", "/project/team/job", "/gitlab-webhook/post",
        "/multibranch-webhook-trigger/invoke?token=TOKEN", "/project/a%252Fb/", "/bitbucket-hook/",
        "/gitea-webhook/post", "/bitbucket-scmsource-hook/notify", "/dockerhub-webhook/TOKEN/x",
        "/git/notifyCommit?url=https%3A%2F%2Fuser:TOKEN%40h%2Fa.git&token=TOKEN", "/healthz",
        "/git/notifyCommit?url=ssh://me:TOKEN@h/a.git", "/github-webhook", "//github-webhook/",
        "/project/../github-webhook/", "/project/%2e%2e/script", "/project/a;b", "/script", "*", "",
        "http://a/github-webhook/", "hooks.example:443", "/project/%00", "/project/\x7f", "/\xe9",
        "/project/%ff%fe", "/project/%25%32%65%25%32%65/x", "/project/a\\..\\b", "/?" + "a&" * 500,
        "/generic-webhook-trigger/invoke?%74oken=TOKEN&" + "t=%" * 300, "/project/" + "a/" * 500,
    )
)  # fmt: skip
"""Good and bad request targets; tokens stand where a plugin takes them, and nowhere else."""

LINES = (
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: -1", b"Content-Length: +3",
    b"Content-Length: 0x10", b"Content-Length: 99999999999999999999", b"content-length: 1e3",
    b"Content-Length: 4000000000", b"Content-Length: 2, 2", b"Content-Length : 3",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: xchunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:\tchunked", b"TE: trailers",
    b"Transfer-Encoding : chunked", b"Transfer-Encoding: chunked, chunked", b"Trailer: X-A",
    b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade", b"Upgrade: h2c",
    b"Connection: content-length, host", b"Expect: 100-continue", b"Expect: 200-ok", b" folded",
    b"Host: other", b"X-A: a\rb", b"X-A: a\nb", b"X-A: a\x00b", b"X-A: \x1b[31m", b"X-\xe9: \xff",
    b": nothing", b"no colon", b"X-Long: " + b"x" * 9000, b"X-GitHub-Event: " + b"e" * 500,
    b"X-GitHub-Event: \xc3\xa4", b"X-Gitlab-Event: Push Hook", b"X-Event-Key: repo:push",
    b"X-Request-UUID: 1", b"X-Gitea-Event: push", b"webhook-id: 1", b"webhook-signature: v1,x",
    b"X-GitHub-Delivery: ", b"Authorization: Bearer " + TOKEN.encode(),
    b"X-Gitlab-Token: " + TOKEN.encode(), b"token: " + TOKEN.encode(), b"Content-Encoding: gzip",
    b"Content-Type: multipart/form-data; boundary=x", b"Content-Type:", _FORM[:-2], _JSON[:-2],
)  # fmt: skip
"""Header lines, without their ends."""

BODIES = (
    b"", b"{}", _PAYLOAD, b"payload=%7B%22repository%22%3A%7B%22full_name%22%3A%22a%2Fb%22%7D%7D",
    b"payload=", b"payload=%", b"&&payload=%zz", b"[" * 3000, b'{"repository":' * 500, b"\xff\xfe",
    b"[" * 500 + b"]" * 500, b'{"repository": {"full_name": "a", "full_name": "b"}}', b"\x00" * 300,
    b'{"repository": {"full_name": "\\u0000\\u001b[31m\\ud800"}}', b'{"a": ' + b"9" * 6000 + b"}",
    b'{"a": 1e999999}', b'{"a": NaN}', b'{"repository": 1, "project": []}', b'"' + b"\\" * 999,
    b'\xef\xbb\xbf{"repository": {"full_name": "a/b"}}', b'{"repository": {"full_name": "%s"}}'
    % (b"x" * 5000), b'{"repository": {"full_name": "\xe2\x80\xae/\xc2\x9b"}}', b"{" * 9 + b"\xc3",
    b'{"repository": {"homepage": "://"}}', b'{"repository": {"slug": "", "project": {"key": 1}}}',
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
)  # fmt: skip
"""Bodies that are no JSON, not UTF-8, deep, doubled, huge in their numbers, or quite usual."""

VERSIONS = (b"HTTP/1.1",) * 20 + (
    b"HTTP/1.0",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/9.9",
    b"http/1.1",
    b"",
)
METHODS = (b"POST",) * 20 + (
    b"GET",
    b"GET",
    b"PUT",
    b"HEAD",
    b"CONNECT",
    b"PRI",
    b"post",
    b"M-SEARCH",
)
SIZES = (b"0", b"-1", b"+1", b"0x1", b"FFFFFFFFFFFFFFFF", b"FFFFFFFFFFFFFFFFF", b"g", b"", b"1;a=b")
_ODD = b"\x00\r\n\t \x0b\x0c\x1b\x7f\x80\xff:;,=%/?#\\\"'{}[]0"


class Hostile:
    """Makes input; the same seed makes the same.

    Args:
        seed: The seed.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._mutations: tuple[Callable[[bytes], bytes], ...] = (
            self._flip, self._insert, self._delete, self._double, self._line, self._twice,
            self._end, self._number, self._size, self._truncate,
        )  # fmt: skip

    def stream(self) -> bytes:
        """Return what comes on one connection: a request or some, many of them mutated."""
        pick = self._random
        if pick.random() < 0.03:
            return pick.randbytes(pick.randrange(200))
        if pick.random() < 0.0005:
            return self._request() * 400
        return b"".join(self._request() for _ in range(pick.choice((1, 1, 1, 2, 3))))

    def pieces(self, data: bytes) -> list[bytes]:
        """Return a stream as it is read: in one go, byte by byte, or cut somewhere."""
        pick = self._random.random()
        if pick < 0.6 or len(data) < 2:
            return [data]
        if pick < 0.65 and len(data) < 700:
            return [data[at : at + 1] for at in range(len(data))]
        cuts = sorted(
            self._random.randrange(len(data)) for _ in range(self._random.randrange(1, 5))
        )
        ends = [*cuts, len(data)]
        return [data[begin:end] for begin, end in zip([0, *cuts], ends, strict=True) if end > begin]

    def method(self) -> str:
        """Return a method."""
        return self._random.choice(METHODS).decode()

    def target(self) -> bytes:
        """Return a request target; its tokens are whole."""
        pick = self._random
        target = pick.choice(TARGETS if pick.random() < 0.5 else TARGETS[:16])
        return target + pick.choice((b"",) * 9 + (b"&x=%", b"?a=1", b"/", b"%2e", b"/.."))

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return header lines, names in lower case, with bytes of all kinds in their values."""
        pick = self._random
        lines = [line.partition(b":") for line in pick.choices(LINES, k=pick.randrange(8))]
        lines += [line.partition(b":") for line in (_HOST + _JSON + _GITHUB).split(b"\r\n")[:-1]]
        pick.shuffle(lines)
        return tuple(
            (name.lower(), self._flip(value) if pick.random() < 0.1 else value.strip())
            for name, _, value in lines
        )

    def body(self) -> bytes:
        """Return a body, mutated or not."""
        body = self._random.choice(BODIES)
        for _ in range(self._random.choice((0, 0, 1, 2, 9))):
            body = self._random.choice(self._mutations)(body)
        return body

    def _request(self) -> bytes:
        pick = self._random
        body = self.body() if pick.random() < 0.5 else _PAYLOAD
        target = pick.choice(TARGETS if pick.random() < 0.2 else TARGETS[:16])
        head = pick.choice(METHODS) + b" " + target + b" " + pick.choice(VERSIONS) + b"\r\n" + _HOST
        head += pick.choice((_JSON, _JSON, _FORM)) + pick.choice((_GITHUB, b""))
        if pick.random() < 0.05:
            head += b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
        if pick.random() < 0.8:  # or the store would see little but duplicates
            head = head.replace(b"72d3162e", b"%016x" % pick.getrandbits(64))
        if pick.random() < 0.7:
            request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        else:
            request = head + b"Transfer-Encoding: chunked\r\n\r\n" + self._chunks(body)
        for _ in range(pick.choice((0, 0, 0, 1, 1, 1, 2, 4))):
            request = pick.choice(self._mutations)(request)
        return request

    def _chunks(self, body: bytes) -> bytes:
        parts = [part for part in self.pieces(body) if part]
        return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"

    def _place(self, data: bytes) -> int:
        """Return a place, in the head more often than not."""
        return self._random.randrange(
            1 + (len(data) if self._random.random() < 0.3 else min(len(data), 300))
        )

    def _flip(self, data: bytes) -> bytes:
        at = self._place(data)
        return data[:at] + self._random.randbytes(1) + data[at + 1 :]

    def _insert(self, data: bytes) -> bytes:
        at = self._place(data)
        return (
            data[:at]
            + bytes(self._random.choices(_ODD, k=self._random.randrange(1, 4)))
            + data[at:]
        )

    def _delete(self, data: bytes) -> bytes:
        at = self._place(data)
        return data[:at] + data[at + self._random.randrange(1, 40) :]

    def _double(self, data: bytes) -> bytes:
        at = self._place(data)
        return data[:at] + data[at : at + self._random.randrange(1, 60)] + data[at:]

    def _line(self, data: bytes) -> bytes:
        return data.replace(b"\r\n", b"\r\n" + self._random.choice(LINES) + b"\r\n", 1)

    def _twice(self, data: bytes) -> bytes:
        lines = data.split(b"\r\n", 12)
        at = self._random.randrange(len(lines))
        return b"\r\n".join([*lines[:at], lines[at], *lines[at:]])

    def _end(self, data: bytes) -> bytes:
        lines = data.split(b"\r\n", 12)
        at = self._random.randrange(len(lines))
        end = self._random.choice((b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\r\n\r\n", b""))
        return b"\r\n".join(lines[:at]) + end + b"\r\n".join(lines[at:])

    def _number(self, data: bytes) -> bytes:
        value = b"%d" % self._random.choice((0, 1, 7, 100, 65536, 2**31, 2**63, 2**64, 10**30))
        return re.sub(rb"(?i)(?<=content-length: )\d+", value, data, count=1)

    def _size(self, data: bytes) -> bytes:
        size = self._random.choice(SIZES)
        return re.sub(rb"(?<=\r\n)[0-9a-f]+(?=\r\n)", size, data, count=1)

    def _truncate(self, data: bytes) -> bytes:
        return data[: self._place(data)]
