"""process_webhooks under AWS's own runtime client, as its package has it."""

from __future__ import annotations

import base64
import json
import os
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from aws.bed.checks import PATH, PUSH
from aws.bed.runtime import Runtime
from spigot.practice.faults import Fault
from support.provider import SECRET, github

if TYPE_CHECKING:
    from pathlib import Path

    from aws.bed.deployed import Deployed
    from spigot.practice import PracticeJenkins


def event(*, state: str = "ON", path: str = PATH, from_queue: str = "") -> dict[str, Any]:
    return {
        "spigot_state": state, "from_queue": from_queue, "method": "POST", "path": path,
        "query": {},
        "body": base64.b64encode(PUSH).decode(), "encoding": "base64",
        "headers": dict(github("push", PUSH).headers), "source": "203.0.113.7",
    }  # fmt: skip


@pytest.fixture
def code(dist: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(dist / "process_webhooks.zip") as archive:
        archive.extractall(tmp_path / "code")
    return tmp_path / "code"


@pytest.fixture
def environment(emulator: object, jenkins: PracticeJenkins) -> dict[str, str]:  # noqa: ARG001
    return {"TARGET_URL": jenkins.url, "LOG_LEVEL": "INFO"}


def test_a_webhook_is_forwarded_without_anything_of_aws_being_imported(
    code: Path,
    environment: dict[str, str],
    jenkins: PracticeJenkins,
) -> None:
    with Runtime("process_webhooks.handler", code, environment) as runtime:
        result = runtime.invoke(event())
        assert not result.failed, result
        assert result.said["status"] == "forwarded"
        assert [one.body for one in jenkins.taken] == [PUSH]
        imported = runtime.imported()
    assert "spigot.aws.process" in imported
    assert {"boto3", "botocore", "sqlite3"} & imported == set()


def test_an_error_has_the_shape_that_the_pattern_looks_at(
    code: Path, environment: dict[str, str]
) -> None:
    with Runtime("process_webhooks.handler", code, environment) as runtime:
        result = runtime.invoke(event(path="/script"))
        assert result.failed
        assert "is not a hook path" in result.said["errorMessage"]


def test_a_lambda_without_a_target_says_so(code: Path, emulator: object) -> None:  # noqa: ARG001
    with Runtime("process_webhooks.handler", code, {}) as runtime:
        result = runtime.invoke(event())
        assert result.failed
        assert "TARGET_URL is not set" in json.dumps(result.said)


def test_a_lambda_that_is_killed_in_mid_forward_leaves_the_webhook_at_jenkins_or_says_500(
    code: Path, environment: dict[str, str], jenkins: PracticeJenkins
) -> None:
    variables = {**environment, "FORWARD_SECONDS": "60"}
    jenkins.fault(PATH, Fault(hang=True))
    with Runtime("process_webhooks.handler", code, variables, timeout=6.0) as runtime:
        result = runtime.invoke(event())
        assert result.failed
        assert "Task timed out" in result.said["errorMessage"]
    assert [one.body for one in jenkins.hooks] == [PUSH]


NEEDLESS = {
    "boto3", "botocore", "urllib3", "sqlite3", "asyncio", "concurrent", "rich", "click",
    "uvicorn", "starlette", "dataclasses", "inspect", "ast", "html", "tempfile", "shutil",
    "urllib.request", "zstandard", "backports", "spigot.stores", "spigot.envelope",
}  # fmt: skip
"""What takes long to import, and is of no use to a webhook that is forwarded."""


@pytest.mark.parametrize("secret", [None, SECRET])
def test_where_a_webhook_is_forwarded_nothing_needless_is_imported(
    code: Path, environment: dict[str, str], secret: str | None
) -> None:
    if secret:
        environment["SPIGOT_SECRET"] = secret
    with Runtime("process_webhooks.handler", code, environment) as runtime:
        assert runtime.invoke(event()).said["status"] == "forwarded"
        assert NEEDLESS & runtime.imported() == set()
        assert ("spigot.signatures" in runtime.imported()) is bool(secret)


def test_a_wrong_signature_fails_and_leaves_nothing_anywhere(
    code: Path, environment: dict[str, str], jenkins: PracticeJenkins
) -> None:
    environment["SPIGOT_SECRET"] = "another secret"
    with Runtime("process_webhooks.handler", code, environment) as runtime:
        result = runtime.invoke(event())
        assert result.failed
        assert "is wrong for this body and secret" in result.said["errorMessage"]
        assert "another secret" not in runtime.log()
        assert "boto3" not in runtime.imported()
    assert jenkins.hooks == []


def test_a_fault_inside_has_a_message_too(code: Path, environment: dict[str, str]) -> None:
    (code / "spigot" / "aws" / "event.py").write_text("def read(event): assert not event\n")
    with Runtime("process_webhooks.handler", code, environment) as runtime:
        result = runtime.invoke(event())
        assert result.failed
        assert result.said["errorMessage"].startswith("A fault inside Spigot (AssertionError)")
        assert "A webhook met a fault inside Spigot" in runtime.log()


@pytest.fixture
def queue(environment: dict[str, str], stack: Deployed) -> dict[str, str]:
    """Where the stack's queue is, and the way to AWS."""
    return environment | {
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        "QUEUE_URL": stack.outputs["QueueUrl"],
        "DEAD_LETTER_URL": stack.outputs["DeadLetterUrl"],
        "CREDENTIALS_BUCKET": stack.outputs["CredentialsBucketName"],
        "API_ID": stack.outputs["ApiId"],
        "STAGE": "prod",
    }


def test_a_jenkins_that_hangs_is_given_up_in_time_and_the_webhook_queued(
    code: Path, queue: dict[str, str], stack: Deployed, practice: PracticeJenkins
) -> None:
    practice.fault(PATH, Fault(hang=True))
    variables = {**queue, "TARGET_URL": practice.url, "FORWARD_SECONDS": "2"}
    with Runtime("process_webhooks.handler", code, variables, timeout=20.0) as runtime:
        result = runtime.invoke(event())
    practice.fault(PATH, None)
    assert (result.failed, result.said["status"]) == (False, "stored")
    assert stack.waiting() == 1


def test_a_queue_that_is_not_there_fails_with_words(code: Path, queue: dict[str, str]) -> None:
    queue["QUEUE_URL"] += "-not"
    with Runtime("process_webhooks.handler", code, queue) as runtime:
        result = runtime.invoke(event(state="OFF"))
    assert result.failed
    assert result.said["errorMessage"].startswith("Cannot put a webhook into the queue: ")


def test_the_log_shows_no_body_and_no_credential_however_much_it_tells(
    code: Path, queue: dict[str, str]
) -> None:
    variables = {**queue, "LOG_LEVEL": "DEBUG", "AWS_SECRET_ACCESS_KEY": "the-key-to-aws"}
    with Runtime("process_webhooks.handler", code, variables) as runtime:
        assert runtime.invoke(event(state="OFF")).said["status"] == "stored"
        runtime.invoke(event(path="/script"))
        log = runtime.log()
    assert "is not a hook path" in log
    for shown in ("O'Brien", base64.b64encode(PUSH).decode(), "the-key-to-aws", "Signature"):
        assert shown not in log
