"""What happens when Prometheus asks: sources are read in bounded time, and every series gets the same two labels."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import redis
import structlog
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from financehub_shared.core.errors import StoreUnavailableError

log = structlog.get_logger(__name__)


#: When a scrape goes on without what Redis has not told by then: it must end within 2 s, however slow Redis is.
PATIENCE_SECONDS = 1.5


class Probe(Protocol):
    """Asks Redis whether it is there, before anything else of a scrape asks it for more."""

    def look(self) -> tuple[list[Metric], bool]:
        """The figures of Redis, and whether every server answered."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """Figures that are read at each scrape.

    Args:
        name: for the log.
        read: makes the families.
        asks_redis: it is left out of a scrape in which Redis does not answer.
    """

    name: str
    read: Callable[[], Iterable[Metric]]
    asks_redis: bool = True


class ScrapeSources(Collector):
    """Reads the probe, then the sources, in order.

    A source that fails is left out, so that an alert sees an absent series instead of an old number. After the first
    source that finds Redis away, and once the scrape has taken `PATIENCE_SECONDS`, the others that ask Redis are left
    out too: each would wait for its own timeout, and Prometheus would give up on the whole scrape.
    """

    def __init__(self) -> None:
        self._probe: Probe | None = None
        self._sources: list[Source] = []
        self._failing: set[str] = set()
        # a read that takes too long is left to end by itself; its thread starts with the first, after any fork
        self._reader = ThreadPoolExecutor(1, "metrics")

    def add(self, source: Source) -> None:
        """Read a source at each scrape from now on."""
        self._sources.append(source)

    def probe_with(self, probe: Probe) -> None:
        """Ask Redis first."""
        self._probe = probe

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would read every source to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The families of all sources that could be read."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        families, answers = self._look()
        yield from families
        for source in self._sources:
            if source.asks_redis and not answers:
                continue
            try:
                yield from self._read(source, give_up)
            except Exception as error:  # noqa: BLE001 — boundary: one source must not take /metrics down
                answers = answers and not _is_away(error)
                self._note_failure(source.name, error)
            else:
                self._failing.discard(source.name)

    def _read(self, source: Source, give_up: float) -> list[Metric]:
        if not source.asks_redis:
            return list(source.read())
        reading = self._reader.submit(lambda: list(source.read()))
        try:
            return reading.result(max(0.0, give_up - time.monotonic()))
        except TimeoutError:
            reading.cancel()
            raise StoreUnavailableError("Redis answers too slowly for a scrape") from None

    def _look(self) -> tuple[list[Metric], bool]:
        if self._probe is None:
            return [], True
        try:
            return self._probe.look()
        except Exception as error:  # noqa: BLE001 — boundary, as above
            self._note_failure("redis", error)
            return [], False

    def _note_failure(self, name: str, error: Exception) -> None:
        # once an outage, not once a scrape
        if name not in self._failing:
            self._failing.add(name)
            log.warning("metrics_source_failed", source=name, error=f"{type(error).__name__}: {error}")


def _is_away(error: Exception) -> bool:
    """Whether Redis does not answer, rather than refusing one command or holding one record that cannot be read."""
    cause = error.__cause__ if isinstance(error, StoreUnavailableError) else error
    return cause is None or isinstance(cause, redis.ConnectionError | redis.TimeoutError)


class LabeledRegistry(CollectorRegistry):
    """A registry that adds the same labels to every series when it is collected.

    The process itself writes them, because a scrape by annotations, by a PodMonitor, and by a static configuration
    would each name them differently.

    Args:
        labels: name → value.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        super().__init__()
        self._labels = dict(labels)

    def collect(self) -> Iterator[Metric]:
        """Every family, its samples labeled."""
        for family in super().collect():
            labeled = Metric(family.name, family.documentation, family.type, family.unit)
            labeled.samples = [sample._replace(labels={**self._labels, **sample.labels}) for sample in family.samples]
            yield labeled

    def get_sample_value(self, name: str, labels: dict[str, str] | None = None) -> float | None:
        """The value of one series, named by the labels that its metric declares."""
        return super().get_sample_value(name, {**self._labels, **(labels or {})})
