"""A change of a stack: made as a change set, looked at, carried out with its events shown."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import boto3
import click
from botocore.exceptions import ClientError, WaiterError

from spigot.errors import SpigotError

if TYPE_CHECKING:
    from spigot.aws.stack import Stack

HOLDS_WEBHOOKS = frozenset({"AWS::SQS::Queue", "AWS::S3::Bucket"})
SECONDS_BETWEEN_LOOKS = 1.0

_NOTHING = ("didn't contain changes", "No updates are to be performed")


class Interrupted(SpigotError):
    """Somebody pressed Ctrl-C while CloudFormation was at work."""

    exit_status = 130


class Change:
    """What is to become of a stack.

    Args:
        stack: The stack.
        template: The template's text.
        parameters: Its parameters; those of an existing stack that are not named keep their value.
    """

    def __init__(self, stack: Stack, template: str, parameters: dict[str, str]) -> None:
        self._stack = stack
        self._template = template
        self._parameters = parameters
        self._formation = boto3.client("cloudformation")

    def carry_out(self, *, yes: bool) -> None:
        """Make the change set, ask if webhooks could be lost, and carry it out.

        Args:
            yes: Do not ask.

        Raises:
            SpigotError: It was refused, by CloudFormation or by the one who was asked.
            Interrupted: Nobody watches it any more; it goes on.
        """
        before = self._stack.describe()
        status = before["StackStatus"] if before else ""
        if status == "ROLLBACK_COMPLETE":
            self._clear_away()
            before, status = None, ""
        if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            raise SpigotError(
                f"The stack {self._stack.name} is being changed by somebody ({status}): wait."
            )
        new = before is None or status == "REVIEW_IN_PROGRESS"
        name = self._make(before, new=new)
        if name is None:
            click.echo(f"The stack {self._stack.name} is as it should be: nothing to change.")
            return
        if not new:
            self._ask(name, yes=yes)
        seen = self._events_so_far()
        self._formation.execute_change_set(StackName=self._stack.name, ChangeSetName=name)
        try:
            self._watch(seen)
        except KeyboardInterrupt:
            raise Interrupted(
                f"CloudFormation goes on with the stack {self._stack.name} although nobody watches"
                " any more: run this again to see how it ended."
            ) from None

    def _clear_away(self) -> None:
        """Delete a stack that never came up: there is nothing in it, and it cannot be changed."""
        name = self._stack.name
        click.echo(f"The stack {name} never came up (ROLLBACK_COMPLETE): its remains are deleted.")
        self._formation.delete_stack(StackName=name)
        self._formation.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1}
        )

    def _make(self, before: dict[str, Any] | None, *, new: bool) -> str | None:
        """Make the change set; None if it holds no change."""
        name = f"spigot-{time.time_ns():x}"
        try:
            self._formation.create_change_set(
                StackName=self._stack.name,
                ChangeSetName=name,
                ChangeSetType="CREATE" if new else "UPDATE",
                TemplateBody=self._template,
                Parameters=self._as_parameters(None if new else before),
                Capabilities=["CAPABILITY_IAM"],
            )
        except ClientError as error:
            if any(each in str(error) for each in _NOTHING):
                return None
            raise
        try:
            self._formation.get_waiter("change_set_create_complete").wait(
                StackName=self._stack.name, ChangeSetName=name, WaiterConfig={"Delay": 1}
            )
        except WaiterError:
            found = self._formation.describe_change_set(
                StackName=self._stack.name, ChangeSetName=name
            )
            reason = found.get("StatusReason", "no reason given")
            self._drop(name)
            if any(each in reason for each in _NOTHING):
                return None
            raise SpigotError(
                f"CloudFormation takes no such change: {self._explained(reason)}"
            ) from None
        return name

    def _as_parameters(self, before: dict[str, Any] | None) -> list[dict[str, Any]]:
        known = {
            one["ParameterKey"]
            for one in self._formation.validate_template(TemplateBody=self._template)["Parameters"]
        }
        unknown = sorted(self._parameters.keys() - known)
        if unknown:
            raise SpigotError(
                f"The template has no parameter {', '.join(unknown)}; it has"
                f" {', '.join(sorted(known))}."
            )
        kept = {one["ParameterKey"] for one in (before or {}).get("Parameters", [])} & known
        return [
            *({"ParameterKey": key, "ParameterValue": value}
              for key, value in self._parameters.items()),
            *({"ParameterKey": key, "UsePreviousValue": True}
              for key in sorted(kept - self._parameters.keys())),
        ]  # fmt: skip

    def _ask(self, name: str, *, yes: bool) -> None:
        """Have a person agree to the loss or replacement of what holds webhooks."""
        pages = self._formation.get_paginator("describe_change_set").paginate(
            StackName=self._stack.name, ChangeSetName=name
        )
        changes = [one["ResourceChange"] for page in pages for one in page["Changes"]]
        endangered = [one for one in changes if endangers(one)]
        if not endangered:
            return
        for one in endangered:
            what = "removes" if one["Action"] == "Remove" else "replaces"
            click.echo(
                f"This {what} {one['LogicalResourceId']} ({one.get('PhysicalResourceId', 'new')}),"
                " which may hold webhooks; what is in it is left behind."
            )
        if yes or (sys.stdin.isatty() and click.confirm("Go on?")):
            return
        self._drop(name)
        raise SpigotError("Nothing was changed. Empty what holds webhooks first, or give --yes.")

    def _drop(self, name: str) -> None:
        self._formation.delete_change_set(StackName=self._stack.name, ChangeSetName=name)

    def _events_so_far(self) -> set[str]:
        return {one["EventId"] for one in self._events()}

    def _events(self) -> list[dict[str, Any]]:
        """Return the last events, oldest first."""
        found = self._formation.describe_stack_events(StackName=self._stack.name)
        return list(reversed(found["StackEvents"]))

    def _watch(self, seen: set[str]) -> None:
        """Show events as they come until the stack is done."""
        failed = []
        while True:
            status = (self._stack.describe() or {}).get("StackStatus", "DELETE_COMPLETE")
            for event in self._events():
                if event["EventId"] in seen:
                    continue
                seen.add(event["EventId"])
                click.echo(line_of(event))
                if event["ResourceStatus"].endswith("_FAILED"):
                    failed.append(event)
            if not status.endswith("_IN_PROGRESS"):
                break
            time.sleep(SECONDS_BETWEEN_LOOKS)
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            first = failed[0] if failed else {}
            raise SpigotError(
                f"The stack {self._stack.name} is {status}; what failed first:"
                f" {first.get('LogicalResourceId', 'unknown')},"
                f" {self._explained(first.get('ResourceStatusReason', 'no reason given'))}"
            )

    def _explained(self, reason: str) -> str:
        """Return a reason; where it only says whom to ask, what is said there."""
        if "DescribeEvents" not in reason:
            return reason
        events = self._formation.describe_events(StackName=self._stack.name)["OperationEvents"]
        found = [
            f"{one['LogicalResourceId']}: {one.get('ValidationStatusReason', 'no reason given')}"
            for one in events
            if one["EventType"] == "VALIDATION_ERROR"
            and one["OperationId"] == events[0]["OperationId"]
        ]
        return " ".join(found) or reason


def endangers(change: dict[str, Any]) -> bool:
    """Tell whether a change of a resource could lose webhooks."""
    if change["ResourceType"] not in HOLDS_WEBHOOKS:
        return False
    return change["Action"] == "Remove" or change.get("Replacement") in {"True", "Conditional"}


def line_of(event: dict[str, Any]) -> str:
    """Return a stack's event in a line."""
    reason = event.get("ResourceStatusReason", "")
    return (
        f"{event['Timestamp']:%H:%M:%S} {event['ResourceStatus']:<28} {event['ResourceType']:<34}"
        f" {event['LogicalResourceId']}{f': {reason}' if reason else ''}"
    )
