"""utils/deploy.py: what it asks, what it says, and that the valve stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest

import changes
from aws.bed.deployed import CODE_BUCKET, ROOT, TEMPLATE, Deployed, on_loopback, run
from changes import endangers
from deploy import reservation
from spigot.aws.stack import Stack

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from aws.bed.emulator import Emulator

TARGET = "http://127.0.0.1:9"


@pytest.fixture
def own(emulator: Emulator, stubs: Path, request: pytest.FixtureRequest) -> Iterator[Deployed]:  # noqa: ARG001
    """A stack of the test's own."""
    with Deployed(f"own-{abs(hash(request.node.name))}", TARGET, stubs) as deployed:
        yield deployed


def state_of(stack: Deployed) -> str:
    stage = boto3.client("apigateway").get_stage(restApiId=stack.outputs["ApiId"], stageName="prod")
    state: str = stage["variables"]["spigot_state"]
    return state


@pytest.mark.parametrize(
    ("taken_out", "status", "said"),
    [
        ("TARGET_URL", 2, "TARGET_URL is not set: it names Jenkins"),
        ("SPIGOT_S3_BUCKET", 2, "SPIGOT_S3_BUCKET is not set: it names the bucket"),
        ("AWS_ACCESS_KEY_ID", 2, "No AWS credentials found"),
        ("AWS_REGION", 2, "No AWS region is set"),
    ],
)
def test_what_is_missing_is_one_clear_line(
    emulator: Emulator,  # noqa: ARG001
    stubs: Path,
    tmp_path: Path,
    taken_out: str,
    status: int,
    said: str,
) -> None:
    environment: dict[str, str | None] = {
        "TARGET_URL": TARGET, "SPIGOT_S3_BUCKET": CODE_BUCKET,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        taken_out: None,
    }  # fmt: skip
    if taken_out == "AWS_REGION":
        environment["AWS_DEFAULT_REGION"] = None
    if taken_out == "AWS_ACCESS_KEY_ID":
        environment["AWS_SECRET_ACCESS_KEY"] = None
    done = run("deploy.py", "--dist", stubs, **environment)
    assert done.returncode == status
    assert done.stderr.startswith(f"Error: {said}")
    assert done.stderr.count("\n") == 1


def test_a_secret_of_no_use_is_said_before_anything_is_deployed(stubs: Path) -> None:
    done = run("deploy.py", "--dist", stubs, TARGET_URL=TARGET, SPIGOT_S3_BUCKET=CODE_BUCKET,
               SPIGOT_SECRET='["hush", ""]')  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("Error: SPIGOT_SECRET begins with [")
    assert "hush" not in done.stderr


def test_a_bucket_that_is_not_there_is_named_and_not_made_unasked(
    emulator: Emulator,  # noqa: ARG001
    stubs: Path,
) -> None:
    done = run("deploy.py", "--dist", stubs, TARGET_URL=TARGET, SPIGOT_S3_BUCKET="mistyped")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no bucket mistyped")


def test_a_bucket_of_somebody_else_is_not_used(deployed: Deployed, stubs: Path) -> None:  # noqa: ARG001
    """Another account in the emulator is another access key of twelve digits."""
    done = run(
        "deploy.py", "--dist", stubs, TARGET_URL=TARGET, SPIGOT_S3_BUCKET=CODE_BUCKET,
        AWS_ACCESS_KEY_ID="111111111111",
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: The bucket {CODE_BUCKET} is not open to these")


def test_a_bucket_of_another_region_is_of_no_use(
    emulator: Emulator,  # noqa: ARG001
    stubs: Path,
) -> None:
    boto3.client("s3", region_name="eu-central-1").create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    done = run("deploy.py", "--dist", stubs, TARGET_URL=TARGET, SPIGOT_S3_BUCKET="far-away")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The bucket far-away is in eu-central-1, and Lambda")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TARGET_URL", "jenkins.example.com", "TARGET_URL is 'jenkins.example.com': not an http"),
        ("TARGET_URL", "https://j.example/?a", "TARGET_URL is 'https://j.example/?a': not a host"),
        ("SPIGOT_S3_BUCKET", "My_Bucket", "SPIGOT_S3_BUCKET is 'My_Bucket', and no bucket can be"),
    ],
)
def test_what_is_mistyped_is_found_before_anything_is_made(
    emulator: Emulator,  # noqa: ARG001
    stubs: Path,
    variable: str,
    value: str,
    said: str,
) -> None:
    environment = {"TARGET_URL": TARGET, "SPIGOT_S3_BUCKET": "never-made"} | {variable: value}
    done = run("deploy.py", "--dist", stubs, "--create-bucket", **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {said}")
    assert done.stderr.count("\n") == 1


def test_packages_that_were_not_made_are_named(deployed: Deployed, tmp_path: Path) -> None:  # noqa: ARG001
    done = run("deploy.py", "--dist", tmp_path, TARGET_URL=TARGET, SPIGOT_S3_BUCKET=CODE_BUCKET)
    assert done.returncode == 1
    assert "run `make package` first" in done.stderr


def test_no_aws_is_said(stubs: Path) -> None:
    done = run(
        "deploy.py", "--dist", stubs, TARGET_URL=TARGET, SPIGOT_S3_BUCKET=CODE_BUCKET,
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test",
        AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1", AWS_MAX_ATTEMPTS="1",
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("Error: AWS cannot be reached")


def test_a_deploy_shows_the_stacks_events_and_the_address(own: Deployed) -> None:
    assert "CREATE_COMPLETE" in own.said
    assert "AWS::SQS::Queue" in own.said
    url = f"https://{own.outputs['ApiId']}.execute-api.us-east-1.amazonaws.com/prod/webhooks"
    assert f"Paste this at the provider:  {url}" in own.said


def test_a_second_deploy_of_the_same_changes_nothing(own: Deployed) -> None:
    assert "nothing to change" in own.deploy().stdout


@pytest.mark.parametrize("state", ["ON", "OFF"])
def test_a_deploy_keeps_the_valve_as_it_is(own: Deployed, state: str) -> None:
    own.toggle(state)
    assert "UPDATE_COMPLETE" in own.deploy("--set", "LogDays=7").stdout
    assert state_of(own) == state
    rule = boto3.client("events").describe_rule(Name=own.outputs["RuleName"])
    assert rule["State"] == ("ENABLED" if state == "ON" else "DISABLED")


def test_a_deploy_that_fails_keeps_the_valve_too(own: Deployed) -> None:
    own.toggle("OFF")
    done = own.deploy("--set", "Schedule=nonsense", check=False)
    assert done.returncode == 1
    assert "DrainRule" in done.stderr
    assert state_of(own) == "OFF"


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 9", "Queue, Invalid value"),
        (
            "    Properties:\n      BucketEncryption:",
            "    Properties:\n      BucketName: !Ref CodeBucket\n      BucketEncryption:",
            "CredentialsBucket: Resource of type 'AWS::S3::Bucket' with identifier",
        ),
    ],
    ids=["refused by the service", "found by CloudFormation's own check"],
)
def test_a_stack_that_never_came_up_says_why_and_is_in_nobodys_way(
    deployed: Deployed,  # noqa: ARG001
    stubs: Path,
    was: str,
    becomes: str,
    said: str,
) -> None:
    template = stubs / "never.yaml"
    text = on_loopback(TEMPLATE.read_text("utf-8"))
    name = f"never-{len(said)}"

    def deploy() -> subprocess.CompletedProcess[str]:
        return run(
            "deploy.py", "--dist", stubs, "--stack", name, "--template", template,
            TARGET_URL=TARGET, SPIGOT_S3_BUCKET=CODE_BUCKET,
        )  # fmt: skip

    assert was in text
    template.write_text(text.replace(was, becomes, 1), "utf-8")
    failed = deploy()
    assert failed.returncode == 1
    assert f"The stack {name} is ROLLBACK_COMPLETE; what failed first: " in failed.stderr
    assert said in failed.stderr
    template.write_text(text, "utf-8")
    again = deploy()
    assert again.returncode == 0, again.stderr
    assert f"The stack {name} never came up (ROLLBACK_COMPLETE)" in again.stdout
    assert "Paste this at the provider" in again.stdout


def test_ctrl_c_leaves_cloudformation_at_work_and_says_so(
    own: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(changes, "line_of", interrupt)
    change = changes.Change(Stack(own.name), own.template.read_text("utf-8"), {"LogDays": "7"})
    with pytest.raises(changes.Interrupted, match=f"goes on with the stack {own.name}") as raised:
        change.carry_out(yes=False)
    assert raised.value.exit_status == 130


def test_a_new_account_reserves_nothing_for_the_drain(capsys: pytest.CaptureFixture[str]) -> None:
    assert reservation(1000) == {}
    assert reservation(101) == {}
    assert capsys.readouterr().out == ""
    assert reservation(10) == {"SendConcurrency": ""}
    assert "can run 10 Lambdas at once" in capsys.readouterr().out


def test_what_was_set_once_stays_set(own: Deployed) -> None:
    own.deploy("--set", "LogDays=7")
    own.deploy("--set", "MaxReceives=200")
    found = boto3.client("cloudformation").describe_stacks(StackName=own.name)["Stacks"][0]
    values = {one["ParameterKey"]: one["ParameterValue"] for one in found["Parameters"]}
    assert (values["LogDays"], values["MaxReceives"]) == ("7", "200")


def test_a_parameter_that_is_none_is_refused_with_those_that_are(own: Deployed) -> None:
    done = own.deploy("--set", "Logdays=7", check=False)
    assert done.returncode == 1
    assert "no parameter Logdays; it has AlarmTopic," in done.stderr


def test_a_changed_mapping_reaches_the_stage(own: Deployed) -> None:
    """The stage serves a snapshot: a changed template has to make a new one."""
    before = boto3.client("apigateway").get_stage(restApiId=own.outputs["ApiId"], stageName="prod")
    text = own.template.read_text("utf-8")
    own.template.write_text(text.replace('"encoding": "base64"', '"encoding":  "base64"'), "utf-8")
    own.deploy()
    after = boto3.client("apigateway").get_stage(restApiId=own.outputs["ApiId"], stageName="prod")
    assert before["deploymentId"] != after["deploymentId"]


def test_queues_are_not_replaced_unasked(own: Deployed) -> None:
    url = own.outputs["QueueUrl"]
    text = on_loopback(TEMPLATE.read_text("utf-8"))
    own.template.write_text(
        text.replace(
            "      FifoQueue: true\n      # A",
            "      QueueName: other.fifo\n      FifoQueue: true\n      # A",
        ),
        "utf-8",
    )
    done = own.deploy(check=False)
    assert done.returncode == 1
    assert "replaces Queue (" in done.stdout
    assert "Nothing was changed" in done.stderr
    assert boto3.client("sqs").get_queue_attributes(QueueUrl=url)
    assert "UPDATE_COMPLETE" in own.deploy("--yes").stdout


@pytest.mark.parametrize(
    ("kind", "action", "replacement", "dangerous"),
    [
        ("AWS::SQS::Queue", "Remove", None, True),
        ("AWS::SQS::Queue", "Modify", "True", True),
        ("AWS::S3::Bucket", "Modify", "Conditional", True),
        ("AWS::SQS::Queue", "Modify", "False", False),
        ("AWS::SQS::Queue", "Add", None, False),
        ("AWS::Lambda::Function", "Modify", "True", False),
    ],
)
def test_what_could_lose_webhooks_is_asked_about(
    kind: str, action: str, replacement: str | None, *, dangerous: bool
) -> None:
    change = {"ResourceType": kind, "Action": action, "Replacement": replacement}
    assert endangers(change) is dangerous


def test_the_code_bucket_is_made_as_a_stack_of_its_own(deployed: Deployed) -> None:  # noqa: ARG001
    found = boto3.client("s3").get_bucket_versioning(Bucket=CODE_BUCKET)
    assert found["Status"] == "Enabled"


def test_every_utility_says_what_it_does() -> None:
    for path in sorted((ROOT / "utils").glob("*.py")):
        if "click.command" in path.read_text("utf-8"):
            assert "Usage:" in run(path.name, "--help").stdout, path
