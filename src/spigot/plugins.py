"""The hooks of the Jenkins plugins that Spigot knows, with what is known of each."""

from __future__ import annotations

from urllib.parse import unquote

from spigot.hook import Hook, Question
from spigot.masking import TOKEN_PATHS

_NO_TOKEN = "token=spigot-asks-whether-this-plugin-is-loaded"  # noqa: S105 - no job has it
_NO_REPOSITORY = "url=https%3A%2F%2Fspigot.invalid%2Fno-job-uses-this"  # RFC 2606: never a host

KNOWN: tuple[Hook, ...] = (
    # GitHubWebHook: push polls, branch sources ask GitHub again; neither builds a commit twice.
    Hook(
        "/github-webhook/",
        provider="github",
        repeat_harmless=True,
        question=Question("GET", "/github-webhook/", loaded=(405,)),
    ),
    # GhprbRootAction: a comment seen again may build again.
    Hook(
        "/ghprbhook/",
        provider="github",
        question=Question("GET", "/ghprbhook/", loaded=(400, 415)),
    ),
    # GenericWebHookRequestReceiver: each call is a build of its own; a token that no job has: 404.
    Hook(
        "/generic-webhook-trigger/invoke",
        methods=("POST", "GET"),
        job="token",
        question=Question(
            "POST",
            f"/generic-webhook-trigger/invoke?{_NO_TOKEN}",
            loaded=(200, 403, 404, 500),
            absent=(403, 404),
            headers=(("gwt-dry-run", "true"),),
            json=True,
        ),
    ),
    # ComputedFolderWebHookRequestReceiver: asks for a scan; a token of no folder does nothing.
    Hook(
        "/multibranch-webhook-trigger/invoke",
        methods=("POST", "GET"),
        job="token",
        question=Question(
            "POST",
            f"/multibranch-webhook-trigger/invoke?{_NO_TOKEN}",
            loaded=(200,),
            absent=(403, 404),
        ),
    ),
    # ActionResolver of gitlab-plugin: an unknown job is 404, as if the plugin were absent.
    Hook("/project/", below=True, provider="gitlab", job="path"),
    # GitLabWebHookAction, GitLabSystemHookAction: anything but POST is 400.
    Hook(
        "/gitlab-webhook/post",
        provider="gitlab",
        repeat_harmless=True,
        question=Question("GET", "/gitlab-webhook/post", loaded=(400,)),
    ),
    Hook(
        "/gitlab-systemhook/post",
        provider="gitlab",
        repeat_harmless=True,
        question=Question("GET", "/gitlab-systemhook/post", loaded=(400,)),
    ),
    # BitbucketHookReceiver: polls; an empty body is 200 and a line in Jenkins' log.
    Hook(
        "/bitbucket-hook/",
        repeat_harmless=True,
        question=Question("GET", "/bitbucket-hook/", loaded=(200,)),
    ),
    # BitbucketSCMSourcePushHookReceiver: without an event header 400.
    Hook(
        "/bitbucket-scmsource-hook/notify",
        repeat_harmless=True,
        question=Question("GET", "/bitbucket-scmsource-hook/notify", loaded=(400,)),
    ),
    # GiteaWebhookAction: anything but POST is 400.
    Hook(
        "/gitea-webhook/post",
        provider="gitea",
        repeat_harmless=True,
        question=Question("GET", "/gitea-webhook/post", loaded=(400,)),
    ),
    # GitStatus: with sha1 exactly that commit is built, however old; without a token 401.
    Hook(
        "/git/notifyCommit",
        methods=("POST", "GET"),
        job="url",
        question=Question("GET", f"/git/notifyCommit?{_NO_REPOSITORY}", loaded=(200, 400, 401)),
    ),
    # JSONWebHook of dockerhub-notification-plugin: a pushed image builds.
    *(
        Hook(
            path,
            below=True,
            provider="dockerhub" if path == "/dockerhub-webhook/" else None,
            job="path-token",
        )
        for path in TOKEN_PATHS
    ),
)
"""The hooks of the plugins that Spigot knows."""


_HARMLESS = {hook.path for hook in KNOWN if hook.repeat_harmless}
_NOTIFY_COMMIT = "/git/notifyCommit"


def repeat_is_harmless(path: str, query: str) -> bool:
    """Tell whether a second delivery of a webhook builds nothing that the first did not."""
    if path == _NOTIFY_COMMIT:
        return not any(unquote(part).startswith("sha1=") for part in query.split("&"))
    return path in _HARMLESS


def question_of(path: str) -> Question | None:
    """Return how to find out whether the plugin at a known hook's path is loaded."""
    return next((hook.question for hook in KNOWN if hook.path == path), None)
