"""The fleet at a scrape: the snapshot that the health report judges, as metric families."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

import structlog
from prometheus_client.metrics_core import Metric

from financehub_shared.core.catalog import wait_target
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.models import AssetType
from financehub_shared.health.checks import Snapshot, stale
from financehub_shared.market.port import Store
from financehub_shared.metrics.families import (
    AssetFigures,
    WorkerFigures,
    asset_metrics,
    breaker_metrics,
    freshness_metrics,
    queue_metrics,
    worker_metrics,
)

log = structlog.get_logger(__name__)

#: Quotes change every two minutes, indicators once an hour; reading the times of 1,000 of them takes 0.3 and 0.9 MB.
QUOTE_TIMES_SECONDS = 15.0
INDICATOR_TIMES_SECONDS = 60.0

_INDICATORS = "indicators"


class FleetSource:
    """Reads the fleet's figures; what could not be read has no series, instead of an old number.

    Args:
        look: sees the whole fleet.
        store: when quotes and indicators were written.
        max_workers: queue → most workers that its tier may be scaled to.
        clock: for the age of what is kept between scrapes.
    """

    def __init__(
        self, look: Callable[[], Snapshot], store: Store, max_workers: Mapping[str, int], clock: Clock
    ) -> None:
        self._look = look
        self._max_workers = max_workers
        self._quote_times = _Kept(store.quotes_fetched_at, QUOTE_TIMES_SECONDS, clock)
        self._indicator_times = _Kept(store.indicators_computed_at, INDICATOR_TIMES_SECONDS, clock)
        self._failures: set[str] = set()

    def read(self) -> Iterable[Metric]:
        """All families of the fleet.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        seen = self._look()
        if seen.redis_error:
            raise StoreUnavailableError(seen.redis_error)
        self._note(seen.failures)
        families: list[Metric] = []
        if not {"queues", "processes", "schedules"} & {*seen.failures}:
            families += worker_metrics(self._workers(seen))
        if "queues" not in seen.failures:
            families += queue_metrics(seen.queues)
        if "breakers" not in seen.failures:
            families += breaker_metrics({one.upstream: one.state for one in seen.breakers})
        if not {"store", "schedules"} & {*seen.failures}:
            verdicts = stale(seen)
            families += freshness_metrics(seen.last_success, verdicts, seen.limits)
            families += self._assets(seen, verdicts)
        return families

    def _note(self, failures: Mapping[str, str]) -> None:
        for name in {*failures} - self._failures:
            log.warning("metrics_source_failed", source=name, error=failures[name])
        self._failures = {*failures}

    def _workers(self, seen: Snapshot) -> Iterable[WorkerFigures]:
        names = {*(one.queue for one in seen.queues), *seen.tiers}
        # a scheduler is among the processes and has no queues
        workers = [one for one in seen.processes if not one.draining]
        return [
            WorkerFigures(
                queue,
                workers=sum(queue in one.queues for one in workers),
                least=int(queue in seen.tiers and queue not in seen.idle_tiers),
                most=self._max_workers.get(queue),
                wait_target_seconds=wait_target(queue),
            )
            for queue in sorted(names)
        ]

    def _assets(self, seen: Snapshot, wanted: Mapping[str, bool]) -> list[Metric]:
        figures: list[AssetFigures] = []
        oldest: dict[str, float] = {}
        for type, symbols in seen.symbols.items():
            times = self._quote_times(type, symbols)
            if times:
                oldest[type.value] = max(0.0, seen.now - min(times.values()))
            dataset = f"quotes:{type}"
            if dataset in wanted:
                figures.append(_figures(dataset, symbols, times, seen))
        if _INDICATORS in wanted:
            every = list(chain.from_iterable(seen.symbols.values()))
            figures.append(_figures(_INDICATORS, every, self._indicator_times(None, every), seen))
        return asset_metrics(figures, oldest)


def _figures(dataset: str, symbols: Sequence[str], times: Mapping[str, float], seen: Snapshot) -> AssetFigures:
    oldest_good = seen.now - seen.limits[dataset]
    stale = sum(times.get(symbol, float("-inf")) < oldest_good for symbol in symbols)
    return AssetFigures(dataset, len(symbols), stale)


class _Kept:
    """Times of symbols, read at most every so many seconds, or when the symbols change."""

    def __init__(self, read: Callable[[Sequence[str]], Mapping[str, float]], seconds: float, clock: Clock) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[AssetType | None, tuple[float, Sequence[str], Mapping[str, float]]] = {}

    def __call__(self, type: AssetType | None, symbols: Sequence[str]) -> Mapping[str, float]:
        now = self._clock.monotonic()
        kept = self._kept.get(type)
        if kept is None or now - kept[0] > self._seconds or kept[1] != symbols:
            kept = self._kept[type] = (now, symbols, self._read(symbols))
        return kept[2]
