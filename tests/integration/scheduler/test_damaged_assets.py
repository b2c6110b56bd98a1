"""Tests of the scheduler with asset records in Redis that cannot be read (D13)."""

from pathlib import Path

import pytest
import redis

from financehub_scheduler.declared_assets import DeclaredAssets
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from support.schedules import schedule

NEWER = b'{"type":"option","name":"","currency":"USD"}'


@pytest.fixture
def assets(redis_client: redis.Redis, tmp_path: Path) -> DeclaredAssets:
    """The assets of a file that declares two coins, after the first step."""
    file = tmp_path / "assets.yaml"
    file.write_text("assets:\n  - {symbol: BTC-USD, type: crypto}\n  - {symbol: ETH-USD, type: crypto}\n")
    assets = DeclaredAssets(RedisStore(redis_client), file)
    assert assets.step()
    return assets


def test_step_with_a_damaged_declared_asset_writes_it_again(assets: DeclaredAssets, redis_client: redis.Redis):
    """The next step repairs a declared asset, as the message about it promises, and does not change anything else."""
    intact = redis_client.hgetall(keys.ASSETS)
    redis_client.hset(keys.ASSETS, "ETH-USD", b"?")
    redis_client.hset(keys.ASSETS, "BY-HAND", b"?")
    assert [assets.step(), assets.step(), assets.step()] == [True, False, False]
    assert redis_client.hgetall(keys.ASSETS) == intact | {b"BY-HAND": b"?"}


def test_step_after_the_removal_of_a_newer_record_writes_the_declared_asset(
    assets: DeclaredAssets, redis_client: redis.Redis
):
    """A newer release's record stays until a person removes it. Then the file's asset takes its place."""
    intact = redis_client.hget(keys.ASSETS, "ETH-USD")
    redis_client.hset(keys.ASSETS, "ETH-USD", NEWER)
    for _ in range(3):
        assets.step()
    assert redis_client.hget(keys.ASSETS, "ETH-USD") == NEWER
    RedisStore(redis_client).remove_assets(["ETH-USD"])
    for _ in range(2):
        assets.step()
    assert redis_client.hget(keys.ASSETS, "ETH-USD") == intact


def test_schedule_that_names_an_unreadable_asset_still_runs(assets: DeclaredAssets, redis_client: redis.Redis):
    """A schedule of several symbols is not refused because the record of one of them cannot be read."""
    named = schedule(task="fetch_crypto_prices_task", kwargs={"symbols": ["BTC-USD", "ETH-USD"]})
    redis_client.hset(keys.ASSETS, "ETH-USD", NEWER)
    assets.step()
    assert assets.argument_problem(named) == ""
