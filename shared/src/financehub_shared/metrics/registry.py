"""The metrics that a process counts itself, on one explicit registry; docs/metrics.md is the catalogue of all.

Symbols are never labels.
"""

import threading
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from financehub_shared.core.models import Quarantined
from financehub_shared.metrics.families import BREAKER_STATES
from financehub_shared.metrics.scrape import LabeledRegistry, Probe, ScrapeSources, Source

#: A price that waits 50 ms is on time; one that waits half an hour is useless.
WAIT_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800)
#: From a health check to the time limit of the longest task.
DURATION_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800)
#: Up to the default read timeout of an upstream call, and past it.
REQUEST_BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
#: The goal of the scheduler is 10 ms; a missed deadline is minutes.
LAG_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300)
#: A healthy Redis answers in a fraction of a millisecond; past a second it counts as away.
REDIS_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    """All metrics of one process.

    Args:
        component: `scheduler` or the name of the tier; a label of every series.
        release: name of the Helm release; a label of every series.
    """

    def __init__(self, component: str, release: str = "local") -> None:
        # a second series per counter that nothing reads
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
        self.registry = LabeledRegistry({"release": release, "component": component})
        ProcessCollector(registry=self.registry)
        self._sources = ScrapeSources()
        self.registry.register(self._sources)
        self._lock = threading.Lock()
        queue_actor = ["queue", "actor"]
        self.message_wait = self._histogram(
            "message_wait_seconds", "Time from when a message was ready to its start", queue_actor, WAIT_BUCKETS
        )
        self.message_duration = self._histogram(
            "message_duration_seconds", "Time of one try", [*queue_actor, "outcome"], DURATION_BUCKETS
        )
        self.messages_started = self._counter("messages_started", "Tries that started", queue_actor)
        self.messages_started_late = self._counter(
            "messages_started_late", "Tries that started after the wait target of the queue", queue_actor
        )
        self.message_time_limit = self._gauge(
            "message_time_limit_seconds", "How long a try may take before it is interrupted", ["actor"]
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
        self.schedule_missed = self._counter(
            "schedule_missed", "Due times given up because they were too late", ["scheduledtask"]
        )
        self.schedule_skipped = self._counter(
            "schedule_skipped", "Due times left out on purpose", ["scheduledtask", "reason"]
        )
        self.schedule_next_run = self._gauge(
            "schedule_next_run_timestamp_seconds", "Next due time, Unix seconds", ["scheduledtask"]
        )
        self.event_loop_lag = self._histogram(
            "event_loop_lag_seconds", "How late the event loop wakes up from a sleep", [], LAG_BUCKETS
        )
        self.redis_command_duration = self._histogram(
            "redis_command_duration_seconds", "Round trip of one command to Redis", ["server"], REDIS_BUCKETS
        )
        self.records_stored = self._counter("data_records_stored", "Records stored", ["dataset", "provider"])
        self.quarantined = self._counter("quarantined", "Records quarantined", ["kind", "reason"])
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
        self.build_info = self._gauge("build_info", "1; the labels say what runs", ["version"])
        self.build_info.labels(version("financehub-shared")).set(1)

        # without a label each would be served, at 0, where nothing is measured
        self.registry.unregister(self.worker_draining if component == "scheduler" else self.event_loop_lag)

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

    # data ---------------------------------------------------------------------------------------------
    def count_stored(self, dataset: str, records: Mapping[str, int]) -> None:
        """Count records of a dataset that were stored, by the provider that delivered them."""
        for provider, count in records.items():
            self.records_stored.labels(dataset, provider).inc(count)

    def count_quarantined(self, records: Iterable[Quarantined]) -> None:
        """Count records that were quarantined, by kind and class of reason."""
        for record in records:
            self.quarantined.labels(record.kind, record.reason_class).inc()

    # scheduler ----------------------------------------------------------------------------------------
    def schedule_forgotten(self, schedule: str) -> None:
        """Drop the series of a schedule that was deleted."""
        for metric in (self.schedule_lag, self.schedule_missed, self.schedule_skipped, self.schedule_next_run):
            metric.remove_by_labels({"scheduledtask": schedule})

    # read at each scrape ------------------------------------------------------------------------------
    def probe_redis(self, probe: Probe) -> None:
        """Ask Redis at each scrape, before any source that needs it."""
        self._sources.probe_with(probe)

    def add_source(self, source: Source) -> None:
        """Read a source at each scrape; where it has a family of this catalogue, it replaces the one counted here."""
        self._sources.add(source)

    def read_breakers_from_redis(self) -> None:
        """Leave the states of the breakers to a source that knows those of the whole fleet."""
        self.registry.unregister(self.breaker_state)

    def expose(self, accept: str) -> tuple[str, bytes]:
        """Everything, as the client wants it: content type and body.

        Args:
            accept: its `Accept` header; OpenMetrics where it asks for that, else Prometheus' own text.
        """
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self.registry)
