"""What one answer to a probe says of Jenkins. Pure.

A probe is a question without credentials or side effects. The header ``X-Jenkins`` on its answer is
Jenkins' own signature: pages and API answers carry it, the 503 of a starting Jenkins and the pages
of a proxy do not (hudson.Functions.advertiseHeaders, hudson.util.HudsonIsLoading). What only a
login may ask, whether Jenkins is quieting down and how long its build queue is, comes on top.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from spigot.ports import Asked

QUIET_QUESTION = "/api/json?tree=quietingDown,quietDownReason"
"""Answered to a login with Overall/Read (jenkins.model.Jenkins)."""

_SIGN_ON = (301, 302, 303, 307, 308, 401, 403, 404)


class State(StrEnum):
    """What is known of Jenkins."""

    READY = "ready"
    NOT_READY = "not ready"
    UNKNOWN = "unknown"


class Sight(NamedTuple):
    """What one probe says.

    Attributes:
        state: What this one answer means.
        evidence: The answer in words, then what follows from it: ``503, starting``.
        session: Jenkins' ``X-Jenkins-Session``, which changes at each boot; empty if not seen. One
            that is seen says that this boot is alive, ready or not.
    """

    state: State
    evidence: str
    session: str = ""


class Expected(NamedTuple):
    """What the answer to a probe must be where the usual does not do: the target is no Jenkins.

    Attributes:
        status: The one status that is good; 0 for any that is no error.
        header: The header that must be there, ``Name`` or ``Name: value``; empty for none.
    """

    status: int = 0
    header: str = "X-Jenkins"

    def has_header(self, headers: dict[str, str]) -> bool:
        """Tell whether the header is there; names are compared without case, values exactly."""
        name, colon, value = self.header.partition(":")
        found = headers.get(name.strip().lower())
        return found is not None and (not colon or found.strip() == value.strip())


JENKINS = Expected()
"""What any Jenkins answers."""


def read(asked: Asked, expected: Expected = JENKINS) -> Sight:
    """Say what the answer to a probe means.

    With the usual expectation a sign-on or a proxy in front of the probe says that nothing can be
    known. Whoever sets another one says by it what ready looks like: all else is not ready.
    """
    status, headers = asked.status, asked.headers
    if not status:
        return Sight(State.NOT_READY, asked.error)
    session = headers.get("x-jenkins-session", "")
    if status == 503 and expected.status != 503:
        return Sight(State.NOT_READY, "503, starting")
    if expected.status and status != expected.status:
        return Sight(State.NOT_READY, f"{status} from the probe, not {expected.status}")
    if not expected.header:
        if expected.status or 200 <= status < 300:
            return Sight(State.READY, f"{status} from the probe", session)
        return Sight(State.NOT_READY, f"{status} from the probe")
    name = expected.header.partition(":")[0].strip()
    if expected.has_header(headers):
        return Sight(State.READY, f"{status} with {name}", session)
    if expected != JENKINS:
        return Sight(State.NOT_READY, f"{status} from the probe without {expected.header}")
    if status in _SIGN_ON:
        return Sight(
            State.UNKNOWN,
            f"{status} without X-Jenkins, single sign-on or a proxy answers the probe",
        )
    if status < 300:
        return Sight(State.NOT_READY, f"{status} without X-Jenkins, not Jenkins' own page")
    return Sight(State.NOT_READY, f"{status} from the probe")


def with_quiet_down(sight: Sight, asked: Asked) -> Sight:
    """Return a good sight as it stands once `QUIET_QUESTION` was answered.

    An answer that says nothing, a refused login above all, changes nothing.
    """
    answer = _json(asked)
    if answer.get("quietingDown") is not True:
        return sight
    reason = answer.get("quietDownReason")
    why = f" ({' '.join(reason.split())[:200]})" if isinstance(reason, str) and reason else ""
    return sight._replace(state=State.NOT_READY, evidence=f"quietingDown, quieting down{why}")


def queue_question(most: int) -> str:
    """Return the question for the builds that wait in Jenkins' queue; no more than so many count.

    ``{0,N}`` cuts the list at Jenkins already (hudson.model.Api, "tree" with a range).
    """
    return f"/queue/api/json?tree=items%5Bid%5D%7B0,{most}%7D"


def queue_length(asked: Asked) -> int | None:
    """Return how many builds an answer to `queue_question` lists; None if it says nothing."""
    items = _json(asked).get("items")
    return len(items) if isinstance(items, list) else None


def _json(asked: Asked) -> dict[str, Any]:
    """Return the object that an answer brings; empty if it brings none."""
    if asked.status != 200:
        return {}
    try:
        value = json.loads(asked.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
