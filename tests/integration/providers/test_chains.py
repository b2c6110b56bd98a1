"""Chains over several fetches: budgets, breakers, the USDT rate, Redis away, everything down."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
import redis
import structlog

from financehub_shared.breaker import force_open, list_breakers
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.models import Asset, AssetType
from financehub_shared.core.settings import load_settings
from financehub_shared.market.quality.quotes import validate_quote
from financehub_shared.providers.failover import QuoteReport, fetch_quotes
from financehub_shared.providers.registry import Providers, build_providers
from financehub_simulator.testing import RunningSimulator
from support.failure_modes import providers_for
from support.redis_server import RedisServer

BTC, ETH = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin"), Asset("ETH-USD", AssetType.CRYPTO, "Ethereum")
AAPL = Asset("AAPL", AssetType.STOCK, "Apple Inc.")
ALL_CRYPTO = ("binance", "coingecko", "kraken")


@pytest.fixture(scope="module")
def _simulator() -> Iterator[RunningSimulator]:
    with RunningSimulator(limited=False) as running:
        yield running


@pytest.fixture
def simulator(_simulator: RunningSimulator) -> RunningSimulator:
    """A simulator without faults and limits."""
    _simulator.reset()
    return _simulator


async def fetch(providers: Providers, *assets: Asset) -> QuoteReport:
    clock = SystemClock()
    chain = providers.quotes[assets[0].type]
    return await fetch_quotes(chain, assets, {}, clock.monotonic() + 30, clock, validate_quote)


def sent(simulator: RunningSimulator, upstream: str) -> int:
    return sum(simulator.requests(upstream).values())


async def test_an_open_breaker_sends_nothing_and_the_next_provider_answers(
    simulator: RunningSimulator, redis_url: str, redis_client: redis.Redis
):
    """A breaker opened by hand keeps every request from its upstream; the note names it."""
    force_open(redis_client, "binance")
    async with providers_for(simulator, redis_url) as providers:
        report = await fetch(providers, BTC)
    assert report.quotes["BTC-USD"].provider == "simulated/coingecko"
    assert report.quotes["BTC-USD"].note == "simulated/binance: breaker-open"
    assert sent(simulator, "binance") == 0


async def test_failures_of_the_fleet_open_the_breaker(
    simulator: RunningSimulator, redis_url: str, redis_client: redis.Redis
):
    """Five failures, spread over two processes, are enough; the sixth fetch sends nothing."""
    simulator.fault("server-error", "binance")
    async with providers_for(simulator, redis_url) as one, providers_for(simulator, redis_url) as two:
        for process in (one, two, one, two, one):
            await fetch(process, BTC)
        before = sent(simulator, "binance")
        report = await fetch(two, BTC)
    assert before == 5
    assert sent(simulator, "binance") == 5
    assert report.failures["BTC-USD"]["simulated/binance"] == "breaker-open"
    assert {info.upstream: info.state for info in list_breakers(redis_client)}["binance"] == "open"


async def test_a_budget_that_is_used_up_sends_nothing(simulator: RunningSimulator, redis_url: str):
    """Finnhub's 60 a minute serve 60 symbols of 70; the others are missing for that reason and cost no request."""
    assets = [Asset(f"STK{n:04d}", AssetType.STOCK) for n in range(1, 71)]
    async with providers_for(simulator, redis_url, FINANCEHUB_STOCK_PROVIDERS="finnhub") as providers:
        report = await fetch(providers, *assets)
    assert (len(report.quotes), sent(simulator, "finnhub")) == (60, 60)
    assert set(report.missing.values()) == {"simulated/finnhub: quota"}
    assert report.retry_after is not None
    assert report.retry_after > 0


async def test_binance_is_heard_on_what_it_has_counted(redis_url: str):
    """Weight used by another program on our address counts against our budget, through Binance's own header."""
    import httpx

    pairs = ",".join(f'"SIM{n:04d}USDT"' for n in range(1, 102))
    assets = [Asset(f"SIM{n:04d}-USD", AssetType.CRYPTO) for n in range(1, 121)]
    order = {"FINANCEHUB_CRYPTO_PROVIDERS": "binance"}
    # Binance counts by the minute of its clock, which stands still here: at a full minute it would begin anew.
    at = time.time()
    with RunningSimulator(limited=False, now=lambda: at) as binance:
        async with httpx.AsyncClient() as other:
            for _ in range(74):
                await other.get(binance.url("binance") + "/api/v3/ticker/24hr", params={"symbols": f"[{pairs}]"})
        async with providers_for(binance, redis_url, **order) as providers:
            first = await fetch(providers, *assets)
            second = await fetch(providers, *assets)
    assert len(first.quotes) == 120
    assert set(second.missing.values()) == {"simulated/binance: quota"}


async def test_when_nobody_tells_the_rate_binance_does_not_answer_in_usd(simulator: RunningSimulator, redis_url: str):
    """Without a USDT rate from anywhere the chain fails rather than store USDT as USD."""
    for upstream in ("kraken", "coingecko"):
        simulator.fault("server-error", upstream)
    async with providers_for(simulator, redis_url) as providers:
        report = await fetch(providers, BTC)
    assert report.quotes == {}
    assert report.missing["BTC-USD"] == (
        "simulated/binance: upstream; simulated/coingecko: upstream; simulated/kraken: upstream"
    )


async def test_the_rate_is_kept_while_its_sources_are_down(simulator: RunningSimulator, redis_url: str):
    """Once known, the rate outlives an outage of Kraken and CoinGecko, and costs no further request."""
    async with providers_for(simulator, redis_url) as providers:
        await fetch(providers, BTC)
        for upstream in ("kraken", "coingecko"):
            simulator.fault("server-error", upstream)
        report = await fetch(providers, BTC, ETH)
    assert {quote.provider for quote in report.quotes.values()} == {"simulated/binance"}
    assert sent(simulator, "kraken") == 1


async def test_the_conversion_is_that_of_the_note(simulator: RunningSimulator, redis_url: str):
    """A price that Binance quotes in USDT and one that CoinGecko quotes in USD agree within 1 %."""
    async with providers_for(simulator, redis_url) as providers:
        by_binance = (await fetch(providers, BTC)).quotes["BTC-USD"]
        simulator.fault("server-error", "binance")
        by_coingecko = (await fetch(providers, BTC)).quotes["BTC-USD"]
    assert abs(by_binance.price / by_coingecko.price - 1) < Decimal("0.01")
    assert "USD per USDT (simulated/kraken)" in by_binance.note


async def test_all_providers_down_leaves_a_report_with_every_reason(simulator: RunningSimulator, redis_url: str):
    """Nothing is delivered, every provider's reason is there, and the shortest Retry-After.

    Kraken and CoinGecko were asked for the USDT rate first, so their breakers are open when the chain comes to them.
    """
    for upstream in ALL_CRYPTO:
        simulator.fault("unavailable", upstream, retry_after=40 if upstream == "binance" else 20)
    async with providers_for(simulator, redis_url) as providers:
        report = await fetch(providers, BTC)
    assert report.quotes == {}
    assert report.missing["BTC-USD"] == (
        "simulated/binance: upstream; simulated/coingecko: breaker-open; simulated/kraken: breaker-open"
    )
    assert report.retry_after is not None
    assert 19 < report.retry_after < 26
    assert report.summary().missing_count == 1


async def test_without_redis_a_fetch_goes_on(simulator: RunningSimulator, redis_server: Callable[[], RedisServer]):
    """Budgets and breakers of this process alone serve while Redis is away."""
    server = redis_server()
    async with providers_for(simulator, server.url) as providers:
        server.kill()
        report = await fetch(providers, BTC)
    assert report.quotes["BTC-USD"].provider == "simulated/binance"


async def test_no_key_appears_in_any_log_error_or_url(
    simulator: RunningSimulator, redis_url: str, caplog: pytest.LogCaptureFixture
):
    """Whatever goes wrong, the keys are in no log line, report or request line."""
    caplog.set_level("DEBUG")
    keys = {"FINANCEHUB_FINNHUB_API_KEY": "finnhub-SECRET", "FINANCEHUB_COINGECKO_API_KEY": "coingecko-SECRET"}
    orders = {"FINANCEHUB_CRYPTO_PROVIDERS": "coingecko", "FINANCEHUB_STOCK_PROVIDERS": "finnhub"}
    seen = []
    with structlog.testing.capture_logs() as logged:
        async with providers_for(simulator, redis_url, **keys, **orders) as providers:
            for fault in ("unauthorized", "html", "cut", "disconnect", "server-error"):
                simulator.reset()
                simulator.fault(fault, "finnhub")
                simulator.fault(fault, "coingecko")
                seen += [await fetch(providers, AAPL), await fetch(providers, BTC)]
            seen.append(simulator.log())
    assert all(not report.quotes for report in seen[:-1])
    assert "SECRET" not in repr(seen) + repr(logged) + caplog.text


def test_a_key_that_no_header_can_carry_ends_the_start():
    """A key with a line break is a ConfigError that names the variable and never shows the key."""
    settings = load_settings({"FINANCEHUB_FINNHUB_API_KEY": "key\nwith-a-line"})
    with pytest.raises(ConfigError, match="FINANCEHUB_FINNHUB_API_KEY") as caught:
        build_providers(settings, SystemClock(), lambda *_: None, redis_url=None)
    assert "with-a-line" not in str(caught.value)


@pytest.mark.parametrize("environment", [{}, {"FINANCEHUB_FINNHUB_API_KEY": ""}], ids=["no key", "an empty key"])
def test_finnhub_takes_part_only_with_a_key(environment: dict[str, str]):
    """Without a key the stock chain is Yahoo alone."""
    providers = build_providers(load_settings(environment), SystemClock(), lambda *_: None, redis_url=None)
    assert [provider.name for provider in providers.quotes[AssetType.STOCK]] == ["yahoo"]
