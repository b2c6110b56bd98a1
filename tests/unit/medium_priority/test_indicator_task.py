"""The work of the indicators task, with the in-memory store and providers of bars that answer as told."""

from array import array
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest

from financehub_medium_priority.indicators import task
from financehub_medium_priority.indicators.task import calculate_indicators
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import (
    CorruptDataError,
    InvalidArgumentsError,
    NotFoundError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    TaskFailedError,
)
from financehub_shared.core.models import Asset, AssetType, Bars, Quote
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.providers.bar_fetcher import BarFetcher
from support.memory_store import MemoryStore

CLOCK = ManualClock(1_800_000_000.0)  # a Friday
TODAY = int(CLOCK.now() // 86_400)
BTC, ETH = (Asset(f"{base}-USD", AssetType.CRYPTO) for base in ("BTC", "ETH"))
AAPL = Asset("AAPL", AssetType.STOCK)


def bars(symbol: str, first: int, last: int, price: float = 100.0) -> Bars:
    """Bars of the days `first` to `last`, rising by one a day."""
    days = array("i", range(first, last + 1))
    close = array("d", (price + place for place in range(len(days))))
    return Bars(symbol, "binance", days, close, close[:], close[:], close[:], array("d", [10.0] * len(days)))


Answer = Callable[[Asset, int], Bars]


class Exchange:
    """A provider of daily bars that answers as told and remembers what it was asked."""

    name = "binance"

    def __init__(self, answer: Answer | ProviderError | None = None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, int]] = []
        self.deadlines: list[float] = []

    def serves(self, asset: Asset) -> bool:
        return True

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> Bars:
        self.asked.append((asset.symbol, first_day))
        self.deadlines.append(deadline)
        if isinstance(self.answer, ProviderError):
            raise self.answer
        return self.answer(asset, first_day) if self.answer else bars(asset.symbol, first_day, TODAY - 1)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.put_assets([BTC, ETH, AAPL, Asset("OLD-USD", AssetType.CRYPTO, active=False)])
    return store


async def run(
    store: MemoryStore,
    exchange: Exchange,
    symbols: Sequence[str] | None = None,
    clock: ManualClock = CLOCK,
    fetcher: BarFetcher | None = None,
) -> TaskSummary:
    fetcher = fetcher or BarFetcher([exchange], clock)
    return await calculate_indicators(symbols, store=store, bars=fetcher, engine="talib", series=100, clock=clock)


async def test_every_active_asset_gets_bars_and_indicators(store: MemoryStore):
    """The first run fetches the history of every active asset of any type and computes all of them."""
    exchange = Exchange()
    summary = await run(store, exchange)
    assert {symbol for symbol, _ in exchange.asked} == {"BTC-USD", "ETH-USD", "AAPL"}
    assert {first for _, first in exchange.asked} == {TODAY - task.HISTORY_DAYS}
    assert set(store.indicators()) == {"BTC-USD", "ETH-USD", "AAPL"}
    assert len(store.indicators()["BTC-USD"].values) == 24
    assert (summary.asked, summary.stored, summary.missing_count) == (3, 3, 0)
    assert summary.providers == {"binance": 3}
    assert summary.details == {"new_bars": 3 * task.HISTORY_DAYS, "quarantined": 0}


async def test_only_missing_days_are_asked_for(store: MemoryStore):
    """An asset whose newest complete day is stored costs no request; another is asked from the day after its newest."""
    store.put_bars([bars("BTC-USD", TODAY - 400, TODAY - 1), bars("ETH-USD", TODAY - 400, TODAY - 3)])
    exchange = Exchange()
    await run(store, exchange, ["BTC-USD", "ETH-USD"])
    assert exchange.asked == [("ETH-USD", TODAY - 2)]
    assert store.last_days(["ETH-USD"]) == {"ETH-USD": TODAY - 1}
    assert store.indicators()["ETH-USD"].last_day == TODAY - 1
    assert store.indicators()["BTC-USD"].last_day == TODAY - 1


async def test_a_run_is_idempotent(store: MemoryStore):
    """The same run again asks nothing and stores the same."""
    exchange = Exchange()
    await run(store, exchange)
    before, asked = store.indicators(), len(exchange.asked)
    summary = await run(store, exchange)
    assert len(exchange.asked) == asked
    assert store.indicators() == before
    assert (summary.stored, summary.providers) == (3, {})


async def test_success_is_recorded_even_when_nothing_was_missing(store: MemoryStore):
    """Bars that are up to date are fresh: freshness is recorded for their provider on every run."""
    await run(store, Exchange())
    later = ManualClock(CLOCK.now() + 3_600)
    await run(store, Exchange(), clock=later)
    assert store.last_success() == {("bars", "binance"): later.now(), ("indicators", "talib"): later.now()}


async def test_a_failing_provider_leaves_indicators_of_stored_bars(store: MemoryStore):
    """Where one asset's bars cannot be had its indicators are those of the stored ones, and the summary says why."""

    def answer(asset: Asset, first_day: int) -> Bars:
        if asset.symbol == "ETH-USD":
            raise ProviderTimeoutError("binance", "slow")
        return bars(asset.symbol, first_day, TODAY - 1)

    store.put_bars([bars("ETH-USD", TODAY - 300, TODAY - 5)])
    summary = await run(store, Exchange(answer))
    assert store.indicators()["ETH-USD"].last_day == TODAY - 5
    assert (summary.stored, dict(summary.missing)) == (3, {"ETH-USD": "bars are late: binance: timeout"})


async def test_all_providers_down_fails_the_task_and_keeps_what_is_there(store: MemoryStore):
    """With nothing delivered the task fails with the reason and the wait; bars and indicators stay, freshness too."""
    store.put_bars([bars(symbol, TODAY - 300, TODAY - 5) for symbol in ("BTC-USD", "ETH-USD", "AAPL")])
    with pytest.raises(TaskFailedError, match="no daily bars for 3 assets: binance: rate-limited") as caught:
        await run(store, Exchange(RateLimitedError("binance", "429", 42)))
    assert caught.value.retry_after == 42
    assert store.indicators()["BTC-USD"].last_day == TODAY - 5
    assert ("bars", "binance") not in store.last_success()


async def test_one_unknown_symbol_does_not_fail_the_task(store: MemoryStore):
    """When only an asset that nobody knows is missing, the run succeeds and names it."""
    store.put_bars([bars(symbol, TODAY - 300, TODAY - 1) for symbol in ("BTC-USD", "ETH-USD")])
    summary = await run(store, Exchange(NotFoundError("binance", "unknown")), ["BTC-USD", "ETH-USD", "AAPL"])
    assert summary.stored == 2
    assert dict(summary.missing) == {"AAPL": "no bars (binance: not-found)"}


async def test_no_bars_at_all_fails(store: MemoryStore):
    """A run that computes nothing is a failure, whatever the reason."""
    with pytest.raises(TaskFailedError, match="no indicators for 1 assets"):
        await run(store, Exchange(NotFoundError("binance", "unknown")), ["AAPL"])


async def test_nothing_to_do_is_a_success():
    """Without assets there is nothing to miss."""
    assert await run(MemoryStore(), Exchange()) == TaskSummary(
        asked=0, stored=0, details={"new_bars": 0, "quarantined": 0}
    )


async def test_wrong_symbols_are_refused(store: MemoryStore):
    """An unknown or inactive symbol is refused by name."""
    with pytest.raises(InvalidArgumentsError, match="NOPE"):
        await run(store, Exchange(), ["NOPE"])
    with pytest.raises(InvalidArgumentsError, match="OLD-USD"):
        await run(store, Exchange(), ["OLD-USD"])


async def test_wrong_bars_are_mended_by_the_quote_or_quarantined(store: MemoryStore):
    """Days in pence before a quote in pounds are mended, a spike is left out, and both are in the quarantine."""

    def answer(asset: Asset, first_day: int) -> Bars:
        new = bars(asset.symbol, TODAY - 60, TODAY - 1)
        for column in (new.open, new.high, new.low, new.close):
            column[20] = 5_000.0 if asset is BTC else column[20]
            if asset is not BTC:
                column[:50] = array("d", (price * 100 for price in column[:50]))
        return new

    store.put_quotes([Quote("AAPL", Decimal(159), "USD", CLOCK.now(), CLOCK.now(), "yahoo")])
    summary = await run(store, Exchange(answer), ["AAPL", "BTC-USD"])
    assert store.bars(["AAPL"])["AAPL"].close[-1] == pytest.approx(159)
    assert len(store.bars(["BTC-USD"])["BTC-USD"]) == 59
    reasons = sorted(record.reason for record in store.quarantined())
    assert reasons[0].startswith("jump: ")
    assert reasons[1] == "unit: ×100 against the last quote, corrected"
    assert summary.details["quarantined"] == 2


async def test_a_simulated_quote_says_nothing_about_real_bars(store: MemoryStore):
    """Bars are judged by quotes of their own world alone."""
    quote = Quote("AAPL", Decimal(85_000), "USD", CLOCK.now(), CLOCK.now(), "simulated/yahoo")
    store.put_quotes([quote])
    summary = await run(store, Exchange(), ["AAPL"])
    assert (summary.stored, store.quarantined()) == (1, [])


async def test_an_asset_whose_bars_are_all_refused_is_missing_for_that_reason(store: MemoryStore):
    """Where every day is 100 times off the quote nothing is stored, the summary says so, and it is asked for again."""
    store.put_quotes([Quote("AAPL", Decimal(85_000), "USD", CLOCK.now(), CLOCK.now(), "yahoo")])
    exchange = Exchange()
    fetcher = BarFetcher([exchange], CLOCK)
    summary = await run(store, exchange, ["AAPL", "BTC-USD"], fetcher=fetcher)
    assert "quarantined: unit: every day is 100 times off" in summary.missing["AAPL"]
    assert (summary.stored, store.bars(["AAPL"])) == (1, {})
    await run(store, exchange, ["AAPL", "BTC-USD"], fetcher=fetcher)
    assert [symbol for symbol, _ in exchange.asked].count("AAPL") == 2


async def test_the_deadline_leaves_time_to_compute(store: MemoryStore, monkeypatch: pytest.MonkeyPatch):
    """Upstream calls end before the task's limit; after that nobody is asked and stored bars are used."""
    monkeypatch.setattr(task, "CHUNK", 1)
    clock = ManualClock(CLOCK.now())

    def answer(asset: Asset, first_day: int) -> Bars:
        clock.advance(2_000)
        return bars(asset.symbol, first_day, TODAY - 1)

    store.put_bars([bars("BTC-USD", TODAY - 300, TODAY - 5), bars("ETH-USD", TODAY - 300, TODAY - 5)])
    exchange = Exchange(answer)
    summary = await run(store, exchange, clock=clock)
    assert [symbol for symbol, _ in exchange.asked] == ["AAPL"]
    assert exchange.deadlines[0] < 1_800
    assert summary.stored == 3
    assert summary.missing["BTC-USD"] == "bars are late: not queried: the time of the task is used up"


async def test_damaged_bars_cost_one_asset_its_indicators(store: MemoryStore, monkeypatch: pytest.MonkeyPatch):
    """Of a chunk with one damaged record all others are computed, and the damaged one is named with what to do."""
    await run(store, Exchange())
    read = store.bars

    def damaged(symbols: Sequence[str]) -> dict[str, Bars]:
        if "ETH-USD" in symbols:
            raise CorruptDataError("financehub:bars:ETH-USD", "checksum")
        return read(symbols)

    monkeypatch.setattr(store, "bars", damaged)
    summary = await run(store, Exchange())
    assert summary.stored == 2
    assert "delete it" in summary.missing["ETH-USD"]


async def test_assets_are_worked_on_in_chunks(store: MemoryStore, monkeypatch: pytest.MonkeyPatch):
    """No more than a chunk of histories is ever read at once, however many assets there are."""
    store.put_assets([Asset(f"C{number}-USD", AssetType.CRYPTO) for number in range(450)])
    sizes = []
    read = store.bars
    monkeypatch.setattr(store, "bars", lambda symbols: sizes.append(len(symbols)) or read(symbols))
    summary = await run(store, Exchange(lambda asset, _: bars(asset.symbol, TODAY - 30, TODAY - 1)))
    assert summary.stored == 453
    assert max(sizes) == task.CHUNK
