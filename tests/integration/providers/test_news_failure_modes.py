"""The failure table for news and daily bars: every failure mode of feeds, GDELT and Binance's klines."""

import time
from array import array
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.quality.full_reads import next_full_read
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.providers.build import Providers
from financehub_shared.providers.news_fetcher import NewsReport, fetch_news
from financehub_simulator.faults import FAULTS
from support.failure_modes import SHORT_READ_TIMEOUT, SLOW, breaker_effect, providers_for, spent_units
from support.simulator import RunningSimulator

BTC = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin")


@dataclass(frozen=True)
class Row:
    """One failure mode of a news upstream, with its error and its effect on the breaker. The other upstream works."""

    upstream: str
    fault: str
    kind: str
    breaker: str = "counted"
    parameters: dict[str, Any] = field(default_factory=dict)


def common(upstream: str) -> list[Row]:
    return [
        Row(upstream, "rate-limited", "rate-limited", "opened", {"retry_after": 30}),
        Row(upstream, "server-error", "upstream"),
        Row(upstream, "unavailable", "upstream", "opened", {"retry_after": 5}),
        Row(upstream, "html", "malformed"),
        Row(upstream, "slow", "timeout", "counted", SLOW),
        Row(upstream, "cut", "upstream"),
        Row(upstream, "disconnect", "upstream"),
        Row(upstream, "blank", "malformed"),
        Row(upstream, "oversized", "malformed"),
        Row(upstream, "zip-bomb", "malformed"),
        Row(upstream, "empty", "not-found", "unaffected"),
    ]


ROWS = [
    *common("rss"),
    Row("rss", "forbidden", "blocked"),
    Row("rss", "entity-bomb", "malformed"),
    # a feed that ends within an article still has the articles before it
    Row("rss", "truncated", "", "unaffected"),
    *common("gdelt"),
    Row("gdelt", "truncated", "malformed"),
    # one article is lost, and the others are stored
    Row("gdelt", "bad-escape", "", "unaffected"),
]


async def read(providers: Providers) -> NewsReport:
    clock = SystemClock()
    return await fetch_news(providers.news, [BTC], None, clock.monotonic() + 90)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.upstream}-{row.fault}")
async def test_news_with_a_failure_have_the_expected_consequences(
    row: Row, simulator: RunningSimulator, redis_url: str, redis_client: redis.Redis
):
    """The report has the source's error, breaker and budget are as expected, and other articles are stored."""
    simulator.set_fault(row.fault, row.upstream, **row.parameters)
    feed = f"{simulator.base_url.removeprefix('http://')}/rss/cnbc"
    environment = {"FINANCEHUB_RSS_FEEDS": f"http://{feed}", **(SHORT_READ_TIMEOUT if row.fault == "slow" else {})}
    async with providers_for(simulator, redis_url, **environment) as providers:
        report = await read(providers)
        new = RedisStore(redis_client).put_news(report.items)
    failed = {source.removeprefix("simulated/"): error.kind for source, error in report.failed.items()}
    assert failed == ({{"rss": feed, "gdelt": "gdelt"}[row.upstream]: row.kind} if row.kind else {})
    other = {"rss": "gdelt", "gdelt": "rss"}[row.upstream]
    assert f"simulated/{other}" in report.delivered
    assert new > 0
    name = f"rss:{feed}" if row.upstream == "rss" else "gdelt"
    assert breaker_effect(redis_client, name, row.parameters.get("retry_after")) == row.breaker
    # GDELT's only budget window of 5 s may end while the feeds are read on a busy machine.
    spent = (
        spent_units(redis_client, name) if row.upstream == "rss" else sum(simulator.request_counts("gdelt").values())
    )
    assert spent == 1


def test_table_has_a_row_for_every_fault_of_news():
    """Every failure mode of feeds and GDELT has a row."""
    known = {(u, name) for name, spec in FAULTS.items() for u in spec.upstreams if u in {"rss", "gdelt"}}
    assert known == {(row.upstream, row.fault) for row in ROWS}


async def test_etag_stored_by_one_process_is_sent_by_another(redis_url: str):
    """After one process has read and stored a feed, the feed responds with 304 to another process."""
    # at a fixed time, because the simulator publishes new stories as time passes
    at = time.time()
    with RunningSimulator(enforce_rate_limits=False, now=lambda: at) as simulator:
        async with providers_for(simulator, redis_url) as one, providers_for(simulator, redis_url) as two:
            first = await read(one)
            await first.stored()
            second = await read(two)
    assert first.unchanged == []
    assert sorted(second.unchanged) == sorted(one.news[0].sources())


async def test_story_from_several_feeds_is_stored_once(
    simulator: RunningSimulator, redis_url: str, redis_client: redis.Redis
):
    """A story is one article even if it has tracking parameters, a second feed, or a period in its title."""
    store = RedisStore(redis_client)
    async with providers_for(simulator, redis_url) as providers:
        report = await read(providers)
    stored = store.put_news(report.items)
    assert 0 < stored < len(report.items)
    assert len({item.url for item in store.news(limit=1_000)}) == stored


BAR_FAULTS = {
    "rate-limited": "rate-limited",
    "country": "blocked",
    "server-error": "upstream",
    "html": "malformed",
    "slow": "timeout",
    "cut": "upstream",
    "oversized": "malformed",
    "zip-bomb": "malformed",
    "missing": "not-found",
}


@pytest.mark.parametrize(("fault", "kind"), BAR_FAULTS.items())
async def test_bars_with_failed_klines_report_the_reason(
    fault: str, kind: str, simulator: RunningSimulator, redis_url: str
):
    """A klines failure is reported by symbol and provider, and the bars may be fetched again."""
    parameters, environment = (SLOW, SHORT_READ_TIMEOUT) if fault == "slow" else ({}, {})
    simulator.set_fault(fault, "binance", **parameters)
    async with providers_for(simulator, redis_url, FINANCEHUB_BAR_PROVIDERS="binance", **environment) as providers:
        wanted = providers.bars.plan([BTC], {}, {}, 10)
        report = await providers.bars.fetch([BTC], wanted, SystemClock().monotonic() + 90)
        assert report.missing["BTC-USD"].startswith(f"simulated/binance: {kind}: ")
        assert providers.bars.plan([BTC], {}, {}, 10) == wanted


async def test_bars_are_fetched_once(simulator: RunningSimulator, redis_url: str, redis_client: redis.Redis):
    """Ten days take one request on a cold start and none when warm. A day later only that day is fetched."""
    store, clock = RedisStore(redis_client), SystemClock()
    async with providers_for(simulator, redis_url, FINANCEHUB_BAR_PROVIDERS="binance") as providers:
        for expected in (1, 1):
            wanted = providers.bars.plan([BTC], store.last_days(["BTC-USD"]), store.full_reads(["BTC-USD"]), 10)
            report = await providers.bars.fetch([BTC], wanted, clock.monotonic() + 90)
            store.put_bars(answer.bars for answer in report.answers.values())
            store.put_full_reads({"BTC-USD": next_full_read("BTC-USD", clock.now(), is_settled=True)})
            assert simulator.request_counts("binance") == {"/api/v3/klines": expected}
    bars = store.bars(["BTC-USD"])["BTC-USD"]
    today = int(clock.now() // 86_400)
    assert bars.days == array("i", range(today - 10, today))
    assert bars.provider == "simulated/binance"
