"""The checks themselves: pure functions from what was seen to what it means."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from financehub_shared.core.catalog import Tier, wait_target
from financehub_shared.core.models import AssetType
from financehub_shared.health.periods import DATASETS
from financehub_shared.health.report import Check, HealthReport, Status
from financehub_shared.health.workers import ProcessInfo
from financehub_shared.metrics import QueueFigures

SCHEDULER = "scheduler"
#: Seconds after which an upstream that nobody has asked again is not needed: the longest period of the shipped tasks.
#: A fallback that failed once beside a sound first choice would else be a fault for ever.
UNASKED_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class BreakerView:
    """One circuit breaker, as the checks see it.

    Args:
        upstream: its name.
        state: `closed`, `open` or `half-open`.
        reason: the last failure, or why it is not closed.
        may_probe_at: from when on the next call asks the upstream again, Unix seconds; None: closed, or open by hand.
    """

    upstream: str
    state: str
    reason: str
    may_probe_at: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the checks look at, seen at one time.

    Args:
        now: Unix seconds.
        redis_error: why Redis did not answer; empty if it did, and nothing else of the snapshot holds otherwise.
        redis_seconds: how long it took to answer.
        failures: what else could not be looked at → why (`store: …`).
        queues: figures of every queue.
        processes: who is alive.
        breakers: circuit breakers of the upstreams.
        symbols: of the active assets, by type.
        last_success: (dataset, provider) → Unix seconds.
        wanted: datasets that should be there.
        limits: dataset → age in seconds at which it is stale.
        overdue: datasets that should have been fetched by now.
        task_errors: task → its newest error, if that is newer than its newest success.
        tiers: which tiers should have a worker, by their queues.
        idle_tiers: which of them need none while nothing waits for one.
    """

    now: float
    redis_error: str = ""
    redis_seconds: float = 0.0
    failures: Mapping[str, str] = field(default_factory=dict)
    queues: Sequence[QueueFigures] = ()
    processes: Sequence[ProcessInfo] = ()
    breakers: Sequence[BreakerView] = ()
    symbols: Mapping[AssetType, Sequence[str]] = field(default_factory=dict)
    last_success: Mapping[tuple[str, str], float] = field(default_factory=dict)
    wanted: Iterable[str] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    overdue: Collection[str] = frozenset(DATASETS)
    task_errors: Mapping[str, str] = field(default_factory=dict)
    tiers: Sequence[str] = tuple(Tier)
    idle_tiers: Sequence[str] = ()

    @property
    def fleet(self) -> Mapping[str, Sequence[ProcessInfo]]:
        """Tier → its live workers: those that should have one, then others that have."""
        workers = [one for one in self.processes if one.tier != SCHEDULER]
        others = {one.tier for one in workers if not {one.tier, *one.queues} & {*self.tiers}}
        return {
            tier: [one for one in workers if tier in (one.tier, *one.queues)] for tier in (*self.tiers, *sorted(others))
        }


def evaluate(seen: Snapshot) -> HealthReport:
    """What was seen, judged."""
    if seen.redis_error:
        return HealthReport.of([Check("redis", Status.DOWN, seen.redis_error)], seen.now)
    milliseconds = round(seen.redis_seconds * 1_000, 1)
    checks = [Check("redis", Status.OK, f"answered in {milliseconds} ms", {"milliseconds": milliseconds})]
    checks += [Check(name, Status.DEGRADED, f"not looked at: {why}") for name, why in sorted(seen.failures.items())]
    checks += [_queue(queue) for queue in seen.queues]
    checks += _tiers(seen)
    checks.append(_scheduler(seen.processes))
    checks += [_provider(breaker, seen.now) for breaker in seen.breakers]
    if "store" not in seen.failures:
        checks.append(_assets(sum(map(len, seen.symbols.values()))))
        checks += freshness(seen).values()
    return HealthReport.of(checks, seen.now)


def freshness(seen: Snapshot) -> dict[str, Check]:
    """Dataset that should be there → whether it is fresh."""
    return {dataset: _freshness(dataset, seen) for dataset in sorted(set(seen.wanted))}


def stale(seen: Snapshot) -> dict[str, bool]:
    """Dataset that should be there → whether somebody should be told, which the metrics take from here.

    As the report says, except that what was never fetched and is not overdue is on its way.
    """
    fetched = {dataset for dataset, _ in seen.last_success}
    return {
        dataset: check.status is not Status.OK and (dataset in fetched or dataset in seen.overdue)
        for dataset, check in freshness(seen).items()
    }


def _queue(queue: QueueFigures) -> Check:
    limit = wait_target(queue.queue)
    states = ("ready", "in_flight", "delayed", "dead", "orphaned")
    details = {state: getattr(queue, state) for state in states}
    age = queue.oldest_age_seconds
    name = f"queue:{queue.queue}"
    if age > limit:
        reason = f"the oldest of {queue.ready} waiting messages has waited {_age(age)}; the limit is {_age(limit)}"
        return Check(name, Status.DEGRADED, reason, details)
    if queue.orphaned:
        reason = f"{queue.orphaned} messages are held by workers that are gone; the scheduler's janitor takes them back"
        return Check(name, Status.DEGRADED, reason, details)
    figures = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in details.items())
    return Check(name, Status.OK, figures, details)


def _tiers(seen: Snapshot) -> list[Check]:
    checks = []
    busy_queues = {one.queue for one in seen.queues if one.ready or one.in_flight or one.delayed}
    # one tier gone stops its own tasks; all gone stop everything
    missing = Status.DEGRADED if any(seen.fleet.values()) else Status.DOWN
    for tier, members in seen.fleet.items():
        name = f"tier:{tier}"
        if not members:
            if tier in seen.idle_tiers and tier not in busy_queues:
                checks.append(Check(name, Status.OK, "no worker, and nothing to do"))
            else:
                checks.append(Check(name, missing, "no live worker; its tasks wait in the queue"))
            continue
        busy, threads = sum(one.busy for one in members), sum(one.threads for one in members)
        details = {"workers": len(members), "busy": busy, "threads": threads}
        checks.append(Check(name, Status.OK, f"{len(members)} workers, {busy} of {threads} threads busy", details))
    return checks


def _scheduler(processes: Sequence[ProcessInfo]) -> Check:
    count = sum(one.tier == SCHEDULER for one in processes)
    if not count:
        return Check(SCHEDULER, Status.DEGRADED, "no live scheduler; nothing is enqueued")
    return Check(SCHEDULER, Status.OK, f"{count} alive", {"schedulers": count})


def _provider(breaker: BreakerView, now: float) -> Check:
    name = f"provider:{breaker.upstream}"
    if breaker.state == "closed":
        return Check(name, Status.OK, "circuit breaker closed", {"breaker": breaker.state})
    why = f": {breaker.reason}" if breaker.reason else ""
    if breaker.may_probe_at is not None and (unasked := now - breaker.may_probe_at) > UNASKED_SECONDS:
        reason = f"circuit breaker {breaker.state}, and nobody has asked it for {_age(unasked)}{why}"
        return Check(name, Status.OK, reason, {"breaker": breaker.state})
    return Check(name, Status.DEGRADED, f"circuit breaker {breaker.state}{why}", {"breaker": breaker.state})


def _assets(count: int) -> Check:
    if not count:
        return Check("assets", Status.DEGRADED, "no active asset; declare some in the assets file or add them by CLI")
    return Check("assets", Status.OK, f"{count} active", {"active": count})


def _freshness(dataset: str, seen: Snapshot) -> Check:
    name, limit = f"data:{dataset}", seen.limits[dataset]
    times = {provider: at for (known, provider), at in seen.last_success.items() if known == dataset}
    error = seen.task_errors.get(DATASETS.get(dataset, ""), "")
    why = f"; last error: {error}" if error else ""
    if not times:
        return Check(name, Status.DEGRADED, f"never fetched{why}")
    provider, at = max(times.items(), key=lambda item: item[1])
    age = max(0.0, seen.now - at)
    details = {"age_seconds": round(age, 1), "limit_seconds": limit, "provider": provider}
    if age > limit:
        reason = f"stale: last delivered {_age(age)} ago by {provider}; the limit is {_age(limit)}{why}"
        return Check(name, Status.DEGRADED, reason, details)
    return Check(name, Status.OK, f"{_age(age)} old, from {provider}", details)


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
