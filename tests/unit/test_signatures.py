"""Signatures of every scheme: published vectors, or ones made by ``openssl dgst``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_plus

import pytest

from spigot.errors import Refused
from spigot.signatures import BY_PROVIDER, NAMES, SCHEMES, TOLERANCE, Verifier, scheme_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.webhook import Headers

EVERYBODY = "It's a Secret to Everybody"
GITEA = b'{"ref": "refs/heads/main", "n": "a b&c=d+e%f"}'
FORM = ((b"content-type", b"application/x-www-form-urlencoded"),)
MSG = "msg_p5jXN8AQM9LWM0D4loKWxJek"


class Vector(NamedTuple):
    """A right signature: where it stands, and what it is of."""

    scheme: str
    secret: str
    header: bytes
    value: bytes
    body: bytes
    others: Headers = ()
    now: float = 0.0


def stamp(delivery: str, time: int) -> Headers:
    return ((b"webhook-id", delivery.encode()), (b"webhook-timestamp", str(time).encode()))


VECTORS = {
    # docs.github.com: Validating webhook deliveries
    "github": Vector(
        "github",
        EVERYBODY,
        b"x-hub-signature-256",
        b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        b"Hello, World!",
    ),
    # openssl dgst -sha1 -hmac
    "github-sha1": Vector(
        "github-sha1",
        EVERYBODY,
        b"x-hub-signature",
        b"sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59",
        b"Hello, World!",
    ),
    "gitlab": Vector("gitlab", "s3cret token", b"x-gitlab-token", b"s3cret token", b"{}"),
    # A widely copied vector of Atlassian's; openssl dgst -sha256 -hmac gives the same.
    "bitbucket": Vector(
        "bitbucket",
        EVERYBODY,
        b"x-hub-signature",
        b"sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
        b"Hello World!",
    ),
    # openssl dgst -sha256 -hmac
    **{
        name: Vector(
            "gitea",
            EVERYBODY,
            f"x-{name}-signature".encode(),
            b"43ae6e49cfaa925f01688a7014cf1c6ade3f06bd988952397fb74de6bb23ae02",
            GITEA,
        )
        for name in ("gitea", "forgejo", "gogs")
    },
    "gitea-form": Vector(
        "gitea",
        EVERYBODY,
        b"x-gitea-signature",
        b"43ae6e49cfaa925f01688a7014cf1c6ade3f06bd988952397fb74de6bb23ae02",
        b"payload=" + quote_plus(GITEA).encode(),
        FORM,
    ),
    # standard-webhooks/standard-webhooks: libraries/go/webhook_test.go
    "standard-webhooks": Vector(
        "standard-webhooks",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        b"webhook-signature",
        b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        b'{"test": 2432232314}',
        stamp(MSG, 1614265330),
        1614265330.0,
    ),
    # GitLab's signing token. openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64
    "gitlab-signing": Vector(
        "standard-webhooks",
        "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=",
        b"webhook-signature",
        b"v1,BAqw5HjELtpjSxsWDutoR9OB972v+hQufKwkCj1Dxag=",
        b'{"object_kind": "push"}',
        stamp("b64a-1e3f", 1760000000),
        1760000012.0,
    ),
    # RFC 7617, sections 2 and 2.1
    "basic": Vector(
        "basic",
        "Aladdin:open sesame",
        b"authorization",
        b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        b"{}",
    ),
    "basic-utf-8": Vector(
        "basic", "test:123\xa3", b"authorization", b"Basic dGVzdDoxMjPCow==", b"{}"
    ),
    "token": Vector("token:X-Hook-Token", "Opensesame", b"x-hook-token", b"Opensesame", b"{}"),
}

WRONG: dict[str, Callable[[Vector], Headers]] = {
    "missing": lambda _: (),
    "empty": lambda vector: ((vector.header, b""),),
    "blank": lambda vector: ((vector.header, b"  "),),
    "truncated": lambda vector: ((vector.header, vector.value[:-1]),),
    "longer": lambda vector: ((vector.header, vector.value + b"0"),),
    "re-cased": lambda vector: ((vector.header, vector.value.swapcase()),),
    "last byte": lambda vector: ((vector.header, vector.value[:-2] + b"!!"),),
    "first byte": lambda vector: ((vector.header, b"!" + vector.value[1:]),),
    "prefix alone": lambda vector: ((vector.header, b"sha256="),),
    "doubled": lambda vector: ((vector.header, vector.value),) * 2,
    "doubled, one wrong": lambda vector: (
        (vector.header, vector.value),
        (vector.header, b"x"),
    ),
    "twice in one": lambda vector: ((vector.header, vector.value + b"," + vector.value),),
    "not ASCII": lambda vector: ((vector.header, vector.value + b"\xff\x00"),),
    "elsewhere": lambda vector: ((b"x-signature", vector.value),),
}


def verifier(scheme: str, *secrets: str) -> Verifier:
    found = scheme_named(scheme)
    return Verifier(found, tuple(found.key(secret) for secret in secrets))


def refusal(of: Verifier, headers: Headers, body: bytes, now: float = 0.0) -> Refused:
    with pytest.raises(Refused) as caught:
        of.verify(headers, body, now)
    refused = caught.value
    assert (refused.status, refused.reason) == (401, "signature")
    return refused


@pytest.fixture(params=list(VECTORS.values()), ids=list(VECTORS))
def vector(request: pytest.FixtureRequest) -> Vector:
    found: Vector = request.param
    return found


def test_every_scheme_has_a_vector_and_a_source() -> None:
    assert {one.scheme.partition(":")[0] for one in VECTORS.values()} == {
        name.partition(":")[0] for name in NAMES
    }
    assert all(scheme.source for scheme in SCHEMES)


class TestVerify:
    def test_the_right_signature_passes(self, vector: Vector) -> None:
        headers = (*vector.others, (vector.header, vector.value))
        verifier(vector.scheme, vector.secret).verify(headers, vector.body, vector.now)

    @pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
    def test_every_other_one_is_401_and_nothing_is_given_away(
        self, vector: Vector, wrong: Callable[[Vector], Headers]
    ) -> None:
        lines = wrong(vector)
        refused = refusal(
            verifier(vector.scheme, vector.secret),
            (*vector.others, *lines),
            vector.body,
            vector.now,
        )
        assert "give the provider the secret" in refused.error
        assert "WWW-Authenticate" in dict(refused.headers)
        sent = [value.decode("latin-1") for _, value in lines]
        for hidden in (vector.secret, vector.value.decode(), *sent):
            assert len(hidden.strip()) < 8 or hidden not in refused.error

    def test_with_several_secrets_each_of_them_passes_and_no_other(self, vector: Vector) -> None:
        headers = (*vector.others, (vector.header, vector.value))
        other, third = (
            ("whsec_AAAA", "whsec_BBBB")
            if vector.scheme == "standard-webhooks"
            else ("other:1", "third:1")
        )
        right = vector.secret
        for secrets in ((other, right), (right, other), (other, right, third)):
            verifier(vector.scheme, *secrets).verify(headers, vector.body, vector.now)
        refusal(verifier(vector.scheme, other, third), headers, vector.body, vector.now)

    def test_a_sender_cannot_choose_another_scheme(self, vector: Vector) -> None:
        for scheme in (*(one.name for one in SCHEMES), "token:X-Hook-Token"):
            if scheme == vector.scheme:
                continue
            try:
                key = scheme_named(scheme).key(vector.secret)
            except ValueError:
                continue
            headers = (*vector.others, (vector.header, vector.value))
            refusal(Verifier(scheme_named(scheme), (key,)), headers, vector.body, vector.now)

    def test_another_body_is_refused_wherever_the_body_is_signed(self, vector: Vector) -> None:
        of = verifier(vector.scheme, vector.secret)
        headers = (*vector.others, (vector.header, vector.value))
        if vector.scheme in ("gitlab", "basic", "token:X-Hook-Token"):
            of.verify(headers, b"anything", vector.now)
        else:
            refusal(of, headers, vector.body + b" ", vector.now)

    def test_its_repr_shows_no_key(self, vector: Vector) -> None:
        of = verifier(vector.scheme, vector.secret)
        assert vector.secret not in repr(of)
        assert repr(of.keys[0]) not in repr(of)

    def test_what_it_signs_itself_passes(self, vector: Vector) -> None:
        of = verifier(vector.scheme, vector.secret)
        others = tuple(line for line in vector.others if line[0] == b"content-type")
        signed = of.sign(others, vector.body, "7", 1000.0)
        of.verify(others + signed, vector.body, 1000.0)

    def test_blanks_around_a_value_do_not_belong_to_it(self) -> None:
        vector = VECTORS["github"]
        headers = ((vector.header, b" " + vector.value + b"\t"),)
        verifier("github", EVERYBODY).verify(headers, vector.body, 0.0)


class TestGitea:
    RIGHT = VECTORS["gitea"].value
    OF = verifier("gitea", EVERYBODY)

    def test_an_empty_digest_is_as_good_as_none(self) -> None:
        headers = ((b"x-forgejo-signature", b""), (b"x-gitea-signature", self.RIGHT))
        self.OF.verify(headers, GITEA, 0.0)
        refusal(self.OF, ((b"x-gitea-signature", b""), (b"x-gogs-signature", b"")), GITEA)

    def test_the_first_header_with_a_digest_counts(self) -> None:
        headers = ((b"x-gitea-signature", self.RIGHT), (b"x-forgejo-signature", b"0" * 64))
        refusal(self.OF, headers, GITEA)

    def test_githubs_headers_prove_nothing(self) -> None:
        refusal(self.OF, ((b"x-hub-signature-256", b"sha256=" + self.RIGHT),), GITEA)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"payload=",
            b"pay=" + quote_plus(GITEA).encode(),
            b"payload=" + quote_plus(GITEA).encode() + b"&payload=%7B%7D",
            b"payload=%7B%7D&payload=" + quote_plus(GITEA).encode(),
            b"x=1&payload=" + quote_plus(GITEA).encode(),
            b"payload=" + quote_plus(GITEA).encode() + b"%",
            b"payload=" + quote_plus(GITEA).encode() + b"%zz",
            b"payload=" + quote_plus(GITEA).encode() + b"%\n",
            b"payload=" + quote_plus(GITEA).encode() + b";payload=1",
            GITEA,
        ],
    )
    def test_a_form_that_two_readers_may_read_in_two_ways_is_refused(self, body: bytes) -> None:
        refusal(self.OF, (*FORM, (b"x-gitea-signature", self.RIGHT)), body)

    @pytest.mark.parametrize("offset", range(4))
    def test_a_long_form_is_read_to_its_end(self, offset: int) -> None:
        body = b"payload=" + b"x" * offset + b"%7B" * 1_000_000
        signed = self.OF.sign(FORM, body, "", 0.0)
        self.OF.verify(FORM + signed, body, 0.0)
        for end in (b"%7", b"%", b"&x=1", b"%zz"):
            refusal(self.OF, FORM + signed, body + end)

    def test_the_form_itself_is_signed_by_github_alone(self) -> None:
        vector = VECTORS["gitea-form"]
        headers = (*FORM, (b"x-hub-signature-256", b"sha256=" + vector.value))
        refusal(verifier("github", EVERYBODY), headers, vector.body)


class TestStandardWebhooks:
    VECTOR = VECTORS["standard-webhooks"]
    OF = verifier(VECTOR.scheme, VECTOR.secret)
    WRONG = b"v1,AAAA9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    @pytest.mark.parametrize("off", [-TOLERANCE - 1, TOLERANCE + 1])
    def test_a_timestamp_far_from_now_is_refused_and_clocks_are_named(self, off: float) -> None:
        headers = (*self.VECTOR.others, (self.VECTOR.header, self.VECTOR.value))
        refused = refusal(self.OF, headers, self.VECTOR.body, self.VECTOR.now + off)
        assert "more than 300 seconds from now" in refused.error
        assert "clocks" in refused.error

    @pytest.mark.parametrize("off", [-TOLERANCE, TOLERANCE])
    def test_one_within_five_minutes_is_not(self, off: float) -> None:
        headers = (*self.VECTOR.others, (self.VECTOR.header, self.VECTOR.value))
        self.OF.verify(headers, self.VECTOR.body, self.VECTOR.now + off)

    @pytest.mark.parametrize("time", [b"", b"1614265330.0", b"+1614265330", b"now", b"9" * 5000])
    def test_a_timestamp_that_is_none_is_refused(self, time: bytes) -> None:
        headers = (
            self.VECTOR.others[0],
            (b"webhook-timestamp", time),
            (self.VECTOR.header, self.VECTOR.value),
        )
        refusal(self.OF, headers, self.VECTOR.body, self.VECTOR.now)

    @pytest.mark.parametrize("number", [0, 1])
    def test_identifier_and_time_must_be_there_exactly_once(self, number: int) -> None:
        signature = (self.VECTOR.header, self.VECTOR.value)
        others = list(self.VECTOR.others)
        doubled = (*others, others[number], signature)
        assert "2 times" in refusal(self.OF, doubled, self.VECTOR.body, self.VECTOR.now).error
        del others[number]
        missing = (*others, signature)
        assert "missing" in refusal(self.OF, missing, self.VECTOR.body, self.VECTOR.now).error

    def test_another_identifier_is_refused(self) -> None:
        headers = (
            (b"webhook-id", b"msg_other"),
            self.VECTOR.others[1],
            (self.VECTOR.header, self.VECTOR.value),
        )
        refusal(self.OF, headers, self.VECTOR.body, self.VECTOR.now)

    def test_one_right_signature_of_several_is_enough(self) -> None:
        for value in (
            self.WRONG + b" " + self.VECTOR.value,
            self.VECTOR.value + b" " + self.WRONG,
            b"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5B " + self.VECTOR.value,
        ):
            headers = (*self.VECTOR.others, (self.VECTOR.header, value))
            self.OF.verify(headers, self.VECTOR.body, self.VECTOR.now)

    @pytest.mark.parametrize("prefix", [b"", b"v2,", b"v1a,", b"v1=", b"V1,"])
    def test_a_digest_of_another_version_is_refused(self, prefix: bytes) -> None:
        headers = (*self.VECTOR.others, (self.VECTOR.header, prefix + self.VECTOR.value[3:]))
        refusal(self.OF, headers, self.VECTOR.body, self.VECTOR.now)


def test_the_case_of_the_word_basic_does_not_matter() -> None:
    headers = ((b"authorization", b"bAsIc  QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),)
    verifier("basic", "Aladdin:open sesame").verify(headers, b"", 0.0)
    assert refusal(verifier("basic", "a:b"), (), b"").headers == (
        ("WWW-Authenticate", 'Basic realm="Spigot"'),
    )


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        ("gitlab", "hüsh"),
        ("gitlab", " hush"),
        ("token:X-Token", "hu\nsh"),
        ("basic", "nobody"),
        ("basic", ":hush"),
        ("basic", "me:hu\nsh"),
        ("standard-webhooks", "whsec_hüsh"),
        ("standard-webhooks", "not base64!"),
        ("standard-webhooks", "abc"),
    ],
)
def test_a_secret_that_can_never_fit_is_refused_without_showing_it(
    scheme: str, secret: str
) -> None:
    with pytest.raises(ValueError, match=r"^must be ") as caught:
        scheme_named(scheme).key(secret)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("name", ["", "md5", "token", "token:", "token:X-Name", "token:X Token"])
def test_a_scheme_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no such scheme"):
        scheme_named(name)


def test_every_provider_that_signs_has_its_scheme_and_github_is_never_sha_1() -> None:
    assert {provider: scheme.name for provider, scheme in BY_PROVIDER.items()} == {
        "github": "github",
        "gitlab": "gitlab",
        "bitbucket": "bitbucket",
        "bitbucket-dc": "bitbucket",
        "gitea": "gitea",
        "forgejo": "gitea",
        "gogs": "gitea",
        "standard-webhooks": "standard-webhooks",
    }
