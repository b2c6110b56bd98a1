"""Detection of missing daily bars, and fetches of exactly those bars."""

import asyncio
from array import array
from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.budget.budget import MAX_WAIT_SECONDS, Budget
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import ProviderError, QuotaExceededError, UpstreamError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, BarAnswer, Bars
from financehub_shared.core.provider_specs import PROVIDERS, Dataset, providers_of
from financehub_shared.market.quality.full_reads import FullRead
from financehub_shared.providers.bar_fetcher import CONCURRENCY, OVERLAP_DAYS, BarFetcher, BarRequest, last_complete_day
from financehub_shared.providers.binance.provider import KLINES_WEIGHT

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

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> BarAnswer:
        self.requested.append((asset.symbol, first_day))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        if self.error:
            raise self.error
        days = array("i", self.days)
        return BarAnswer(Bars(asset.symbol, self.name, days, *(array("d", [1.0] * len(days)) for _ in range(5))))


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


def read(due: float, at: float = 0.0) -> FullRead:
    """Return the newest full read of an asset. The next one is due at `due`."""
    return FullRead(at, due)


LATER = day(2025, 2, 8) * DAY


def test_plan_requests_new_days_together_with_stored_ones():
    """D6: a new asset is read in full, and a known one from two weeks before its newest bar on, if it lacks bars."""
    bars, _ = fetcher()
    assets = [COIN, STOCK, Asset("MSFT", AssetType.STOCK)]
    last = {"AAPL": day(2025, 1, 31), "MSFT": day(2025, 2, 3)}
    reads = {"AAPL": read(LATER), "MSFT": read(LATER)}
    assert bars.plan(assets, last, reads, 30) == {
        "BTC-USD": BarRequest(day(2025, 2, 4) - 30, is_full=True),
        "AAPL": BarRequest(day(2025, 1, 31) - OVERLAP_DAYS + 1, is_full=False),
    }


@pytest.mark.parametrize(
    ("last", "reads", "is_full"),
    [
        (day(2025, 1, 31), {"AAPL": read(LATER)}, False),
        (day(2025, 1, 31), {"AAPL": read(0)}, True),
        (day(2025, 1, 31), {"AAPL": read(1e12)}, True),
        (day(2025, 1, 31), {}, True),
        (day(2024, 12, 20), {"AAPL": read(LATER)}, True),
        (day(2025, 2, 3), {"AAPL": read(0)}, None),
        (day(2025, 2, 3), {}, True),
        (day(2026, 3, 2), {"AAPL": read(LATER)}, True),
    ],
    ids=[
        "not due",
        "due",
        "due in 30,000 years",
        "asked for",
        "outdated",
        "due but current",
        "asked for although current",
        "a stored bar of the future",
    ],
)
def test_plan_reads_the_history_when_it_is_due(last: int, reads: dict[str, FullRead], is_full: bool | None):
    """D6: the history is read in full if it is due and new bars are fetched anyway, or at once if it is requested."""
    bars, _ = fetcher()
    requests = bars.plan([STOCK], {"AAPL": last}, reads, 365)
    assert {request.is_full for request in requests.values()} == (set() if is_full is None else {is_full})


async def test_plan_on_a_holiday_waits_six_hours():
    """A bar that did not arrive is fetched again after six hours, and a bar of the next day immediately."""
    bars, clock = fetcher(Scripted("one", days=[day(2025, 1, 31)]))
    last, reads = {"AAPL": day(2025, 1, 31)}, {"AAPL": read(LATER)}
    await bars.fetch([STOCK], bars.plan([STOCK], last, reads, 30), clock.monotonic() + 10)
    clock.advance(3_600)
    assert bars.plan([STOCK], last, reads, 30) == {}
    clock.advance(5 * 3_600)
    assert list(bars.plan([STOCK], last, reads, 30)) == ["AAPL"]


async def test_plan_after_a_refused_answer_does_not_wait():
    """An asset whose newest bars were not stored is fetched again by the next run."""
    bars, clock = fetcher(Scripted("one", days=[day(2025, 1, 31)]))
    last, reads = {"AAPL": day(2025, 1, 31)}, {"AAPL": read(LATER)}
    await bars.fetch([STOCK], bars.plan([STOCK], last, reads, 30), clock.monotonic() + 10)
    bars.forget("AAPL")
    assert list(bars.plan([STOCK], last, reads, 30)) == ["AAPL"]


@pytest.mark.parametrize("delivered", [(), (day(2025, 1, 29), day(2025, 1, 30))], ids=["nothing new", "some days"])
async def test_plan_after_a_loss_of_bars_starts_from_the_beginning(delivered: tuple[int, ...]):
    """If an asset's bars are gone (cleaned up, or asset removed and added again), all of them are fetched again."""
    bars, clock = fetcher(Scripted("one", days=delivered))
    reads = {"AAPL": read(LATER)}
    before = {"AAPL": day(2025, 1, 30)} if delivered else {}
    await bars.fetch([STOCK], bars.plan([STOCK], before, reads, 30), clock.monotonic() + 10)
    if delivered:
        assert bars.plan([STOCK], before, reads, 30) == {}
        assert bars.plan([STOCK], {}, reads, 30) == {"AAPL": BarRequest(day(2025, 2, 4) - 30, is_full=True)}
    else:
        assert bars.plan([STOCK], {}, reads, 30) == {}


async def test_fetch_with_a_failed_provider_calls_the_next_one():
    """Failover happens per asset, and the report contains the provider's own reason."""
    down, up = Scripted("down", UpstreamError("down", "HTTP 500")), Scripted("up")
    bars, clock = fetcher(down, up)
    requests = {"BTC-USD": BarRequest(5, is_full=True), "AAPL": BarRequest(6, is_full=True)}
    report = await bars.fetch([COIN, STOCK], requests, clock.monotonic() + 10)
    assert sorted(up.requested) == [("AAPL", 6), ("BTC-USD", 5)]
    assert report.delivered == {"up": 2}
    assert report.failures["AAPL"]["down"].reason == "upstream: HTTP 500"
    assert (report.missing, report.fallbacks) == ({}, {"BTC-USD", "AAPL"})


async def test_fetch_with_all_providers_failed_reports_the_reasons():
    """D10: an asset that no provider delivers is reported with their sentences, and may be fetched again at once."""
    bars, clock = fetcher(Scripted("a", QuotaExceededError("a", "minute", 20)), Scripted("b", KeyError("bug")))
    wanted = bars.plan([STOCK], {}, {}, 30)
    report = await bars.fetch([STOCK], wanted, clock.monotonic() + 10)
    assert report.missing == {"AAPL": "a: quota: minute; b: malformed: the provider's code failed: KeyError"}
    assert report.retry_after == 20
    assert bars.plan([STOCK], {}, {}, 30) == wanted


async def test_fetch_of_stored_days_without_an_answer_calls_the_next_provider():
    """D6: a provider without bars for days that are stored has lost them, so the next provider is called."""
    empty, full = Scripted("empty"), Scripted("full", days=[day(2025, 1, 31)])
    bars, clock = fetcher(empty, full)
    requests = {"AAPL": BarRequest(day(2025, 1, 20), is_full=False)}
    report = await bars.fetch([STOCK], requests, clock.monotonic() + 10)
    assert report.delivered == {"full": 1}
    assert "lost them" in report.failures["AAPL"]["empty"].reason


async def test_fetch_of_many_assets_has_at_most_16_requests_in_parallel():
    """Two hundred assets never cause more than 16 requests in parallel."""
    provider = Scripted("one")
    bars, clock = fetcher(provider)
    assets = [Asset(f"C{n}-USD", AssetType.CRYPTO) for n in range(200)]
    requests = {asset.symbol: BarRequest(1, is_full=True) for asset in assets}
    report = await bars.fetch(assets, requests, clock.monotonic() + 10)
    assert (len(provider.requested), provider.most, len(report.answers)) == (200, 16, 200)
