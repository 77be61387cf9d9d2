from string import ascii_letters
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.errors import Refused, SettingsError
from spigot.hook import Hook, Presence
from spigot.hooks import Hooks
from spigot.plugins import KNOWN, question_of, repeat_is_harmless

HOOKS = Hooks()


def refusal(method: str, path: str, hooks: Hooks = HOOKS) -> Refused:
    with pytest.raises(Refused) as caught:
        hooks.find(method, path)
    return caught.value


@pytest.mark.parametrize("hook", [hook for hook in KNOWN if not hook.below])
def test_every_known_path_is_found_exactly(hook: Hook) -> None:
    assert HOOKS.find("POST", hook.path) is hook
    assert refusal("POST", f"{hook.path}x").status == 404
    assert refusal("POST", f"{hook.path}//").status == 404


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("/project/app", "/project/"),
        ("/project/folder/app", "/project/"),
        ("/project/folder/app/", "/project/"),
        ("/project/folder/app/feature%252Flogin", "/project/"),
        ("/project/The%20shop/app", "/project/"),
        ("/project/gr%C3%B6%C3%9Fe", "/project/"),
        ("/project/a...b/..c", "/project/"),
        ("/dockerhub-webhook/s3cret/notify", "/dockerhub-webhook/"),
        ("/dockerregistry-webhook/s3cret/notify", "/dockerregistry-webhook/"),
        ("/acr-webhook/s3cret/notify", "/acr-webhook/"),
    ],
)
def test_what_is_below_a_prefix_belongs_to_its_hook(path: str, prefix: str) -> None:
    assert HOOKS.find("POST", path).path == prefix


@pytest.mark.parametrize(
    "rest",
    [
        "..",
        "../manage",
        "app/../../script",
        "app/./x",
        "app//x",
        "/app",
        "app//",
        "%2e%2e/script",
        "%2E./script",
        "app/.%2e",
        "app/%2e",
        "%252e%252e/script",
        "a%252f..%252fb",
        "a%252F%2e%2e%252Fb",
        "a%2fb",
        "a%2Fb",
        "a%5cb",
        "a\\b",
        "a%255c..%255cb",
        "a;x=1",
        "..;/script",
        "a%3bx",
        "a%00",
        "a%0d%0aX:1",
        "a%250a",
        "a%7f",
        "a\x00",
        "a\n",
        "a b",
        "a\xe9",
        "a%",
        "a%zz",
        "a%u002e",
        "%c0%ae%c0%ae/script",
        "%ff",
        "a?b",
        "a#b",
    ],
)
@pytest.mark.parametrize("prefix", ["/project/", "/acr-webhook/"])
def test_nothing_but_the_hook_can_be_reached_below_its_prefix(prefix: str, rest: str) -> None:
    refused = refusal("POST", prefix + rest)
    assert (refused.status, refused.reason) == (404, "unsafe_path")
    assert refused.error.isprintable()


@given(st.text(ascii_letters + "./%2efF5cC;\\0", max_size=30))
def test_no_path_that_is_found_leads_out_of_its_hook_however_often_it_is_decoded(rest: str) -> None:
    path = f"/project/{rest}"
    try:
        HOOKS.find("POST", path)
    except Refused:
        return
    for _ in range(3):
        assert not {".", ".."} & set(path.replace("\\", "/").split("/"))
        path = unquote(path)


def test_a_forgotten_slash_at_the_end_is_named() -> None:
    refused = refusal("POST", "/github-webhook")
    assert refused.status == 404
    assert "/github-webhook/ with a slash at the end" in refused.error
    assert "/git/notifyCommit without a slash" in refusal("GET", "/git/notifyCommit/").error


@pytest.mark.parametrize("path", ["/project", "/project/"])
def test_a_prefix_alone_is_no_hook_path(path: str) -> None:
    assert "/project/…" in refusal("POST", path).error


def test_a_path_under_the_wrong_context_path_is_explained() -> None:
    error = refusal("POST", "/ci/github-webhook/").error
    assert "/github-webhook/ is" in error
    assert "/ci" in error


def test_an_unknown_path_is_answered_with_the_ones_there_are() -> None:
    refused = refusal("POST", "/script")
    assert refused.status == 404
    for hook in KNOWN:
        assert hook.path in refused.error
    assert "/webhooks" in refused.error


@pytest.mark.parametrize(
    "path",
    [
        "/ci/dockerhub-webhook/s3cret/notify",
        "/acr-webhook/../s3cret/notify",
        "/acr-webhook/s3cret//notify",
    ],
)
def test_a_refusal_shows_no_token_of_the_path(path: str) -> None:
    assert "s3cret" not in refusal("POST", path).error


def test_a_refusal_is_short_and_printable_whatever_the_path() -> None:
    error = refusal("POST", "/\x1b[31m\u202e" + "x" * 100_000).error
    assert error.isprintable()
    assert len(error) < 1000


@pytest.mark.parametrize("hook", KNOWN)
def test_get_is_taken_only_where_a_get_does_something(hook: Hook) -> None:
    path = f"{hook.path}x" if hook.below else hook.path
    if path.partition("?")[0] in {
        "/generic-webhook-trigger/invoke",
        "/multibranch-webhook-trigger/invoke",
        "/git/notifyCommit",
    }:
        assert HOOKS.find("GET", path) is hook
    else:
        refused = refusal("GET", path)
        assert (refused.status, refused.headers) == (405, (("Allow", "POST"),))
    assert refusal("DELETE", path).status == 405


def test_hooks_of_the_configuration_are_open_too_and_replace_known_ones() -> None:
    own = Hook("/own-plugin/notify", methods=("PUT",))
    deep = Hook("/project/special/", below=True)
    replaced = Hook("/github-webhook/", methods=("POST", "GET"))
    hooks = Hooks([own, deep, replaced])
    assert hooks.find("PUT", "/own-plugin/notify") is own
    assert hooks.find("POST", "/project/special/x") is deep
    assert hooks.find("POST", "/project/other").path == "/project/"
    assert hooks.find("GET", "/github-webhook/") is replaced
    assert len(hooks.all) == len(KNOWN) + 2


def test_only_the_hooks_of_the_configuration_are_open_when_they_shall_be() -> None:
    hooks = Hooks([Hook("/own/")], only=True)
    assert hooks.find("POST", "/own/") == Hook("/own/")
    refused = refusal("POST", "/github-webhook/", hooks)
    assert refused.status == 404
    assert "/project/" not in refused.error


@pytest.mark.parametrize(
    "hook",
    [
        Hook(""),
        Hook("own"),
        Hook("/"),
        Hook("/a/../b"),
        Hook("/a//b"),
        Hook("/a?b=c"),
        Hook("/prefix", below=True),
    ],
)
def test_an_unusable_path_in_the_configuration_is_named(hook: Hook) -> None:
    with pytest.raises(SettingsError, match="is not usable"):
        Hooks([hook])


@pytest.mark.parametrize("hook", [hook for hook in KNOWN if hook.question])
def test_no_question_can_build_anything(hook: Hook) -> None:
    question = hook.question
    assert question is not None
    assert question.path.partition("?")[0] == hook.path
    if "GET" in hook.methods:
        assert "spigot" in question.path  # a token or repository that nobody has
    else:
        assert question.method == "GET"


@pytest.mark.parametrize(
    ("path", "status", "content_type", "presence"),
    [
        ("/github-webhook/", 405, "", Presence.LOADED),
        ("/github-webhook/", 404, "text/html", Presence.ABSENT),
        ("/github-webhook/", 503, "text/html", Presence.UNKNOWN),
        ("/github-webhook/", 302, "", Presence.UNKNOWN),
        ("/ghprbhook/", 415, "", Presence.LOADED),
        ("/gitea-webhook/post", 400, "text/plain", Presence.LOADED),
        ("/generic-webhook-trigger/invoke", 404, "application/json", Presence.LOADED),
        ("/generic-webhook-trigger/invoke", 404, "text/html", Presence.ABSENT),
        ("/generic-webhook-trigger/invoke", 403, "text/html", Presence.ABSENT),
        ("/generic-webhook-trigger/invoke", 403, "application/json", Presence.LOADED),
        ("/generic-webhook-trigger/invoke", 200, "text/html", Presence.UNKNOWN),
        ("/multibranch-webhook-trigger/invoke", 200, "application/json", Presence.LOADED),
        ("/multibranch-webhook-trigger/invoke", 403, "text/html", Presence.ABSENT),
        ("/git/notifyCommit", 401, "text/plain", Presence.LOADED),
    ],
)
def test_an_answer_tells_whether_the_plugin_is_loaded(
    path: str, status: int, content_type: str, presence: Presence
) -> None:
    question = HOOKS.find("POST", path).question
    assert question is not None
    assert question.understand(status, content_type) is presence


def test_a_second_delivery_is_harmless_only_where_nothing_is_built_from_the_body_alone() -> None:
    assert {hook.path for hook in KNOWN if not hook.repeat_harmless} == {
        "/ghprbhook/",
        "/generic-webhook-trigger/invoke",
        "/multibranch-webhook-trigger/invoke",
        "/project/",
        "/git/notifyCommit",
        "/dockerhub-webhook/",
        "/dockerregistry-webhook/",
        "/acr-webhook/",
    }


@pytest.mark.parametrize(
    ("path", "query", "harmless"),
    [
        ("/github-webhook/", "", True),
        ("/bitbucket-hook/", "x=1", True),
        ("/bitbucket-scmsource-hook/notify", "server_url=https%3A%2F%2Fx", True),
        ("/gitlab-webhook/post", "", True),
        ("/gitlab-systemhook/post", "", True),
        ("/gitea-webhook/post", "", True),
        ("/git/notifyCommit", "url=https%3A%2F%2Fx&token=t", True),
        ("/git/notifyCommit", "url=x&sha1=abc", False),
        ("/git/notifyCommit", "url=x&%73ha1=abc", False),
        ("/generic-webhook-trigger/invoke", "token=t", False),
        ("/ghprbhook/", "", False),
        ("/project/folder/job", "", False),
        ("/our-webhook/", "", False),
    ],
)
def test_a_repeat_is_harmless_by_path_and_query(path: str, query: str, harmless: bool) -> None:
    assert repeat_is_harmless(path, query) is harmless


def test_the_question_of_a_known_path_is_found() -> None:
    question = question_of("/github-webhook/")
    assert question is not None
    assert (question.method, question.loaded) == ("GET", (405,))
    assert question_of("/project/x") is None
