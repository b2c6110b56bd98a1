"""A budget that several processes share in Redis."""

import subprocess
import sys

import pytest
import redis

from financehub_shared.clock import SystemClock
from financehub_shared.errors import QuotaExceededError
from financehub_shared.providers.budget import Budget
from financehub_shared.redis_scripts import RedisScripts

GREEDY = """
import asyncio, sys
from functools import partial
from financehub_shared.clock import SystemClock
from financehub_shared.errors import QuotaExceededError
from financehub_shared.providers.budget import Budget
from financehub_shared.redis_client import connect, connect_async
from financehub_shared.redis_scripts import RedisScripts

async def main():
    # Redis is there however long it takes: nobody falls back to a share of its own
    clients = [partial(build, sys.argv[1], timeout=30) for build in (connect, connect_async)]
    scripts = RedisScripts(*clients, SystemClock(), timeout_seconds=30)
    budget, taken = Budget("upstream", [(60, 100), (86_400, 150)], scripts, SystemClock()), 0
    try:
        while True:
            await budget.spend(3)
            taken += 3
    except QuotaExceededError:
        print(taken)
    await scripts.aclose()

asyncio.run(main())
"""


def test_all_processes_together_stay_within_the_limit(redis_url: str):
    """Four greedy processes get the limit between them and not one unit more."""
    command = [sys.executable, "-c", GREEDY, redis_url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    taken = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(taken) == 99


async def test_the_upstreams_own_count_corrects_ours(redis_url: str):
    """A header that counts more than we did is taken over for all; one that counts less changes nothing."""
    scripts = RedisScripts.of_url(redis_url, SystemClock())
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


async def test_a_spend_is_one_command_for_all_windows(redis_url: str, redis_client: "redis.Redis"):
    """Minute, day and month are checked and taken by a single command."""
    scripts = RedisScripts.of_url(redis_url, SystemClock())
    budget = Budget("upstream", [(60, 1_000), (86_400, 1_000), (2_592_000, 1_000)], scripts, SystemClock())
    await budget.spend()
    redis_client.config_resetstat()
    for _ in range(50):
        await budget.spend()
    stats = redis_client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 50
    assert "cmdstat_eval" not in stats
    await scripts.aclose()
