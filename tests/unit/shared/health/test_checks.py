"""The health report's checks: which snapshots are ok, degraded or down."""

from dataclasses import replace
from typing import Any

import pytest

from financehub_shared.core.errors import NO_UPSTREAM
from financehub_shared.core.kinds import AssetType
from financehub_shared.health.checks import FleetSnapshot, evaluate
from financehub_shared.health.processes import ProcessInfo
from financehub_shared.health.report import HealthStatus
from financehub_shared.redis.conditions import RedisProblem
from support.health import breaker, queue

NOW = 1_800_000_000.0


def live(*tiers: str) -> list[ProcessInfo]:
    """Return one live process per tier."""
    return [ProcessInfo(f"w-{tier}", tier, "host", 1, NOW, NOW, (tier,), 4, 1) for tier in tiers]


HEALTHY = FleetSnapshot(
    NOW,
    redis_seconds=0.001,
    queues=[queue("high"), queue("medium"), queue("low")],
    processes=live("high", "medium", "low", "scheduler"),
    breakers=[breaker("binance", "closed")],
    symbols={AssetType.CRYPTO: ["BTC-USD"], AssetType.STOCK: ["AAPL"]},
    last_success={("quotes:crypto", "binance"): NOW - 60},
    expected=["quotes:crypto"],
    limits={"quotes:crypto": 330.0},
)

NO_NETWORK = f"TaskFailedError: no quote of 20 crypto assets: {NO_UPSTREAM}"
DOWN = "ConnectionError: binance: timeout: no answer in 10 s; kraken: upstream: 502"
CASES: dict[str, tuple[FleetSnapshot, HealthStatus, str]] = {
    "everything is healthy": (HEALTHY, HealthStatus.OK, ""),
    "no upstream is reached": (
        replace(HEALTHY, task_errors={"fetch_crypto_prices_task": NO_NETWORK}),
        HealthStatus.DEGRADED,
        f"network: {NO_UPSTREAM} (fetch_crypto_prices_task)",
    ),
    "Redis is unavailable": (
        replace(HEALTHY, redis_error="Redis does not answer: timed out"),
        HealthStatus.DOWN,
        "redis: Redis does not",
    ),
    "Redis is full": (
        replace(HEALTHY, redis_problems=[RedisProblem("queues", "full", "the queue Redis is full; free memory", True)]),
        HealthStatus.DOWN,
        "redis: the queue Redis is full; free memory",
    ),
    "Redis may evict keys": (
        replace(HEALTHY, redis_problems=[RedisProblem("data", "eviction", "the data Redis evicts; set noeviction")]),
        HealthStatus.DEGRADED,
        "redis:data:eviction: the data Redis evicts; set noeviction",
    ),
    "heartbeats cannot be written": (
        replace(HEALTHY, processes=[], heartbeats_lost="Redis does not take heartbeats"),
        HealthStatus.DEGRADED,
        "processes: not checked: Redis does not take heartbeats",
    ),
    "the clock of a worker is wrong": (
        replace(
            HEALTHY,
            processes=[*live("high", "medium", "scheduler"), replace(live("low")[0], clock_skew_seconds=3_600.0)],
        ),
        HealthStatus.DEGRADED,
        "clocks: the clocks of 1 of 4 processes differ from that of Redis; that of low on host is 1h 0m ahead of it",
    ),
    "clocks that differ by less than the limit": (
        replace(HEALTHY, processes=[replace(process, clock_skew_seconds=-5.0) for process in HEALTHY.processes]),
        HealthStatus.OK,
        "",
    ),
    "a tier has no worker": (
        replace(HEALTHY, processes=live("high", "low", "scheduler")),
        HealthStatus.DEGRADED,
        "tier:medium: no live worker",
    ),
    "a queue with waiting messages has no worker (Q15)": (
        replace(HEALTHY, queues=[*HEALTHY.queues, queue("reports", ready=7, delayed=1, oldest_age_seconds=90.0)]),
        HealthStatus.DEGRADED,
        "queue:reports: no live worker serves queue 'reports', in which 8 messages wait, the oldest for 1m 30s",
    ),
    "a queue with delayed messages has no worker": (
        replace(HEALTHY, queues=[*HEALTHY.queues, queue("reports", ready=0, delayed=1, oldest_age_seconds=0.0)]),
        HealthStatus.DEGRADED,
        "queue:reports: no live worker serves queue 'reports', in which 1 message waits; start a worker",
    ),
    "a queue with dead letters only has no worker": (
        replace(HEALTHY, queues=[*HEALTHY.queues, queue("reports", ready=0, dead=5, oldest_age_seconds=0.0)]),
        HealthStatus.OK,
        "",
    ),
    "the workers of a tier are shutting down": (
        replace(HEALTHY, processes=[*live("high", "low", "scheduler"), replace(live("medium")[0], draining=True)]),
        HealthStatus.DEGRADED,
        "tier:medium: every worker is shutting down; its tasks wait in the queue",
    ),
    "the only worker of a queue with messages is shutting down": (
        replace(
            HEALTHY,
            queues=[*HEALTHY.queues, queue("reports", ready=7, oldest_age_seconds=90.0)],
            processes=[*HEALTHY.processes, replace(live("reports")[0], draining=True)],
        ),
        HealthStatus.DEGRADED,
        "queue:reports: every worker of queue 'reports' is shutting down, in which 7 messages wait",
    ),
    "a web process does not count as a worker": (
        replace(HEALTHY, processes=[*HEALTHY.processes, replace(live("web")[0], queues=(), threads=0, busy=0)]),
        HealthStatus.OK,
        "",
    ),
    "a tier of a user has no worker": (
        replace(HEALTHY, tiers=["high", "medium", "low", "research"]),
        HealthStatus.DEGRADED,
        "tier:research: no live worker",
    ),
    "a tier of a user serves a queue of another name": (
        replace(
            HEALTHY,
            tiers=["high", "medium", "low", "reports"],
            processes=[*HEALTHY.processes, replace(live("research")[0], queues=("reports",))],
        ),
        HealthStatus.OK,
        "",
    ),
    "a tier that the fleet does not have": (
        replace(HEALTHY, queues=[queue("high")], processes=live("high", "scheduler"), tiers=["high"]),
        HealthStatus.OK,
        "",
    ),
    "a tier is scaled to zero": (
        replace(
            HEALTHY, processes=live("high", "medium", "scheduler"), idle_tiers=["low"], queues=[queue("low", ready=0)]
        ),
        HealthStatus.OK,
        "",
    ),
    "a tier is scaled to zero and its queue is not empty": (
        replace(HEALTHY, processes=live("high", "medium", "scheduler"), idle_tiers=["low"]),
        HealthStatus.DEGRADED,
        "tier:low: no live worker",
    ),
    "no tier has a worker": (
        replace(HEALTHY, processes=live("scheduler")),
        HealthStatus.DOWN,
        "tier:high: no live worker",
    ),
    "no scheduler": (
        replace(HEALTHY, processes=live("high", "medium", "low")),
        HealthStatus.DEGRADED,
        "scheduler: no live scheduler",
    ),
    "backlog": (
        replace(HEALTHY, queues=[queue("high", oldest_age_seconds=300)]),
        HealthStatus.DEGRADED,
        "queue:high: the oldest of 3 waiting messages has waited 5m 0s; the limit is 1m 0s",
    ),
    "the same wait within the target of the low tier": (
        replace(HEALTHY, queues=[queue("low", oldest_age_seconds=300)]),
        HealthStatus.OK,
        "",
    ),
    "a queue with one waiting message is too slow": (
        replace(HEALTHY, queues=[queue("high", ready=1, oldest_age_seconds=300.0)]),
        HealthStatus.DEGRADED,
        "queue:high: the only waiting message has waited 5m 0s; the limit is 1m 0s",
    ),
    "an orphaned message": (
        replace(HEALTHY, queues=[queue("high", orphaned=1)]),
        HealthStatus.DEGRADED,
        "queue:high: 1 orphaned message of dead workers",
    ),
    "orphaned messages": (
        replace(HEALTHY, queues=[queue("high", orphaned=2)]),
        HealthStatus.DEGRADED,
        "queue:high: 2 orphaned messages of dead workers",
    ),
    "only dead letters": (replace(HEALTHY, queues=[queue("high", dead=9)]), HealthStatus.OK, ""),
    "breaker open": (
        replace(HEALTHY, breakers=[breaker("binance", "open", "timeout: no answer in 10 s")]),
        HealthStatus.DEGRADED,
        "provider:binance: circuit breaker open: timeout: no answer in 10 s",
    ),
    "breaker whose probe is not overdue": (
        replace(HEALTHY, breakers=[breaker("binance", "open", "timeout", NOW - 3_600)]),
        HealthStatus.DEGRADED,
        "provider:binance: circuit breaker open: timeout",
    ),
    "breaker of an upstream that is not needed": (
        replace(HEALTHY, breakers=[breaker("finnhub", "open", "timeout", NOW - 3_601)]),
        HealthStatus.OK,
        "",
    ),
    "breaker whose probe never ended": (
        replace(HEALTHY, breakers=[breaker("finnhub", "half-open", "timeout", NOW - 3_601)]),
        HealthStatus.OK,
        "",
    ),
    "stale": (
        replace(
            HEALTHY,
            last_success={("quotes:crypto", "binance"): NOW - 900, ("quotes:crypto", "kraken"): NOW - 720},
            task_errors={"fetch_crypto_prices_task": DOWN},
        ),
        HealthStatus.DEGRADED,
        f"data:quotes:crypto: stale: last delivered 12m 0s ago by kraken; the limit is 5m 30s; last error: {DOWN}",
    ),
    "at the limit": (replace(HEALTHY, last_success={("quotes:crypto", "binance"): NOW - 330}), HealthStatus.OK, ""),
    "one fresh provider": (
        replace(
            HEALTHY, last_success={("quotes:crypto", "binance"): NOW - 9_000, ("quotes:crypto", "kraken"): NOW - 9}
        ),
        HealthStatus.OK,
        "",
    ),
    "never fetched": (replace(HEALTHY, last_success={}), HealthStatus.DEGRADED, "data:quotes:crypto: never fetched"),
    "no assets": (replace(HEALTHY, symbols={}, expected=[]), HealthStatus.DEGRADED, "assets: no active asset"),
    "the data cannot be read": (
        replace(HEALTHY, failures={"store": "timed out"}, symbols={}, expected=[], last_success={}),
        HealthStatus.DEGRADED,
        "store: not checked: timed out",
    ),
    "delivery in the future": (
        replace(HEALTHY, last_success={("quotes:crypto", "binance"): NOW + 60}),
        HealthStatus.OK,
        "",
    ),
}


@pytest.mark.parametrize(("snapshot", "status", "problem"), CASES.values(), ids=CASES)
def test_evaluate_returns_status_and_reason(snapshot: FleetSnapshot, status: HealthStatus, problem: str) -> None:
    """Each snapshot yields the expected status, and the reason is one of the report's problems."""
    report = evaluate(snapshot)
    assert report.status is status
    if problem:
        assert any(reported.startswith(problem) for reported in report.problems), report.problems
    else:
        assert report.problems == []


def test_check_of_a_tier_counts_its_workers_and_threads() -> None:
    """The sentence is right for one worker and for several."""
    checks = {
        check.name: check.reason for check in evaluate(replace(HEALTHY, processes=live("high", "low", "low"))).checks
    }
    assert checks["tier:high"] == "1 worker, 1 of 4 threads busy"
    assert checks["tier:low"] == "2 workers, 2 of 8 threads busy"


def test_dataset_without_a_network_does_not_repeat_the_reason() -> None:
    """The check `network` names the reason once, and the checks of the datasets leave it out."""
    snapshot = replace(HEALTHY, last_success={}, task_errors={"fetch_crypto_prices_task": NO_NETWORK})
    problems = evaluate(snapshot).problems
    assert [problem for problem in problems if NO_UPSTREAM in problem] == [problems[0]]
    assert "data:quotes:crypto: never fetched" in problems


def test_accepted_problem_of_redis_is_in_the_report_of_a_healthy_fleet() -> None:
    """A problem that the operator accepts does not degrade the fleet, and it stays visible. Others still degrade it."""
    problems = [RedisProblem("queues", code, f"{code}; do something") for code in ("aof-off", "eviction")]
    accepted = evaluate(replace(HEALTHY, redis_problems=problems, accepted_problems=["aof-off", "eviction"]))
    assert accepted.status is HealthStatus.OK
    (text,) = [check.reason for check in accepted.checks if check.name == "redis:queues:aof-off"]
    assert text == "accepted by FINANCEHUB_ACCEPTED_REDIS_PROBLEMS: aof-off; do something"
    partly = evaluate(replace(HEALTHY, redis_problems=problems, accepted_problems=["aof-off"]))
    assert partly.status is HealthStatus.DEGRADED
    full = RedisProblem("queues", "full", "the queue Redis is full; free memory", blocking=True)
    stopped = evaluate(replace(HEALTHY, redis_problems=[full], accepted_problems=["full"]))
    assert stopped.status is HealthStatus.DOWN


def test_checks_of_many_queues_find_the_unserved_ones_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any client can create thousands of queues, and each of them would be compared with all others."""
    calls = []
    original: Any = FleetSnapshot.__dict__["unserved_queues"]

    def count(snapshot: FleetSnapshot) -> Any:
        calls.append(1)
        return original.fget(snapshot)

    monkeypatch.setattr(FleetSnapshot, "unserved_queues", property(count))
    report = evaluate(replace(HEALTHY, queues=[queue(f"q{number}", ready=1) for number in range(50)]))
    assert sum("q" in check.name and check.status is HealthStatus.DEGRADED for check in report.checks) >= 50
    assert len(calls) == 1
