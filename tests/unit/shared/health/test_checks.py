"""What is ok, degraded and down, one row each."""

from dataclasses import dataclass, replace

import pytest

from financehub_shared.core.models import AssetType
from financehub_shared.health.checks import BreakerView, Snapshot, evaluate
from financehub_shared.health.report import Status
from financehub_shared.health.workers import ProcessInfo

NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Queue:
    """Figures of one queue."""

    queue: str = "high"
    ready: int = 3
    in_flight: int = 0
    delayed: int = 0
    dead: int = 0
    orphaned: int = 0
    oldest_age_seconds: float = 1.0


def alive(*tiers: str) -> list[ProcessInfo]:
    """One live process per tier."""
    return [ProcessInfo(f"w-{tier}", tier, "host", 1, NOW, NOW, (tier,), 4, 1) for tier in tiers]


WELL = Snapshot(
    NOW,
    redis_seconds=0.001,
    queues=[Queue("high"), Queue("medium"), Queue("low")],
    processes=alive("high", "medium", "low", "scheduler"),
    breakers=[BreakerView("binance", "closed", "new")],
    symbols={AssetType.CRYPTO: ["BTC-USD"], AssetType.STOCK: ["AAPL"]},
    last_success={("quotes:crypto", "binance"): NOW - 60},
    wanted=["quotes:crypto"],
    limits={"quotes:crypto": 330.0},
)

DOWN = "ConnectionError: binance: timeout: no answer in 10 s; kraken: upstream: 502"
CASES: dict[str, tuple[Snapshot, Status, str]] = {
    "all well": (WELL, Status.OK, ""),
    "redis away": (replace(WELL, redis_error="Redis does not answer: timed out"), Status.DOWN, "redis: Redis does not"),
    "a tier is gone": (
        replace(WELL, processes=alive("high", "low", "scheduler")),
        Status.DEGRADED,
        "tier:medium: no live worker",
    ),
    "a tier of a user is gone": (
        replace(WELL, tiers=["high", "medium", "low", "research"]),
        Status.DEGRADED,
        "tier:research: no live worker",
    ),
    "a tier of a user serves a queue of another name": (
        replace(
            WELL,
            tiers=["high", "medium", "low", "reports"],
            processes=[*WELL.processes, replace(alive("research")[0], queues=("reports",))],
        ),
        Status.OK,
        "",
    ),
    "a tier that the fleet does not have": (
        replace(WELL, processes=alive("high", "scheduler"), tiers=["high"]),
        Status.OK,
        "",
    ),
    "a tier is scaled to zero": (
        replace(
            WELL, processes=alive("high", "medium", "scheduler"), idle_tiers=["low"], queues=[Queue("low", ready=0)]
        ),
        Status.OK,
        "",
    ),
    "a tier is scaled to zero, and work waits": (
        replace(WELL, processes=alive("high", "medium", "scheduler"), idle_tiers=["low"]),
        Status.DEGRADED,
        "tier:low: no live worker",
    ),
    "every tier is gone": (replace(WELL, processes=alive("scheduler")), Status.DOWN, "tier:high: no live worker"),
    "the scheduler is gone": (
        replace(WELL, processes=alive("high", "medium", "low")),
        Status.DEGRADED,
        "scheduler: no live scheduler",
    ),
    "backlog": (
        replace(WELL, queues=[Queue("high", oldest_age_seconds=300)]),
        Status.DEGRADED,
        "queue:high: the oldest of 3 waiting messages has waited 5 min; the limit is 60 s",
    ),
    "the same wait on low is no backlog": (
        replace(WELL, queues=[Queue("low", oldest_age_seconds=300)]),
        Status.OK,
        "",
    ),
    "orphans": (
        replace(WELL, queues=[Queue("high", orphaned=2)]),
        Status.DEGRADED,
        "queue:high: 2 messages are held by workers that are gone",
    ),
    "dead letters alone": (replace(WELL, queues=[Queue("high", dead=9)]), Status.OK, ""),
    "breaker open": (
        replace(WELL, breakers=[BreakerView("binance", "open", "timeout: no answer in 10 s")]),
        Status.DEGRADED,
        "provider:binance: circuit breaker open: timeout: no answer in 10 s",
    ),
    "breaker that may be asked again, and will be": (
        replace(WELL, breakers=[BreakerView("binance", "open", "timeout", NOW - 3_600)]),
        Status.DEGRADED,
        "provider:binance: circuit breaker open: timeout",
    ),
    "breaker of an upstream that nobody needs": (
        replace(WELL, breakers=[BreakerView("finnhub", "open", "timeout", NOW - 3_601)]),
        Status.OK,
        "",
    ),
    "breaker whose probe never ended": (
        replace(WELL, breakers=[BreakerView("finnhub", "half-open", "timeout", NOW - 3_601)]),
        Status.OK,
        "",
    ),
    "stale": (
        replace(
            WELL,
            last_success={("quotes:crypto", "binance"): NOW - 900, ("quotes:crypto", "kraken"): NOW - 720},
            task_errors={"fetch_crypto_prices_task": DOWN},
        ),
        Status.DEGRADED,
        f"data:quotes:crypto: stale: last delivered 12 min ago by kraken; the limit is 6 min; last error: {DOWN}",
    ),
    "at the limit": (replace(WELL, last_success={("quotes:crypto", "binance"): NOW - 330}), Status.OK, ""),
    "one provider fresh is enough": (
        replace(WELL, last_success={("quotes:crypto", "binance"): NOW - 9_000, ("quotes:crypto", "kraken"): NOW - 9}),
        Status.OK,
        "",
    ),
    "never fetched": (replace(WELL, last_success={}), Status.DEGRADED, "data:quotes:crypto: never fetched"),
    "no assets": (replace(WELL, symbols={}, wanted=[]), Status.DEGRADED, "assets: no active asset"),
    "store away": (
        replace(WELL, failures={"store": "timed out"}, symbols={}, wanted=[], last_success={}),
        Status.DEGRADED,
        "store: not looked at: timed out",
    ),
    "clock of the store ahead": (replace(WELL, last_success={("quotes:crypto", "binance"): NOW + 60}), Status.OK, ""),
}


@pytest.mark.parametrize(("seen", "status", "problem"), CASES.values(), ids=CASES)
def test_what_is_seen_decides_the_status_and_the_reason(seen: Snapshot, status: Status, problem: str) -> None:
    """Each case has its status, and its reason is among the problems; without a problem there is none."""
    report = evaluate(seen)
    assert report.status is status
    if problem:
        assert any(one.startswith(problem) for one in report.problems), report.problems
    else:
        assert report.problems == []
