"""Tests of consecutive fetches: budgets, breakers, the USDT rate, and outages of Redis or of all upstreams."""

import time
from collections.abc import Callable
from decimal import Decimal

import pytest
import redis
import structlog

from financehub_shared.breaker import force_open, list_breakers
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.core.settings import load_settings
from financehub_shared.providers.build import Providers, build_providers
from financehub_shared.providers.failover import fetch_quotes
from financehub_shared.providers.quote_report import QuoteReport
from support.failure_modes import providers_for
from support.redis_server import RedisServer
from support.simulator import RunningSimulator

BTC, ETH = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin"), Asset("ETH-USD", AssetType.CRYPTO, "Ethereum")
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
ALL_CRYPTO = ("binance", "coingecko", "kraken")


async def fetch(providers: Providers, *assets: Asset) -> QuoteReport:
    clock = SystemClock()
    order = providers.quotes[assets[0].type]
    return await fetch_quotes(order, assets, {}, {}, clock.monotonic() + 90, clock)


def kinds(report: QuoteReport) -> dict[str, str]:
    """Return provider → kind of its reason why Bitcoin is missing, without the sentence that follows the kind."""
    reasons = {name.removeprefix("simulated/"): why.partition(": ") for name, why in report.failures["BTC-USD"].items()}
    assert all(sentence for _, _, sentence in reasons.values())
    return {name: kind for name, (kind, _, _) in reasons.items()}


def sent(simulator: RunningSimulator, upstream: str) -> int:
    return sum(simulator.request_counts(upstream).values())


async def test_fetch_with_an_open_breaker_uses_the_next_provider(
    simulator: RunningSimulator, redis_url: str, redis_client: redis.Redis
):
    """A breaker that was opened manually blocks every request to its upstream, and the note names it."""
    force_open(redis_client, "binance")
    async with providers_for(simulator, redis_url) as providers:
        report = await fetch(providers, BTC)
    assert report.quotes["BTC-USD"].provider == "simulated/coingecko"
    assert report.quotes["BTC-USD"].note.startswith("simulated/binance: breaker-open: ")
    assert sent(simulator, "binance") == 0


async def test_failures_in_two_processes_open_the_breaker(
    simulator: RunningSimulator, redis_url: str, redis_client: redis.Redis
):
    """Five failures in two processes are enough, and the sixth fetch sends nothing."""
    simulator.set_fault("server-error", "binance")
    async with providers_for(simulator, redis_url) as one, providers_for(simulator, redis_url) as two:
        for process in (one, two, one, two, one):
            await fetch(process, BTC)
        before = sent(simulator, "binance")
        report = await fetch(two, BTC)
    assert before == 5
    assert sent(simulator, "binance") == 5
    assert report.failures["BTC-USD"]["simulated/binance"].startswith("breaker-open: ")
    assert {info.upstream: info.state for info in list_breakers(redis_client)}["binance"] == "open"


async def test_fetch_with_a_used_up_budget_sends_nothing(simulator: RunningSimulator, redis_url: str):
    """Finnhub's budget of 60 per minute covers 60 of 70 symbols. The others are missing with that reason."""
    assets = [Asset(f"STK{n:04d}", AssetType.STOCK) for n in range(1, 71)]
    async with providers_for(simulator, redis_url, FINANCEHUB_STOCK_PROVIDERS="finnhub") as providers:
        report = await fetch(providers, *assets)
    assert (len(report.quotes), sent(simulator, "finnhub")) == (60, 60)
    assert all(why.startswith("simulated/finnhub: quota: the budget of 60 per 60 s") for why in report.missing.values())
    assert report.retry_after is not None
    assert report.retry_after > 0


async def test_weight_used_by_others_counts_against_the_budget(redis_url: str):
    """The weight that another program uses from our IP address counts, because Binance reports it in a header."""
    import httpx

    pairs = ",".join(f'"SIM{n:04d}USDT"' for n in range(1, 102))
    assets = [Asset(f"SIM{n:04d}-USD", AssetType.CRYPTO) for n in range(1, 121)]
    order = {"FINANCEHUB_CRYPTO_PROVIDERS": "binance"}
    # Binance counts per minute of its clock. The clock is stopped because a new minute would reset the count.
    at = time.time()
    with RunningSimulator(enforce_rate_limits=False, now=lambda: at) as binance:
        async with httpx.AsyncClient() as other:
            for _ in range(74):
                await other.get(binance.url("binance") + "/api/v3/ticker/24hr", params={"symbols": f"[{pairs}]"})
        async with providers_for(binance, redis_url, **order) as providers:
            first = await fetch(providers, *assets)
            second = await fetch(providers, *assets)
    assert len(first.quotes) == 120
    reasons = second.missing.values()
    assert all(why.startswith("simulated/binance: quota: the budget of 6000 per 60 s") for why in reasons)


async def test_binance_without_a_usdt_rate_delivers_nothing(simulator: RunningSimulator, redis_url: str):
    """Without a USDT rate the fetch fails, so that no price in USDT is stored as a price in USD."""
    for upstream in ("kraken", "coingecko"):
        simulator.set_fault("server-error", upstream)
    async with providers_for(simulator, redis_url) as providers:
        report = await fetch(providers, BTC)
    assert report.quotes == {}
    assert kinds(report) == dict.fromkeys(("binance", "coingecko", "kraken"), "upstream")


async def test_usdt_rate_is_kept_while_its_sources_fail(simulator: RunningSimulator, redis_url: str):
    """A known rate is still used during an outage of Kraken and CoinGecko, and costs no additional request."""
    async with providers_for(simulator, redis_url) as providers:
        await fetch(providers, BTC)
        for upstream in ("kraken", "coingecko"):
            simulator.set_fault("server-error", upstream)
        report = await fetch(providers, BTC, ETH)
    assert {quote.provider for quote in report.quotes.values()} == {"simulated/binance"}
    assert sent(simulator, "kraken") == 1


async def test_converted_price_agrees_with_a_price_in_usd(simulator: RunningSimulator, redis_url: str):
    """A price that Binance quotes in USDT and one that CoinGecko quotes in USD agree within 1 %."""
    async with providers_for(simulator, redis_url) as providers:
        by_binance = (await fetch(providers, BTC)).quotes["BTC-USD"]
        simulator.set_fault("server-error", "binance")
        by_coingecko = (await fetch(providers, BTC)).quotes["BTC-USD"]
    assert abs(by_binance.price / by_coingecko.price - 1) < Decimal("0.01")
    assert "USD per USDT (simulated/kraken)" in by_binance.note


async def test_fetch_with_all_providers_down_reports_every_reason(simulator: RunningSimulator, redis_url: str):
    """Nothing is delivered. The report has each provider's reason and the shortest Retry-After.

    Kraken and CoinGecko are called for the USDT rate first, so their breakers are open when it is their turn.
    """
    for upstream in ALL_CRYPTO:
        simulator.set_fault("unavailable", upstream, retry_after=40 if upstream == "binance" else 20)
    async with providers_for(simulator, redis_url) as providers:
        report = await fetch(providers, BTC)
    assert report.quotes == {}
    assert kinds(report) == {"binance": "upstream", "coingecko": "breaker-open", "kraken": "breaker-open"}
    assert report.retry_after is not None
    assert 5 < report.retry_after < 26  # what is left of 20 s, whose length varies by a fifth
    assert report.summary().missing_count == 1


async def test_fetch_without_redis_succeeds(simulator: RunningSimulator, redis_server: Callable[[], RedisServer]):
    """While Redis is unavailable, the process uses only its local budgets and breakers."""
    server = redis_server()
    async with providers_for(simulator, server.url) as providers:
        server.kill()
        report = await fetch(providers, BTC)
    assert report.quotes["BTC-USD"].provider == "simulated/binance"


async def test_failures_never_show_api_keys(
    simulator: RunningSimulator, redis_url: str, caplog: pytest.LogCaptureFixture
):
    """Regardless of the failure, no log line, report or request line contains a key."""
    caplog.set_level("DEBUG")
    keys = {"FINANCEHUB_FINNHUB_API_KEY": "finnhub-SECRET", "FINANCEHUB_COINGECKO_API_KEY": "coingecko-SECRET"}
    orders = {"FINANCEHUB_CRYPTO_PROVIDERS": "coingecko", "FINANCEHUB_STOCK_PROVIDERS": "finnhub"}
    outputs = []
    with structlog.testing.capture_logs() as logged:
        async with providers_for(simulator, redis_url, **keys, **orders) as providers:
            for fault in ("unauthorized", "html", "cut", "disconnect", "server-error"):
                simulator.reset()
                simulator.set_fault(fault, "finnhub")
                simulator.set_fault(fault, "coingecko")
                outputs += [await fetch(providers, AAPL), await fetch(providers, BTC)]
            outputs.append(simulator.request_log())
    assert all(not report.quotes for report in outputs[:-1])
    assert "SECRET" not in repr(outputs) + repr(logged) + caplog.text


def test_key_that_a_header_cannot_carry_is_a_config_error():
    """A key with a line break is a ConfigError that names the variable and does not show the key."""
    settings = load_settings({"FINANCEHUB_FINNHUB_API_KEY": "key\nwith-a-line"})
    with pytest.raises(ConfigError, match="FINANCEHUB_FINNHUB_API_KEY") as caught:
        build_providers(settings, SystemClock(), lambda *_: None, redis_url=None)
    assert "with-a-line" not in str(caught.value)


@pytest.mark.parametrize("environment", [{}, {"FINANCEHUB_FINNHUB_API_KEY": ""}], ids=["no key", "an empty key"])
def test_finnhub_without_a_key_is_left_out(environment: dict[str, str]):
    """Without a key, Yahoo is the only provider of stock quotes."""
    providers = build_providers(load_settings(environment), SystemClock(), lambda *_: None, redis_url=None)
    assert [provider.name for provider in providers.quotes[AssetType.STOCK]] == ["yahoo"]
