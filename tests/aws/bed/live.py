"""A stack that is there, whoever deployed it: its API's data plane, its queues, its bucket."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Self

import boto3

from aws.bed.gateway import Gateway
from support.provider import Line

if TYPE_CHECKING:
    from support.provider import Answer, Request

PATIENCE = 120.0


class Live:
    """A deployed stack with its API's data plane; a context manager.

    Args:
        name: The stack's name.

    Attributes:
        outputs: What the stack put out.
    """

    def __init__(self, name: str) -> None:
        self.name = name
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

    def rest(self) -> None:
        """Wait until every drain has ended that began before.

        One that was roused looks at the valve every few seconds only. The template lets one run at
        a time, which the emulator does not take from it.
        """
        name, end = self.outputs["SendFromQueueName"], time.monotonic() + PATIENCE
        self.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
        while True:
            try:
                self.functions.invoke(FunctionName=name, Payload=b"{}")
            except self.functions.exceptions.TooManyRequestsException:
                assert time.monotonic() < end, "a drain does not end"
            else:
                break
        self.functions.delete_function_concurrency(FunctionName=name)

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
