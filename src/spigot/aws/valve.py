"""The valve on AWS: a variable of the API's stage, and the rule that drains the queue."""

from __future__ import annotations

import time
from typing import Any

from spigot.log import Log
from spigot.valve import ValveRow

LOOK_EVERY = 3.0
"""Seconds between two looks at the stage while a drain runs."""

_log = Log(__name__)


class StageValve:
    """Reads ``spigot_state``; a failure to read leaves what was seen last.

    Args:
        client: boto3's client for API Gateway.
        api_id: The REST API.
        stage: Its stage.
    """

    def __init__(self, client: Any, api_id: str, stage: str) -> None:
        self._client = client
        self._api_id = api_id
        self._stage = stage
        self._row = ValveRow()
        self._looked = float("-inf")

    def read(self) -> ValveRow:
        """Return the valve as it was at the last look, `LOOK_EVERY` seconds ago at most."""
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            try:
                stage = self._client.get_stage(restApiId=self._api_id, stageName=self._stage)
            except Exception as error:  # noqa: BLE001 - whatever it is, the valve stays as it was
                _log.error("The valve could not be read; it stays as it was", exc=error)
            else:
                on = stage.get("variables", {}).get("spigot_state", "ON").upper() != "OFF"
                if on is not self._row.on:
                    self._row = ValveRow(on, since=time.time(), version=self._row.version + 1)
        return self._row
