"""Collects a snapshot of the fleet in bounded time and evaluates it. If a part cannot be read, its checks fail."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

import redis

from financehub_shared.breaker.admin import list_breakers
from financehub_shared.core.catalog import Tier
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import FinanceHubError, StoreUnavailableError
from financehub_shared.core.figures import QueueFigures
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.log import get_logger
from financehub_shared.health.checks import FleetSnapshot, evaluate
from financehub_shared.health.freshness import (
    ScheduleFacts,
    dataset_limits,
    expected_datasets,
    overdue_if_absent,
)
from financehub_shared.health.processes import HEARTBEAT_SECONDS, ProcessRegistry
from financehub_shared.health.report import HealthCheck, HealthReport, HealthStatus
from financehub_shared.market.protocols import Store
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import keys
from financehub_shared.redis.conditions import RedisProblem, failure_problem, find_problems
from financehub_shared.redis.explanations import shorten
from financehub_shared.redis.key_types import readable
from financehub_shared.redis.server_facts import ServerFacts, place_of, read_facts
from financehub_shared.schedules import list_schedules

log = get_logger(__name__)

T = TypeVar("T")

#: Probes and user requests within this time share one report.
CACHE_SECONDS = 2.0
#: Reading more registered schedules than this takes too long, so the catalog's defaults apply instead.
MAX_SCHEDULES_READ = 200


class HealthChecker:
    """Produces the fleet's health reports.

    Args:
        client: Client for the queue Redis, with a short timeout and without retries.
        store_client: Client for the data Redis, which also holds the breakers. It may be the same client.
        store: The market data.
        read_queues: Returns every queue's statistics.
        clock: Clock of the process, which shows the time of Redis.
        idle_tiers: Tiers that need no worker while their queue is empty.
        accepted_problems: Codes of problems of Redis that do not degrade the fleet.
        known_schedules: Returns what this process knows about the schedules. It is used if there are more schedules
            than `MAX_SCHEDULES_READ`.
    """

    def __init__(
        self,
        client: "redis.Redis",
        store_client: "redis.Redis",
        store: Store,
        read_queues: Callable[[], Sequence[QueueFigures]],
        clock: Clock,
        idle_tiers: Sequence[str] = (),
        accepted_problems: Collection[str] = (),
        known_schedules: Callable[[], Sequence[ScheduleFacts]] = list,
    ) -> None:
        self._client = client
        self._store_client = store_client
        self._store = store
        self._read_queues = read_queues
        self._clock = clock
        self._idle_tiers = idle_tiers
        self._accepted_problems = accepted_problems
        self._known_schedules = known_schedules
        self._processes = ProcessRegistry(client)
        self._monitor = TaskMonitor(client)
        self._cached: tuple[float, HealthReport] | None = None
        #: Types of unexpected errors that are logged.
        self._logged: set[type[Exception]] = set()
        #: Monotonic time at which Redis last refused heartbeats.
        self._heartbeats_lost_at: float | None = None

    def report(self) -> HealthReport:
        """Return a report that is at most `CACHE_SECONDS` old. This method never raises."""
        cached = self._cached
        if cached is None or self._clock.monotonic() - cached[0] > CACHE_SECONDS:
            report = self._guarded(lambda: evaluate(self.collect()))
            # Stamped now, because a report that takes longer than the cache lasts would otherwise never be shared.
            # There is no lock: if two threads make reports at the same time, either may be kept.
            cached = self._cached = (self._clock.monotonic(), report)
        return cached[1]

    def evaluate(self, snapshot: FleetSnapshot) -> HealthReport:
        """Return the report about a snapshot. This method never raises."""
        return self._guarded(lambda: evaluate(snapshot))

    def _guarded(self, make: Callable[[], HealthReport]) -> HealthReport:
        try:
            return make()
        except Exception as error:  # noqa: BLE001 — boundary: without a report, probes and people would learn nothing
            text = f"the report failed, which is {self._log_unforeseen(error)}"
            return HealthReport.of([HealthCheck("report", HealthStatus.DEGRADED, text)], self._clock.now())

    def _log_unforeseen(self, error: Exception) -> str:
        """Log an error that a foreign record causes, once for each type, and return it as text."""
        if type(error) not in self._logged:
            self._logged.add(type(error))
            log.error("health_report_failed", exc_info=error)
        return f"an error of FinanceHub: {type(error).__name__}: {shorten(error)}"

    def collect(self, schedules: Sequence[ScheduleFacts] | None = None) -> FleetSnapshot:
        """Collect a snapshot of the fleet. If a part cannot be read, the snapshot says why and has all other parts.

        Args:
            schedules: The registered schedules, if the caller has read them already.
        """
        servers = {"queues": self._client}
        if self._store_client is not self._client:
            servers["data"] = self._store_client
        facts: list[ServerFacts] = []
        for server, client in servers.items():
            # the data may be in a separate Redis; nothing works unless both answer
            try:
                facts.append(read_facts(server, client, self._clock))
            except redis.RedisError as error:
                problem = failure_problem(server, place_of(client), error)
                return FleetSnapshot(self._clock.now(), redis_error=problem.text)
        now = self._clock.now()
        problems = [problem for each in facts for problem in find_problems(each)]
        reader = _PartReader(self._log_unforeseen)
        if schedules is None:
            no_schedules: Sequence[ScheduleFacts] = ()
            schedules = reader.read("schedules", self._schedules, no_schedules)
        unreadable: Unreadable = {}
        no_data: tuple[dict[AssetType, list[str]], dict[tuple[str, str], float]] = ({}, {})
        symbols, successes = reader.read(
            "store", lambda: (self._symbols(unreadable), self._store.last_success()), no_data
        )
        return FleetSnapshot(
            now,
            redis_seconds=sum(each.seconds for each in facts),
            redis_problems=problems,
            accepted_problems=self._accepted_problems,
            heartbeats_lost=self._heartbeats_lost(problems),
            queues=reader.read("queues", self._read_queues, []),
            processes=reader.read("processes", self._processes.live, []),
            breakers=reader.read("breakers", lambda: list_breakers(self._store_client), []),
            task_errors=reader.read("tasks", self._task_errors, {}),
            symbols=symbols,
            unreadable_assets=[str(error) for error in unreadable.values()],
            expected=expected_datasets(symbols, schedules),
            overdue=overdue_if_absent(schedules, now),
            last_success=successes,
            limits=dataset_limits(schedules, now),
            failures=reader.failures,
            tiers=_required_tiers({schedule.queue for schedule in schedules}),
            idle_tiers=self._idle_tiers,
        )

    def _heartbeats_lost(self, problems: Sequence[RedisProblem]) -> str:
        """Return why heartbeats are missing. After an outage, the processes need a moment for their next one."""
        # A full Redis still takes heartbeats.
        blocking = next((each for each in problems if each.blocking and each.server == "queues"), None)
        now = self._clock.monotonic()
        if blocking is not None and blocking.code != "full":
            self._heartbeats_lost_at = now
            return "Redis does not take heartbeats"
        lost_at = self._heartbeats_lost_at
        recent = lost_at is not None and now - lost_at < HEARTBEAT_SECONDS
        return "Redis has accepted heartbeats again only for a moment" if recent else ""

    def _symbols(self, unreadable: Unreadable) -> dict[AssetType, list[str]]:
        symbols: dict[AssetType, list[str]] = {}
        for asset in self._store.assets(unreadable=unreadable):
            symbols.setdefault(asset.type, []).append(asset.symbol)
        return symbols

    def _schedules(self) -> Sequence[ScheduleFacts]:
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zcard(keys.SCHEDULES)
            (count,) = readable([keys.SCHEDULES], pipeline.execute(raise_on_error=False), 0)
        few = count <= MAX_SCHEDULES_READ
        return list_schedules(self._client) if few else self._known_schedules()

    def _task_errors(self) -> Mapping[str, str]:
        return {
            task: stats.last_error
            for task, stats in self._monitor.get_all_stats().items()
            if stats.last_error and (stats.last_failure_at or 0) > (stats.last_success_at or 0)
        }


class _PartReader:
    """Reads the parts of a snapshot until Redis stops answering.

    Args:
        describe: Returns an unforeseen error as text.
    """

    def __init__(self, describe: Callable[[Exception], str]) -> None:
        self._describe = describe
        self.failures: dict[str, str] = {}
        self._is_lost = False

    def read(self, part: str, read: Callable[[], T], default: T) -> T:
        """Return a part of the snapshot. If it cannot be read, record the failure and return the default."""
        if self._is_lost:
            # each further call would wait until it times out
            self.failures[part] = "Redis stopped answering"
            return default
        try:
            return read()
        except (redis.RedisError, FinanceHubError) as error:
            self.failures[part] = str(error)
            self._is_lost = _is_outage(error)
            return default
        except Exception as error:  # noqa: BLE001 — boundary: a foreign record costs its part and no other one
            self.failures[part] = self._describe(error)
            return default


def _is_outage(error: Exception) -> bool:
    return isinstance(error, redis.ConnectionError | redis.TimeoutError | StoreUnavailableError)


def _required_tiers(queues: set[str]) -> list[str]:
    """Return the tiers that should have a worker: those with a schedule."""
    # if there is no schedule, the scheduler has not started yet, or there are too many schedules to read
    built_in = [tier.value for tier in Tier if tier in queues or not queues]
    return [*built_in, *sorted(queues - {*built_in})]
