"""The metric catalogue: every metric of FinanceHub, on one explicit registry. Symbols are never labels."""

import threading
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from financehub_shared.metrics.collectors import (
    BREAKER_STATES,
    QueueFigures,
    ReadAtScrape,
    breaker_metrics,
    freshness_metrics,
    queue_metrics,
)

#: A price that waits 50 ms is on time; one that waits half an hour is useless.
WAIT_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800)
#: From a health check to the time limit of the longest task.
DURATION_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800)
#: Up to the default read timeout of an upstream call, and past it.
REQUEST_BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
#: The goal of the scheduler is 10 ms; a missed deadline is minutes.
LAG_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300)


class Metrics:
    """All metrics of one process.

    Args:
        tier: `high`, `medium`, `low` or `scheduler`; a label of `build_info` alone, Kubernetes labels the rest.
    """

    def __init__(self, tier: str) -> None:
        # a second series per counter that nothing reads
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
        self.registry = CollectorRegistry()
        self._lock = threading.Lock()
        queue_actor = ["queue", "actor"]
        self.message_wait = self._histogram(
            "message_wait_seconds", "Time from when a message was ready to its start", queue_actor, WAIT_BUCKETS
        )
        self.message_duration = self._histogram(
            "message_duration_seconds", "Time of one try", [*queue_actor, "outcome"], DURATION_BUCKETS
        )
        self.messages = self._counter("messages", "Tries that ended, by outcome", [*queue_actor, "outcome"])
        self.message_failures = self._counter("message_failures", "Tries that raised", ["actor", "exception"])
        self.messages_enqueued = self._counter("messages_enqueued", "Messages enqueued, retries left out", queue_actor)
        self.message_retries = self._counter("message_retries", "Retries enqueued", queue_actor)
        self.messages_dead_lettered = self._counter(
            "messages_dead_lettered", "Messages given up", [*queue_actor, "reason"]
        )
        self.worker_slots = self._gauge("worker_slots", "Threads that can run a message of the queue", ["queue"])
        self.worker_slots_busy = self._gauge("worker_slots_busy", "Threads that run a message of the queue", ["queue"])
        self.longest_running = self._gauge(
            "longest_running_message_seconds", "Age of the longest running try", ["actor"]
        )
        self.worker_draining = self._gauge("worker_draining", "1 while the worker shuts down", [])
        self.queue_reclaimed = self._counter("queue_reclaimed", "Messages taken back from dead workers", ["queue"])
        self.schedule_lag = self._histogram(
            "schedule_lag_seconds", "Actual minus due time of an enqueued run", ["scheduledtask"], LAG_BUCKETS
        )
        self.schedule_missed = self._counter("schedule_missed", "Due runs that were not enqueued", ["scheduledtask"])
        self.schedule_skipped = self._counter(
            "schedule_skipped", "Due runs left out on purpose (overlap, backlog, closed market)", ["scheduledtask"]
        )
        self.schedule_next_run = self._gauge(
            "schedule_next_run_timestamp_seconds", "Next due time, Unix seconds", ["scheduledtask"]
        )
        self.provider_requests = self._counter("provider_requests", "Requests to an upstream", ["provider", "outcome"])
        self.provider_duration = self._histogram(
            "provider_request_duration_seconds", "Time of one request", ["provider", "outcome"], REQUEST_BUCKETS
        )
        self.breaker_state = self._gauge(
            "circuit_breaker_state", "1 for the state the breaker is in, 0 for the others", ["provider", "state"]
        )
        self.breaker_transitions = self._counter(
            "circuit_breaker_transitions", "Changes into a state", ["provider", "state"]
        )
        self.build_info = self._gauge("build_info", "1; the labels say what runs", ["version", "tier"])
        self.build_info.labels(version("financehub-shared"), tier).set(1)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(f"financehub_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: list[str]) -> Gauge:
        return Gauge(f"financehub_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: list[str], buckets: Iterable[float]) -> Histogram:
        return Histogram(f"financehub_{name}", text, labels, registry=self.registry, buckets=tuple(buckets))

    # providers and breakers ---------------------------------------------------------------------------
    def observe_provider(self, provider: str, outcome: str, seconds: float) -> None:
        """Count one request.

        Args:
            provider: adapter name.
            outcome: `ok` or the `kind` of the `ProviderError`.
            seconds: how long it took.
        """
        self.provider_requests.labels(provider, outcome).inc()
        self.provider_duration.labels(provider, outcome).observe(seconds)

    def breaker_changed(self, upstream: str, state: str) -> None:
        """Note that the breaker of `upstream` went into `state` (one of `BREAKER_STATES`)."""
        self.breaker_transitions.labels(upstream, state).inc()
        self.breaker_is(upstream, state)

    def breaker_is(self, upstream: str, state: str) -> None:
        """Show the state of a breaker without counting a change (at start, or read from Redis)."""
        with self._lock:
            for other in BREAKER_STATES:
                self.breaker_state.labels(upstream, other).set(other == state)

    # scheduler ----------------------------------------------------------------------------------------
    def schedule_forgotten(self, schedule: str) -> None:
        """Drop the series of a schedule that was deleted."""
        for metric in (self.schedule_lag, self.schedule_missed, self.schedule_skipped, self.schedule_next_run):
            metric.remove_by_labels({"scheduledtask": schedule})

    # read at each scrape ------------------------------------------------------------------------------
    def watch_queues(self, source: Callable[[], Iterable[QueueFigures]]) -> None:
        """Publish the queue gauges, read from `source` at each scrape (scheduler only: one pod is enough)."""
        self.registry.register(ReadAtScrape("queues", lambda: queue_metrics(source())))

    def watch_freshness(self, source: Callable[[], Mapping[tuple[str, str], float]]) -> None:
        """Publish `data_last_success_timestamp_seconds` from `Store.last_success` (scheduler only)."""
        self.registry.register(ReadAtScrape("freshness", lambda: freshness_metrics(source())))

    def watch_breakers(self, source: Callable[[], Mapping[str, str]]) -> None:
        """Publish the state of the fleet's breakers, by upstream, not of those this process saw (scheduler only)."""
        self.registry.unregister(self.breaker_state)
        self.registry.register(ReadAtScrape("breakers", lambda: breaker_metrics(source())))
