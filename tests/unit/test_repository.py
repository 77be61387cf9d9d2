import importlib.util
import json
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot import repository
from spigot.payloads import github_payloads
from spigot.repository import repository_of, tidy

Reader = Callable[[bytes, bytes], str | None]

JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def pure() -> Reader:
    """The module as it is where msgspec cannot be imported."""
    spec = importlib.util.spec_from_file_location("pure_repository", repository.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "msgspec", None)
        spec.loader.exec_module(module)
    reader: Reader = module.repository_of
    return reader


def body(payload: object) -> bytes:
    return json.dumps(payload).encode()


def nested(*keys: str, leaf: object) -> dict[str, Any]:
    for key in reversed(keys[1:]):
        leaf = {key: leaf}
    return {keys[0]: leaf}


DC = {"slug": "widgets", "project": {"key": "SHOP", "name": "The shop"}}


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ({"repository": {"full_name": "octo/hello"}}, "octo/hello"),
        ({"repository": {"full_name": "team/repo", "project": {"key": "P"}}}, "team/repo"),
        (
            {"project": {"path_with_namespace": "group/sub/app"}, "repository": {"name": "App"}},
            "group/sub/app",
        ),
        ({"event_name": "project_create", "path_with_namespace": "group/new"}, "group/new"),
        (
            {"project_id": 15, "repository": {"homepage": "http://gitlab.test/mike/diaspora"}},
            "mike/diaspora",
        ),
        ({"repository": DC}, "SHOP/widgets"),
        ({"pullRequest": {"toRef": {"repository": DC}}}, "SHOP/widgets"),
        ({"repository": {"repo_name": "acme/image", "name": "image"}}, "acme/image"),
        ({"resource": {"repository": {"name": "Fabrikam"}}}, "Fabrikam"),
        ({"repository": {"full_name": "größe/Ω"}}, "größe/Ω"),
        ({"zen": "Speak like a human.", "hook_id": 1}, None),
        ({"repository": {"full_name": ""}}, None),
        ({"repository": {"slug": "no-project"}}, None),
        ({"repository": {"homepage": "not a URL"}}, None),
        ({}, None),
    ],
)
def test_each_providers_name_of_a_repository_is_found(
    payload: dict[str, Any], name: str | None, pure: Reader
) -> None:
    assert repository_of(body(payload), JSON) == name
    assert pure(body(payload), JSON) == name


def test_real_payloads_name_their_repository_with_and_without_msgspec(pure: Reader) -> None:
    for event, text in github_payloads():
        payload = json.loads(text)
        name = (payload.get("repository") or {}).get("full_name")
        assert repository_of(text, JSON) == pure(text, JSON) == name, event


def test_real_payloads_in_a_form_name_the_same_repository() -> None:
    for event, text in github_payloads()[::10]:
        form = b"payload=" + quote_plus(text).encode()
        assert repository_of(form, FORM) == repository_of(text, JSON), event


@pytest.mark.parametrize("content_type", [FORM, FORM + b"; charset=UTF-8", FORM.upper()])
def test_a_form_may_hold_other_fields_around_the_payload(content_type: bytes) -> None:
    payload = json.dumps({"repository": {"full_name": "a+b/c=d&e%20"}})
    form = urlencode({"token": "x", "payload": payload, "after": "1"}).encode()
    assert repository_of(form, content_type) == "a+b/c=d&e%20"


@pytest.mark.parametrize(
    "form", [b"", b"payload", b"payload=", b"xpayload={}", b"&&&", b"payload=%", b"payload=%zz%0"]
)
def test_a_form_without_a_readable_payload_names_nothing(form: bytes) -> None:
    assert repository_of(form, FORM) is None


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=100), st.booleans())
def test_percent_encoding_in_a_form_is_undone_to_the_letter(name: str, plus: bool) -> None:
    encode = quote_plus if plus else quote
    text = json.dumps({"repository": {"full_name": name}}, ensure_ascii=False)
    assert repository_of(b"payload=" + encode(text).encode(), FORM) == tidy(name)


VALID = b'{"repository":{"full_name":"octo/hello"}'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"repository"',
        VALID,
        VALID + b"} trailing",
        VALID + b",}",
        VALID + b',"a":NaN}',
        VALID + b',"a":-Infinity}',
        VALID + b',"a":01}',
        VALID + b',"a":"\\q"}',
        VALID + b',"a":"line\nbreak"}',
        VALID + b',"a":"\xff"}',
        b"\xef\xbb\xbf" + VALID + b"}",
        (VALID + b"}").decode().encode("utf-16"),
        VALID + b',"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        VALID + b',"a":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b"[" * 1_000_000,
        b'{"repository":' * 50_000,
    ],
    ids=lambda text: text[-30:].decode("latin-1").encode("unicode_escape").decode(),
)
def test_what_is_not_json_in_utf8_or_nests_too_deeply_names_nothing(
    text: bytes, pure: Reader
) -> None:
    assert repository_of(text, JSON) is None
    assert pure(text, JSON) is None


@pytest.mark.parametrize("number", ["1" * 10_000, "1e999999", "-1e-999999", "1." + "0" * 10_000])
def test_a_number_of_any_size_is_no_obstacle(number: str, pure: Reader) -> None:
    text = VALID + b',"id":' + number.encode() + b"}"
    assert repository_of(text, JSON) == pure(text, JSON) == "octo/hello"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"repository":{"full_name":"a"},"repository":{"full_name":"b"}}', "b"),
        ('{"repository":{"full_name":"a"},"repository":{}}', None),
        ('{"repository":{"full_name":"a"},"repository":5}', None),
        ('{"repository":5,"repository":{"full_name":"b"}}', "b"),
        ('{"repository":{"full_name":"a","full_name":[]}}', None),
    ],
)
def test_of_a_repeated_key_the_last_one_counts(text: str, name: str | None, pure: Reader) -> None:
    assert repository_of(text.encode(), JSON) == pure(text.encode(), JSON) == name


@pytest.mark.parametrize(
    "wrong", [None, True, 5, 1.5, 10**30, "text", [], ["a"], {}, {"full_name": {}}]
)
@pytest.mark.parametrize(
    "keys",
    [
        ("repository",),
        ("repository", "full_name"),
        ("repository", "project"),
        ("project",),
        ("project", "path_with_namespace"),
        ("pullRequest", "toRef"),
        ("resource", "repository"),
    ],
)
def test_a_field_of_the_wrong_type_is_passed_over(
    keys: tuple[str, ...], wrong: object, pure: Reader
) -> None:
    payload = {"path_with_namespace": "still/found"} | nested(*keys, leaf=wrong)
    name = wrong if keys[-1] in {"full_name", "path_with_namespace"} else None
    expected = name if isinstance(name, str) else "still/found"
    assert repository_of(body(payload), JSON) == pure(body(payload), JSON) == expected


def test_a_large_body_of_the_wrong_shape_is_not_built_in_memory() -> None:
    text = b'{"repository":5,"path_with_namespace":"a/b","x":[' + b"[]," * 200_000 + b"[]]}"
    assert repository_of(text, JSON) is None


def test_invalid_utf8_is_seen_wherever_it_is_in_a_large_body() -> None:
    text = VALID + b',"a":"' + "é".encode() * 600_000
    assert repository_of(text + b'"}', JSON) == "octo/hello"
    assert repository_of(text + b'\xc3"}', JSON) is None


@pytest.mark.parametrize(
    ("name", "tidied"),
    [
        ("a\x1b[31m/b\n\x00", "a[31m/b"),
        ("a/\u202eb", "a/b"),
        ("\ud800a", "a"),
        ("x" * 400, "x" * 300),
        ("\x00" * 400, None),
        (" ", None),
    ],
)
def test_a_name_is_cut_and_freed_of_what_does_not_print(
    name: str, tidied: str | None, pure: Reader
) -> None:
    assert tidy(name) == tidied
    text = body({"repository": {"full_name": name}})
    assert repository_of(text, JSON) == pure(text, JSON) == tidied


KEYS = st.sampled_from(
    [*sorted({key for ways in repository._NAMES for way in ways for key in way}), "homepage"]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.just("http://host/group/app"),
)
PAYLOADS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(PAYLOADS, st.booleans())
def test_both_readers_agree_on_any_json(pure: Reader, payload: object, ascii_only: bool) -> None:
    text = json.dumps(payload, ensure_ascii=ascii_only).encode()
    name = repository_of(text, JSON)
    assert name == pure(text, JSON)
    assert name is None or (0 < len(name) <= 300 and name.isprintable())


@given(PAYLOADS, st.integers(0, 200), st.binary(max_size=4))
def test_both_readers_agree_on_damaged_json(
    pure: Reader, payload: object, at: int, damage: bytes
) -> None:
    text = body(payload)
    text = text[:at] + damage + text[at + len(damage) :]
    assert repository_of(text, JSON) == pure(text, JSON)


@given(st.binary(max_size=200), st.sampled_from([JSON, FORM, b"", b"\xff"]))
def test_no_body_is_too_strange(pure: Reader, text: bytes, content_type: bytes) -> None:
    assert repository_of(text, content_type) == pure(text, content_type)


def test_the_packaged_payloads_are_all_there_and_minified() -> None:
    examples = github_payloads()
    assert len(examples) == 329
    assert len({example.event for example in examples}) == 58
    assert all(b'": ' not in example.body[:40] for example in examples)
