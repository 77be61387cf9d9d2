"""Webhooks as their providers send them."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from spigot.commands.post import PROVIDERS, guess_event, make, send
from spigot.errors import SpigotError
from spigot.payloads import github_payloads
from spigot.practice import PracticeJenkins
from spigot.providers import identify

SECRET = "It's a Secret to Everybody"


class TestMake:
    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_its_headers_give_its_provider_event_and_delivery_away(self, provider: str) -> None:
        post = make(provider, "push", b"{}", delivery="7")

        fields = {name.lower().encode(): value.encode() for name, value in post.headers.items()}
        assert identify(fields) == (provider, "push", "7")

    def test_github_signs_as_in_its_documentation(self) -> None:
        headers = make("github", "push", b"Hello, World!", secret=SECRET).headers

        assert headers["X-Hub-Signature-256"] == (
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        )

    def test_bitbucket_signs_with_sha_256_alone(self) -> None:
        headers = make("bitbucket", "repo:push", b"Hello World!", secret=SECRET).headers

        assert headers["X-Hub-Signature"] == (
            "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
        )

    def test_gitlab_sends_its_token_in_the_open(self) -> None:
        assert make("gitlab", "Push Hook", b"{}", secret="t0ken").headers["X-Gitlab-Token"] == (
            "t0ken"
        )

    def test_no_secret_means_no_signature(self) -> None:
        assert "X-Hub-Signature-256" not in make("github", "push", b"{}").headers

    def test_a_fresh_delivery_id_each_time(self) -> None:
        assert make("github", "push", b"{}").delivery != make("github", "push", b"{}").delivery

    @pytest.mark.parametrize(("form"), [False, True])
    def test_jenkins_accepts_its_signature(self, form: bool) -> None:
        body = json.dumps({"text": "a~b*c d+e%/ü", "repository": {"full_name": "o/r"}}).encode()
        post = make("github", "push", body, secret=SECRET, form=form)
        with PracticeJenkins(github_secrets=[SECRET]) as jenkins:
            answer = send(post, jenkins.url + post.path)

            assert answer.status == 200, answer.text
            if form:
                assert parse_qs(jenkins.taken[0].body.decode())["payload"] == [body.decode()]


class TestGuess:
    def test_most_real_github_payloads_tell_their_event_and_hardly_one_tells_a_wrong_one(
        self,
    ) -> None:
        pairs = [(one.event, guess_event("github", one.body)) for one in github_payloads()]
        right = sum(event == guess for event, guess in pairs)
        wrong = sum(guess not in (None, event) for event, guess in pairs)

        assert right > 200
        assert wrong < 3

    @pytest.mark.parametrize(
        ("provider", "payload", "event"),
        [
            ("github", {"zen": "…", "hook_id": 1}, "ping"),
            ("gitea", {"ref": "", "before": "", "after": "", "commits": []}, "push"),
            ("gitlab", {"object_kind": "tag_push"}, "Tag Push Hook"),
            ("gitlab", {}, None),
            ("bitbucket", {"push": {}, "repository": {}}, "repo:push"),
            ("github", {"what": "ever"}, None),
            ("github", ["a", "list"], None),
        ],
    )
    def test_the_shape_tells(self, provider: str, payload: object, event: str | None) -> None:
        assert guess_event(provider, json.dumps(payload).encode()) == event

    def test_what_is_no_json_tells_nothing(self) -> None:
        assert guess_event("github", b"\xff") is None


def test_nobody_there_is_said_in_words() -> None:
    with PracticeJenkins() as jenkins:
        url = jenkins.url
    with pytest.raises(SpigotError, match="Nobody takes webhooks"):
        send(make("github", "push", b"{}"), url)
