"""The valve on AWS: variables of the API's stage."""

from __future__ import annotations

import time
from typing import Any

from spigot.aws.sdk import brief, tolerated
from spigot.aws.variables import row_of, variables_of
from spigot.errors import StoreError
from spigot.log import Log
from spigot.valve import ValveRow, effective

STAGE = "prod"

LOOK_EVERY = 3.0
"""Seconds between two looks at the stage while a drain runs."""

_log = Log(__name__)


class StageValve:
    """Looks at the valve, and sets it.

    Args:
        client: boto3's client for API Gateway.
        api_id: The REST API.
        stage: Its stage.
    """

    def __init__(self, client: Any, api_id: str, stage: str = STAGE) -> None:
        self._client = client
        self._at = {"restApiId": api_id, "stageName": stage}
        self._row = ValveRow()
        self._looked = float("-inf")
        self._seen = False

    def variables(self) -> dict[str, str]:
        """Return all variables of the stage; raises what boto3 does."""
        return dict(self._client.get_stage(**self._at).get("variables") or {})

    def row(self) -> ValveRow:
        """Look at the valve as it was set; raises what boto3 does.

        One that nobody has set yet stands so since the stage was made.
        """
        stage = self._client.get_stage(**self._at)
        row = row_of(stage.get("variables") or {})
        return row if row.since else row._replace(since=stage["createdDate"].timestamp())

    def put(self, row: ValveRow) -> None:
        """Set the valve, its reason and its end in one step; raises what boto3 does.

        Raises:
            SpigotError: The reason is too long.
        """
        self._client.update_stage(
            **self._at,
            patchOperations=[
                {"op": "replace", "path": f"/variables/{name}", "value": value}
                for name, value in variables_of(row).items()
            ],
        )

    def read(self) -> ValveRow:
        """Return the valve for a drain: as it was `LOOK_EVERY` seconds ago at most.

        An OFF whose time is over is ON, and is set so for those who only know the variable. A
        failure to look leaves what was seen last.

        Raises:
            StoreError: It could not be read, and never was: nothing may flow through it.
        """
        tick = time.monotonic()
        if tick - self._looked >= LOOK_EVERY:
            self._looked = tick
            try:
                row = self.row()
            except Exception as error:
                if not self._seen:
                    raise StoreError(f"Cannot read the valve: {brief(error)}") from error
                _log.error("The valve could not be read; it stays as it was", exc=error)
            else:
                self._seen = True
                self._row = self._opened(row)
        return self._row

    def _opened(self, row: ValveRow) -> ValveRow:
        now = effective(row, time.time())
        if now.on is row.on:
            return row
        now = now._replace(version=row.version + 1)
        with tolerated("The valve's time is over, but its variable could not be set to ON"):
            self.put(now)
        return now
