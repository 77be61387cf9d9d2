from base64 import b64encode
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.masking import (
    MASK,
    mask_headers,
    mask_path,
    mask_query,
    mask_text,
    printable,
    secrets_of,
    without_userinfo,
)


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/dockerhub-webhook/s3cret/notify", "/dockerhub-webhook/***/notify"),
        ("/ci/acr-webhook/s3cret/notify", "/ci/acr-webhook/***/notify"),
        ("/dockerregistry-webhook//s3cret", "/dockerregistry-webhook//***"),
        ("/project/folder/app", "/project/folder/app"),
        ("/github-webhook/", "/github-webhook/"),
    ],
)
def test_tokens_in_paths_are_masked(path: str, masked: str) -> None:
    assert mask_path(path) == masked


@pytest.mark.parametrize(
    ("query", "masked"),
    [
        ("", ""),
        ("token=s3cret&job=app", "token=***&job=app"),
        ("PRIVATE_TOKEN=a&api-key=b&sig=d", "PRIVATE_TOKEN=***&api-key=***&sig=***"),
        ("Password=c", "Password=***"),
        ("%74oken=s3cret", "%74oken=***"),
        ("token=a=b", "token=***"),
        ("token=&token", "token=&token"),
        ("design=x&server_url=https://h/", "design=x&server_url=https://h/"),
        ("url=https://u:pw@h/a.git&b=%20", "url=https://***@h/a.git&b=%20"),
        ("url=https%3A%2F%2Fu%3Ap%40h%2Fa.git", "url=https://***@h/a.git"),
        ("url=https%3A%2F%2Fh%2Fa%3Ftoken%3Ds3cret%26b%3D1", "url=https://h/a?token=***%26b=1"),
    ],
)
def test_secrets_in_queries_are_masked_and_the_rest_stays_as_it_is(query: str, masked: str) -> None:
    assert mask_query(query) == masked


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-gitlab-token",
        "x-api-key",
        "apikey",
        "x-my-secret",
        "x-password",
        "X-Auth-Token",
        "token",
        "private-token",
    ],
)
def test_secret_headers_are_masked(name: str) -> None:
    assert mask_headers(((name.encode(), b"s3cret"),)) == [(name, MASK)]


def test_other_headers_are_shown_in_their_order_and_printable() -> None:
    headers = (
        (b"x-event-key", b"repo:push"),
        (b"idempotency-key", b"k1"),
        (b"x-hub-signature-256", b"sha256=abc"),
        (b"user-agent", b"a\x1b[31m\r\n\xe9"),
        (b"x-a", b"1"),
        (b"x-a", b"2"),
    )
    assert mask_headers(headers) == [
        ("x-event-key", "repo:push"),
        ("idempotency-key", "k1"),
        ("x-hub-signature-256", "sha256=abc"),
        ("user-agent", "a\\x1b[31m\\r\\né"),
        ("x-a", "1"),
        ("x-a", "2"),
    ]


def test_a_url_in_a_header_shows_no_secret() -> None:
    headers = (
        (b"x-original-uri", b"/generic-webhook-trigger/invoke?token=s3cret&a=b"),
        (b"x-forwarded-uri", b"/acr-webhook/s3cret/notify"),
        (b"referer", b"https://u:s3cret@host/"),
    )
    assert [value for _, value in mask_headers(headers)] == [
        "/generic-webhook-trigger/invoke?token=***&a=b",
        "/acr-webhook/***/notify",
        "https://***@host/",
    ]


def test_the_secrets_of_a_request_are_listed_once_each() -> None:
    basic = b64encode(b"user:basic-password")
    secrets = secrets_of(
        "/dockerhub-webhook/path-token/notify",
        "token=query%2Ftoken&url=https://u:url-password@h/&key=abc&job=app",
        (
            (b"authorization", b"Bearer bearer-token"),
            (b"proxy-authorization", b"Basic " + basic),
            (b"cookie", b"id=first-cookie; b=second-cookie"),
            (b"x-gitlab-token", b"path-token"),
            (b"referer", b"https://h/?secret=inner-secret"),
            (b"content-type", b"application/json"),
        ),
    )
    assert set(secrets) == {
        "path-token",
        "query%2Ftoken",
        "url-password",
        "Bearer bearer-token",
        "bearer-token",
        f"Basic {basic.decode()}",
        basic.decode(),
        "basic-password",
        "id=first-cookie; b=second-cookie",
        "first-cookie",
        "second-cookie",
        "inner-secret",
    }
    assert len(secrets) == len(set(secrets))


def test_a_broken_basic_header_is_no_obstacle() -> None:
    assert "abc!" in secrets_of("/", "", ((b"authorization", b"Basic abc!"),))


@pytest.mark.parametrize(
    "text",
    [
        "<p>query/token&amp;more</p>",
        "at /x?token=query%2Ftoken%26more",
        '{"t": "query/token&more"}',
    ],
)
def test_a_secret_is_masked_in_an_answer_however_it_is_written(text: str) -> None:
    masked = mask_text(text, ("query%2Ftoken%26more",))
    assert "query" not in masked
    assert MASK in masked


def test_of_two_secrets_the_longer_one_is_masked_first() -> None:
    assert mask_text("abcdefgh abcd", ("abcd", "abcdefgh")) == "*** ***"


def test_very_short_secrets_are_not_looked_for() -> None:
    assert mask_text("a cat sat", ("cat", "a")) == "a cat sat"


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=4, max_size=40))
def test_what_a_query_hides_is_hidden_in_answers_too(secret: str) -> None:
    query = f"a=1&token={quote_plus(secret)}"
    assert mask_query(query) == "a=1&token=***"
    assert mask_text(f"<{secret}>", secrets_of("/", query, ())) == f"<{MASK}>"


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("https://u:p@host/x", "https://host/x"),
        ("https://u:p@ss@host/x", "https://host/x"),
        ("https://u:p w@host/x", "https://host/x"),
        ("https://host/@scope/x", "https://host/@scope/x"),
        ("git@host:a/b", "git@host:a/b"),
    ],
)
def test_user_and_password_are_taken_out_of_urls(url: str, bare: str) -> None:
    assert without_userinfo(url) == bare


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe Ω ✓", "größe Ω ✓"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\r\nb\t\x00\x7f\x9b", "a\\r\\nb\\t\\x00\\x7f\\x9b"),
        ("a\u202eb\u2066c\u200fd\u2028", "a\\u202eb\\u2066c\\u200fd\\u2028"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_mislead_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(), st.binary(max_size=50), st.text())
def test_nothing_shown_is_unprintable_or_too_strange(text: str, value: bytes, query: str) -> None:
    assert printable(text).isprintable()
    for name, shown in mask_headers(((value, value), (b"referer", value))):
        assert name.isprintable()
        assert shown.isprintable()
    mask_query(query)
    mask_path(text)
    mask_text(text, secrets_of(text, query, ((b"authorization", b"Basic " + value),)))
