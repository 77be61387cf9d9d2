"""A secret of the deployment: what is not signed with it is refused, and nothing is stored."""

from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest

from spigot.aws.process import Process
from spigot.aws.secret import secured
from spigot.errors import Refused, SettingsError
from spigot.intake import Intake
from spigot.plugins import KNOWN
from support.provider import SECRET, github
from support.stores import HandClock

if TYPE_CHECKING:
    from spigot.webhook import Webhook
    from support.provider import Fields

PUSH = b'{"repository": {"full_name": "acme/app"}, "size": 1.50}'
SIGNED = github("push", PUSH).headers


def handle(
    headers: Fields, *, secret: str = SECRET, signature: str = "github", body: bytes = PUSH,
    path: str = "/github-webhook/", **fields: Any,
) -> list[Webhook]:  # fmt: skip
    """Handle an event while the valve is OFF; return what was kept."""
    kept: list[Webhook] = []
    intake = Intake(secured(secret, signature), {}, context="", clock=HandClock())
    Process(intake, None, kept.append, signed=True).handle(
        {
            "spigot_state": "OFF", "method": "POST", "path": path, "query": {},
            "headers": dict(headers), "body": base64.b64encode(body).decode(), "encoding": "base64",
            **fields,
        }
    )  # fmt: skip
    return kept


def refused(*arguments: Any, **fields: Any) -> str:
    with pytest.raises(Refused) as error:
        handle(*arguments, **fields)
    assert error.value.status == 401
    return str(error.value)


@pytest.mark.parametrize("path", ["/github-webhook/", "/ghprbhook/", "/webhooks"])
def test_what_is_signed_is_kept_to_the_byte(path: str) -> None:
    (webhook,) = handle(SIGNED, path=path)
    assert webhook.body == PUSH


@pytest.mark.parametrize("path", [hook.path for hook in KNOWN if not hook.below] + ["/webhooks"])
def test_no_hook_takes_what_is_not_signed(path: str) -> None:
    unsigned = tuple(one for one in SIGNED if "Signature" not in one[0])
    assert refused(unsigned, path=path).endswith("that Spigot has for this hook.")


@pytest.mark.parametrize(
    "changed",
    [{"body": PUSH + b" "}, {"secret": "another"}, {"secret": '["another", "third"]'}],
)
def test_a_wrong_signature_is_refused_and_shows_no_secret(changed: dict[str, Any]) -> None:
    said = refused(SIGNED, **changed)
    assert "is wrong for this body and secret" in said
    assert "another" not in said


def test_a_secret_may_be_changed_while_webhooks_come() -> None:
    assert handle(SIGNED, secret=json.dumps(["the new one", SECRET]))
    assert handle(SIGNED, secret=json.dumps([SECRET]))


def test_a_paths_provider_says_how_it_is_signed() -> None:
    token = (("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", SECRET))
    assert handle(token, path="/project/app")
    assert handle(token, path="/webhooks")
    refused(token, path="/github-webhook/")


def test_the_signature_is_for_paths_that_do_not_say_it() -> None:
    mark = hmac.digest(SECRET.encode(), PUSH, "sha256").hex()
    bitbucket = (("X-Event-Key", "repo:push"), ("X-Hub-Signature", f"sha256={mark}"))
    path = "/bitbucket-scmsource-hook/notify"
    assert handle(bitbucket, path=path, signature="bitbucket")
    refused(bitbucket, path=path)
    assert handle(SIGNED, signature="bitbucket")


def test_a_secret_that_one_scheme_cannot_have_closes_that_schemes_paths_alone() -> None:
    secret = "not for a header \N{SNOWMAN}"
    mark = hmac.digest(secret.encode(), PUSH, "sha256").hex()
    assert handle((("X-Hub-Signature-256", f"sha256={mark}"),), secret=secret)
    refused((("X-Gitlab-Token", secret.encode().decode("latin-1")),), secret=secret,
            path="/gitlab-webhook/post")  # fmt: skip


def test_the_older_templates_parsed_body_is_refused_with_what_to_do() -> None:
    said = refused(SIGNED, encoding=None, body_=None)
    assert "deploy infra/template.yaml" in said


@pytest.mark.parametrize(
    ("secret", "signature", "said"),
    [
        ("", "github", "set and empty"),
        ("[]", "github", "no JSON list"),
        ('["a", 1]', "github", "no JSON list"),
        ('["a", ""]', "github", "no JSON list"),
        ("[hush", "github", "no JSON list"),
        ("hush", "token:", "allowed: one of github,"),
        ("hush!", "standard-webhooks", "does not fit standard-webhooks"),
        ('["QUFB", "hush!"]', "standard-webhooks", "does not fit standard-webhooks"),
    ],
)
def test_what_is_of_no_use_is_said_without_the_secret(
    secret: str, signature: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as error:
        secured(secret, signature)
    assert "hush" not in str(error.value)
