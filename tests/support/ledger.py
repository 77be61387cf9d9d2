"""What a recorded gateway had promised by a moment, held against what is left after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spigot.webhook import State
from support.promises import forwarded, promised, told_delivered
from support.recording import KEEP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.calls import Call
    from support.provider import Request
    from support.recording import Recording
    from support.salvage import Kept, Salvage


class Ledger:
    """Knows from the calls what was promised when, and from the senders what was sent.

    Args:
        recording: What was recorded.
    """

    def __init__(self, recording: Recording) -> None:
        calls = [call for span in recording.spans for call in span.calls]
        self._lanes = [[id_ for id_, _ in lane] for lane in recording.lanes.values()]
        self._requests = {
            id_: request for lane in recording.lanes.values() for id_, request in lane
        }
        self._refused = recording.refused
        self._promised = promised(calls)
        self._forwarded = forwarded(calls)
        self._told = told_delivered(calls)
        self._ended: set[str] = set()
        assert self._requests.keys() <= self._promised.keys(), "the calls do not show each answer"

    def promised_by(self, sync: Call) -> int:
        """Return how many webhooks were answered 2xx before a sync was over."""
        return sum(answer.began < sync.ended for answer in self._promised.values())

    def note_certain(self, found: Salvage) -> None:
        """Remember what ended: it was found where nothing was left but what had been synced."""
        self._ended.update(
            id_ for id_, kept in found.webhooks.items() if kept.state is not State.WAITING
        )

    def faults(self, found: Salvage, sync: Call) -> list[str]:
        """Return what is broken of what was promised, in words.

        Args:
            found: What is left if the power fails just before `sync` is over.
            sync: The moment.
        """
        return [
            *found.faults,
            *(
                f"{id_}: {fault}"
                for id_, answer in self._promised.items()
                if answer.began < sync.ended
                for fault in self._faults_of(id_, found.webhooks.get(id_), answer, sync)
            ),
            *self._overtaken(found),
            *self._forgotten(found, sync),
        ]

    def _faults_of(self, id_: str, kept: Kept | None, answer: Call, sync: Call) -> Iterator[str]:
        request = self._requests.get(id_)  # None: the gateway was killed before the answer came
        sent = self._forwarded.get(request.key) if request else answer
        refused = request is not None and request.key in self._refused
        if kept is None:
            if refused or sent is None or sent.began > sync.ended or sent.at + KEEP > sync.at:
                yield "lost"
            return
        if request is not None and not _same(kept, request):
            yield "altered"
        if kept.state is State.DELIVERED and (sent is None or sent.began > sync.ended):
            yield "called delivered, and was not"
        if kept.state not in (State.WAITING, State.DEAD if refused else State.DELIVERED):
            yield f"{kept.state}"
        if kept.state is State.WAITING and id_ in self._ended:
            yield "waits again after its end was synced"

    def _overtaken(self, found: Salvage) -> Iterator[str]:
        place = {id_: number for number, id_ in enumerate(found.webhooks)}
        for lane in self._lanes:
            places = [place[id_] for id_ in lane if id_ in place]
            if places != sorted(places):
                yield f"out of order: {lane}"

    def _forgotten(self, found: Salvage, sync: Call) -> Iterator[str]:
        told = max((number for began, number in self._told if began < sync.ended), default=0)
        if found.delivered < told:
            yield f"{told} were said to be delivered, {found.delivered} are known"


def _same(kept: Kept, request: Request) -> bool:
    headers = {(name.lower().decode(), value.decode()) for name, value in kept.headers}
    sent = {(name.lower(), value) for name, value in request.headers}
    return kept.body == request.body and sent <= headers
