import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.providers import PROVIDERS, Fields, Sender, identify


@pytest.mark.parametrize(
    ("fields", "sender"),
    [
        (
            {b"x-github-event": b"push", b"x-github-delivery": b"72d3162e-cc78"},
            Sender("github", "push", "72d3162e-cc78"),
        ),
        (
            {b"x-gitlab-event": b"Push Hook", b"idempotency-key": b"k1", b"webhook-id": b"w1"},
            Sender("gitlab", "Push Hook", "k1"),
        ),
        (
            {b"x-gitlab-event": b"Push Hook", b"webhook-id": b"w1", b"webhook-signature": b"v1,x"},
            Sender("gitlab", "Push Hook", "w1"),
        ),
        (
            {b"x-event-key": b"repo:push", b"x-request-uuid": b"u1", b"x-request-id": b"proxy"},
            Sender("bitbucket", "repo:push", "u1"),
        ),
        (
            {b"x-event-key": b"pr:opened", b"x-request-id": b"r1"},
            Sender("bitbucket-dc", "pr:opened", "r1"),
        ),
        (
            {b"x-gogs-event": b"push", b"x-gogs-delivery": b"g1", b"x-github-event": b"push"},
            Sender("gogs", "push", "g1"),
        ),
        (
            {b"webhook-id": b"msg_1", b"webhook-signature": b"v1,abc"},
            Sender("standard-webhooks", None, "msg_1"),
        ),
    ],
)
def test_each_provider_is_known_by_its_headers(fields: Fields, sender: Sender) -> None:
    assert identify(fields) == sender


def test_those_who_also_send_the_headers_of_others_are_not_mistaken_for_them() -> None:
    fields = {b"x-github-event": b"push", b"x-github-delivery": b"github"}
    for name in (b"gogs", b"gitea", b"forgejo"):
        fields |= {b"x-%s-event" % name: b"push", b"x-%s-delivery" % name: name}
        assert identify(fields) == Sender(name.decode(), "push", name.decode())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"content-type": b"application/json", b"user-agent": b"curl/8"},
        {b"x-request-id": b"from a proxy"},
        {b"x-event-key": b"repo:push"},
        {b"webhook-id": b"msg_1"},
    ],
)
def test_headers_that_name_nobody_are_of_an_unknown_provider(fields: Fields) -> None:
    assert identify(fields) == Sender("unknown", None, None)


def test_gitlabs_id_of_a_single_attempt_is_not_a_delivery_id() -> None:
    fields = {b"x-gitlab-event": b"Push Hook", b"x-gitlab-webhook-uuid": b"new each time"}
    assert identify(fields).delivery is None


@pytest.mark.parametrize("value", [b"", b"  ", b"a\x1b[31m", b"caf\xe9", b"a\x00", b"x" * 201])
def test_values_that_are_empty_too_long_or_unprintable_count_as_absent(value: bytes) -> None:
    fields = {b"x-github-event": value, b"x-github-delivery": value}
    assert identify(fields) == Sender("github", None, None)


def test_values_up_to_the_cap_are_kept_whole_and_stripped() -> None:
    fields = {b"x-github-event": b" " + b"e" * 100 + b" ", b"x-github-delivery": b"d" * 200}
    assert identify(fields) == Sender("github", "e" * 100, "d" * 200)
    assert identify(fields | {b"x-github-event": b"e" * 101}).event is None


NAMES = sorted({name for row in PROVIDERS for name in (*row.marks, *row.delivery)})


@given(st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=300)))
def test_whatever_the_headers_hold_the_answer_is_short_and_printable(fields: Fields) -> None:
    sender = identify(fields)
    for word, cap in ((sender.event, 100), (sender.delivery, 200)):
        assert word is None or (0 < len(word) <= cap and word.isascii() and word.isprintable())
