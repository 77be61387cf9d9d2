"""process_webhooks under AWS's own runtime client, as its package has it."""

from __future__ import annotations

import base64
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from aws.bed.checks import PATH, PUSH
from aws.bed.runtime import Runtime
from spigot.practice.faults import Fault
from support.provider import github

if TYPE_CHECKING:
    from pathlib import Path

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
    jenkins.fault(PATH, Fault(hang=True))
    with Runtime("process_webhooks.handler", code, environment, timeout=3.0) as runtime:
        result = runtime.invoke(event())
        assert result.failed
        assert "Task timed out" in result.said["errorMessage"]
    assert [one.body for one in jenkins.hooks] == [PUSH]
