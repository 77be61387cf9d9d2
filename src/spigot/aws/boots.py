"""What the drain that ran last knew of Jenkins: a Lambda forgets from run to run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from spigot.log import Log

if TYPE_CHECKING:
    from spigot.readiness import Readiness

KEY = "jenkins.json"

_log = Log(__name__)


class Boots:
    """Remembers in S3 the boot of Jenkins that was seen last, and how Jenkins was.

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
        known = self._read()
        if known.get("session") == session and "since" in known:
            return max(0.0, now - float(known["since"]))
        self._write({"session": session, "since": now})
        return 0.0

    def tell(self, known: Readiness, now: float) -> None:
        """Write what is known of Jenkins, for `spigot status` and `spigot hold`.

        Args:
            known: What is known.
            now: UNIX seconds.
        """
        before = self._read()
        if known.session and known.session != before.get("session"):
            before = {"session": known.session, "since": now}
        same = before.get("jenkins") == known.state
        seen = same and before.get("evidence") == known.evidence
        self._write(
            before
            | {
                "jenkins": str(known.state),
                "jenkins_since": before["jenkins_since"] if same else known.since,
                "evidence": known.evidence,
                "evidence_since": before["evidence_since"] if seen else known.evidence_since,
                "asked_at": now,
            }
        )

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._s3.get_object(Bucket=self._bucket, Key=KEY)["Body"].read())
        except self._s3.exceptions.NoSuchKey:
            return {}
        except Exception as error:  # noqa: BLE001 - it counts as new, and is written anew
            _log.warning("What was known of Jenkins could not be read", exc=error)
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, known: dict[str, Any]) -> None:
        try:
            self._s3.put_object(Bucket=self._bucket, Key=KEY, Body=json.dumps(known).encode())
        except Exception as error:  # noqa: BLE001 - the next run asks again
            _log.warning("What is known of Jenkins could not be written", exc=error)
