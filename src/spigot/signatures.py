"""How webhooks are signed, and whether one was signed with a hook's secret. Pure.

One row a scheme, each with the source of its rule. The configuration alone says which scheme a hook
uses: a sender chooses its headers, and would choose the weakest.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, NamedTuple

from spigot.errors import Refused
from spigot.form import is_one_payload, payload_of
from spigot.masking import masks_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final

    from spigot.webhook import Headers

TOLERANCE: Final = 300.0
"""How far a timestamp may be from now, seconds, as the Standard Webhooks libraries have it."""

_ID, _TIME = b"webhook-id", b"webhook-timestamp"
_TOKEN = "token:"  # noqa: S105 - the beginning of a scheme's name
_FORM = b"application/x-www-form-urlencoded"


class _Flaw(Exception):
    """Why a webhook is not taken, in words that name no secret and no digest."""


# What is signed: pieces of bytes that follow each other.


def _body(_headers: Headers, body: bytes) -> tuple[bytes, ...]:
    return (body,)


def _json_text(headers: Headers, body: bytes) -> tuple[bytes, ...]:
    """Return the JSON text, which Gitea and its relatives sign also where they send a form."""
    if not any(n == b"content-type" and v.lower().startswith(_FORM) for n, v in headers):
        return (body,)
    if not is_one_payload(body):
        raise _Flaw("The form holds something else than one well-encoded field `payload`")
    return (payload_of(body),)


def _stamped(headers: Headers, body: bytes) -> tuple[bytes, ...]:
    return (_only(headers, _ID), b".", _only(headers, _TIME), b".", body)


# What the header says then.


def _hex(algorithm: str, prefix: bytes = b"") -> Callable[[bytes, tuple[bytes, ...]], bytes]:
    def value(key: bytes, signed: tuple[bytes, ...]) -> bytes:
        return prefix + _hmac(key, signed, algorithm).hex().encode()

    return value


def _version_1(key: bytes, signed: tuple[bytes, ...]) -> bytes:
    return b"v1," + b64encode(_hmac(key, signed, "sha256"))


def _itself(key: bytes, _signed: tuple[bytes, ...]) -> bytes:
    return key


def _credentials(key: bytes, _signed: tuple[bytes, ...]) -> bytes:
    return b"Basic " + b64encode(key)


def _hmac(key: bytes, signed: tuple[bytes, ...], algorithm: str) -> bytes:
    code = hmac.new(key, digestmod=algorithm)
    for piece in signed:  # joined they would take 25 MB once more
        code.update(piece)
    return code.digest()


# How the key is made of the secret; a ValueError says what is wrong with the secret.


def _utf8(secret: str) -> bytes:
    return secret.encode()


def _visible(secret: str) -> bytes:
    if not re.fullmatch("[!-~](?:[ -~]*[!-~])?", secret):
        raise ValueError("must be visible ASCII without a space at either end: a header carries it")
    return secret.encode()


def _user_and_password(secret: str) -> bytes:
    if not re.fullmatch("[^:\0-\x1f\x7f]+:[^\0-\x1f\x7f]+", secret):
        raise ValueError("must be USER:PASSWORD")
    return secret.encode()


def _base64(secret: str) -> bytes:
    try:
        key = b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("must be Base64, after whsec_ if it begins so")
    return key


# How a header's value is taken apart: several signatures, any of which may be the right one.


def _whole(value: bytes) -> list[bytes]:
    return [value]


def _login(value: bytes) -> list[bytes]:
    scheme, _, rest = value.partition(b" ")  # whose case does not matter: RFC 9110, section 11.1
    return [b"Basic " + rest.strip()] if scheme.lower() == b"basic" else []


class Scheme(NamedTuple):
    """One way to sign webhooks.

    Attributes:
        name: As in the configuration.
        headers: Where the signature is, lower-case. The first with a value counts, an empty one is
            as good as none; all prove the same, so that a sender who chooses gains nothing.
        value: What the header says: of the key, and of what is signed.
        source: Where the rule is from.
        providers: Whose webhooks are signed so unless the configuration says otherwise.
        key: Makes the key of a secret as it is configured.
        signed: What is signed, of headers and body.
        read: Takes the header's value apart into the signatures in it.
        stamped: Identifier and time are signed with the body, and the time must be about now.
    """

    name: str
    headers: tuple[bytes, ...]
    value: Callable[[bytes, tuple[bytes, ...]], bytes]
    source: str
    providers: tuple[str, ...] = ()
    key: Callable[[str], bytes] = _utf8
    signed: Callable[[Headers, bytes], tuple[bytes, ...]] = _body
    read: Callable[[bytes], list[bytes]] = _whole
    stamped: bool = False

    @property
    def shown(self) -> str:
        """The headers, for a person."""
        return " or ".join(name.decode().title() for name in self.headers)


SCHEMES: tuple[Scheme, ...] = (
    Scheme(
        "github",
        (b"x-hub-signature-256",),
        _hex("sha256", b"sha256="),
        "docs.github.com: Validating webhook deliveries; for a form the form itself is signed",
        providers=("github",),
    ),
    Scheme(
        "github-sha1",
        (b"x-hub-signature",),
        _hex("sha1", b"sha1="),
        "docs.github.com: Webhook events and payloads; for senders that know nothing better",
    ),
    Scheme(
        "gitlab",
        (b"x-gitlab-token",),
        _itself,
        "gitlab-org/gitlab: app/services/web_hook_service.rb, build_headers",
        providers=("gitlab",),
        key=_visible,
    ),
    Scheme(
        "bitbucket",
        (b"x-hub-signature",),
        _hex("sha256", b"sha256="),
        "support.atlassian.com: Manage webhooks; Data Center: Event payload, Manage webhooks",
        providers=("bitbucket", "bitbucket-dc"),
    ),
    Scheme(
        "gitea",
        (b"x-forgejo-signature", b"x-gitea-signature", b"x-gogs-signature"),
        _hex("sha256"),
        "go-gitea/gitea: services/webhook/deliver.go; gogs/gogs: internal/database/webhook.go",
        providers=("gitea", "forgejo", "gogs"),
        signed=_json_text,
    ),
    # GitLab's signing token is this one: gitlab-org/gitlab, merge request 230944.
    Scheme(
        "standard-webhooks",
        (b"webhook-signature",),
        _version_1,
        "standard-webhooks/standard-webhooks: spec/standard-webhooks.md, 1.0.0; v1 only",
        providers=("standard-webhooks",),
        key=_base64,
        signed=_stamped,
        read=bytes.split,
        stamped=True,
    ),
    Scheme(
        "basic",
        (b"authorization",),
        _credentials,
        "RFC 7617, in UTF-8",
        key=_user_and_password,
        read=_login,
    ),
)
"""Every scheme but the token in a header of one's choice."""

NAMES = (*(scheme.name for scheme in SCHEMES), f"{_TOKEN}HEADER")
"""What the configuration may call a scheme."""

BY_PROVIDER = {provider: scheme for scheme in SCHEMES for provider in scheme.providers}
"""How a provider signs, where it has one usual way."""


def scheme_named(name: str) -> Scheme:
    """Return the scheme of a name of `NAMES`.

    Raises:
        ValueError: There is none, or the token's header is not one that Spigot never shows.
    """
    for scheme in SCHEMES:
        if scheme.name == name:
            return scheme
    header = name.removeprefix(_TOKEN)
    if header == name or not re.fullmatch(r"[A-Za-z0-9-]+", header) or not masks_header(header):
        raise ValueError("no such scheme")
    source = "a secret that both sides know, in a header of the user's choice"
    return Scheme(name, (header.lower().encode(),), _itself, source, key=_visible)


class Verifier(NamedTuple):
    """Takes only what was signed with one of a hook's secrets. Its ``repr`` holds none.

    Attributes:
        scheme: How webhooks of the hook are signed.
        keys: The keys, made by ``Scheme.key``; at least one. Several while they are changed.
    """

    scheme: Scheme
    keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Verifier({self.scheme.name})"

    def verify(self, headers: Headers, body: bytes, now: float) -> None:
        """Pass if the signature is right; how long it takes does not depend on how wrong it is.

        Args:
            headers: All header lines.
            body: The body as received.
            now: UNIX seconds, when it was received. Not when it is delivered: that may be days on.

        Raises:
            Refused: 401. It says what is missing, never which secret or digest was expected.
        """
        scheme = self.scheme
        try:
            given = scheme.read(_first(headers, scheme.headers))
            if scheme.stamped:
                _check_time(_only(headers, _TIME), now)
            signed = scheme.signed(headers, body)
        except _Flaw as flaw:
            raise self._refused(f"{flaw}.") from None
        right = False
        for key in self.keys:
            expected = _mark(scheme.value(key, signed))
            for one in given:
                right |= hmac.compare_digest(expected, _mark(one))
        if not right:
            raise self._refused(f"{scheme.shown} is wrong for this body and secret.")

    def sign(self, headers: Headers, body: bytes, delivery: str, now: float) -> Headers:
        """Return the header lines that a sender adds, signed with the first key.

        Args:
            headers: The other headers.
            body: The body as it is sent.
            delivery: The identifier, where that is signed too.
            now: UNIX seconds.
        """
        stamp: Headers = ()
        if self.scheme.stamped:
            stamp = ((_ID, delivery.encode()), (_TIME, str(int(now)).encode()))
        value = self.scheme.value(self.keys[0], self.scheme.signed(headers + stamp, body))
        return (*stamp, *((name, value) for name in self.scheme.headers))

    def _refused(self, why: str) -> Refused:
        advice = (
            f"This path takes only webhooks that are signed ({self.scheme.name}): give the "
            "provider the secret that Spigot has for this hook"
        )
        if self.scheme.stamped:
            advice += ", and let both clocks be right"
        # RFC 9110, section 15.5.2: a 401 names what it asks for.
        asks = 'Basic realm="Spigot"' if self.scheme.name == "basic" else "Signature"
        return Refused(
            401, f"{why} {advice}.", reason="signature", headers=(("WWW-Authenticate", asks),)
        )


def _mark(value: bytes) -> bytes:
    """Return what is compared instead of a value: of one length, so that not even that shows."""
    return hashlib.sha256(value).digest()


def _values(headers: Headers, name: bytes) -> list[bytes]:
    found = [value.strip(b" \t") for header, value in headers if header == name]
    if len(found) > 1:
        raise _Flaw(f"{name.decode().title()} is there {len(found)} times")
    return found


def _only(headers: Headers, name: bytes) -> bytes:
    for value in _values(headers, name):
        if value:
            return value
    raise _Flaw(f"{name.decode().title()} is missing or empty")


def _first(headers: Headers, names: Iterable[bytes]) -> bytes:
    found = [value for name in names for value in _values(headers, name) if value]
    if not found:
        raise _Flaw(f"{' or '.join(name.decode().title() for name in names)} is missing or empty")
    return found[0]


def _check_time(text: bytes, now: float) -> None:
    if not re.fullmatch(rb"[0-9]{1,12}", text):
        raise _Flaw("Webhook-Timestamp is not a number of seconds")
    if abs(now - int(text)) > TOLERANCE:
        raise _Flaw(f"Webhook-Timestamp is more than {TOLERANCE:.0f} seconds from now")
