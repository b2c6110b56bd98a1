"""Metrics that are read from Redis when Prometheus asks, rather than counted."""

from collections.abc import Callable, Iterable, Iterator, Mapping
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


class QueueCollector(Collector):
    """Depth, age and orphans of each queue.

    Args:
        source: reads the figures of all queues; its failure leaves the gauges out of this scrape, so that an
            alert sees 'absent' and not an old number.
    """

    def __init__(self, source: Callable[[], Iterable[QueueFigures]]) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        return self._families()

    @staticmethod
    def _families() -> list[GaugeMetricFamily]:
        return [
            GaugeMetricFamily("financehub_queue_messages", "Messages by state", labels=["queue", "state"]),
            GaugeMetricFamily(
                "financehub_queue_oldest_message_age_seconds",
                "How long the oldest ready message has waited",
                labels=["queue"],
            ),
            GaugeMetricFamily(
                "financehub_queue_orphaned_messages", "Messages held by workers that are gone", labels=["queue"]
            ),
        ]

    def collect(self) -> Iterator[Metric]:
        messages, age, orphaned = self._families()
        try:
            queues = list(self._source())
        except Exception as error:  # noqa: BLE001 — boundary: one source must not take /metrics down
            log.warning("metrics_source_failed", source="queues", error=str(error))
            return
        for queue in queues:
            figures = {
                "ready": queue.ready,
                "inflight": queue.in_flight,
                "delayed": queue.delayed,
                "dead": queue.dead,
            }
            for state, count in figures.items():
                messages.add_metric([queue.queue, state], count)
            age.add_metric([queue.queue], queue.oldest_age_seconds)
            orphaned.add_metric([queue.queue], queue.orphaned)
        yield from (messages, age, orphaned)


class BreakerCollector(Collector):
    """The state of every circuit breaker, one-hot.

    Args:
        source: upstream → state; its failure leaves the gauge out of this scrape.
    """

    def __init__(self, source: Callable[[], Mapping[str, str]]) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    @staticmethod
    def _family() -> GaugeMetricFamily:
        text = "1 for the state the breaker is in, 0 for the others"
        return GaugeMetricFamily("financehub_circuit_breaker_state", text, labels=["provider", "state"])

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        try:
            breakers = self._source()
        except Exception as error:  # noqa: BLE001 — boundary: one source must not take /metrics down
            log.warning("metrics_source_failed", source="breakers", error=str(error))
            return
        for upstream, state in breakers.items():
            for other in BREAKER_STATES:
                family.add_metric([upstream, other], float(other == state))
        yield family


class FreshnessCollector(Collector):
    """When each provider last delivered each dataset.

    Args:
        source: (dataset, provider) → Unix seconds; its failure leaves the gauge out of this scrape.
    """

    def __init__(self, source: Callable[[], Mapping[tuple[str, str], float]]) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    @staticmethod
    def _family() -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "financehub_data_last_success_timestamp_seconds",
            "When the provider last delivered the dataset, Unix seconds",
            labels=["provider", "dataset"],
        )

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        try:
            successes = self._source()
        except Exception as error:  # noqa: BLE001 — boundary: one source must not take /metrics down
            log.warning("metrics_source_failed", source="freshness", error=str(error))
            return
        for (dataset, provider), at in successes.items():
            family.add_metric([provider, dataset], at)
        yield family
