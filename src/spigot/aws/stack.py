"""A stack of CloudFormation, and what it says of itself."""

from __future__ import annotations

from typing import Any

from spigot.aws.sdk import client
from spigot.errors import SpigotError


class Stack:
    """A stack, whether it is there or not.

    Args:
        name: Its name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._formation = client("cloudformation")

    def describe(self) -> dict[str, Any] | None:
        """Return what CloudFormation says of it; None if it is not there."""
        try:
            found = self._formation.describe_stacks(StackName=self.name)["Stacks"]
        except self._formation.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return dict(found[0])

    def outputs(self) -> Outputs:
        """Return what it put out.

        Raises:
            SpigotError: It is not there.
        """
        found = self.describe()
        if found is None:
            raise SpigotError(
                f"There is no stack {self.name} in {self._formation.meta.region_name}: correct its"
                " name, or set the region; `make deploy` makes it."
            )
        return Outputs(self.name, found)


class Outputs(dict[str, str]):
    """What a stack put out, by name.

    Args:
        name: The stack's name.
        found: What CloudFormation says of it.

    Attributes:
        parameters: What it was made with, by name.
    """

    def __init__(self, name: str, found: dict[str, Any]) -> None:
        super().__init__((one["OutputKey"], one["OutputValue"]) for one in found.get("Outputs", []))
        self.parameters = {
            one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])
        }
        self._name = name

    def __missing__(self, key: str) -> str:
        raise SpigotError(
            f"The stack {self._name} puts out no {key}, so it is not Spigot's, or was never"
            " finished: name another, or run `make deploy`."
        )
