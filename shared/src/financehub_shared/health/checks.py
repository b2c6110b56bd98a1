"""The health report's checks: pure functions from a fleet snapshot to results."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from financehub_shared.breaker.admin import BreakerInfo
from financehub_shared.core.catalog import Tier, wait_target
from financehub_shared.core.durations import HOUR_SECONDS, format_duration
from financehub_shared.core.errors import NO_UPSTREAM
from financehub_shared.core.figures import QueueFigures
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.text import counted
from financehub_shared.health.freshness import DATASETS
from financehub_shared.health.presence import (
    SCHEDULER,
    WEB,
    Absence,
    missing_scheduler,
    missing_worker,
)
from financehub_shared.health.processes import ProcessInfo
from financehub_shared.health.report import HealthCheck, HealthReport, HealthStatus
from financehub_shared.redis.conditions import SKEW_SECONDS, RedisProblem

#: An upstream is not needed if no call has probed its breaker for this long, which is the longest period of the tasks
#: that fetch data. Without this limit, a fallback that failed once would degrade the fleet's health forever while the
#: first choice works.
PROBE_OVERDUE_SECONDS = float(HOUR_SECONDS)


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """Everything that the checks read, collected at one moment.

    Args:
        now: Time of the snapshot in Unix seconds.
        redis_error: Why Redis is unavailable. Empty if it answered; otherwise the rest of the snapshot is meaningless.
        redis_seconds: Response time of Redis in seconds.
        redis_problems: What is wrong with Redis although it answered.
        accepted_problems: Codes of problems of Redis that do not degrade the fleet, because its operator accepts them.
        heartbeats_lost: Why processes may have no heartbeat although they live. Empty if Redis takes heartbeats.
        failures: Part that could not be read → the reason. Parts are `schedules`, `store`, `queues`, `processes`,
            `breakers` and `tasks`.
        queues: Statistics of every queue.
        processes: The live processes.
        breakers: The circuit breakers of the upstreams.
        symbols: Symbols of the active assets, by type.
        unreadable_assets: Why the records of other assets cannot be read, and how each is repaired.
        last_success: (dataset, provider) → time of the last delivery in Unix seconds.
        expected: Datasets that should exist.
        limits: Dataset → age in seconds beyond which it is stale.
        overdue: Datasets that should have been fetched by now.
        task_errors: Task → its last error, if that is newer than its last success.
        tiers: Tiers that should have a worker, named by their queues.
        idle_tiers: Tiers that need no worker while their queue is empty.
    """

    now: float
    redis_error: str = ""
    redis_seconds: float = 0.0
    redis_problems: Sequence[RedisProblem] = ()
    accepted_problems: Collection[str] = ()
    heartbeats_lost: str = ""
    failures: Mapping[str, str] = field(default_factory=dict)
    queues: Sequence[QueueFigures] = ()
    processes: Sequence[ProcessInfo] = ()
    breakers: Sequence[BreakerInfo] = ()
    symbols: Mapping[AssetType, Sequence[str]] = field(default_factory=dict)
    unreadable_assets: Sequence[str] = ()
    last_success: Mapping[tuple[str, str], float] = field(default_factory=dict)
    expected: Iterable[str] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    overdue: Collection[str] = frozenset(DATASETS)
    task_errors: Mapping[str, str] = field(default_factory=dict)
    tiers: Sequence[str] = tuple(Tier)
    idle_tiers: Sequence[str] = ()

    @property
    def workers_by_tier(self) -> Mapping[str, Sequence[ProcessInfo]]:
        """Tier → its live workers. Tiers that should have a worker come first, then other tiers that have one."""
        workers = [process for process in self.processes if process.tier not in {SCHEDULER, WEB}]
        others = {worker.tier for worker in workers if not {worker.tier, *worker.queues} & {*self.tiers}}
        return {
            tier: [worker for worker in workers if tier in (worker.tier, *worker.queues)]
            for tier in (*self.tiers, *sorted(others))
        }

    @property
    def unserved_queues(self) -> Mapping[str, Absence]:
        """Queue with messages that no live worker serves → who is missing. Empty if the live processes are unknown."""
        if "processes" in self.failures or self.heartbeats_lost:
            return {}
        waiting = [queue.queue for queue in self.queues if queue.ready or queue.delayed]
        return {queue: absence for queue in waiting if (absence := missing_worker(self.processes, queue))}


def evaluate(snapshot: FleetSnapshot) -> HealthReport:
    """Run all checks on a snapshot."""
    if snapshot.redis_error:
        return HealthReport.of([HealthCheck("redis", HealthStatus.DOWN, snapshot.redis_error)], snapshot.now)
    checks = _check_redis(snapshot)
    checks += [
        HealthCheck(part, HealthStatus.DEGRADED, f"not checked: {why}")
        for part, why in sorted(snapshot.failures.items())
    ]
    unserved = snapshot.unserved_queues
    checks += [_check_queue(queue, unserved.get(queue.queue)) for queue in snapshot.queues]
    if snapshot.heartbeats_lost:
        checks.append(HealthCheck("processes", HealthStatus.DEGRADED, f"not checked: {snapshot.heartbeats_lost}"))
    else:
        checks += _check_tiers(snapshot)
        checks.append(_check_scheduler(snapshot.processes))
    checks += _check_clocks(snapshot.processes)
    checks += _check_network(snapshot)
    checks += [_check_provider(breaker, snapshot.now) for breaker in snapshot.breakers]
    if "store" not in snapshot.failures:
        checks.append(_check_assets(sum(map(len, snapshot.symbols.values())), snapshot.unreadable_assets))
        checks += check_freshness(snapshot).values()
    return HealthReport.of(checks, snapshot.now)


def check_freshness(snapshot: FleetSnapshot) -> dict[str, HealthCheck]:
    """Return expected dataset → its freshness check."""
    return {dataset: _check_dataset(dataset, snapshot) for dataset in sorted(set(snapshot.expected))}


def stale_datasets(snapshot: FleetSnapshot) -> dict[str, bool]:
    """Return expected dataset → whether it should trigger an alert. The metrics use this function.

    The result matches the health report, except that a dataset that was never fetched and is not overdue is not stale,
    because its first run is still to come.
    """
    fetched = {dataset for dataset, _ in snapshot.last_success}
    return {
        dataset: check.status is not HealthStatus.OK and (dataset in fetched or dataset in snapshot.overdue)
        for dataset, check in check_freshness(snapshot).items()
    }


def _check_redis(snapshot: FleetSnapshot) -> list[HealthCheck]:
    """Return the check of Redis, followed by one check per problem that does not stop the fleet."""
    milliseconds = round(snapshot.redis_seconds * 1_000, 1)
    details = {"milliseconds": milliseconds}
    blocking = [problem.text for problem in snapshot.redis_problems if problem.blocking]
    if blocking:
        redis = HealthCheck("redis", HealthStatus.DOWN, "; ".join(blocking), details)
    else:
        redis = HealthCheck("redis", HealthStatus.OK, f"wrote and answered in {milliseconds} ms", details)
    others = [problem for problem in snapshot.redis_problems if not problem.blocking]
    return [redis, *(_check_problem(problem, problem.code in snapshot.accepted_problems) for problem in others)]


def _check_problem(problem: RedisProblem, is_accepted: bool) -> HealthCheck:
    """Return the check of a problem that does not stop the fleet. An accepted one stays in the report."""
    status = HealthStatus.OK if is_accepted else HealthStatus.DEGRADED
    text = f"accepted by FINANCEHUB_ACCEPTED_REDIS_PROBLEMS: {problem.text}" if is_accepted else problem.text
    return HealthCheck(f"redis:{problem.server}:{problem.code}", status, text)


def _check_clocks(processes: Sequence[ProcessInfo]) -> list[HealthCheck]:
    """Return a check of the processes' clocks, if any of them is wrong."""
    skewed = [process for process in processes if abs(process.clock_skew_seconds or 0.0) > SKEW_SECONDS]
    if not skewed:
        return []
    worst = max(skewed, key=lambda process: abs(process.clock_skew_seconds or 0.0))
    skew = worst.clock_skew_seconds or 0.0
    side = "ahead of" if skew > 0 else "behind"
    reason = (
        f"the clocks of {len(skewed)} of {len(processes)} processes differ from that of Redis; that of {worst.tier} on "
        f"{worst.host} is {format_duration(abs(skew))} {side} it; synchronize these machines and Redis with NTP"
    )
    return [HealthCheck("clocks", HealthStatus.DEGRADED, reason, {"skewed": len(skewed), "worst_seconds": skew})]


def _check_queue(queue: QueueFigures, absence: Absence | None) -> HealthCheck:
    limit = wait_target(queue.queue)
    states = ("ready", "in_flight", "delayed", "dead", "orphaned")
    details = {state: getattr(queue, state) for state in states}
    age = queue.oldest_age_seconds
    name = f"queue:{queue.queue}"
    if absence:
        oldest = f", the oldest for {format_duration(age)}" if queue.ready else ""
        waiting = queue.ready + queue.delayed
        reason = (
            f"{absence.problem}, in which {counted(waiting, 'message')} wait{'s' if waiting == 1 else ''}{oldest}; "
            f"{absence.remedy}, or delete the schedules that use it"
        )
        return HealthCheck(name, HealthStatus.DEGRADED, reason, details)
    if age > limit:
        oldest = "the only waiting message" if queue.ready == 1 else f"the oldest of {queue.ready:,} waiting messages"
        reason = f"{oldest} has waited {format_duration(age)}; the limit is {format_duration(limit)}"
        return HealthCheck(name, HealthStatus.DEGRADED, reason, details)
    if queue.orphaned:
        reason = f"{counted(queue.orphaned, 'orphaned message')} of dead workers, which the janitor reclaims"
        return HealthCheck(name, HealthStatus.DEGRADED, reason, details)
    figures = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in details.items())
    return HealthCheck(name, HealthStatus.OK, figures, details)


def _check_tiers(snapshot: FleetSnapshot) -> list[HealthCheck]:
    checks = []
    busy_queues = {queue.queue for queue in snapshot.queues if queue.ready or queue.in_flight or queue.delayed}
    # a missing tier stops only its own tasks; without any tier nothing works
    if_missing = HealthStatus.DEGRADED if any(snapshot.workers_by_tier.values()) else HealthStatus.DOWN
    for tier, workers in snapshot.workers_by_tier.items():
        name = f"tier:{tier}"
        if all(worker.draining for worker in workers):
            problem = "every worker is shutting down" if workers else "no live worker"
            if tier in snapshot.idle_tiers and tier not in busy_queues:
                checks.append(HealthCheck(name, HealthStatus.OK, "no workers; the queue is empty"))
            else:
                checks.append(HealthCheck(name, if_missing, f"{problem}; its tasks wait in the queue"))
            continue
        busy, threads = sum(worker.busy for worker in workers), sum(worker.threads for worker in workers)
        details = {"workers": len(workers), "busy": busy, "threads": threads}
        reason = f"{counted(len(workers), 'worker')}, {busy} of {counted(threads, 'thread')} busy"
        checks.append(HealthCheck(name, HealthStatus.OK, reason, details))
    return checks


def _check_scheduler(processes: Sequence[ProcessInfo]) -> HealthCheck:
    if missing_scheduler(processes):
        return HealthCheck(SCHEDULER, HealthStatus.DEGRADED, "no live scheduler; no scheduled runs are enqueued")
    count = sum(process.tier == SCHEDULER for process in processes)
    return HealthCheck(SCHEDULER, HealthStatus.OK, f"{count} live", {"schedulers": count})


def _check_network(snapshot: FleetSnapshot) -> list[HealthCheck]:
    """Return a check if the last run of a task failed because its worker reaches no upstream. It fails then."""
    tasks = sorted(task for task, error in snapshot.task_errors.items() if NO_UPSTREAM in error)
    if not tasks:
        return []
    return [HealthCheck("network", HealthStatus.DEGRADED, f"{NO_UPSTREAM} ({', '.join(tasks)})", {"tasks": tasks})]


def _check_provider(breaker: BreakerInfo, now: float) -> HealthCheck:
    name = f"provider:{breaker.upstream}"
    details = {"breaker": breaker.state}
    if breaker.problem:
        return HealthCheck(name, HealthStatus.DEGRADED, breaker.problem, details)
    if breaker.state == "closed":
        return HealthCheck(name, HealthStatus.OK, "circuit breaker closed", details)
    why = breaker.last_error or breaker.reason
    suffix = f": {why}" if why else ""
    if breaker.open_until is not None and (overdue := now - breaker.open_until) > PROBE_OVERDUE_SECONDS:
        reason = f"circuit breaker {breaker.state}, and no call has probed it for {format_duration(overdue)}{suffix}"
        return HealthCheck(name, HealthStatus.OK, reason, details)
    return HealthCheck(name, HealthStatus.DEGRADED, f"circuit breaker {breaker.state}{suffix}", details)


def _check_assets(count: int, unreadable: Sequence[str]) -> HealthCheck:
    if unreadable:
        more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        reason = f"{count} active; one cannot be read and is left out{more}: {unreadable[0]}"
        return HealthCheck("assets", HealthStatus.DEGRADED, reason, {"active": count, "unreadable": len(unreadable)})
    if not count:
        reason = "no active asset; declare some in the assets file or add them with `financehub assets add`"
        return HealthCheck("assets", HealthStatus.DEGRADED, reason)
    return HealthCheck("assets", HealthStatus.OK, f"{count} active", {"active": count})


def _check_dataset(dataset: str, snapshot: FleetSnapshot) -> HealthCheck:
    name, limit = f"data:{dataset}", snapshot.limits[dataset]
    delivered_at = {provider: at for (known, provider), at in snapshot.last_success.items() if known == dataset}
    error = snapshot.task_errors.get(DATASETS.get(dataset, ""), "")
    suffix = f"; last error: {error}" if error and NO_UPSTREAM not in error else ""  # see `_check_network`
    if not delivered_at:
        return HealthCheck(name, HealthStatus.DEGRADED, f"never fetched{suffix}")
    provider, at = max(delivered_at.items(), key=lambda item: item[1])
    age = max(0.0, snapshot.now - at)
    details = {"age_seconds": round(age, 1), "limit_seconds": limit, "provider": provider}
    if age > limit:
        reason = (
            f"stale: last delivered {format_duration(age)} ago by {provider}; "
            f"the limit is {format_duration(limit)}{suffix}"
        )
        return HealthCheck(name, HealthStatus.DEGRADED, reason, details)
    return HealthCheck(name, HealthStatus.OK, f"{format_duration(age)} old, from {provider}", details)
