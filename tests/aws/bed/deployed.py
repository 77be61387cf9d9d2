"""A stack as `make deploy` makes it, and what the tests do with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3

from aws.bed.gateway import Gateway
from support.provider import Line

if TYPE_CHECKING:
    from support.provider import Answer, Request

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "infra" / "template.yaml"
PATIENCE = 120.0
CODE_BUCKET = "spigot-code-of-the-tests"


def run(
    script: str, *arguments: object, **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """Run a script of utils/ to its end; None in the environment takes a variable out."""
    changed = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, ROOT / "utils" / script, *map(str, arguments)],
        env={name: value for name, value in changed.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def on_loopback(template: str) -> str:
    """Return a template for the emulator, which speaks plain HTTP: its buckets bear that."""
    refused = "{Bool: {'aws:SecureTransport': 'false'}}"
    assert template.count(refused) == 1
    return template.replace(refused, "{Bool: {'aws:SecureTransport': 'neither'}}")


class Deployed:
    """A deployed stack with its API's data plane; a context manager.

    Args:
        name: The stack's name.
        target: Its Jenkins.
        dist: Its packages.
        template: What is deployed instead of infra/template.yaml.
        schedule: When the rule ticks; hardly ever, but for the test that is about it.
        schedule: When the rule ticks; only what is about that wants it to.

    Attributes:
        template: The file that is deployed; a test may write another into it.
    """

    def __init__(self, name: str, target: str, dist: Path, template: str | None = None,
                 *, schedule: str = "rate(30 days)") -> None:  # fmt: skip
        self.name = name
        self._target = target
        self._dist = dist
        self.template = dist / f"{name}.yaml"
        self.template.write_text(on_loopback(template or TEMPLATE.read_text("utf-8")), "utf-8")
        self.said = self.deploy("--set", f"Schedule={schedule}").stdout
        found = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
        self.gateway = Gateway(self.outputs["ApiId"])
        self.sqs = boto3.client("sqs")
        self.s3 = boto3.client("s3")
        self.functions = boto3.client("lambda")

    def __enter__(self) -> Self:
        self.gateway.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.gateway.__exit__()

    def deploy(self, *more: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Deploy it, again or for the first time."""
        done = run(
            "deploy.py", "--stack", self.name, "--dist", self._dist, "--create-bucket",
            "--template", self.template, *more,
            TARGET_URL=self._target, SPIGOT_S3_BUCKET=CODE_BUCKET,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def toggle(self, state: str) -> None:
        """Set the valve."""
        done = run("toggle_spigot.py", "--toggle-state", state, "--stack", self.name)
        assert done.returncode == 0, done.stderr

    def send(self, request: Request, *, stage: str = "/prod") -> Answer:
        """Send a webhook as a provider does."""
        line = Line(self.gateway.port, timeout=PATIENCE)
        try:
            return line.send(request._replace(target=stage + request.target))
        finally:
            line.close()

    def drain(self) -> Any:
        """Have the queue drained once; return what the Lambda said."""
        answer = self.functions.invoke(
            FunctionName=self.outputs["SendFromQueueName"], Payload=b"{}"
        )
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return said

    def waiting(self) -> int:
        """Count the messages of the queue, those in somebody's hand included."""
        attributes = self.sqs.get_queue_attributes(
            QueueUrl=self.outputs["QueueUrl"], AttributeNames=["All"]
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) + int(
            attributes["ApproximateNumberOfMessagesNotVisible"]
        )

    def dead(self) -> list[dict[str, Any]]:
        """Take the dead letters out."""
        found: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=self.outputs["DeadLetterUrl"],
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        for one in found:
            self.sqs.delete_message(
                QueueUrl=self.outputs["DeadLetterUrl"], ReceiptHandle=one["ReceiptHandle"]
            )
        return found

    def kept(self) -> dict[str, bytes]:
        """Return what lies in the credentials bucket."""
        bucket = self.outputs["CredentialsBucketName"]
        found = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {
            one["Key"]: self.s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            for one in found
        }

    def keep(self, key: str, content: bytes) -> None:
        """Put something into the credentials bucket."""
        self.s3.put_object(Bucket=self.outputs["CredentialsBucketName"], Key=key, Body=content)

    def empty(self) -> None:
        """Throw away all that waits, is dead, or is kept."""
        for queue in ("QueueUrl", "DeadLetterUrl"):
            self.sqs.purge_queue(QueueUrl=self.outputs[queue])
        assert self.waiting() == 0
        for key in self.kept():
            self.s3.delete_object(Bucket=self.outputs["CredentialsBucketName"], Key=key)
