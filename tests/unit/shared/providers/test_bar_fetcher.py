"""Detection of missing daily bars, and fetches of exactly those bars."""

import asyncio
from array import array
from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import ProviderError, QuotaExceededError, UpstreamError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Bars
from financehub_shared.core.provider_specs import PROVIDERS, Dataset, providers_of
from financehub_shared.providers.bar_fetcher import CONCURRENCY, BarFetcher, last_complete_day
from financehub_shared.providers.binance.provider import KLINES_WEIGHT
from financehub_shared.providers.budget.budget import MAX_WAIT_SECONDS, Budget

DAY = 86_400
EPOCH = date(1970, 1, 1)


def day(year: int, month: int, of_month: int) -> int:
    return (date(year, month, of_month) - EPOCH).days


COIN, STOCK = Asset("BTC-USD", AssetType.CRYPTO), Asset("AAPL", AssetType.STOCK)


@pytest.mark.parametrize("provider", providers_of(Dataset.BARS))
async def test_budget_of_each_bars_provider_allows_all_parallel_requests(provider: str):
    """An unused budget allows `CONCURRENCY` requests with Binance's weight, the largest, within the longest wait."""
    clock = ManualClock()
    budget = Budget(provider, PROVIDERS[provider].limits, None, clock)
    start = clock.monotonic()
    for _ in range(CONCURRENCY):
        await budget.spend(KLINES_WEIGHT)
    assert clock.monotonic() - start <= MAX_WAIT_SECONDS


class Scripted:
    """A bar provider that records its calls."""

    def __init__(self, name: str, error: ProviderError | Exception | None = None, days: Sequence[int] = ()) -> None:
        self.name = name
        self.error = error
        self.days = days
        self.requested: list[tuple[str, int]] = []
        self.in_flight = self.most = 0

    def serves(self, asset: Asset) -> bool:
        return True

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> Bars:
        self.requested.append((asset.symbol, first_day))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        if self.error:
            raise self.error
        days = array("i", self.days)
        return Bars(asset.symbol, self.name, days, *(array("d", [1.0] * len(days)) for _ in range(5)))


@pytest.mark.parametrize(
    ("asset", "now", "newest"),
    [
        (COIN, (2025, 2, 2), (2025, 2, 1)),
        (STOCK, (2025, 2, 1), (2025, 1, 31)),
        (STOCK, (2025, 2, 2), (2025, 1, 31)),
        (STOCK, (2025, 2, 3), (2025, 1, 31)),
        (STOCK, (2025, 2, 4), (2025, 2, 3)),
    ],
    ids=["coin on Sunday", "stock on Saturday", "on Sunday", "on Monday", "on Tuesday"],
)
def test_last_complete_day_is_yesterday_or_the_last_weekday(
    asset: Asset, now: tuple[int, int, int], newest: tuple[int, int, int]
):
    """The last complete day of a coin is yesterday, and that of a stock is the last weekday before today (UTC)."""
    assert last_complete_day(asset, day(*now) * DAY + 3_600) == day(*newest)


@given(st.floats(0, 4e9))
def test_last_complete_day_of_a_stock_is_a_recent_weekday(now: float):
    """At any time, the last complete day of a stock is a past weekday, at most three days ago."""
    newest = last_complete_day(STOCK, now)
    assert (newest + 3) % 7 < 5
    assert 0 < now // DAY - newest <= 3


def fetcher(*providers: Scripted) -> tuple[BarFetcher, ManualClock]:
    clock = ManualClock(day(2025, 2, 4) * DAY + 3_600.0)
    return BarFetcher(providers, clock), clock


def test_missing_returns_only_days_that_are_not_stored():
    """A new asset starts `history_days` ago, a known one after its last bar, and a complete one is left out."""
    bars, _ = fetcher()
    assets = [COIN, STOCK, Asset("MSFT", AssetType.STOCK)]
    last = {"AAPL": day(2025, 1, 31), "MSFT": day(2025, 2, 3)}
    assert bars.missing(assets, last, 30) == {"BTC-USD": day(2025, 2, 4) - 30, "AAPL": day(2025, 2, 1)}


async def test_missing_on_a_holiday_waits_six_hours():
    """A bar that did not arrive is fetched again after six hours, and a bar of the next day immediately."""
    bars, clock = fetcher(Scripted("one"))
    last = {"AAPL": day(2025, 1, 31)}
    await bars.fetch([STOCK], bars.missing([STOCK], last, 30), clock.monotonic() + 10)
    clock.advance(3_600)
    assert bars.missing([STOCK], last, 30) == {}
    clock.advance(5 * 3_600)
    assert bars.missing([STOCK], last, 30) == {"AAPL": day(2025, 2, 1)}


@pytest.mark.parametrize("delivered", [(), (day(2025, 1, 29), day(2025, 1, 30))], ids=["nothing new", "some days"])
async def test_missing_after_a_loss_of_bars_starts_from_the_beginning(delivered: tuple[int, ...]):
    """If an asset's bars are gone (cleaned up, or asset removed and added again), all of them are fetched again."""
    bars, clock = fetcher(Scripted("one", days=delivered))
    last = {"AAPL": day(2025, 1, 30)}
    before = {} if delivered else last
    await bars.fetch([STOCK], bars.missing([STOCK], before, 30), clock.monotonic() + 10)
    assert bars.missing([STOCK], last, 30) == {}
    assert bars.missing([STOCK], {}, 30) == {"AAPL": day(2025, 2, 4) - 30}


async def test_fetch_with_a_failed_provider_calls_the_next_one():
    """Failover happens per asset, and the report has the reason."""
    down, up = Scripted("down", UpstreamError("down", "HTTP 500")), Scripted("up")
    bars, clock = fetcher(down, up)
    report = await bars.fetch([COIN, STOCK], {"BTC-USD": 5, "AAPL": 6}, clock.monotonic() + 10)
    assert sorted(up.requested) == [("AAPL", 6), ("BTC-USD", 5)]
    assert report.delivered == {"up": 2}
    assert report.failures["AAPL"] == {"down": "upstream"}
    assert report.missing == {}


async def test_fetch_with_all_providers_failed_reports_the_reasons():
    """An asset that no provider delivered is missing with the reasons, and may be fetched again immediately."""
    bars, clock = fetcher(Scripted("a", QuotaExceededError("a", "minute", 20)), Scripted("b", KeyError("bug")))
    wanted = bars.missing([STOCK], {}, 30)
    report = await bars.fetch([STOCK], wanted, clock.monotonic() + 10)
    assert report.missing == {"AAPL": "a: quota; b: malformed"}
    assert report.retry_after == 20
    assert bars.missing([STOCK], {}, 30) == wanted


async def test_fetch_of_many_assets_has_at_most_16_requests_in_parallel():
    """Two hundred assets never cause more than 16 requests in parallel."""
    provider = Scripted("one")
    bars, clock = fetcher(provider)
    assets = [Asset(f"C{n}-USD", AssetType.CRYPTO) for n in range(200)]
    report = await bars.fetch(assets, {asset.symbol: 1 for asset in assets}, clock.monotonic() + 10)
    assert (len(provider.requested), provider.most, len(report.bars)) == (200, 16, 200)
