"""What Prometheus reads at ``/metrics``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from spigot.meters import BOUNDS, Durations, Meters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ASKED = ("health", "question")
"""Requests that are no webhooks."""

TAKEN = ("stored", "duplicate", *ASKED)
"""Answers that are no refusals."""

LOSSES = ("no_room", "fault")
"""Refusals by Spigot's own fault: shown as 0 before the first, so that an alert sees that one."""


class GatewayCollector(Collector):
    """Turns the gateway's numbers into Prometheus' when asked, and costs nothing otherwise.

    Args:
        meters: The counts.
        status: Returns the status object.
        held: Returns how many bytes of bodies are in memory.
        room: Returns how many bytes are free for the store.
    """

    def __init__(
        self,
        meters: Meters,
        status: Callable[[], dict[str, Any]],
        held: Callable[[], int],
        room: Callable[[], int],
    ) -> None:
        self._meters = meters
        self._status = status
        self._held = held
        self._room = room

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        meters, status = self._meters, self._status()
        received = dict(meters.received)
        yield _counter("spigot_received", "Webhooks received and answered.",
                       sum(n for what, n in received.items() if what not in ASKED))  # fmt: skip
        yield _counter("spigot_stored", "Webhooks stored.", received.get("stored", 0))
        yield _counter("spigot_duplicate", "Webhooks that already waited.",
                       received.get("duplicate", 0))  # fmt: skip
        refused = CounterMetricFamily("spigot_refused", "Requests refused.", labels=["reason"])
        for reason, number in sorted((dict.fromkeys(LOSSES, 0) | received).items()):
            if reason not in TAKEN:
                refused.add_metric([reason], number)
        yield refused
        yield _counter("spigot_delivered", "Webhooks delivered since the store was made.",
                       status["delivered"])  # fmt: skip
        attempts = CounterMetricFamily("spigot_attempts", "Attempts.", labels=["verdict"])
        for verdict, number in sorted(dict(meters.attempts).items()):
            attempts.add_metric([verdict], number)
        yield attempts
        yield GaugeMetricFamily("spigot_waiting", "Webhooks waiting.", status["waiting"])
        yield GaugeMetricFamily("spigot_dead", "Unresolved dead letters.", status["dead"])
        yield GaugeMetricFamily("spigot_oldest_waiting_seconds",
                                "Age of the oldest waiting webhook; 0 if none waits.",
                                status["oldest_waiting_s"] or 0)  # fmt: skip
        yield GaugeMetricFamily("spigot_valve_on", "1 if the valve is ON.",
                                int(status["valve"] == "ON"))  # fmt: skip
        ready = GaugeMetricFamily("spigot_jenkins", "1 for what Jenkins is now.", labels=["state"])
        for state in ("ready", "not ready", "unknown"):
            ready.add_metric([state], int(status["jenkins"] == state))
        yield ready
        yield GaugeMetricFamily("spigot_flowing", "1 if webhooks flow.", int(status["flowing"]))
        yield GaugeMetricFamily("spigot_paths_held", "Paths that are held.",
                                len(status["paths_held"]))  # fmt: skip
        yield GaugeMetricFamily("spigot_memory_held_bytes",
                                "Bodies on their way to the disk.", self._held())  # fmt: skip
        yield GaugeMetricFamily("spigot_room_bytes",
                                "Free on the disk and inside the database.",
                                self._room())  # fmt: skip
        yield _histogram("spigot_intake_seconds", "From complete request to stored.", meters.intake)
        yield _histogram("spigot_attempt_seconds", "Duration of attempts.", meters.delivery)


def render(collector: Collector) -> bytes:
    """Return the metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value)


def _histogram(name: str, text: str, durations: Durations) -> HistogramMetricFamily:
    buckets, number = [], 0
    for bound, count in zip([*map(str, BOUNDS), "+Inf"], durations.buckets, strict=True):
        number += count
        buckets.append((bound, number))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=durations.total)
