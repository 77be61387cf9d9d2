"""What hypothesis finds to say to the parsers: they refuse it, or make a sane webhook of it."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from spigot.errors import Refused
from spigot.masking import mask_headers, mask_query, secrets_of
from spigot.providers import PROVIDERS, identify
from spigot.repository import repository_of
from support.fuzz import check, intake
from support.hostile import BODIES, LINES, TARGETS

READER = intake()

_named = [line.partition(b":")[0].strip().lower() for line in LINES]
_known = [mark for row in PROVIDERS for mark in (*row.marks, *row.delivery)]
names = st.sampled_from(sorted({*_named, *_known, b"content-type"})) | st.binary()
headers = st.lists(st.tuples(names, st.binary(max_size=300)), max_size=12).map(tuple)
printing = st.text(st.characters(min_codepoint=33, max_codepoint=126)).map(str.encode)
targets = st.builds(bytes.__add__, st.sampled_from(TARGETS), printing) | st.binary()
trees = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["repository", "full_name", "project", "slug", "key", "homepage"])
            | st.text(),
            inner,
        )
    ),
)
bodies = (
    trees.map(lambda tree: json.dumps(tree).encode())
    | st.sampled_from(BODIES)
    | st.binary()
    | st.integers(1, 5000).map(lambda deep: b'{"repository":[' * deep)
    | st.binary().map(lambda text: b"payload=" + text)
)


@given(st.sampled_from(["POST", "GET", "PUT"]), targets, headers, bodies)
def test_a_request_is_refused_or_becomes_a_sane_webhook(
    method: str, target: bytes, lines: tuple[tuple[bytes, bytes], ...], body: bytes
) -> None:
    with contextlib.suppress(Refused):
        admitted = READER.admit(method, target)
        check(READER.webhook(admitted, lines, dict(reversed(lines)), body))


@given(headers)
def test_headers_name_a_sender_or_none(lines: tuple[tuple[bytes, bytes], ...]) -> None:
    sender = identify(dict(reversed(lines)))
    for word in (sender.event, sender.delivery):
        assert word is None or (word.isascii() and word.isprintable() and 0 < len(word) <= 200)


@given(bodies, st.sampled_from([b"", b"application/x-www-form-urlencoded"]) | st.binary())
def test_a_body_names_a_repository_that_can_be_shown_or_none(body: bytes, kind: bytes) -> None:
    name = repository_of(body, kind)
    assert name is None or (name.isprintable() and 0 < len(name) <= 300)


@given(printing.map(bytes.decode), headers)
def test_masking_takes_whatever_comes(query: str, lines: tuple[tuple[bytes, bytes], ...]) -> None:
    assert mask_query(query).isprintable()
    assert all(name.isprintable() and value.isprintable() for name, value in mask_headers(lines))
    secrets_of("/dockerhub-webhook/x", query, lines)
