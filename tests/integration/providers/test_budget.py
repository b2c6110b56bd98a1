"""Tests of a budget that several processes share in Redis."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from financehub_shared.budget import Budget, Limit, sliding_window
from financehub_shared.budget.usage import read_budgets
from financehub_shared.core.clock import ManualClock, SystemClock
from financehub_shared.core.errors import QuotaExceededError
from financehub_shared.metrics.families import BudgetFigures, budget_metrics
from financehub_shared.redis.scripts import RedisScripts
from support.redis_server import PATIENT_SECONDS

GREEDY = """
import asyncio, sys
from functools import partial
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import QuotaExceededError
from financehub_shared.budget import Budget
from financehub_shared.redis.client import connect, connect_async
from financehub_shared.redis.scripts import RedisScripts

async def main():
    # The timeout is long, so that no process falls back to its local share.
    clients = [partial(build, sys.argv[1], timeout=30) for build in (connect, connect_async)]
    scripts = RedisScripts(*clients, SystemClock(), timeout_seconds=30)
    budget, spent = Budget("upstream", [(600, 100), (86_400, 150)], scripts, SystemClock()), 0
    try:
        while True:
            await budget.spend(3)
            spent += 3
    except QuotaExceededError:
        print(spent)
    await scripts.aclose()

asyncio.run(main())
"""


def test_budget_of_several_processes_stays_within_the_limit(redis_url: str):
    """Four processes that spend as much as they can get exactly the limit in total."""
    command = [sys.executable, "-c", GREEDY, redis_url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    taken = [int(process.communicate(timeout=150)[0]) for process in processes]
    assert sum(taken) == 99


async def test_correct_with_a_higher_count_of_the_upstream_applies_to_all(redis_url: str):
    """A higher count in a header than ours is applied to all processes, and a lower count changes nothing."""
    scripts = RedisScripts.of_url(redis_url, SystemClock(), timeout_seconds=PATIENT_SECONDS)
    one, other = (Budget("binance", [(60, 6_000)], scripts, SystemClock()) for _ in range(2))
    await one.spend(4)
    await one.correct(2)
    await other.spend(5_996)
    with pytest.raises(QuotaExceededError):
        await one.spend(1)
    fresh, sharing = (Budget("kraken", [(60, 6_000)], scripts, SystemClock()) for _ in range(2))
    await fresh.spend(4)
    await fresh.correct(5_990)
    await sharing.spend(10)
    with pytest.raises(QuotaExceededError) as caught:
        await sharing.spend(1)
    assert 0 < (caught.value.retry_after or 0) <= 63
    await scripts.aclose()


async def test_spend_with_several_windows_costs_one_command(redis_url: str, redis_client: "redis.Redis"):
    """Minute, day and month are checked and spent by a single command."""
    scripts = RedisScripts.of_url(redis_url, SystemClock(), timeout_seconds=PATIENT_SECONDS)
    budget = Budget("upstream", [(60, 1_000), (86_400, 1_000), (2_592_000, 1_000)], scripts, SystemClock())
    await budget.spend()
    redis_client.config_resetstat()
    for _ in range(50):
        await budget.spend()
    stats = redis_client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 50
    assert "cmdstat_eval" not in stats
    await scripts.aclose()


WINDOWS = [(600, 100), (86_400, 150)]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(weights=st.lists(st.integers(1, 60), max_size=12))
async def test_read_budgets_equals_what_was_spent(redis_url: str, redis_client: "redis.Redis", weights: list[int]):
    """After any calls of `spend`, every process's counts equal those of the Python function, and reading spends
    nothing.
    """
    redis_client.flushdb()
    scripts = RedisScripts.of_url(redis_url, SystemClock(), timeout_seconds=PATIENT_SECONDS)
    # The clock does not advance during a wait, so an exhausted window refuses immediately.
    spending = Budget("upstream", WINDOWS, scripts, ManualClock(), max_wait_seconds=0)
    limits = [Limit(*window) for window in WINDOWS]
    spent: list[dict[int, int]] = [{}, {}]
    for weight in weights:
        now = int(time.time() * 1_000)
        fits = all(sliding_window.wait(of, now, limit, weight) == 0 for of, limit in zip(spent, limits, strict=True))
        if fits:
            spent = [sliding_window.spend(of, now, limit, weight) for of, limit in zip(spent, limits, strict=True)]
            await spending.spend(weight)
        else:
            with pytest.raises(QuotaExceededError):
                await spending.spend(weight)
        used = [sliding_window.used(of, now, limit) for of, limit in zip(spent, limits, strict=True)]
        for _ in range(2):
            assert read_budgets(redis_client, spending.windows) == [
                BudgetFigures("upstream", "600s", used[0], 100),
                BudgetFigures("upstream", "86400s", used[1], 150),
            ]
    scripts.close()
    await scripts.aclose()


async def test_read_budgets_creates_and_extends_no_key(redis_url: str, redis_client: "redis.Redis"):
    """A key that is no longer used expires, no matter how often it is scraped."""
    scripts = RedisScripts.of_url(redis_url, SystemClock(), timeout_seconds=PATIENT_SECONDS)
    budget = Budget("upstream", WINDOWS, scripts, SystemClock())
    assert [one.used for one in read_budgets(redis_client, budget.windows)] == [0, 0]
    assert redis_client.keys("*") == []
    await budget.spend(3)
    for key in redis_client.keys("*"):
        redis_client.pexpire(key, 60_000)
    assert [one.used for one in read_budgets(redis_client, budget.windows)] == [3, 3]
    ttls = [redis_client.pttl(key) for key in redis_client.keys("*")]
    assert len(ttls) == 2
    assert all(0 < ttl <= 60_000 for ttl in ttls)
    await scripts.aclose()


async def test_read_budgets_without_redis_raises_and_does_not_affect_calls(
    redis_url: str, redis_client: "redis.Redis", tmp_path: Path
):
    """Without Redis, a scrape raises an error and does not report 0. The process's calls still spend in Redis."""
    scripts = RedisScripts.of_url(redis_url, SystemClock(), timeout_seconds=PATIENT_SECONDS)
    budget = Budget("upstream", WINDOWS, scripts, SystemClock())
    with pytest.raises(redis.ConnectionError):
        read_budgets(redis.Redis.from_url(f"unix://{tmp_path}/nobody.sock"), budget.windows)
    await budget.spend(3)
    assert [one.used for one in read_budgets(redis_client, budget.windows)] == [3, 3]
    await scripts.aclose()


def test_budget_metrics_have_one_series_per_window():
    """The series for use and limit have the labels upstream and window."""
    figures = [BudgetFigures("binance", "60s", 7, 6_000), BudgetFigures("rss:Wire", "60s", 1, 4)]
    series = {
        (sample.name, *sample.labels.values()): sample.value
        for family in budget_metrics(figures)
        for sample in family.samples
    }
    assert series == {
        ("financehub_provider_budget_used_units", "binance", "60s"): 7,
        ("financehub_provider_budget_limit_units", "binance", "60s"): 6_000,
        ("financehub_provider_budget_used_units", "rss:Wire", "60s"): 1,
        ("financehub_provider_budget_limit_units", "rss:Wire", "60s"): 4,
    }


@pytest.mark.parametrize(
    "damage", [b"?", b"", b"1:", b":5", b"a:b", b"\xff", b"9" * 400 + b":1", b"7:" + b"9" * 400, None]
)
async def test_budget_with_a_damaged_entry_continues_and_affects_no_other(
    redis_url: str, redis_client: "redis.Redis", damage: bytes | None
):
    """A damaged entry counts as missing for calls and for metrics, and other upstreams are not affected (S8)."""
    scripts = RedisScripts.of_url(redis_url, SystemClock(), timeout_seconds=PATIENT_SECONDS)
    damaged, other = (Budget(name, [(86_400, 5)], scripts, SystemClock()) for name in ("damaged", "other"))
    await damaged.spend(3)
    (key,) = redis_client.keys("*")
    if damage is None:
        redis_client.delete(key)
        redis_client.rpush(key, "x")
        assert [one.used for one in read_budgets(redis_client, damaged.windows)] == [0]
    else:
        redis_client.hset(key, "spare", damage)
    await damaged.spend(2)
    await other.spend(5)
    assert [one.used for one in read_budgets(redis_client, [*damaged.windows, *other.windows])] == [
        2 if damage is None else 5,
        5,
    ]
    with pytest.raises(QuotaExceededError):
        await other.spend(1)
    await scripts.aclose()
