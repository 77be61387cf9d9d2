"""Since when the present boot of Jenkins has been seen: a Lambda forgets from run to run."""

from __future__ import annotations

import json
from typing import Any

from spigot.log import Log

KEY = "jenkins.json"

_log = Log(__name__)


class Boots:
    """Remembers one boot in S3.

    Args:
        s3: boto3's client.
        bucket: Where it is kept.
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def seen_for(self, session: str, now: float) -> float:
        """Return for how many seconds a boot has been known, and remember it from now on if new.

        Args:
            session: Its ``X-Jenkins-Session``; empty if Jenkins names none.
            now: UNIX seconds.
        """
        if not session:
            return 0.0
        try:
            known = json.loads(self._s3.get_object(Bucket=self._bucket, Key=KEY)["Body"].read())
            if known["session"] == session:
                return max(0.0, now - float(known["since"]))
        except self._s3.exceptions.NoSuchKey:
            pass
        except Exception as error:  # noqa: BLE001 - it counts as new, and is written anew
            _log.warning("What was known of Jenkins could not be read", exc=error)
        try:
            body = json.dumps({"session": session, "since": now}).encode()
            self._s3.put_object(Bucket=self._bucket, Key=KEY, Body=body)
        except Exception as error:  # noqa: BLE001 - the next run asks again
            _log.warning("What is known of Jenkins could not be written", exc=error)
        return 0.0
