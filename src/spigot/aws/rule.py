"""The rule of EventBridge that drains the queue on a schedule."""

from __future__ import annotations

from typing import Any


class DrainRule:
    """Looks at the rule, and sets it; every method raises what boto3 does.

    Args:
        client: boto3's client for EventBridge.
        name: The rule's name.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def enabled(self) -> bool:
        """Tell whether the queue is drained."""
        return bool(self._client.describe_rule(Name=self._name)["State"] == "ENABLED")

    def put(self, *, enabled: bool) -> None:
        """Have the queue drained, or let it rest."""
        change = self._client.enable_rule if enabled else self._client.disable_rule
        change(Name=self._name)
