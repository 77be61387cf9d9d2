"""Hooks with a secret, over real sockets: what is not signed with it is 401 and is not kept."""

from __future__ import annotations

import hmac
import time
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_plus

import pytest

from spigot.payloads import github_payloads
from support.checker import PERFECT, compare
from support.gateway import GatewayProcess
from support.provider import FORM, JSON, SECRET, Request, github, plain, send, send_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spigot.practice import PracticeJenkins

OLD = "the octopus had eight arms"
KEY = b"24 bytes of a signing key"
BODY = b'{"repository": {"full_name": "octo/hello"}, "text": "a b&c=d%"}'
FORM_BODY = b"payload=" + quote_plus(BODY).encode()


class Case(NamedTuple):
    """A hook, and the header that proves a webhook there."""

    path: str
    header: str
    value: str
    body: bytes = BODY
    others: tuple[tuple[str, str], ...] = ()


def digest(body: bytes, algorithm: str = "sha256", secret: str = SECRET) -> str:
    return hmac.digest(secret.encode(), body, algorithm).hex()


def stamped() -> Case:
    now = str(int(time.time()))
    signed = b"msg_1." + now.encode() + b"." + BODY
    value = "v1," + b64encode(hmac.digest(KEY, signed, "sha256")).decode()
    others = (("webhook-id", "msg_1"), ("webhook-timestamp", now))
    return Case("/standard/", "webhook-signature", value, others=others)


def cases() -> list[Case]:
    hub = "X-Hub-Signature"
    return [
        Case("/github-webhook/", f"{hub}-256", f"sha256={digest(BODY)}"),
        Case("/sha1/", hub, f"sha1={digest(BODY, 'sha1')}"),
        Case("/gitlab-webhook/post", "X-Gitlab-Token", SECRET),
        Case("/bitbucket-hook/", hub, f"sha256={digest(BODY)}"),
        Case("/gitea-webhook/post", "X-Gitea-Signature", digest(BODY)),
        Case("/gitea-webhook/post", "X-Forgejo-Signature", digest(BODY)),
        Case("/gitea-webhook/post", "X-Gogs-Signature", digest(BODY), FORM_BODY),
        stamped(),
        Case("/basic/", "Authorization", "Basic " + b64encode(b"me:" + SECRET.encode()).decode()),
        Case("/token/", "X-Hook-Token", SECRET),
    ]


def wrong(value: str) -> dict[str, list[str]]:
    """Return the values of a header by what is wrong with them."""
    return {
        "missing": [],
        "empty": [""],
        "truncated": [value[:-1]],
        "longer": [value + "0"],
        "re-cased": [value.swapcase()],
        "other": ["!" + value[1:]],
        "doubled": [value, value],
        "doubled, the second wrong": [value, "x"],
        "doubled, the first wrong": ["x", value],
    }


def request(case: Case, values: list[str]) -> Request:
    made = plain(case.path, (*case.others, *((case.header, one) for one in values)), case.body)
    if case.body == FORM_BODY:
        kind = (("Content-Type", FORM), *(one for one in made.headers if one[1] != JSON))
        made = made._replace(headers=kind)
    return made


@pytest.fixture
def guarded(tmp_path: Path, jenkins: PracticeJenkins) -> Iterator[GatewayProcess]:
    """A gateway with a hook of every scheme."""
    hooks = {
        "/github-webhook/": "",
        "/sha1/": "github-sha1",
        "/gitlab-webhook/post": "",
        "/bitbucket-hook/": "bitbucket",
        "/gitea-webhook/post": "",
        "/standard/": "standard-webhooks",
        "/basic/": "basic",
        "/token/": "token:X-Hook-Token",
    }
    variables = {"/standard/": "KEY", "/basic/": "LOGIN"}
    (tmp_path / "spigot.toml").write_text(
        "".join(
            f'[[hooks]]\npath = "{path}"\nsignature = "{signature}"\n'
            f'secret = ["env:{variables.get(path, "OLD")}", "env:{variables.get(path, "NEW")}"]\n'
            for path, signature in hooks.items()
        )
    )
    environment = {
        "OLD": OLD,
        "NEW": SECRET,
        "KEY": "whsec_" + b64encode(KEY).decode(),
        "LOGIN": f"me:{SECRET}",
    }
    with GatewayProcess(tmp_path, jenkins.url, environment) as gateway:
        yield gateway


def kept(gateway: GatewayProcess) -> int:
    status = gateway.status()
    return int(status["waiting"] + status["delivered"] + status["dead"])


def test_what_is_not_rightly_signed_is_401_and_nothing_of_it_is_kept(
    guarded: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    bad = [request(case, values) for case in cases() for values in wrong(case.value).values()]
    sent = send_all(guarded.port, bad)
    for one in sent:
        assert one.answer.status == 401, one.request
        assert one.answer.body["status"] == "refused"
        assert "give the provider the secret" in one.answer.body["error"]
        assert SECRET not in one.answer.body["error"]
        assert "www-authenticate" in one.answer.headers
    assert kept(guarded) == 0
    assert jenkins.hooks == []
    metrics = guarded.get(guarded.admin_port, "/metrics")[1].decode()
    assert f'spigot_refused_total{{reason="signature"}} {float(len(bad))}' in metrics
    shown = guarded.log_text() + metrics
    for secret in (SECRET, OLD, digest(BODY), b64encode(KEY).decode(), "x-hook-token"):
        assert secret not in shown


def test_what_is_rightly_signed_is_stored(guarded: GatewayProcess) -> None:
    good = [request(case, [case.value]) for case in cases()]
    sent = send_all(guarded.port, good)
    assert [one.answer.status for one in sent] == [200] * len(good)
    assert kept(guarded) == len(good)


def test_the_old_and_the_new_secret_hold_until_the_old_one_is_taken_away(
    guarded: GatewayProcess, tmp_path: Path
) -> None:
    old = Case("/bitbucket-hook/", "X-Hub-Signature", f"sha256={digest(BODY, secret=OLD)}")
    new = old._replace(value=f"sha256={digest(BODY)}")
    assert send(guarded.port, request(old, [old.value])).status == 200
    assert send(guarded.port, request(new, [new.value])).status == 200
    config = tmp_path / "spigot.toml"
    config.write_text(config.read_text().replace('["env:OLD", "env:NEW"]', '"env:NEW"'))
    guarded.terminate()
    guarded.start()
    assert send(guarded.port, request(old, [old.value])).status == 401
    assert send(guarded.port, request(new, [new.value])).status == 200


def test_jenkins_own_check_passes_behind_it(
    guarded: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    requests = [
        github("push", example.body, form=form)
        for example in github_payloads()[:20]
        for form in (False, True)
    ]
    sent = send_all(guarded.port, requests)
    assert {one.answer.status for one in sent} == {200}
    guarded.until_delivered(len(requests))
    assert {visit.status for visit in jenkins.hooks} == {200}
    assert compare(requests, jenkins.hooks) == PERFECT


@pytest.mark.parametrize(
    ("header", "event"),
    [
        ("X-GitHub-Event", "push"),
        ("X-Gitlab-Event", "Push Hook"),
        ("X-Gitea-Event", "push"),
        ("X-Forgejo-Event", "push"),
    ],
)
def test_what_comes_to_the_routed_path_needs_the_secret_of_the_hook_that_it_leads_to(
    guarded: GatewayProcess, header: str, event: str
) -> None:
    proofs = {
        "X-GitHub-Event": ("X-Hub-Signature-256", f"sha256={digest(BODY)}"),
        "X-Gitlab-Event": ("X-Gitlab-Token", SECRET),
        "X-Gitea-Event": ("X-Gitea-Signature", digest(BODY)),
        "X-Forgejo-Event": ("X-Gitea-Signature", digest(BODY)),
    }
    for name, proof in proofs.items():
        answer = send(guarded.port, plain("/webhooks", ((header, event), proof), BODY))
        right = proofs[header] == proof
        assert answer.status == (200 if right else 401), name


def test_a_large_body_is_checked_as_well(guarded: GatewayProcess) -> None:
    body = b'{"padding": "' + b"x" * 1_000_000 + b'"}'
    good = Case("/bitbucket-hook/", "X-Hub-Signature", f"sha256={digest(body)}", body)
    assert send(guarded.port, request(good, [good.value])).status == 200
    assert send(guarded.port, request(good, [good.value[:-1] + "g"])).status == 401
    assert kept(guarded) == 1
