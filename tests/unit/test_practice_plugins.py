"""The practice plugins answer as the real ones are known to."""

from __future__ import annotations

import hmac
import json
from urllib.parse import quote, urlencode

import pytest

from spigot.practice.http import Answer, Request, read
from spigot.practice.plugins import CREDENTIAL, KNOWN, TABLE, Plugins, is_hook, takes

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PUSH = {"Content-Type": JSON, "X-GitHub-Event": "push"}


def request(
    path: str, headers: dict[str, str] | None = None, body: bytes = b"{}", method: str = "POST"
) -> Request:
    lines = tuple((name.encode(), value.encode()) for name, value in (headers or {}).items())
    return read(method, path.encode(), lines, body, "")


def answer(asked: Request, plugins: Plugins | None = None) -> Answer:
    jobs = {"practice": None, "team/app": "hush"}
    given = (plugins or Plugins(KNOWN, gitlab_jobs=jobs)).answer(asked)
    assert given is not None
    return given


def test_no_plugin_answers_with_x_jenkins() -> None:
    for plugin in TABLE:
        path = plugin.path.replace("*", "practice")
        given = answer(request(f"{path}?token=practice&url=u", PUSH))
        assert not any(name.startswith("X-Jenkins") for name, _ in given.headers)


def test_an_absent_plugin_does_not_answer() -> None:
    assert Plugins(KNOWN - {"github"}).answer(request("/github-webhook/", PUSH)) is None


@pytest.mark.parametrize("event", ["push", "ping", "pull_request", "sponsorship"])
def test_github_takes_the_events_it_knows(event: str) -> None:
    assert answer(request("/github-webhook/", PUSH | {"X-GitHub-Event": event})) == Answer(200)


@pytest.mark.parametrize("event", ["dependabot_alert", "projects_v2_item", "secret_scanning_alert"])
def test_github_refuses_events_newer_than_its_list(event: str) -> None:
    given = answer(request("/github-webhook/", PUSH | {"X-GitHub-Event": event}))
    assert (given.status, given.body) == (400, b"Hook should contain event type")


def test_github_refuses_a_webhook_without_an_event() -> None:
    given = answer(request("/github-webhook/", {"Content-Type": JSON}))
    assert (given.status, given.body) == (400, b"Hook should contain event type")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (f"{JSON}; charset=utf-8", b"{}"),
        ("Application/JSON", b"{}"),
        (f"{FORM};charset=utf-8", b"payload=%7B%7D"),
        (FORM, b"other=1"),
        (JSON, b""),
        ("", b"{}"),
    ],
)
def test_github_wants_a_body_under_exactly_one_of_two_content_types(
    content_type: str, body: bytes
) -> None:
    given = answer(request("/github-webhook/", PUSH | {"Content-Type": content_type}, body))
    assert (given.status, given.body) == (400, b"Hook should contain payload")


def test_github_takes_what_it_cannot_parse() -> None:
    assert answer(request("/github-webhook/", PUSH, b"not json")).status == 200


def test_github_wants_a_post() -> None:
    assert answer(request("/github-webhook/", method="GET")).status == 405


def test_github_shows_its_identity_to_a_validation() -> None:
    given = answer(request("/github-webhook/", {"X-Jenkins-Validation": "1"}, b""))
    assert given.status == 200
    assert dict(given.headers)["X-Instance-Identity"]


def signed(body: bytes, algorithm: str, secret: bytes = b"second") -> dict[str, str]:
    name = {"sha256": "X-Hub-Signature-256", "sha1": "X-Hub-Signature"}[algorithm]
    return PUSH | {name: f"{algorithm}={hmac.digest(secret, body, algorithm).hex()}"}


SECRETIVE = Plugins(KNOWN, github_secrets=("first", "second"))


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_github_takes_a_signature_by_any_of_its_secrets(algorithm: str) -> None:
    headers = signed(b'{"a": 1}', algorithm)
    assert answer(request("/github-webhook/", headers, b'{"a": 1}'), SECRETIVE).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        PUSH,
        signed(b"{}", "sha256", b"other"),
        signed(b"{ }", "sha256"),
        {name: value.upper() for name, value in signed(b"{}", "sha1").items()} | PUSH,
        PUSH | {"X-Hub-Signature-256": "sha256=\u00e9"},
    ],
)
def test_github_answers_400_to_a_bad_signature(headers: dict[str, str]) -> None:
    given = answer(request("/github-webhook/", headers, b"{}"), SECRETIVE)
    assert given.status == 400
    assert given.body.startswith(b"No valid signature found")


def test_github_checks_githubs_documented_signature() -> None:
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = PUSH | {"X-Hub-Signature-256": f"sha256={digest}"}
    plugins = Plugins(KNOWN, github_secrets=("It's a Secret to Everybody",))
    assert answer(request("/github-webhook/", headers, b"Hello, World!"), plugins).status == 200


def test_github_checks_a_form_by_its_decoded_payload() -> None:
    payload = '{"text": "a~b *c* \u00fc+/"}'
    javas = urlencode({"payload": payload}, safe="*").replace("~", "%7E").encode()
    headers = signed(javas, "sha256") | {"Content-Type": FORM}
    for body in (javas, f"payload={quote(payload, safe='')}".encode()):
        assert answer(request("/github-webhook/", headers, body), SECRETIVE).status == 200


@pytest.mark.parametrize(
    ("method", "content_type", "body", "status"),
    [
        ("POST", "application/json; charset=utf-8", b"{}", 200),
        ("POST", "APPLICATION/JSON", b"{}", 200),
        ("POST", FORM, b"payload=%7B%7D", 200),
        ("POST", FORM, b"", 400),
        ("POST", JSON, b"", 400),
        ("POST", "text/plain", b"{}", 415),
        ("GET", "", b"", 415),
    ],
)
def test_ghprb_looks_at_content_type_then_body(
    method: str, content_type: str, body: bytes, status: int
) -> None:
    asked = request("/ghprbhook/", {"Content-Type": content_type}, body, method)
    assert answer(asked).status == status


GENERIC = "/generic-webhook-trigger/invoke"


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?token=practice", {}),
        ("", {"token": "practice"}),
        ("", {"Authorization": "Bearer practice"}),
        ("", {"X-Gitlab-Token": "practice"}),
    ],
)
def test_generic_webhook_trigger_finds_its_token_in_four_places(
    method: str, query: str, headers: dict[str, str]
) -> None:
    asked = request(GENERIC + query, headers, method=method)
    given = answer(asked)
    assert given.status == 200
    assert json.loads(given.body)["jobs"]["practice"]["triggered"] is True
    assert is_hook(asked)


@pytest.mark.parametrize("query", ["", "?token=other", "?token="])
def test_generic_webhook_trigger_knows_no_job_without_its_token(query: str) -> None:
    given = answer(request(GENERIC + query))
    assert given.status == 404
    assert json.loads(given.body)["jobs"] is None


def test_a_dry_run_triggers_nothing_and_is_no_webhook() -> None:
    asked = request(f"{GENERIC}?token=practice", {"gwt-dry-run": "true"})
    given = answer(asked)
    assert given.status == 200
    assert json.loads(given.body)["jobs"]["practice"]["triggered"] is False
    assert not is_hook(asked)


@pytest.mark.parametrize(
    ("query", "status"), [("?token=practice", 200), ("?token=other", 200), ("", 500)]
)
def test_the_multibranch_trigger_fails_only_without_a_token(query: str, status: int) -> None:
    assert answer(request(f"/multibranch-webhook-trigger/invoke{query}")).status == status


GITLAB = {"X-Gitlab-Event": "Push Hook", "Content-Type": JSON}


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("practice", GITLAB, b"{}", 200),
        ("practice", {"X-Gitlab-Event": "Push Hook"}, b"{}", 200),
        ("team/app", GITLAB | {"X-Gitlab-Token": "hush"}, b"{}", 200),
        ("team%2Fapp", GITLAB | {"Authorization": CREDENTIAL.decode()}, b"{}", 200),
        ("team/app", GITLAB | {"X-Gitlab-Token": "wrong"}, b"{}", 401),
        ("team/app", GITLAB, b"{}", 401),
        ("nowhere", GITLAB, b"{}", 404),
        ("practice", {}, b"{}", 404),
        ("practice", {"X-Gitlab-Event": "Unknown Hook"}, b"{}", 404),
        ("practice", GITLAB, b"not json", 500),
    ],
)
def test_a_gitlab_job_answers_for_itself(
    path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    assert answer(request(f"/project/{path}", headers, body)).status == status


def test_a_get_to_a_gitlab_job_leads_to_its_page() -> None:
    given = answer(request("/project/team/app", method="GET"))
    assert (given.status, dict(given.headers)["Location"]) == (302, "/job/team/job/app/")


@pytest.mark.parametrize("path", ["/gitlab-webhook/post", "/gitlab-systemhook/post"])
@pytest.mark.parametrize(
    ("method", "changed", "body", "status"),
    [
        ("POST", {}, b"{}", 200),
        ("GET", {}, b"", 400),
        ("POST", {"Content-Type": "application/json;charset=utf-8"}, b"{}", 400),
        ("POST", {"X-Gitlab-Event": ""}, b"{}", 400),
        ("POST", {"X-Gitlab-Token": "wrong"}, b"{}", 401),
        ("POST", {"X-Gitlab-Event": "Unknown Hook"}, b"{}", 500),
        ("POST", {}, b"not json", 500),
    ],
)
def test_the_gitlab_branch_source_is_strict(
    path: str, method: str, changed: dict[str, str], body: bytes, status: int
) -> None:
    headers = GITLAB | {"X-Gitlab-Token": "hush"} | changed
    assert answer(request(path, headers, body, method)).status == status


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"", 200),
        ({"Content-Type": JSON}, b"{}", 200),
        ({"Content-Type": FORM}, b"payload=%7B%7D", 200),
        ({}, b"not json", 500),
    ],
)
def test_the_bitbucket_hook_takes_json_forms_and_nothing(
    headers: dict[str, str], body: bytes, status: int
) -> None:
    assert answer(request("/bitbucket-hook/", headers, body)).status == status


CLOUD = {"X-Event-Key": "repo:push", "X-Request-UUID": "u"}
SERVER = {"X-Event-Key": "pr:opened", "X-Request-Id": "i"}


@pytest.mark.parametrize(
    ("query", "headers", "body", "status"),
    [
        ("", CLOUD, b"{}", 200),
        ("?server_url=https://bitbucket.example", SERVER, b"{}", 200),
        ("?server_url=https://bitbucket.example", CLOUD, b"{}", 400),
        ("", SERVER, b"{}", 400),
        ("", CLOUD | {"X-Event-Key": "repo:unknown"}, b"{}", 400),
        ("", {}, b"{}", 400),
        ("", CLOUD, b"", 400),
        ("", CLOUD, b"not json", 500),
    ],
)
def test_the_bitbucket_branch_source_tells_cloud_from_data_center(
    query: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    asked = request(f"/bitbucket-scmsource-hook/notify{query}", headers, body)
    assert answer(asked).status == status


GITEA = {"X-Gitea-Event": "push", "Content-Type": JSON}


@pytest.mark.parametrize(
    ("method", "changed", "body", "status", "text"),
    [
        ("POST", {}, b"{}", 200, b"Processed"),
        ("POST", {"X-Gitea-Event": "fork"}, b"{}", 200, b"Ignored"),
        ("GET", {}, b"", 400, b""),
        ("POST", {"Content-Type": "application/json; charset=utf-8"}, b"{}", 400, b""),
        ("POST", {"X-Gitea-Event": ""}, b"{}", 400, b""),
        ("POST", {}, b"not json", 500, b""),
    ],
)
def test_gitea_processes_ignores_or_refuses(
    method: str, changed: dict[str, str], body: bytes, status: int, text: bytes
) -> None:
    given = answer(request("/gitea-webhook/post", GITEA | changed, body, method))
    assert given.status == status
    assert text in given.body


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?url=https://git.example/a.git&token=practice", 200),
        ("?url=https://git.example/a.git&token=practice&sha1=abc123", 200),
        ("?url=https://git.example/a.git&token=practice&sha1=main", 400),
        ("?token=practice", 400),
        ("?url=https://git.example/a.git", 401),
        ("?url=https://git.example/a.git&token=wrong", 403),
    ],
)
def test_notify_commit_reads_only_its_query(method: str, query: str, status: int) -> None:
    assert answer(request(f"/git/notifyCommit{query}", method=method)).status == status


@pytest.mark.parametrize(
    ("method", "path", "status", "taken"),
    [
        ("POST", "/dockerhub-webhook/practice/notify", 302, True),
        ("POST", "/dockerregistry-webhook/practice/notify", 200, True),
        ("POST", "/acr-webhook/practice/notify", 200, True),
        ("POST", "/dockerhub-webhook/wrong/notify", 403, False),
        ("GET", "/dockerhub-webhook/practice/notify", 405, False),
    ],
)
def test_docker_hubs_redirect_means_taken(
    method: str, path: str, status: int, *, taken: bool
) -> None:
    asked = request(path, method=method)
    given = answer(asked)
    assert given.status == status
    assert takes(asked, given) is taken


def test_any_other_redirect_means_not_taken() -> None:
    assert not takes(request("/github-webhook"), Answer(302))


@pytest.mark.parametrize(
    ("method", "path", "hook"),
    [
        ("POST", "/github-webhook/", True),
        ("POST", "/github-webhook", True),
        ("POST", "/project/any/job", True),
        ("GET", f"{GENERIC}?token=practice", True),
        ("GET", "/github-webhook/", False),
        ("HEAD", "/bitbucket-hook/", False),
        ("GET", "/login", False),
        ("POST", "/unknown", False),
    ],
)
def test_a_webhook_is_told_from_a_probe(method: str, path: str, *, hook: bool) -> None:
    assert is_hook(request(path, method=method)) is hook
