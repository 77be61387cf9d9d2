"""Jenkins' own questions, which only Jenkins can answer.

The github plugin tests a hook's URL with a POST that has the header ``X-Jenkins-Validation``, and
wants its own ``X-Instance-Identity`` back (github-plugin, ``GitHubWebHook.URL_VALIDATION_HEADER``,
``RequirePostWithGHHookPayload``). Stored and delivered later it would be of no use to anybody.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from spigot.errors import Refused
from spigot.headers import named_by_connection
from spigot.log import Log
from spigot.pool import Pool
from spigot.web import answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from spigot.ports import Passed
    from spigot.web.request import Request
    from spigot.webhook import Headers

HOOK = "/github-webhook/"
HEADER = b"x-jenkins-validation"

AT_ONCE = 2
"""Questions that are at Jenkins at once: a person presses a button; more is no person."""

WAITING = 8
"""Questions that are asked or wait for it; further ones are refused."""

_log = Log(__name__)


def is_question(request: Request) -> bool:
    """Tell whether a request is for Jenkins to answer at once.

    A question passes unsigned and unstored, so it must be one at Jenkins too: a header that is
    empty, or that ``Connection`` names and that is therefore not passed on, makes none.
    """
    if not request.fields.get(HEADER):
        return False
    assert request.admitted is not None
    return request.admitted.path == HOOK and HEADER not in named_by_connection(request.headers)


class Questions:
    """Passes questions on, a few at a time; whatever the valve says.

    Args:
        pass_on: Sends to Jenkins and returns what it answered: method, path and query, headers,
            body. See `jenkins.Jenkins.pass_on`.
    """

    def __init__(self, pass_on: Callable[[str, str, Headers, bytes], Passed]) -> None:
        self._pass_on = pass_on
        self._pool = Pool(self._work, lambda: None, most=AT_ONCE)
        self._places = threading.Semaphore(WAITING)

    def ask(self, request: Request, done: Callable[[Passed | Exception], None]) -> None:
        """Ask Jenkins; never waits.

        Args:
            request: The question.
            done: Called, on any thread, with Jenkins' answer, or with `Refused` if there is none.
        """
        if not self._places.acquire(blocking=False):
            done(answers.no_room("Too many questions wait for Jenkins.", reason="question"))
            return
        self._pool.give(_Asking(request, done))

    def close(self) -> None:
        """Ask no more."""
        self._pool.close()

    def _work(self, asking: _Asking) -> None:
        try:
            result: Passed | Exception = self._ask(asking.request)
        except Exception as error:  # noqa: BLE001 - whoever asked must hear of it
            result = error
        finally:
            self._places.release()
        asking.done(result)

    def _ask(self, request: Request) -> Passed:
        admitted = request.admitted
        assert admitted is not None
        target = admitted.path + (f"?{admitted.query}" if admitted.query else "")
        passed = self._pass_on(admitted.method, target, request.headers, request.body)
        if passed.error:
            _log.warning("Jenkins did not answer a test of its webhook URL", error=passed.error)
            raise Refused(
                503,
                "This is Jenkins' test of its own webhook URL, which only Jenkins can answer, and "
                f"Jenkins gave Spigot no answer ({passed.error}). Webhooks are taken and kept "
                "meanwhile. Ask again once Jenkins is up.",
                reason="question",
                headers=(("Retry-After", str(answers.RETRY_SECONDS)),),
            )
        return passed


class _Asking(NamedTuple):
    request: Request
    done: Callable[[Passed | Exception], None]
