"""Collects a scrape's metrics: reads the sources in bounded time and adds two labels to every series."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import redis
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.log import get_logger

log = get_logger(__name__)

#: Time after which a scrape continues without the sources that still wait for Redis. A scrape has to end within 2 s.
MAX_WAIT_SECONDS = 1.5


class AvailabilityProbe(Protocol):
    """Checks whether Redis answers, before a scrape's sources query it."""

    def collect(self) -> tuple[list[Metric], bool]:
        """Return the Redis metrics, and whether every server answered."""
        ...


@dataclass(frozen=True, slots=True)
class MetricSource:
    """Metric families that are read at each scrape.

    Args:
        name: Name of the source in the log.
        read: Returns the families.
        needs_redis: Whether to skip the source in a scrape in which Redis does not answer.
    """

    name: str
    read: Callable[[], Iterable[Metric]]
    needs_redis: bool = True


class SourceCollector(Collector):
    """Runs the probe and reads the sources, in order.

    A source that fails is left out, so that an alert sees an absent series instead of an old value. Sources that need
    Redis are left out once one of them finds it unavailable, or once the scrape has taken `MAX_WAIT_SECONDS`. Otherwise
    each of them would wait until it times out, and Prometheus would abort the whole scrape.
    """

    def __init__(self) -> None:
        self._probe: AvailabilityProbe | None = None
        self._sources: list[MetricSource] = []
        self._failing: set[str] = set()
        # a read that takes too long ends in this thread, which starts with the first read and therefore after any fork
        self._reader = ThreadPoolExecutor(1, "metrics")

    def add(self, source: MetricSource) -> None:
        """Add a source to read at each scrape."""
        self._sources.append(source)

    def set_probe(self, probe: AvailabilityProbe) -> None:
        """Set the probe to run at the beginning of each scrape."""
        self._probe = probe

    def describe(self) -> Iterable[Metric]:
        """Return nothing. Without this method, the registry would read every source to learn the metric names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the families of all sources that could be read."""
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        families, redis_answers = self._run_probe()
        yield from families
        for source in self._sources:
            if source.needs_redis and not redis_answers:
                continue
            try:
                yield from self._read(source, deadline)
            except Exception as error:  # noqa: BLE001 — boundary: one source must not take /metrics down
                redis_answers = redis_answers and not _is_outage(error)
                self._log_failure(source.name, error)
            else:
                self._failing.discard(source.name)

    def _read(self, source: MetricSource, deadline: float) -> list[Metric]:
        if not source.needs_redis:
            return list(source.read())
        reading = self._reader.submit(lambda: list(source.read()))
        try:
            return reading.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            reading.cancel()
            raise StoreUnavailableError("Redis answers too slowly for a scrape") from None

    def _run_probe(self) -> tuple[list[Metric], bool]:
        if self._probe is None:
            return [], True
        try:
            return self._probe.collect()
        except Exception as error:  # noqa: BLE001 — boundary, as above
            self._log_failure("redis", error)
            return [], False

    def _log_failure(self, name: str, error: Exception) -> None:
        # once per outage, not once per scrape
        if name not in self._failing:
            self._failing.add(name)
            log.warning("metrics_source_failed", source=name, error=f"{type(error).__name__}: {error}")


def _is_outage(error: Exception) -> bool:
    """Whether Redis does not answer, rather than refusing one command or holding one unreadable record."""
    cause = error.__cause__ if isinstance(error, StoreUnavailableError) else error
    return cause is None or isinstance(cause, redis.ConnectionError | redis.TimeoutError)


class LabeledRegistry(CollectorRegistry):
    """A registry that adds the same labels to every series when it is collected.

    The process adds them itself, because annotation-based scrapes, a PodMonitor and a static configuration would use
    different names.

    Args:
        labels: Name → value.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        super().__init__()
        self._labels = dict(labels)

    def collect(self) -> Iterator[Metric]:
        """Yield every family, with the labels added to its samples."""
        for family in super().collect():
            labeled = Metric(family.name, family.documentation, family.type, family.unit)
            labeled.samples = [sample._replace(labels={**self._labels, **sample.labels}) for sample in family.samples]
            yield labeled

    def get_sample_value(self, name: str, labels: dict[str, str] | None = None) -> float | None:
        """Return the value of one series, which is identified by the labels that its metric declares."""
        return super().get_sample_value(name, {**self._labels, **(labels or {})})
