"""The metrics that a process counts, in its own registry. docs/metrics.md lists all metrics.

Asset symbols are never labels, because there may be thousands of them.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from financehub_shared.core.models import Quarantined
from financehub_shared.metrics.families import BREAKER_STATES
from financehub_shared.metrics.formats import metrics_format
from financehub_shared.metrics.label_limit import LabelLimit
from financehub_shared.metrics.process_group import ProcessGroupCollector
from financehub_shared.metrics.scrape import AvailabilityProbe, LabeledRegistry, MetricSource, SourceCollector

#: A price update that waits 50 ms is on time, and one that waits half an hour is useless.
WAIT_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800)
#: From a health check's duration to the longest task's time limit.
DURATION_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800)
#: Up to the default read timeout of an upstream call and beyond.
REQUEST_BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
#: The scheduler's target is 10 ms, and a missed deadline is a matter of minutes.
LAG_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300)
#: A healthy Redis answers in a fraction of a millisecond; after a second it counts as unavailable.
REDIS_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
#: From an answer that nothing has changed, in less than a millisecond, to a Redis that does not answer.
HTTP_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """All metrics of one process.

    Args:
        component: `scheduler` or the name of the tier, which is a label on every series.
        release: Name of the Helm release, which is a label on every series.
        others: Ids of further processes of the same container, which `process_*` includes.
    """

    def __init__(self, component: str, release: str = "local", others: Sequence[int] = ()) -> None:
        # the `_created` series would be a second one per counter, which nothing reads
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
        self.registry = LabeledRegistry({"release": release, "component": component})
        self.registry.register(ProcessGroupCollector(others))
        self._sources = SourceCollector()
        #: Queues that have a series of `queue_reclaimed`, and the kinds and classes of reasons of `quarantined`.
        self._reclaimed_queues = LabelLimit()
        self._quarantined_classes = LabelLimit()
        self.registry.register(self._sources)
        self._lock = threading.Lock()
        queue_actor = ["queue", "actor"]
        self.message_wait = self._histogram(
            "message_wait_seconds", "Time between a message becoming ready and its start", queue_actor, WAIT_BUCKETS
        )
        self.message_duration = self._histogram(
            "message_duration_seconds", "Duration of one attempt", [*queue_actor, "outcome"], DURATION_BUCKETS
        )
        self.messages_started = self._counter("messages_started", "Attempts that started", queue_actor)
        self.messages_started_late = self._counter(
            "messages_started_late", "Attempts that started after the wait target of the queue", queue_actor
        )
        self.message_time_limit = self._gauge(
            "message_time_limit_seconds", "Duration after which an attempt is interrupted", ["actor"]
        )
        self.attempts_ended = self._counter("messages", "Attempts that ended, by outcome", [*queue_actor, "outcome"])
        self.message_failures = self._counter(
            "message_failures", "Attempts that raised an exception", ["actor", "exception"]
        )
        self.messages_enqueued = self._counter("messages_enqueued", "Messages enqueued, without retries", queue_actor)
        self.message_retries = self._counter("message_retries", "Retries enqueued", queue_actor)
        self.messages_dead_lettered = self._counter(
            "messages_dead_lettered", "Messages that were dead-lettered", [*queue_actor, "reason"]
        )
        self.run_events_lost = self._counter(
            "run_events_lost", "Starts and ends of attempts that were not recorded, or only in part", ["reason"]
        )
        self.worker_slots = self._gauge("worker_slots", "Threads that can run a message of the queue", ["queue"])
        self.worker_slots_busy = self._gauge(
            "worker_slots_busy", "Threads that are running a message of the queue", ["queue"]
        )
        self.longest_running = self._gauge(
            "longest_running_message_seconds", "Age of the longest running attempt", ["actor"]
        )
        self.worker_draining = self._gauge("worker_draining", "1 while the worker is shutting down", [])
        self.queue_reclaimed = self._counter("queue_reclaimed", "Messages reclaimed from dead workers", ["queue"])
        self.schedule_lag = self._histogram(
            "schedule_lag_seconds",
            "Time between the due time of a run, jitter included, and its enqueueing",
            ["scheduledtask"],
            LAG_BUCKETS,
        )
        self.schedule_missed = self._counter(
            "schedule_missed", "Due times given up because they were too late", ["scheduledtask"]
        )
        self.schedule_skipped = self._counter(
            "schedule_skipped", "Due times skipped on purpose", ["scheduledtask", "reason"]
        )
        self.schedule_taken_over = self._counter(
            "schedule_taken_over",
            "Due runs that this scheduler settled, because their owner did not do so in time",
            ["scheduledtask"],
        )
        self.schedule_next_run = self._gauge(
            "schedule_next_run_timestamp_seconds", "Time of the next run, Unix seconds", ["scheduledtask"]
        )
        self.event_loop_lag = self._histogram(
            "event_loop_lag_seconds", "Delay with which the event loop wakes up from a sleep", [], LAG_BUCKETS
        )
        self.redis_command_duration = self._histogram(
            "redis_command_duration_seconds", "Round-trip time of one command to Redis", ["server"], REDIS_BUCKETS
        )
        self.records_stored = self._counter("data_records_stored", "Records stored", ["dataset", "provider"])
        self.records_dropped = self._counter(
            "data_records_dropped", "Records not stored because they are known or too old", ["dataset", "reason"]
        )
        self.quarantined = self._counter(
            "quarantined", "Quotes, bars and news items that were rejected", ["kind", "reason"]
        )
        self.provider_requests = self._counter("provider_requests", "Requests to an upstream", ["provider", "outcome"])
        self.provider_duration = self._histogram(
            "provider_request_duration_seconds", "Duration of one request", ["provider", "outcome"], REQUEST_BUCKETS
        )
        self.breaker_state = self._gauge(
            "circuit_breaker_state", "1 for the current state of the breaker, 0 for the others", ["provider", "state"]
        )
        self.breaker_transitions = self._counter(
            "circuit_breaker_transitions", "Transitions to a state", ["provider", "state"]
        )
        route_method = ["route", "method"]
        self.http_requests = self._counter(
            "http_requests", "Requests to the console and the API", [*route_method, "status"]
        )
        self.http_request_duration = self._histogram(
            "http_request_duration_seconds", "Time from a request until its response begins", route_method, HTTP_BUCKETS
        )
        self.build_info = self._gauge("build_info", "1; the label is the version", ["version"])
        self.build_info.labels(version("financehub-shared")).set(1)

        # a metric without labels is served with the value 0 even if nothing is measured
        has_loop = component in {"scheduler", "web"}
        self.registry.unregister(self.worker_draining if has_loop else self.event_loop_lag)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(f"financehub_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: list[str]) -> Gauge:
        return Gauge(f"financehub_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: list[str], buckets: Iterable[float]) -> Histogram:
        return Histogram(f"financehub_{name}", text, labels, registry=self.registry, buckets=tuple(buckets))

    # providers and breakers ---------------------------------------------------------------------------
    def observe_provider(self, provider: str, outcome: str, seconds: float) -> None:
        """Count one request to an upstream.

        Args:
            provider: Name of the provider.
            outcome: `ok` or the `kind` of the `ProviderError`.
            seconds: Duration of the request.
        """
        self.provider_requests.labels(provider, outcome).inc()
        self.provider_duration.labels(provider, outcome).observe(seconds)

    def count_breaker_transition(self, upstream: str, state: str) -> None:
        """Count a breaker's transition to `state` (one of `BREAKER_STATES`)."""
        self.breaker_transitions.labels(upstream, state).inc()
        self.set_breaker_state(upstream, state)

    def set_breaker_state(self, upstream: str, state: str) -> None:
        """Set a breaker's state without counting a transition."""
        with self._lock:
            for other in BREAKER_STATES:
                self.breaker_state.labels(upstream, other).set(other == state)

    # runs ---------------------------------------------------------------------------------------------
    def count_lost_run_events(self, reason: str, count: int) -> None:
        """Count run events that were not recorded, by `LossReason`."""
        self.run_events_lost.labels(reason).inc(count)

    # data ---------------------------------------------------------------------------------------------
    def count_stored(self, dataset: str, records: Mapping[str, int]) -> None:
        """Count stored records of a dataset, by the provider that delivered them."""
        for provider, count in records.items():
            self.records_stored.labels(dataset, provider).inc(count)

    def count_dropped(self, dataset: str, records: Mapping[str, int]) -> None:
        """Count the records of a dataset that were not stored, by reason."""
        for reason, count in records.items():
            self.records_dropped.labels(dataset, reason).inc(count)

    def count_quarantined(self, records: Iterable[Quarantined]) -> None:
        """Count rejections by kind and class of reason."""
        for record in records:
            self.quarantined.labels(*self._quarantined_classes(record.kind, record.reason_class)).inc()

    # scheduler ----------------------------------------------------------------------------------------
    def count_reclaimed(self, queue: str, messages: int) -> None:
        """Count messages of a queue that the janitor has reclaimed."""
        self.queue_reclaimed.labels(*self._reclaimed_queues(queue)).inc(messages)

    def remove_queue(self, queue: str) -> None:
        """Remove the series of a queue that no longer exists."""
        self.queue_reclaimed.remove_by_labels({"queue": queue})
        self._reclaimed_queues.forget(queue)

    def remove_enqueued(self, queue: str, actor: str) -> None:
        """Remove the series of a queue and a task that no schedule uses anymore."""
        self.messages_enqueued.remove_by_labels({"queue": queue, "actor": actor})

    def remove_schedule(self, schedule: str) -> None:
        """Remove a deleted schedule's series."""
        for metric in (
            self.schedule_lag,
            self.schedule_missed,
            self.schedule_skipped,
            self.schedule_taken_over,
            self.schedule_next_run,
        ):
            metric.remove_by_labels({"scheduledtask": schedule})

    # console and API ----------------------------------------------------------------------------------
    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request to the console or the API.

        Args:
            route: Template of its path, such as `/api/v1/quotes/{symbol}`.
            method: Its method.
            status: Status of the response.
            seconds: Time until the response began.
        """
        self.http_requests.labels(route, method, str(status)).inc()
        self.http_request_duration.labels(route, method).observe(seconds)

    # read at each scrape ------------------------------------------------------------------------------
    def set_redis_probe(self, probe: AvailabilityProbe) -> None:
        """Set the probe that checks Redis at each scrape, before the sources that need it are read."""
        self._sources.set_probe(probe)

    def add_source(self, source: MetricSource) -> None:
        """Add a source that is read at each scrape."""
        self._sources.add(source)

    def disable_breaker_state(self) -> None:
        """Stop exposing this process's breaker states, because a source exposes the whole fleet's."""
        self.registry.unregister(self.breaker_state)

    def expose(self, accept: str) -> tuple[str, bytes]:
        """Return the content type and the body of the metrics.

        Args:
            accept: The `Accept` header of the client. The format is OpenMetrics if the client accepts it, and otherwise
                Prometheus's text format.
        """
        encode, content_type = choose_encoder(metrics_format(accept))
        return content_type, encode(self.registry)
