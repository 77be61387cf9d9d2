"""What became of webhooks between a provider and Jenkins, counted from what both saw. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Sent(NamedTuple):
    """A webhook that was answered with 200, as the provider remembers it.

    Attributes:
        delivery: Its delivery id.
        lane: What has to stay in order.
        body: Its body.
    """

    delivery: str
    lane: str
    body: bytes


class Arrived(NamedTuple):
    """A webhook as it came to Jenkins.

    Attributes:
        delivery: Its delivery id.
        body: Its body.
    """

    delivery: str
    body: bytes


class Tally(NamedTuple):
    """The count.

    Attributes:
        sent: How many the provider sent.
        stored: How many of them were answered with 200.
        delivered: How many of those came to Jenkins with the body that was sent.
        lost: How many of those never came.
        changed: How many of those came with another body only.
        duplicates: How many came that had come before.
        out_of_order: How many came after one of their lane that was sent later.
    """

    sent: int
    stored: int
    delivered: int
    lost: int
    changed: int
    duplicates: int
    out_of_order: int

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.changed or self.out_of_order)


def count(sent: int, stored: Sequence[Sent], arrived: Iterable[Arrived]) -> Tally:
    """Count.

    Args:
        sent: How many webhooks the provider sent.
        stored: Those answered with 200, in the order of their answers.
        arrived: What Jenkins took, in the order in which it came.
    """
    known = {one.delivery: (number, one) for number, one in enumerate(stored)}
    came: dict[str, bool] = {}
    newest: dict[str, int] = {}
    duplicates = out_of_order = 0
    for delivery, body in arrived:
        if delivery not in known:
            continue
        number, one = known[delivery]
        if delivery in came:
            duplicates += 1
        else:
            out_of_order += number < newest.get(one.lane, -1)
            newest[one.lane] = max(number, newest.get(one.lane, -1))
        came[delivery] = came.get(delivery, False) or body == one.body
    delivered = sum(came.values())
    return Tally(
        sent=sent,
        stored=len(stored),
        delivered=delivered,
        lost=len(known) - len(came),
        changed=len(came) - delivered,
        duplicates=duplicates,
        out_of_order=out_of_order,
    )
