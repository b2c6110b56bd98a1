"""Looks at everything the checks need, in bounded time: a source that fails is itself a finding."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

import redis

from financehub_shared.breaker.states import state_from_fields
from financehub_shared.core.catalog import Tier
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import FinanceHubError, StoreUnavailableError
from financehub_shared.core.models import AssetType
from financehub_shared.health.checks import BreakerView, Snapshot, evaluate
from financehub_shared.health.periods import DATASETS, ScheduleFacts, dataset_limits, overdue_if_absent
from financehub_shared.health.report import HealthReport
from financehub_shared.health.workers import WorkerRegistry
from financehub_shared.market.port import Store
from financehub_shared.metrics import QueueFigures
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import keys
from financehub_shared.schedules import list_schedules

T = TypeVar("T")

#: Several probes and a user's curl within this time share one look at Redis.
CACHE_SECONDS = 2.0
#: Registered schedules up to which they decide how old data may be; above, the catalogue's defaults do.
SCHEDULES_READ = 200


class HealthChecker:
    """Makes health reports of the fleet.

    Args:
        client: Redis of the queues, with a short timeout and no retries.
        store_client: Redis of the data, where the breakers live too; may be the same.
        store: the data.
        queues: figures of every queue.
        clock: stamps the reports.
        idle_tiers: which tiers need no worker while nothing waits for one.
        known_schedules: what this process knows of the schedules, where there are too many to read.
    """

    def __init__(
        self,
        client: "redis.Redis",
        store_client: "redis.Redis",
        store: Store,
        queues: Callable[[], Sequence[QueueFigures]],
        clock: Clock,
        idle_tiers: Sequence[str] = (),
        known_schedules: Callable[[], Sequence[ScheduleFacts]] = list,
    ) -> None:
        self._client = client
        self._store_client = store_client
        self._store = store
        self._queues = queues
        self._clock = clock
        self._idle_tiers = idle_tiers
        self._known_schedules = known_schedules
        self._registry = WorkerRegistry(client)
        self._monitor = TaskMonitor(client)
        self._lock = threading.Lock()
        self._cached: tuple[float, HealthReport] | None = None

    def report(self) -> HealthReport:
        """A report at most `CACHE_SECONDS` old; never raises."""
        with self._lock:
            now = self._clock.monotonic()
            if self._cached is None or now - self._cached[0] > CACHE_SECONDS:
                self._cached = (now, evaluate(self.look()))
            return self._cached[1]

    def look(self) -> Snapshot:
        """See everything once; never raises."""
        now, started = self._clock.now(), self._clock.monotonic()
        # the data may lie in another Redis; without either nothing works
        for name, client in (("Redis", self._client), ("Redis of the data", self._store_client)):
            try:
                client.ping()
            except redis.RedisError as error:
                return Snapshot(now, redis_error=f"{name} does not answer: {error}")
        seconds = self._clock.monotonic() - started
        failures: dict[str, str] = {}
        lost = ""

        def ask(name: str, source: Callable[[], T], default: T) -> T:
            nonlocal lost
            if lost:
                failures[name] = lost
                return default
            try:
                return source()
            except (redis.RedisError, FinanceHubError) as error:
                failures[name] = str(error)
                if isinstance(error, redis.ConnectionError | redis.TimeoutError | StoreUnavailableError):
                    # each further question would wait for its own timeout
                    lost = "Redis stopped answering"
                return default

        nothing: tuple[dict[AssetType, list[str]], dict[tuple[str, str], float]] = ({}, {})
        schedules: Sequence[ScheduleFacts] = ask("schedules", self._schedules, [])
        symbols, successes = ask("store", lambda: (self._symbols(), self._store.last_success()), nothing)
        return Snapshot(
            now,
            redis_seconds=seconds,
            queues=ask("queues", self._queues, []),
            processes=ask("processes", self._registry.alive, []),
            breakers=ask("breakers", self.breakers, []),
            task_errors=ask("tasks", self._task_errors, {}),
            symbols=symbols,
            wanted=_datasets(set(symbols), schedules),
            overdue=overdue_if_absent(schedules, now),
            last_success=successes,
            limits=dataset_limits(schedules, now),
            failures=failures,
            tiers=_tiers({one.queue for one in schedules}),
            idle_tiers=self._idle_tiers,
        )

    def _symbols(self) -> dict[AssetType, list[str]]:
        symbols: dict[AssetType, list[str]] = {}
        for asset in self._store.assets():
            symbols.setdefault(asset.type, []).append(asset.symbol)
        return symbols

    def _schedules(self) -> Sequence[ScheduleFacts]:
        # A fleet with more has other schedules than one per dataset, and reading them all would take too long.
        few = self._client.zcard(keys.SCHEDULES) <= SCHEDULES_READ
        return list_schedules(self._client) if few else self._known_schedules()

    def breakers(self) -> list[BreakerView]:
        """Every circuit breaker of the fleet.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        names = sorted(name.decode() for name in cast("set[bytes]", self._store_client.smembers(keys.BREAKERS)))
        pipeline = self._store_client.pipeline(transaction=False)
        for name in names:
            pipeline.hgetall(keys.breaker(name))
        views = []
        for name, raw in zip(names, pipeline.execute(), strict=True):
            if not raw:
                continue  # nobody has used it for a week, and its record has expired
            state = state_from_fields({key.decode(): value.decode(errors="replace") for key, value in raw.items()})
            may_probe_at = state.until / 1_000 if state.until else None
            views.append(BreakerView(name, state.phase.value, state.error or state.reason.value, may_probe_at))
        return views

    def _task_errors(self) -> Mapping[str, str]:
        stats = self._monitor.get_all_stats()
        return {
            task: one.last_error
            for task, one in stats.items()
            if one.last_error and (one.last_failure_at or 0) > (one.last_success_at or 0)
        }


def _tiers(queues: set[str]) -> list[str]:
    """What should have a worker: whatever something is scheduled for."""
    # no schedule at all: the scheduler has not begun, or there are too many to read
    ours = [tier.value for tier in Tier if tier in queues or not queues]
    return [*ours, *sorted(queues - {*ours})]


def _datasets(types: set[AssetType], schedules: Sequence[ScheduleFacts]) -> list[str]:
    """What should be there: nobody misses stock quotes without an active stock, or news while it is paused."""
    scheduled = {one.task for one in schedules if not one.suspended}
    known = ["news", "bars", "indicators", *(f"quotes:{type}" for type in sorted(types))] if types else []
    return [dataset for dataset in known if not schedules or DATASETS[dataset] in scheduled]
