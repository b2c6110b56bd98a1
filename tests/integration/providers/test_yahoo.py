"""Tests of the real yfinance client with the simulator: number of requests, crumbs, deadlines and imports."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import (
    AuthFailedError,
    MalformedError,
    NotFoundError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    UpstreamError,
)
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.yahoo.provider import Yahoo, YahooLimits
from support.simulator import RunningSimulator
from support.upstream import RecordingBreaker

CLOCK = SystemClock()
QUOTE, CHART, CRUMB, COOKIE = "/v7/finance/quote", "/v8/finance/chart/{symbol}", "/v1/test/getcrumb", "/"
AAPL = Asset("AAPL", AssetType.STOCK)
OCDO = Asset("OCDO.L", AssetType.STOCK, currency="GBP")
TODAY = int(time.time() // 86_400)


@pytest.fixture
def breaker() -> RecordingBreaker:
    return RecordingBreaker()


Build = Callable[..., Yahoo]


@pytest.fixture
async def build(breaker: RecordingBreaker) -> AsyncIterator[Build]:
    """Return a function that builds providers for a base URL. They are closed at the end."""
    made: list[Yahoo] = []

    def one(base_url: str, **limits: float) -> Yahoo:
        bounds: dict[str, Any] = {"connect_seconds": 1.0, "read_seconds": 30.0, "max_bytes": 8_000_000, **limits}
        guard = UpstreamGuard("yahoo", None, breaker, CLOCK, lambda *_: None)
        made.append(Yahoo(guard, base_url, YahooLimits(**bounds), CLOCK, "simulated/yahoo"))
        return made[-1]

    yield one
    for adapter in made:
        await adapter.aclose()


@pytest.fixture
def yahoo(build: Build, simulator: RunningSimulator) -> Yahoo:
    return build(simulator.url("yahoo"))


def within(seconds: float = 60.0) -> float:
    return CLOCK.monotonic() + seconds


async def test_quotes_of_a_thousand_assets_take_eleven_requests(yahoo: Yahoo, simulator: RunningSimulator):
    """Quotes are fetched in batches of 99. The cookie and crumb are fetched once and used by every later request."""
    assets = [Asset(f"S{number}", AssetType.STOCK) for number in range(1_000)]
    batch = await yahoo.fetch_quotes(assets, within())
    assert (len(batch.quotes), batch.missing) == (1_000, {})
    assert simulator.request_counts("yahoo") == {COOKIE: 1, CRUMB: 1, QUOTE: 11}
    assert {entry["symbols"] for entry in simulator.request_log() if entry["endpoint"] == QUOTE} == {99, 10}
    simulator.reset()
    await yahoo.fetch_quotes(assets, within())
    assert simulator.request_counts("yahoo") == {QUOTE: 11}


async def test_quotes_with_missing_symbols_have_a_reason_for_each(yahoo: Yahoo):
    """Unknown and delisted symbols are not found, and the rest of the batch is delivered."""
    assets = [AAPL, Asset("NOPE", AssetType.STOCK), Asset("SI", AssetType.STOCK), OCDO]
    batch = await yahoo.fetch_quotes(assets, within())
    assert set(batch.quotes) == {"AAPL", "OCDO.L"}
    assert {symbol: type(error) for symbol, error in batch.missing.items()} == {
        "NOPE": NotFoundError,
        "SI": NotFoundError,
    }
    assert batch.quotes["OCDO.L"].currency == "GBP"
    assert batch.quotes["OCDO.L"].provider == "simulated/yahoo"


async def test_quotes_with_a_failed_batch_deliver_the_others(yahoo: Yahoo, simulator: RunningSimulator):
    """If one of two requests fails, its symbols are missing with the error, and the other quotes are delivered."""
    assets = [Asset(f"S{number}", AssetType.STOCK) for number in range(120)]
    simulator.set_fault("server-error", "yahoo", endpoint=QUOTE, symbol="S119")
    batch = await yahoo.fetch_quotes(assets, within())
    assert set(batch.quotes) == {f"S{number}" for number in range(99)}
    assert {type(error) for error in batch.missing.values()} == {UpstreamError}


async def test_quotes_with_a_refused_crumb_renew_it_once(yahoo: Yahoo, simulator: RunningSimulator):
    """After one '401 Invalid Crumb' a fresh crumb is fetched and the request is repeated without an error."""
    simulator.set_fault("invalid-crumb", "yahoo", times=1)
    batch = await yahoo.fetch_quotes([AAPL], within())
    assert set(batch.quotes) == {"AAPL"}
    assert simulator.request_counts("yahoo")[QUOTE] == 2
    assert simulator.request_counts("yahoo")[CRUMB] == 2


async def test_quotes_with_an_always_refused_crumb_are_an_auth_error(yahoo: Yahoo, simulator: RunningSimulator):
    """Two consecutive 401 responses cause an AuthFailedError, after two requests."""
    simulator.set_fault("invalid-crumb", "yahoo")
    with pytest.raises(AuthFailedError):
        await yahoo.fetch_quotes([AAPL], within())
    assert simulator.request_counts("yahoo")[QUOTE] == 2


async def test_quotes_without_a_crumb_after_429_are_rate_limited(yahoo: Yahoo, simulator: RunningSimulator):
    """A 429 for the crumb explains the 401 that follows, and its Retry-After is reported."""
    simulator.set_fault("rate-limited", "yahoo", endpoint=CRUMB, retry_after=17)
    with pytest.raises(RateLimitedError) as caught:
        await yahoo.fetch_quotes([AAPL], within())
    assert caught.value.retry_after == 17


async def test_bars_without_a_crumb_are_fetched(yahoo: Yahoo, simulator: RunningSimulator):
    """Bars are fetched even if the crumb is refused with 429."""
    simulator.set_fault("rate-limited", "yahoo", endpoint=CRUMB)
    assert len((await yahoo.fetch_bars(AAPL, TODAY - 30, within())).bars) > 15


@pytest.mark.parametrize(
    ("fault", "error", "retry_after", "counted"),
    [
        ("rate-limited", RateLimitedError, 30, True),
        ("server-error", UpstreamError, None, True),
        ("unavailable", UpstreamError, 5, True),
        ("html", MalformedError, None, True),
        ("will-be-right-back", UpstreamError, None, True),
        ("cut", UpstreamError, None, True),
        ("disconnect", UpstreamError, None, True),
        ("truncated", MalformedError, None, True),
        ("blank", MalformedError, None, True),
        ("oversized", MalformedError, None, True),
        ("zip-bomb", MalformedError, None, True),
        ("empty", NotFoundError, None, False),
        ("missing", NotFoundError, None, False),
        ("wrong-unit", MalformedError, None, True),
    ],
)
async def test_bars_with_a_failed_chart_raise_its_error(
    yahoo: Yahoo,
    simulator: RunningSimulator,
    breaker: RecordingBreaker,
    fault: str,
    error: type[ProviderError],
    retry_after: float | None,
    counted: bool,
):
    """Each chart failure costs one request, raises its error, and counts against the breaker only if expected."""
    simulator.set_fault(fault, "yahoo", endpoint="/v8")
    with pytest.raises(error) as caught:
        await yahoo.fetch_bars(AAPL, TODAY - 30, within())
    assert type(caught.value) is error
    assert caught.value.retry_after == retry_after
    assert caught.value.trips_breaker is counted
    assert breaker.outcomes == [error.kind]
    # curl itself repeats a request if its kept-alive connection is dead
    assert simulator.request_counts("yahoo")[CHART] <= (2 if fault == "disconnect" else 1)


@pytest.mark.parametrize("fault", ["nan", "infinity"])
async def test_bars_with_a_damaged_value_are_delivered(yahoo: Yahoo, simulator: RunningSimulator, fault: str):
    """A NaN in a chart costs only its own bar, and a sentence reports it (D9). The simulator damages one day in ten."""
    expected = (await yahoo.fetch_bars(AAPL, TODAY - 30, within())).bars
    simulator.set_fault(fault, "yahoo", endpoint="/v8")
    answer = await yahoo.fetch_bars(AAPL, TODAY - 30, within())
    assert len(expected) / 2 < len(answer.bars) < len(expected)
    assert len(answer.problems) == len(expected) - len(answer.bars)
    assert {*answer.bars.days} < {*expected.days}


async def test_bars_are_complete_and_in_the_major_unit(yahoo: Yahoo):
    """Bars of a London stock are in pounds, in ascending order from the first day, without today's session."""
    quotes = (await yahoo.fetch_quotes([OCDO], within())).quotes
    answer = await yahoo.fetch_bars(OCDO, TODAY - 30, within())
    bars = answer.bars
    assert list(bars.days) == sorted(set(bars.days))
    assert bars.days[0] >= TODAY - 30
    assert bars.close[-1] == pytest.approx(float(quotes["OCDO.L"].price), rel=0.2)
    assert answer.price == pytest.approx(float(quotes["OCDO.L"].price), rel=0.01)
    assert answer.problems == ()


async def test_bars_are_delivered_with_the_splits_of_their_days(build: Build):
    """A fetch of bars returns the splits of its days. It costs one request, with or without a split."""
    at = 18_508 * 86_400  # three days after AAPL's split on 31 August 2020
    with RunningSimulator(enforce_rate_limits=False, now=lambda: float(at)) as simulator:
        adapter = build(simulator.url("yahoo"))
        adapter._clock = FixedClock(at)
        without = await adapter.fetch_bars(Asset("MSFT", AssetType.STOCK), 18_505, within())
        split = await adapter.fetch_bars(AAPL, 18_505, within())
        assert simulator.request_counts("yahoo")[CHART] == 2
    assert (without.bars.days[0], without.splits) == (18_505, {})
    assert (split.bars.days[0], split.splits) == (18_505, {18_505: 4.0})


class FixedClock(SystemClock):
    """A clock whose wall time does not advance. Its monotonic time does, so deadlines work."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


async def test_slow_upstream_ends_at_the_deadline(yahoo: Yahoo, simulator: RunningSimulator):
    """The caller's deadline applies to curl: a request that would take a minute ends early, as does its thread."""
    await yahoo.fetch_quotes([AAPL], within())
    simulator.set_fault("slow", "yahoo", seconds=60.0)
    started = time.monotonic()
    with pytest.raises(ProviderTimeoutError):
        await yahoo.fetch_quotes([AAPL], within(0.3))
    assert yahoo._threads is not None
    await asyncio.to_thread(yahoo._threads.shutdown)
    assert time.monotonic() - started < 30
    yahoo._threads = None
    with pytest.raises(ProviderTimeoutError):
        await yahoo.fetch_quotes([AAPL], within(-1))


async def test_slow_cookie_ends_at_the_deadline(yahoo: Yahoo, simulator: RunningSimulator):
    """The deadline also applies to the cookie and crumb requests, for which yfinance itself would wait 30 s each."""
    simulator.set_fault("slow", "yahoo", endpoint=CRUMB, seconds=60.0)
    started = time.monotonic()
    with pytest.raises(ProviderError):
        await yahoo.fetch_quotes([AAPL], within(0.5))
    assert time.monotonic() - started < 30


async def test_refused_connection_is_an_upstream_error(build: Build):
    """The error of a refused connection says what to check."""
    with pytest.raises(UpstreamError, match="check the URL and whether the host is up"):
        await build("http://127.0.0.1:9/yahoo").fetch_quotes([AAPL], within())


async def test_slow_upstream_does_not_block_the_event_loop(yahoo: Yahoo, simulator: RunningSimulator):
    """Yfinance blocks a thread but never the event loop."""
    simulator.set_latency(3)
    requests_before = simulator.request_counts("yahoo")
    try:
        fetch = asyncio.create_task(yahoo.fetch_quotes([AAPL], within()))
        while simulator.request_counts("yahoo") == requests_before:  # noqa: ASYNC110 — another thread cannot set an event of this loop
            await asyncio.sleep(0.01)
        # A blocked event loop would reach this line only after the response.
        assert not fetch.done()
        await fetch
    finally:
        simulator.set_latency(0)


FIRST_FETCH = """
import asyncio, json, sys, warnings
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.yahoo.provider import Yahoo, YahooLimits

class Breaker:
    async def acall(self, send):
        return await send()

async def main():
    clock = SystemClock()
    guard = UpstreamGuard("yahoo", None, Breaker(), clock, lambda *_: None)
    yahoo = Yahoo(guard, None, YahooLimits(20, 40, 8_000_000), clock)
    before = [name for name in ("yfinance", "pandas", "curl_cffi") if name in sys.modules]
    batch = await yahoo.fetch_quotes([Asset("AAPL", AssetType.STOCK)], clock.monotonic() + 50)
    after = [name for name in ("yfinance",) if name in sys.modules]
    await yahoo.aclose()
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn_explicit("old", DeprecationWarning, "x.py", 1, module="yfinance.data")
    print(json.dumps({"before": before, "after": after, "quotes": sorted(batch.quotes), "warnings": len(caught)}))

asyncio.run(main())
"""


def test_first_request_of_a_process_imports_yfinance(tmp_path: Path):
    """Only the first request imports yfinance. It writes no file and uses the environment's proxy for the real hosts.

    One process checks all of this, because starting one with yfinance takes seconds on a busy machine.
    """
    with RunningSimulator(enforce_rate_limits=False, ca_directory=tmp_path) as simulator:
        nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "TMPDIR"), "/proc/nowhere")
        environment = {**os.environ, **nowhere, **simulator.proxy_environment}
        command = [sys.executable, "-c", FIRST_FETCH]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert simulator.request_counts("yahoo") == {COOKIE: 1, CRUMB: 1, QUOTE: 1}
    assert json.loads(done.stdout) == {"before": [], "after": ["yfinance"], "quotes": ["AAPL"], "warnings": 0}
