"""A webhook as text, and back, to the byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.envelope import MalformedEnvelope, body_at, seal, unseal
from spigot.webhook import Webhook
from support.stores import webhook

latin = st.binary(max_size=30)
words = st.text(max_size=30)


@given(
    st.builds(
        Webhook,
        id=words,
        received_at=st.floats(0, 4e9),
        method=st.sampled_from(["POST", "GET"]),
        path=words,
        query=words,
        headers=st.lists(st.tuples(latin, latin), max_size=5).map(tuple),
        body=st.binary(max_size=2000),
        hook=words,
        provider=words,
        event=st.none() | words,
        delivery=st.none() | words,
        lane=words,
    )
)
def test_every_webhook_comes_back_as_it_was(sent: Webhook) -> None:
    text = seal(sent)
    assert unseal(text) == sent
    assert body_at(text) == ""


def test_a_message_is_plain_ascii_whatever_it_carries() -> None:
    text = seal(webhook(body=b"\x00\xff\r\n", headers=((b"x-name", b"\xe9"),)))
    assert text.isascii()
    assert text.isprintable()


def test_a_body_may_be_kept_elsewhere() -> None:
    sent = webhook(body=b"much")
    text = seal(sent, body_at="payloads/1")
    assert body_at(text) == "payloads/1"
    assert unseal(text, body=b"much") == sent
    with pytest.raises(MalformedEnvelope, match="kept elsewhere"):
        unseal(text)


def changed(**fields: Any) -> str:
    value = json.loads(seal(webhook()))
    value |= fields
    return json.dumps({name: field for name, field in value.items() if field != "gone"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("7", "names no version"),
        ("{}", "names no version"),
        (changed(spigot="1"), "names no version"),
        (changed(spigot=2), "of version 2, and this Spigot reads 1"),
        (changed(body="***"), "no webhook of Spigot's"),
        (changed(body="YWJj"), "no webhook of Spigot's"),
        (changed(path="gone"), "'path'"),
        (changed(path=7), "no webhook of Spigot's"),
        (changed(headers=[["a"]]), "no webhook of Spigot's"),
        (changed(headers=[["a", "\u20ac"]]), "no webhook of Spigot's"),
        (changed(received_at="soon"), "no webhook of Spigot's"),
    ],
)
def test_what_is_no_envelope_is_told_from_one(text: str, why: str) -> None:
    with pytest.raises(MalformedEnvelope, match=why):
        unseal(text)
