"""A deployed Spigot: what its stack is called, what it put out, and how its valve stands."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from spigot.errors import SettingsError, SpigotError

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGE = "prod"
VARIABLE = "spigot_state"

NAME = os.environ.get("SPIGOT_STACK") or "spigot"
"""The stack's name where none is given."""


class Stack:
    """A stack of CloudFormation, whether it is there or not.

    Args:
        name: Its name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._formation = boto3.client("cloudformation")

    def describe(self) -> dict[str, Any] | None:
        """Return what CloudFormation says of it; None if it is not there."""
        try:
            found = self._formation.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return dict(found[0])

    def outputs(self) -> dict[str, str]:
        """Return what it put out.

        Raises:
            SpigotError: It is not there, or not one of Spigot's.
        """
        found = self.describe()
        if found is None:
            raise SpigotError(
                f"There is no stack {self.name} in {self._formation.meta.region_name}: name it with"
                " --stack, or set the region; `make deploy` makes it."
            )
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}


class Valve:
    """The valve of a deployed stack: the stage's variable, and the rule that drains the queue.

    Args:
        outputs: What the stack put out.

    Raises:
        SpigotError: The stack is not one of Spigot's.
    """

    def __init__(self, outputs: dict[str, str]) -> None:
        try:
            self._api, self._rule = outputs["ApiId"], outputs["RuleName"]
        except KeyError as missing:
            raise SpigotError(
                f"The stack puts out no {missing.args[0]}, so it is not Spigot's, or was never"
                " finished: name another with --stack, or run `make deploy`."
            ) from None
        self._gateway = boto3.client("apigateway")
        self._events = boto3.client("events")

    def state(self) -> str:
        """Return ``ON`` or ``OFF``, as the variable has it."""
        stage = self._gateway.get_stage(restApiId=self._api, stageName=STAGE)
        return "OFF" if stage.get("variables", {}).get(VARIABLE, "").upper() == "OFF" else "ON"

    def drains(self) -> bool:
        """Tell whether the rule is enabled."""
        return bool(self._events.describe_rule(Name=self._rule)["State"] == "ENABLED")

    def set_variable(self, state: str) -> None:
        """Set the variable: what comes in is forwarded or queued from now on."""
        self._gateway.update_stage(
            restApiId=self._api,
            stageName=STAGE,
            patchOperations=[{"op": "replace", "path": f"/variables/{VARIABLE}", "value": state}],
        )

    def set_rule(self, state: str) -> None:
        """Enable the rule or disable it: the queue is drained, or rests."""
        change = self._events.enable_rule if state == "ON" else self._events.disable_rule
        change(Name=self._rule)


def brief(error: Exception) -> str:
    """Return what an error of AWS says, in a line."""
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response['Error'].get('Message') or error}"
    return " ".join(str(error).split())


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Say in one line what to do about what boto3 raises.

    Raises:
        SettingsError: Credentials or region are missing.
        SpigotError: Whatever else AWS refused.
    """
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise SettingsError(
            "No AWS credentials found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY."
        ) from None
    except NoRegionError:
        raise SettingsError(
            "No AWS region is set: set AWS_REGION, such as eu-central-1, or one in the profile."
        ) from None
    except EndpointConnectionError as error:
        raise SpigotError(
            f"AWS cannot be reached: {brief(error)} Check region and network."
        ) from None
    except (ClientError, BotoCoreError) as error:
        raise SpigotError(f"AWS refused: {brief(error)}") from None
