"""Metrics that are read from Redis when Prometheus asks, rather than counted."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

import structlog
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

log = structlog.get_logger(__name__)

BREAKER_STATES: Final = ("closed", "half-open", "open")


class QueueFigures(Protocol):
    """What is asked of one queue's statistics."""

    @property
    def queue(self) -> str: ...
    @property
    def ready(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def delayed(self) -> int: ...
    @property
    def dead(self) -> int: ...
    @property
    def orphaned(self) -> int: ...
    @property
    def oldest_age_seconds(self) -> float: ...


class ReadAtScrape(Collector):
    """Metrics that are what Redis says now.

    Args:
        name: of the source, for the log.
        read: makes the metrics; its failure leaves them out of this scrape, so that an alert sees 'absent' and not an
            old number.
    """

    def __init__(self, name: str, read: Callable[[], list[Metric]]) -> None:
        self._name = name
        self._read = read

    def collect(self) -> Iterable[Metric]:
        try:
            return self._read()
        except Exception as error:  # noqa: BLE001 — boundary: one source must not take /metrics down
            log.warning("metrics_source_failed", source=self._name, error=str(error))
            return []


def queue_metrics(queues: Iterable[QueueFigures]) -> list[Metric]:
    """Depth, age and orphans of each queue."""
    messages = GaugeMetricFamily("financehub_queue_messages", "Messages by state", labels=["queue", "state"])
    age = GaugeMetricFamily(
        "financehub_queue_oldest_message_age_seconds", "How long the oldest ready message has waited", labels=["queue"]
    )
    orphaned = GaugeMetricFamily(
        "financehub_queue_orphaned_messages", "Messages held by workers that are gone", labels=["queue"]
    )
    for queue in queues:
        states = {"ready": queue.ready, "inflight": queue.in_flight, "delayed": queue.delayed, "dead": queue.dead}
        for state, count in states.items():
            messages.add_metric([queue.queue, state], count)
        age.add_metric([queue.queue], queue.oldest_age_seconds)
        orphaned.add_metric([queue.queue], queue.orphaned)
    return [messages, age, orphaned]


def breaker_metrics(breakers: Mapping[str, str]) -> list[Metric]:
    """The state of every circuit breaker, one-hot, from upstream → state."""
    family = GaugeMetricFamily(
        "financehub_circuit_breaker_state",
        "1 for the state the breaker is in, 0 for the others",
        labels=["provider", "state"],
    )
    for upstream, state in breakers.items():
        for other in BREAKER_STATES:
            family.add_metric([upstream, other], float(other == state))
    return [family]


def freshness_metrics(successes: Mapping[tuple[str, str], float]) -> list[Metric]:
    """When each provider last delivered each dataset, from (dataset, provider) → Unix seconds."""
    family = GaugeMetricFamily(
        "financehub_data_last_success_timestamp_seconds",
        "When the provider last delivered the dataset, Unix seconds",
        labels=["provider", "dataset"],
    )
    for (dataset, provider), at in successes.items():
        family.add_metric([provider, dataset], at)
    return [family]
