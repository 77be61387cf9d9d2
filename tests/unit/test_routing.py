import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.errors import Refused
from spigot.hooks import Hooks
from spigot.providers import Fields, Sender
from spigot.routing import lane_of, route

HOOKS = Hooks()


def lane(
    path: str, query: str = "", fields: Fields | None = None, repository: str | None = None
) -> str:
    return lane_of(HOOKS.find("POST", path), path, query, fields or {}, repository)


@pytest.mark.parametrize(
    ("provider", "event", "path"),
    [
        ("github", "push", "/github-webhook/"),
        ("github", None, "/github-webhook/"),
        ("gitlab", "Push Hook", "/gitlab-webhook/post"),
        ("gitlab", "System Hook", "/gitlab-systemhook/post"),
        ("bitbucket", "repo:push", "/bitbucket-scmsource-hook/notify"),
        ("bitbucket-dc", "pr:opened", "/bitbucket-scmsource-hook/notify"),
        ("gitea", "push", "/gitea-webhook/post"),
        ("forgejo", "push", "/gitea-webhook/post"),
    ],
)
def test_each_provider_has_its_usual_path_and_that_path_is_a_hook(
    provider: str, event: str | None, path: str
) -> None:
    assert route(Sender(provider, event, None), {}) == path
    assert HOOKS.find("POST", path)


def test_a_route_of_the_configuration_comes_first() -> None:
    routes = {"pull_request": "/ghprbhook/", "System Hook": "/own/", "push": "/gogs/"}
    assert route(Sender("github", "pull_request", None), routes) == "/ghprbhook/"
    assert route(Sender("gitlab", "System Hook", None), routes) == "/own/"
    assert route(Sender("gogs", "push", None), routes) == "/gogs/"
    assert route(Sender("github", "issues", None), routes) == "/github-webhook/"


def test_headers_that_name_nobody_are_refused_with_what_was_looked_for() -> None:
    with pytest.raises(Refused) as caught:
        route(Sender("unknown", None, None), {"push": "/own/"})
    assert caught.value.status == 400
    for name in ("X-Github-Event", "X-Gitlab-Event", "X-Event-Key", "X-Gitea-Event", "Webhook-Id"):
        assert name in caught.value.error
    assert "Jenkins hook path" in caught.value.error


def test_a_provider_without_a_usual_path_is_named_in_the_refusal() -> None:
    with pytest.raises(Refused) as caught:
        route(Sender("gogs", "push", None), {})
    assert caught.value.status == 400
    assert "gogs event 'push'" in caught.value.error
    assert "Jenkins hook path" in caught.value.error


@pytest.mark.parametrize(
    ("path", "repository", "expected"),
    [
        ("/github-webhook/", "octo/hello", "/github-webhook/ octo/hello"),
        ("/github-webhook/", None, "/github-webhook/"),
        ("/project/folder/app", "group/app", "/project/folder/app group/app"),
        ("/generic-webhook-trigger/invoke", "a/b", "/generic-webhook-trigger/invoke a/b"),
    ],
)
def test_a_lane_is_the_path_then_the_repository(
    path: str, repository: str | None, expected: str
) -> None:
    assert lane(path, repository=repository) == expected


def test_a_token_is_in_the_lane_as_a_digest_only() -> None:
    found = lane("/generic-webhook-trigger/invoke", "x=1&token=s3cret", repository="a/b")
    assert re.fullmatch(r"/generic-webhook-trigger/invoke#[0-9a-f]{8} a/b", found)


def test_the_same_token_gives_the_same_lane_wherever_it_is_sent() -> None:
    path = "/generic-webhook-trigger/invoke"
    lanes = {
        lane(path, "token=s3%63ret"),
        lane(path, "%74oken=s3cret&token=other"),
        lane(path, fields={b"token": b"s3cret"}),
        lane(path, fields={b"authorization": b"Bearer s3cret"}),
        lane(path, fields={b"x-gitlab-token": b"s3cret", b"authorization": b"Basic abc"}),
    }
    assert len(lanes) == 1
    assert lane(path, "token=other") not in lanes


def test_the_token_is_looked_for_in_the_order_of_the_plugin() -> None:
    path = "/generic-webhook-trigger/invoke"
    everywhere = {b"token": b"2", b"authorization": b"Bearer 3", b"x-gitlab-token": b"4"}
    fields = dict(everywhere)
    assert lane(path, "token=1", fields) == lane(path, "token=1")
    for name, value in everywhere.items():
        assert lane(path, "", fields) == lane(path, "", {b"token": value[-1:]})
        del fields[name]


def test_an_empty_token_is_none() -> None:
    assert lane("/multibranch-webhook-trigger/invoke", "token=") == (
        "/multibranch-webhook-trigger/invoke"
    )


def test_a_token_in_the_path_is_in_the_lane_as_a_digest_only() -> None:
    found = lane("/dockerhub-webhook/s3cret/notify", repository="acme/image")
    assert re.fullmatch(r"/dockerhub-webhook/#[0-9a-f]{8}/notify acme/image", found)
    assert found != lane("/dockerhub-webhook/other/notify", repository="acme/image")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("url=https://host/a/b.git&branches=main", "/git/notifyCommit https://host/a/b.git"),
        ("url=https%3A%2F%2Fu%3Ap%40host%2Fb.git", "/git/notifyCommit https://host/b.git"),
        ("token=t&url=https://t0ken@host/b.git", "/git/notifyCommit https://host/b.git"),
        ("url=https://host/b%3Fprivate_token%3Ds3cret", "/git/notifyCommit https://host/b"),
        ("url=git@host:a/b.git", "/git/notifyCommit git@host:a/b.git"),
        ("url=a%0Ab%1B", "/git/notifyCommit ab"),
        ("url=", "/git/notifyCommit"),
        ("", "/git/notifyCommit"),
    ],
)
def test_notify_commit_goes_by_its_url_without_secrets(query: str, expected: str) -> None:
    assert lane("/git/notifyCommit", query, repository="ignored/body") == expected


@given(st.text(max_size=50), st.dictionaries(st.sampled_from([b"token"]), st.binary(max_size=20)))
def test_no_query_or_header_is_too_strange(query: str, fields: Fields) -> None:
    for path in ("/generic-webhook-trigger/invoke", "/git/notifyCommit"):
        assert lane(path, query, fields).startswith(path)
