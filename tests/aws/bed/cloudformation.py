"""The template as data: tags such as !Ref are ``{"Ref": …}``, as in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cfnlint.decode import cfn_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Template:
    """A template.

    Args:
        path: Its file.
    """

    def __init__(self, path: Path) -> None:
        self.data: dict[str, Any] = cfn_yaml.load(str(path))

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the resources of a type, such as ``SQS::Queue``."""
        return {
            name: one
            for name, one in self.data["Resources"].items()
            if one["Type"] == f"AWS::{kind}"
        }

    def properties(self, name: str) -> Any:
        """Return a resource's properties."""
        return self.data["Resources"][name]["Properties"]

    def velocity(self, *names: str) -> str:
        """Return a mapping template."""
        text: str = self.data["Mappings"]["Velocity"][names[0]][names[1]]
        return text

    def allowed(self, role: str) -> Iterator[tuple[str, str]]:
        """Yield each action that a role allows, with the resource as it stands in the template.

        Args:
            role: A role, or a policy of its own.
        """
        given = self.properties(role)
        for policy in given.get("Policies", [given]):
            for statement in policy["PolicyDocument"]["Statement"]:
                assert statement["Effect"] == "Allow"
                actions = statement["Action"]
                for action in [actions] if isinstance(actions, str) else actions:
                    yield action, _written(statement["Resource"])


def _written(resource: Any) -> str:
    if isinstance(resource, str):
        return resource
    ((way, value),) = resource.items()
    return str(".".join(value) if way == "Fn::GetAtt" else value)
