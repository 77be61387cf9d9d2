"""Deploys Spigot to AWS: uploads the packages, then makes or changes the stack by a change set.

The environment says what `make deploy` needs: TARGET_URL and SPIGOT_S3_BUCKET always;
SPIGOT_SECRET, SPIGOT_SIGNATURE, LOG_LEVEL and SPIGOT_STACK if wanted. Every other parameter of
infra/template.yaml is set with --set and keeps its value until it is set again.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError

from changes import Change, Interrupted
from package import LAMBDAS, ROOT
from spigot.address import Target
from spigot.aws.rule import DrainRule
from spigot.aws.sdk import brief, plainly
from spigot.aws.secret import USUAL, secured
from spigot.aws.stack import Stack
from spigot.aws.toggle import drains
from spigot.aws.valve import StageValve
from spigot.aws.variables import NOTE, STATE, UNTIL
from spigot.errors import SettingsError, SpigotError
from toggle_spigot import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spigot.valve import ValveRow

TEMPLATE = ROOT / "infra" / "template.yaml"
BUCKET_TEMPLATE = ROOT / "infra" / "code-bucket.yaml"
KEYS = {"process_webhooks": "ProcessWebhooksKey", "send_from_queue": "SendFromQueueKey"}
FROM_ENVIRONMENT = {
    "SPIGOT_SECRET": "Secret",
    "SPIGOT_SIGNATURE": "Signature",
    "LOG_LEVEL": "LogLevel",
}

VALVE = {"SpigotState": STATE, "SpigotUntil": UNTIL, "SpigotNote": NOTE}
"""What the template calls the variables of its stage."""

UNRESERVED = 100
"""So many concurrent executions of an account cannot be reserved (AWS, Lambda's quotas)."""

_SNAPSHOT = "ApiDeployment"
"""The logical id in the template that has to be new for a changed API to reach its stage."""


def needed(environment: Mapping[str, str], name: str, what: str) -> str:
    """Return a variable's value.

    Raises:
        SettingsError: It is not set.
    """
    value = environment.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set: it names {what}.")
    return value


def check_target(text: str) -> None:
    """See that Jenkins' address is one.

    Raises:
        SettingsError: It is not.
    """
    try:
        Target.parse(text)
    except ValueError as error:
        raise SettingsError(
            f"TARGET_URL is {text!r}: {error}. It has to be Jenkins' address with its context path,"
            " such as https://jenkins.example.com/jenkins."
        ) from None


def body_of(template: Path) -> str:
    """Return the template to deploy: its API's snapshot is named by the template's digest.

    Raises:
        SpigotError: There is no such file.
    """
    try:
        text = template.read_text("utf-8")
    except OSError as error:
        raise SpigotError(f"The template {template} cannot be read: {error.strerror}.") from None
    return text.replace(_SNAPSHOT, _SNAPSHOT + hashlib.sha256(text.encode()).hexdigest()[:10])


def check_bucket(bucket: str, *, create: bool, yes: bool) -> None:
    """See that the code bucket is there, and make it if told to.

    Raises:
        SpigotError: It is not there, belongs to somebody else, or is in another region.
    """
    try:
        found = boto3.client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 400:
            raise SettingsError(
                f"SPIGOT_S3_BUCKET is {bucket!r}, and no bucket can be called so: use 3 to 63"
                " lower-case letters, digits and hyphens."
            ) from None
        if status == 403:
            raise SpigotError(
                f"The bucket {bucket} is not open to these credentials: another account has it, or"
                " s3:ListBucket is missing. Name another in SPIGOT_S3_BUCKET."
            ) from None
        if status != 404:
            raise
        if not create:
            raise SpigotError(
                f"There is no bucket {bucket}: correct SPIGOT_S3_BUCKET, or have it made with"
                " `make deploy ARGS=--create-bucket`."
            ) from None
        stack = Stack(f"{NAME}-code")
        Change(stack, body_of(BUCKET_TEMPLATE), {"Name": bucket}).carry_out(yes=yes)
        return
    here = boto3.client("lambda").meta.region_name
    there = found.get("BucketRegion", here)
    if there != here:
        raise SpigotError(
            f"The bucket {bucket} is in {there}, and Lambda takes its code only from the region it"
            f" runs in, {here}: name another in SPIGOT_S3_BUCKET, or set AWS_REGION."
        )


def upload(bucket: str, dist: Path) -> dict[str, str]:
    """Upload the packages under names made of their content; return them as parameters.

    Raises:
        SpigotError: They are not there.
    """
    s3 = boto3.client("s3")
    keys = {}
    for name in LAMBDAS:
        package = dist / f"{name}.zip"
        if not package.is_file():
            raise SpigotError(f"There is no {package}: run `make package` first.")
        content = package.read_bytes()
        key = f"spigot/{name}-{hashlib.sha256(content).hexdigest()[:16]}.zip"
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        click.echo(f"s3://{bucket}/{key}: {len(content):,} bytes")
        keys[KEYS[name]] = key
    return keys


def chosen(pairs: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that somebody chose, by the environment or by --set.

    Raises:
        SettingsError: A pair is not NAME=VALUE, or the secret is of no use.
    """
    found = {FROM_ENVIRONMENT[name]: environment[name] for name in FROM_ENVIRONMENT
             if name in environment}  # fmt: skip
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise SettingsError(
                f"--set {pair} is not NAME=VALUE, with a name of infra/template.yaml."
            )
        found[name] = value
    if secret := found.get("Secret"):  # said now, and not by a Lambda that refuses all webhooks
        secured(secret, found.get("Signature") or USUAL)
    return found


def reservation(unreserved: int) -> dict[str, str]:
    """Return what to reserve for the drain in a new stack; nothing where the account has too few.

    Lambda keeps 100 of an account's concurrent executions unreserved; a new account has ten in all.

    Args:
        unreserved: How many the account has left.
    """
    if unreserved > UNRESERVED:
        return {}
    click.echo(
        f"This account can run {unreserved} Lambdas at once, too few to reserve one of them for the"
        " drain: SendConcurrency is left empty. Two drains may overlap; each lane stays in order."
    )
    return {"SendConcurrency": ""}


def deploy(stack: Stack, bucket: str, target: str, more: dict[str, str], dist: Path, template: Path,
           *, yes: bool) -> dict[str, str]:  # fmt: skip
    """Deploy, and leave the valve as it is.

    Args:
        stack: The stack.
        bucket: The code bucket.
        target: Jenkins.
        more: Further parameters.
        dist: Where the packages are.
        template: What to deploy.
        yes: Do not ask.

    Returns:
        What the stack puts out.

    Raises:
        SpigotError: It failed; the valve is as it was.
    """
    found = stack.describe()
    before = stack.outputs() if found and found.get("Outputs") else None
    limits = boto3.client("lambda").get_account_settings()["AccountLimit"]
    parameters = {
        **({} if before else reservation(limits["UnreservedConcurrentExecutions"])),
        "TargetUrl": target,
        "CodeBucket": bucket,
        **upload(bucket, dist),
        **more,
    }
    if before is None:
        Change(stack, body_of(template), parameters).carry_out(yes=yes)
        return stack.outputs()
    stage = StageValve(boto3.client("apigateway"), before["ApiId"])
    row = stage.row()
    if not row.on:
        click.echo("The valve is OFF, and stays so.")
    variables = stage.variables() | {STATE: row.word}
    kept = {name: variables[key] for name, key in VALVE.items() if key in variables}
    try:
        Change(stack, body_of(template), kept | parameters).carry_out(yes=yes)
    except Interrupted:
        raise
    except SpigotError:
        _put_back(stage, DrainRule(boto3.client("events"), before["RuleName"]), row)
        raise
    return stack.outputs()


def _put_back(stage: StageValve, rule: DrainRule, row: ValveRow) -> None:
    """Put back what a rollback changed: it knows the valve of the last deploy, not of a toggle."""
    try:
        if stage.row() != row:
            stage.put(row)
            click.echo(f"The rollback had changed the valve; it is {row.word} again.")
        if rule.enabled() is not drains(row):
            rule.put(enabled=drains(row))
    except (ClientError, BotoCoreError) as error:
        click.echo(
            f"Error: the valve was {row.word} before and may stand otherwise now ({brief(error)}):"
            f" run utils/toggle_spigot.py --toggle-state {row.word}.",
            err=True,
        )


def report(outputs: dict[str, Any]) -> None:
    """Print what a person needs next: the address first."""
    click.echo(f"\nPaste this at the provider:  {outputs.pop('WebhookUrl', 'no address')}\n")
    for name, value in outputs.items():
        click.echo(f"  {name + ':':<24}{value}")


@click.command()
@click.option("--stack", "name", default=NAME, show_default=True, help="SPIGOT_STACK: its name.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A template's parameter.")
@click.option("--create-bucket", is_flag=True, help="Make the code bucket if it is not there.")
@click.option("--yes", is_flag=True, help="Replace what holds webhooks without asking.")
@click.option("--dist", type=Path, default=Path("dist"), help="Where the packages are.")
@click.option("--template", type=Path, default=TEMPLATE, help="What to deploy.")
def main(name: str, pairs: tuple[str, ...], dist: Path, template: Path, *,
         create_bucket: bool, yes: bool) -> None:  # fmt: skip
    """Deploy Spigot to AWS."""
    try:
        target = needed(os.environ, "TARGET_URL", "Jenkins, such as https://jenkins.example.com")
        bucket = needed(os.environ, "SPIGOT_S3_BUCKET", "the bucket for the Lambdas' code")
        check_target(target)
        more = chosen(pairs, os.environ)
        with plainly():
            stack = Stack(name)
            check_bucket(bucket, create=create_bucket, yes=yes)
            report(deploy(stack, bucket, target, more, dist, template, yes=yes))
    except SpigotError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
