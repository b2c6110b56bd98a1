"""The real yfinance client against the simulator: how many requests, whose crumb, which deadline, what is imported."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
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
from financehub_shared.core.models import Asset, AssetType
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.yahoo.provider import Yahoo, YahooLimits
from financehub_simulator.testing import RunningSimulator
from support.upstream import OpenBreaker

CLOCK = SystemClock()
QUOTE, CHART, CRUMB, COOKIE = "/v7/finance/quote", "/v8/finance/chart/{symbol}", "/v1/test/getcrumb", "/"
AAPL = Asset("AAPL", AssetType.STOCK)
OCDO = Asset("OCDO.L", AssetType.STOCK, currency="GBP")
TODAY = int(time.time() // 86_400)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator(limited=False) as simulator:
        yield simulator


@pytest.fixture
def sim(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


@pytest.fixture
def breaker() -> OpenBreaker:
    return OpenBreaker()


Build = Callable[..., Yahoo]


@pytest.fixture
async def build(breaker: OpenBreaker) -> AsyncIterator[Build]:
    """Adapters for a base URL, closed at the end."""
    made: list[Yahoo] = []

    def one(base_url: str, **limits: float) -> Yahoo:
        bounds: dict[str, Any] = {"connect_seconds": 1.0, "read_seconds": 5.0, "max_bytes": 8_000_000, **limits}
        guard = UpstreamGuard("yahoo", None, breaker, CLOCK, lambda *_: None)
        made.append(Yahoo(guard, base_url, YahooLimits(**bounds), CLOCK, "simulated/yahoo"))
        return made[-1]

    yield one
    for adapter in made:
        await adapter.aclose()


@pytest.fixture
def yahoo(build: Build, sim: RunningSimulator) -> Yahoo:
    return build(sim.url("yahoo"))


def within(seconds: float = 10.0) -> float:
    return CLOCK.monotonic() + seconds


async def test_a_thousand_quotes_take_eleven_requests(yahoo: Yahoo, sim: RunningSimulator):
    """Quotes go in batches of 99; cookie and crumb are fetched once and serve every later request."""
    assets = [Asset(f"S{number}", AssetType.STOCK) for number in range(1_000)]
    batch = await yahoo.fetch_quotes(assets, within())
    assert (len(batch.quotes), batch.missing) == (1_000, {})
    assert sim.requests("yahoo") == {COOKIE: 1, CRUMB: 1, QUOTE: 11}
    assert {entry["symbols"] for entry in sim.log() if entry["endpoint"] == QUOTE} == {99, 10}
    sim.reset()
    await yahoo.fetch_quotes(assets, within())
    assert sim.requests("yahoo") == {QUOTE: 11}


async def test_each_symbol_that_is_missing_has_its_reason(yahoo: Yahoo):
    """Unknown and delisted symbols are not found, and the rest of the batch is there."""
    assets = [AAPL, Asset("NOPE", AssetType.STOCK), Asset("SI", AssetType.STOCK), OCDO]
    batch = await yahoo.fetch_quotes(assets, within())
    assert set(batch.quotes) == {"AAPL", "OCDO.L"}
    assert {symbol: type(error) for symbol, error in batch.missing.items()} == {
        "NOPE": NotFoundError,
        "SI": NotFoundError,
    }
    assert batch.quotes["OCDO.L"].currency == "GBP"
    assert batch.quotes["OCDO.L"].provider == "simulated/yahoo"


async def test_a_failing_batch_leaves_the_others(yahoo: Yahoo, sim: RunningSimulator):
    """When one of two requests fails its symbols are missing with the error, and the other's quotes are there."""
    assets = [Asset(f"S{number}", AssetType.STOCK) for number in range(120)]
    sim.fault("server-error", "yahoo", endpoint=QUOTE, symbol="S119")
    batch = await yahoo.fetch_quotes(assets, within())
    assert set(batch.quotes) == {f"S{number}" for number in range(99)}
    assert {type(error) for error in batch.missing.values()} == {UpstreamError}


async def test_a_refused_crumb_is_replaced_once(yahoo: Yahoo, sim: RunningSimulator):
    """After one '401 Invalid Crumb' a fresh crumb is fetched and the request repeated: the caller notices nothing."""
    sim.fault("invalid-crumb", "yahoo", times=1)
    batch = await yahoo.fetch_quotes([AAPL], within())
    assert set(batch.quotes) == {"AAPL"}
    assert sim.requests("yahoo")[QUOTE] == 2
    assert sim.requests("yahoo")[CRUMB] == 2


async def test_a_crumb_that_is_always_refused_is_an_auth_failure(yahoo: Yahoo, sim: RunningSimulator):
    """Two 401 in a row are an AuthFailedError, after two requests and no more."""
    sim.fault("invalid-crumb", "yahoo")
    with pytest.raises(AuthFailedError):
        await yahoo.fetch_quotes([AAPL], within())
    assert sim.requests("yahoo")[QUOTE] == 2


async def test_without_a_crumb_for_want_of_patience_it_is_rate_limited(yahoo: Yahoo, sim: RunningSimulator):
    """A 429 for the crumb is what the 401 that follows really means, with its Retry-After."""
    sim.fault("rate-limited", "yahoo", endpoint=CRUMB, retry_after=17)
    with pytest.raises(RateLimitedError) as caught:
        await yahoo.fetch_quotes([AAPL], within())
    assert caught.value.retry_after == 17


async def test_charts_need_no_crumb(yahoo: Yahoo, sim: RunningSimulator):
    """Where the crumb is refused with 429, bars are fetched all the same."""
    sim.fault("rate-limited", "yahoo", endpoint=CRUMB)
    assert len(await yahoo.fetch_bars(AAPL, TODAY - 30, within())) > 15


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
        ("nan", MalformedError, None, True),
        ("infinity", MalformedError, None, True),
        ("empty", NotFoundError, None, False),
        ("missing", NotFoundError, None, False),
        ("wrong-unit", MalformedError, None, True),
    ],
)
async def test_failures_of_charts(
    yahoo: Yahoo,
    sim: RunningSimulator,
    breaker: OpenBreaker,
    fault: str,
    error: type[ProviderError],
    retry_after: float | None,
    counted: bool,
):
    """Each failure of a chart costs one request, has its class, and counts against the breaker or does not."""
    sim.fault(fault, "yahoo", endpoint="/v8")
    with pytest.raises(error) as caught:
        await yahoo.fetch_bars(AAPL, TODAY - 30, within())
    assert type(caught.value) is error
    assert caught.value.retry_after == retry_after
    assert caught.value.trips_breaker is counted
    assert breaker.outcomes == [error.kind]
    # curl itself repeats a request whose kept connection turned out to be dead
    assert sim.requests("yahoo")[CHART] <= (2 if fault == "disconnect" else 1)


async def test_bars_are_in_the_major_unit_and_complete(yahoo: Yahoo):
    """Bars of a London stock are in pounds, ascending, from the first day asked for, and none is of today's session."""
    quotes = (await yahoo.fetch_quotes([OCDO], within())).quotes
    bars = await yahoo.fetch_bars(OCDO, TODAY - 30, within())
    assert list(bars.days) == sorted(set(bars.days))
    assert bars.days[0] >= TODAY - 30
    assert bars.close[-1] == pytest.approx(float(quotes["OCDO.L"].price), rel=0.2)


async def test_bars_before_a_split_are_returned_in_the_new_scale(build: Build):
    """An increment with a split in it brings the whole history, for what is stored is out of scale; others do not."""
    at = 18_508 * 86_400  # three days after AAPL's split on 31 August 2020
    with RunningSimulator(limited=False, now=lambda: float(at)) as sim:
        adapter = build(sim.url("yahoo"))
        adapter._clock = _At(at)
        increment = await adapter.fetch_bars(Asset("MSFT", AssetType.STOCK), 18_505, within())
        restated = await adapter.fetch_bars(AAPL, 18_505, within())
        assert sim.requests("yahoo")[CHART] == 3
    assert increment.days[0] == 18_505
    assert restated.days[0] < 18_505 - 1_000


class _At(SystemClock):
    """A wall clock that stands; deadlines go on."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


async def test_a_slow_upstream_is_left_at_the_deadline(yahoo: Yahoo, sim: RunningSimulator):
    """The caller's deadline reaches curl: a request that would take ten seconds ends early, and so does its thread."""
    await yahoo.fetch_quotes([AAPL], within())
    sim.fault("slow", "yahoo", seconds=10.0)
    started = time.monotonic()
    with pytest.raises(ProviderTimeoutError):
        await yahoo.fetch_quotes([AAPL], within(0.3))
    assert yahoo._threads is not None
    await asyncio.to_thread(yahoo._threads.shutdown)
    assert time.monotonic() - started < 8
    yahoo._threads = None
    with pytest.raises(ProviderTimeoutError):
        await yahoo.fetch_quotes([AAPL], within(-1))


async def test_a_slow_cookie_counts_too(yahoo: Yahoo, sim: RunningSimulator):
    """The deadline holds for cookie and crumb as well, which yfinance itself would give 30 seconds each."""
    sim.fault("slow", "yahoo", endpoint=CRUMB, seconds=10.0)
    started = time.monotonic()
    with pytest.raises(ProviderError):
        await yahoo.fetch_quotes([AAPL], within(0.5))
    assert time.monotonic() - started < 8


async def test_nobody_listens(build: Build):
    """A refused connection is an upstream error that says what to check."""
    with pytest.raises(UpstreamError, match="is the URL right and the host up"):
        await build("http://127.0.0.1:9/yahoo").fetch_quotes([AAPL], within())


async def test_the_loop_runs_on_while_yahoo_blocks(yahoo: Yahoo, sim: RunningSimulator):
    """Yfinance blocks a thread, never the event loop."""
    sim.latency(0.5)
    asked = sim.requests("yahoo")
    try:
        fetch = asyncio.create_task(yahoo.fetch_quotes([AAPL], within()))
        while sim.requests("yahoo") == asked:  # noqa: ASYNC110 — another thread cannot set an event of this loop
            await asyncio.sleep(0.01)
        # a loop that is blocked comes here after the answer
        assert not fetch.done()
        await fetch
    finally:
        sim.latency(0)


FIRST_FETCH = """
import asyncio, json, sys, warnings
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.models import Asset, AssetType
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


def test_the_first_request_of_a_process(tmp_path: Path):
    """It alone imports yfinance, writes nothing, and asks the real hosts through the environment's proxy and authority.

    One process for all of it: starting one with yfinance takes seconds on a busy machine.
    """
    with RunningSimulator(limited=False, ca_directory=tmp_path) as sim:
        nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "TMPDIR"), "/proc/nowhere")
        environment = {**os.environ, **nowhere, **sim.proxy_environment}
        command = [sys.executable, "-c", FIRST_FETCH]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert sim.requests("yahoo") == {COOKIE: 1, CRUMB: 1, QUOTE: 1}
    assert json.loads(done.stdout) == {"before": [], "after": ["yfinance"], "quotes": ["AAPL"], "warnings": 0}
