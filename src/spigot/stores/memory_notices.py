"""What pull requests were told, in memory: the reference for `stores.notices`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spigot.notices import Subject, Topic
from spigot.ports import Held
from spigot.webhook import State

if TYPE_CHECKING:
    from spigot.stores.memory import MemoryStore

_RANKS = (State.DELIVERED, State.DROPPED, State.DEAD, State.WAITING)


class MemoryNotices:
    """Keeps what `ports.Notices` promises, for as long as the process lives.

    Args:
        store: The store whose webhooks they are about.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._topics: dict[str, Topic] = {}
        self._places: dict[str, str] = {}  # by the id of a webhook

    def held(self, position: int, limit: int) -> list[Held]:
        """Return the next webhooks that wait; see `ports.Notices.held`."""
        found = [self._store.load(place.position) for place in
                 self._store.places_after(position, limit)]  # fmt: skip
        return [
            Held(one.place.position, one.webhook.provider, one.webhook.event,
                 one.webhook.received_at)
            for one in found if one
        ]  # fmt: skip

    def add(self, found: list[tuple[int, str, Subject]]) -> None:
        """Remember what waits and who is to hear of it; see `ports.Notices.add`."""
        for position, place, subject in found:
            loaded = self._store.load(position)
            if loaded is None:
                continue
            self._places[loaded.webhook.id] = place
            known = self._topics.get(place)
            if known is None:
                known = Topic(
                    place, subject, "", 0, 0, 0.0, "", State.WAITING, "", "", 0.0, 0, None
                )
            elif known.told != State.WAITING:
                known = known._replace(due_at=known.due_at or 0.0)
            self._topics[place] = known._replace(subject=subject)
            self.forget([
                one.place for one in self._topics.values()
                if one.subject[:2] == subject[:2] and one.subject.sha != subject.sha
                and one.place != place and one.told == "" and not one.tries
            ])  # fmt: skip

    def changed(self, limit: int) -> list[Topic]:
        """Return what was told and holds no longer; see `ports.Notices.changed`."""
        told = [
            one for one in self._now()
            if one.due_at is None and one.told not in (State.DELIVERED, one.state)
        ]  # fmt: skip
        return sorted(told)[:limit]

    def due(self, now: float, limit: int) -> list[Topic]:
        """Return what is to be told; see `ports.Notices.due`."""
        due = [one for one in self._now() if one.due_at is not None and one.due_at <= now]
        return sorted(due, key=lambda one: (one.told == "", one.due_at))[:limit]

    def save(self, topic: Topic) -> None:
        """Record what came of telling; see `ports.Notices.save`."""
        if topic.place in self._topics:
            self._topics[topic.place] = topic

    def forget(self, places: list[str]) -> None:
        """Forget notices; see `ports.Notices.forget`."""
        for place in places:
            self._topics.pop(place, None)
            self._places = {id_: at for id_, at in self._places.items() if at != place}

    def _now(self) -> list[Topic]:
        """Return all as they stand now."""
        found = []
        for topic in self._topics.values():
            ids = (id_ for id_, place in self._places.items() if place == topic.place)
            entries = [detail.entry for id_ in ids for detail in self._store.history.show(id_)]
            best = max(entries, key=lambda one: (_RANKS.index(one.state), one.serial))
            found.append(
                topic._replace(
                    state=best.state, id=best.id, path=best.path, received_at=best.received_at,
                    status=best.status, ended_at=best.ended_at,
                )
            )  # fmt: skip
        return found
