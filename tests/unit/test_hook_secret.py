"""Secrets of hooks in the configuration."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spigot.app import hooks_of
from spigot.errors import SettingsError
from spigot.plugins import KNOWN
from spigot.settings import load
from spigot.signatures import SCHEMES

if TYPE_CHECKING:
    from spigot.hook import Hook
    from spigot.hooks import Hooks

Loader = Callable[..., "Hooks"]


@pytest.fixture
def hooks(tmp_path: Path) -> Loader:
    """Makes the hooks of a configuration file and an environment."""

    def made(file: str, **environ: str) -> Hooks:
        (tmp_path / "spigot.toml").write_text(file, "utf-8")
        return hooks_of(load({}, environ=environ, cwd=tmp_path))

    return made


def wrong(hooks: Loader, file: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        hooks(file, **environ)
    return str(caught.value)


def table(path: str, rest: str) -> str:
    return f"[[hooks]]\npath = '{path}'\n{rest}\n"


def of(hooks: Hooks, path: str) -> Hook:
    return next(hook for hook in hooks.all if hook.path == path)


def test_the_secret_comes_from_the_environment_or_a_file(hooks: Loader, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("It's a Secret to Everybody\n")
    secret = "secret = ['env:NEW', 'file:old']"
    verifier = of(hooks(table("/github-webhook/", secret), NEW="hüsh"), "/github-webhook/").verifier
    assert verifier is not None
    assert verifier.keys == ("hüsh".encode(), b"It's a Secret to Everybody")
    assert verifier.scheme.name == "github"


def test_a_secret_may_be_kept_in_a_variable_of_spigots_name(hooks: Loader) -> None:
    file = table("/github-webhook/", "secret = 'env:SPIGOT_HOOK_SECRET'")
    assert of(hooks(file, SPIGOT_HOOK_SECRET="hush"), "/github-webhook/").verifier


@pytest.mark.parametrize(
    ("path", "rest", "scheme"),
    [
        ("/github-webhook/", "", "github"),
        ("/github-webhook/", "signature = 'github-sha1'", "github-sha1"),
        ("/gitlab-webhook/post", "", "gitlab"),
        ("/gitlab-webhook/post", "signature = 'standard-webhooks'", "standard-webhooks"),
        ("/bitbucket-hook/", "provider = 'bitbucket-dc'", "bitbucket"),
        ("/gitea-webhook/post", "", "gitea"),
        ("/own/", "provider = 'forgejo'", "gitea"),
        ("/own/", "signature = 'basic'", "basic"),
        ("/own/", "signature = 'token:X-Api-Key'", "token:X-Api-Key"),
        ("/own/", "provider = 'dockerhub'\nsignature = 'token:X-Token'", "token:X-Token"),
    ],
)
def test_the_scheme_is_what_the_configuration_says_or_the_provider_does(
    hooks: Loader, path: str, rest: str, scheme: str
) -> None:
    secret = "me:hush" if scheme == "basic" else "YWJj"
    made = hooks(table(path, f"secret = 'env:S'\n{rest}"), S=secret)
    verifier = of(made, path).verifier
    assert verifier is not None
    assert verifier.scheme.name == scheme


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("secret = 'env:S'", "nothing says how its webhooks are signed; set signature to one of"),
        ("secret = 'env:S'\nprovider = 'dockerhub'", "the sender must not choose"),
        ("signature = 'github'", "has a signature but no secret"),
        ("secret = []\nsignature = 'github'", "hooks[1].secret is an empty list"),
        ("secret = 'env:NONE'\nsignature = 'github'", "'NONE', which is not set or is empty"),
        ("secret = ['env:S', 'file:no']\nsignature = 'gitea'", "hooks[1].secret[2] points at 'no'"),
        ("secret = 'env:S'\nsignature = 'md5'", "hooks[1].signature is 'md5'"),
        ("secret = 'env:S'\nsignature = 'token:X-Name'", "so that its value is never shown"),
        ("secret = 'env:S'\nsignature = 'basic'", "must be USER:PASSWORD"),
        ("secret = 'env:S'\nsignature = 'standard-webhooks'", "must be Base64"),
        ("secret = 'env:S'\nsignatur = 'github'", 'did you mean "signature"'),
    ],
)
def test_what_would_not_be_checked_is_refused(hooks: Loader, rest: str, says: str) -> None:
    message = wrong(hooks, table("/own/", rest), S="hush!")
    assert says in message
    assert "hush" not in message


@pytest.mark.parametrize("secret", ["'hush'", "['env:S', 'hush']", "1", "{ env = 'hush' }"])
def test_a_secret_that_is_written_out_is_refused_and_never_shown(
    hooks: Loader, secret: str
) -> None:
    message = wrong(hooks, table("/own/", f"secret = {secret}\nsignature = 'github'"), S="hush")
    assert 'is written out, and belongs into "env:NAME"' in message
    assert "hush" not in message


def test_a_file_that_is_not_text_is_refused(hooks: Loader, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    message = wrong(hooks, table("/own/", "secret = 'file:binary'\nsignature = 'github'"))
    assert "not UTF-8" in message


@pytest.mark.parametrize("known", KNOWN, ids=lambda hook: hook.path)
def test_a_known_hook_with_a_secret_keeps_what_is_known_of_its_plugin(
    hooks: Loader, known: Hook
) -> None:
    made = of(hooks(table(known.path, "secret='env:S'\nsignature='github'"), S="hush"), known.path)
    assert made.verifier is not None
    assert made._replace(verifier=None) == known


def test_a_secret_that_another_spelling_of_the_path_would_get_around_is_refused(
    hooks: Loader,
) -> None:
    secret = "secret = 'env:S'\nsignature = 'gitlab'"
    job = table("/project/folder/job", secret)
    message = wrong(hooks, job, S="hush")
    assert "/project/folder/job has a secret, but /project/, which covers it, has none" in message
    assert of(hooks(job + table("/project/", secret), S="hush"), "/project/folder/job").verifier
    assert of(hooks("only_hooks = true\n" + job, S="hush"), "/project/folder/job").verifier


def test_the_examples_in_the_documentation_load(hooks: Loader) -> None:
    text = (Path(__file__).parents[2] / "docs" / "secrets.md").read_text("utf-8")
    *_, example = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names = re.findall(r"env:(\w+)", example)
    made = hooks(example, **dict.fromkeys(names, "c2VjcmV0"))
    assert len(made.all) == len(names) == 4
    assert all(hook.verifier for hook in made.all)


def test_no_secret_shows_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "spigot.toml").write_text(table("/github-webhook/", "secret = 'env:S'"))
    settings = load({}, environ={"S": "hush-hush"}, cwd=tmp_path)
    assert "hush" not in repr(settings)
    assert settings.hooks[0].verifier is not None
    assert settings.hooks[0].verifier.scheme is SCHEMES[0]
