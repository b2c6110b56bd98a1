"""Tests of the indicator task with an in-memory store and a provider of daily bars."""

from array import array
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

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
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, BarAnswer, Bars, Quote
from financehub_shared.core.settings import BAR_HISTORY_DAYS
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.quality.full_reads import next_full_read
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.providers.bar_fetcher import OVERLAP_DAYS, BarFetcher
from support.memory_store import MemoryStore

CLOCK = ManualClock(1_800_000_000.0)  # a Friday
TODAY = int(CLOCK.now() // 86_400)
BTC, ETH = (Asset(f"{base}-USD", AssetType.CRYPTO) for base in ("BTC", "ETH"))
AAPL = Asset("AAPL", AssetType.STOCK)


def bars(symbol: str, first: int, last: int, price: float = 100.0) -> Bars:
    """Return bars of the days `first` to `last`, whose prices rise by one per day to `price` yesterday."""
    days = array("i", range(first, last + 1))
    close = array("d", (price + 800 + day - TODAY for day in days))
    return Bars(symbol, "binance", days, close, close[:], close[:], close[:], array("d", [10.0] * len(days)))


BarResponse = Callable[[Asset, int], Bars]


class FakeExchange:
    """A provider of daily bars that records its calls.

    Args:
        response: A function that returns a call's bars, or the error that every call raises. By default, all requested
            days exist.
    """

    name = "binance"

    def __init__(self, response: BarResponse | ProviderError | None = None) -> None:
        self.response = response
        self.requests: list[tuple[str, int]] = []
        self.deadlines: list[float] = []

    def serves(self, asset: Asset) -> bool:
        return True

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> BarAnswer:
        self.requests.append((asset.symbol, first_day))
        self.deadlines.append(deadline)
        if isinstance(self.response, ProviderError):
            raise self.response
        return BarAnswer(self.response(asset, first_day) if self.response else bars(asset.symbol, first_day, TODAY - 1))


@pytest.fixture
def store() -> MemoryStore:
    """A store with three active assets and an inactive one."""
    store = MemoryStore()
    store.put_assets([BTC, ETH, AAPL, Asset("OLD-USD", AssetType.CRYPTO, active=False)])
    return store


async def run(
    store: MemoryStore,
    exchange: FakeExchange,
    symbols: Sequence[str] | None = None,
    clock: ManualClock = CLOCK,
    fetcher: BarFetcher | None = None,
) -> TaskSummary:
    """Run the indicator task."""
    fetcher = fetcher or BarFetcher([exchange], clock)
    return await calculate_indicators(symbols, store=store, bars=fetcher, engine="talib", series=100, clock=clock)


def put_full_reads(store: MemoryStore, *symbols: str) -> None:
    """Record full reads of these symbols an hour ago."""
    store.put_full_reads({name: next_full_read(name, CLOCK.now() - 3_600, is_settled=True) for name in symbols})


async def test_indicator_task_first_run_covers_every_active_asset(store: MemoryStore):
    """The first run fetches the history of every active asset of any type and computes its indicators."""
    exchange = FakeExchange()
    summary = await run(store, exchange)
    assert {symbol for symbol, _ in exchange.requests} == {"BTC-USD", "ETH-USD", "AAPL"}
    assert {first for _, first in exchange.requests} == {TODAY - BAR_HISTORY_DAYS}
    assert set(store.indicators()) == {"BTC-USD", "ETH-USD", "AAPL"}
    assert len(store.indicators()["BTC-USD"].values) == 24
    assert (summary.requested, summary.stored, summary.missing_count) == (3, 3, 0)
    assert summary.providers == {"binance": 3}
    assert summary.details == {"new_bars": 3 * BAR_HISTORY_DAYS, "quarantined": 0}


async def test_indicator_task_fetches_only_missing_days(store: MemoryStore):
    """An asset with current bars costs no request. Missing days are fetched with two weeks of stored days (D6)."""
    store.put_bars([bars("BTC-USD", TODAY - 400, TODAY - 1), bars("ETH-USD", TODAY - 400, TODAY - 3)])
    put_full_reads(store, "BTC-USD", "ETH-USD")
    exchange = FakeExchange()
    await run(store, exchange, ["BTC-USD", "ETH-USD"])
    assert exchange.requests == [("ETH-USD", TODAY - 3 - OVERLAP_DAYS + 1)]
    assert store.last_days(["ETH-USD"]) == {"ETH-USD": TODAY - 1}
    assert store.indicators()["ETH-USD"].last_day == TODAY - 1
    assert store.indicators()["BTC-USD"].last_day == TODAY - 1


async def test_indicator_task_run_twice_fetches_nothing_more(store: MemoryStore):
    """A second run sends no request and stores the same indicators."""
    exchange = FakeExchange()
    await run(store, exchange)
    before, request_count = store.indicators(), len(exchange.requests)
    summary = await run(store, exchange)
    assert len(exchange.requests) == request_count
    assert store.indicators() == before
    assert (summary.stored, summary.providers) == (3, {})


async def test_indicator_task_with_current_bars_records_success(store: MemoryStore):
    """Current bars count as fresh, so every run records their provider's success."""
    await run(store, FakeExchange())
    later = ManualClock(CLOCK.now() + 3_600)
    await run(store, FakeExchange(), clock=later)
    assert store.last_success() == {("bars", "binance"): later.now(), ("indicators", "talib"): later.now()}


async def test_indicator_task_without_new_bars_uses_stored_bars(store: MemoryStore):
    """If an asset's bars cannot be fetched, its indicators are computed from stored bars, and the summary says why."""

    def respond(asset: Asset, first_day: int) -> Bars:
        if asset.symbol == "ETH-USD":
            raise ProviderTimeoutError("binance", "slow")
        return bars(asset.symbol, first_day, TODAY - 1)

    store.put_bars([bars("ETH-USD", TODAY - 300, TODAY - 5)])
    summary = await run(store, FakeExchange(respond))
    assert store.indicators()["ETH-USD"].last_day == TODAY - 5
    assert (summary.stored, dict(summary.missing)) == (3, {"ETH-USD": "bars are late: binance: timeout: slow"})


async def test_indicator_task_with_all_providers_down_raises_and_keeps_data(store: MemoryStore):
    """Without new bars the task uses stored bars, raises with reason and wait, and records no success."""
    store.put_bars([bars(symbol, TODAY - 300, TODAY - 5) for symbol in ("BTC-USD", "ETH-USD", "AAPL")])
    with pytest.raises(TaskFailedError, match="no daily bars for 3 assets: binance: rate-limited: 429") as caught:
        await run(store, FakeExchange(RateLimitedError("binance", "429", 42)))
    assert caught.value.retry_after == 42
    assert store.indicators()["BTC-USD"].last_day == TODAY - 5
    assert ("bars", "binance") not in store.last_success()


async def test_indicator_task_with_an_unknown_symbol_succeeds_and_names_it(store: MemoryStore):
    """If only an asset that no provider knows is missing, the task succeeds and names it."""
    store.put_bars([bars(symbol, TODAY - 300, TODAY - 1) for symbol in ("BTC-USD", "ETH-USD")])
    put_full_reads(store, "BTC-USD", "ETH-USD")
    summary = await run(store, FakeExchange(NotFoundError("binance", "unknown")), ["BTC-USD", "ETH-USD", "AAPL"])
    assert summary.stored == 2
    assert dict(summary.missing) == {"AAPL": "no bars (binance: not-found: unknown)"}
    assert [(record.kind, record.symbol, record.reason) for record in store.quarantined()] == [
        ("bar", "AAPL", "not-found: unknown")
    ]


async def test_indicator_task_without_any_bars_raises(store: MemoryStore):
    """A run that computes no indicators fails, regardless of the reason."""
    with pytest.raises(TaskFailedError, match="no indicators for 1 assets"):
        await run(store, FakeExchange(NotFoundError("binance", "unknown")), ["AAPL"])


async def test_indicator_task_without_assets_succeeds_and_says_why():
    """Without assets, the task succeeds, and its summary says that none is declared (F8)."""
    note = "no asset is declared; declare some in the assets file or add them with `financehub assets add`"
    assert await run(MemoryStore(), FakeExchange()) == TaskSummary(requested=0, stored=0, details={"note": note})


async def test_indicator_task_with_an_unknown_or_inactive_symbol_raises(store: MemoryStore):
    """An unknown or inactive symbol raises an error that names it."""
    with pytest.raises(InvalidArgumentsError, match="NOPE"):
        await run(store, FakeExchange(), ["NOPE"])
    with pytest.raises(InvalidArgumentsError, match="OLD-USD"):
        await run(store, FakeExchange(), ["OLD-USD"])


async def test_indicator_task_corrects_or_quarantines_wrong_bars(store: MemoryStore):
    """Bars in pence whose quote is in pounds are corrected, and a bad cell is left out. Both are reported (D10)."""

    def respond(asset: Asset, first_day: int) -> Bars:
        new = bars(asset.symbol, TODAY - 60, TODAY - 1)
        for column in (new.open, new.high, new.low, new.close):
            column[20] = 50_000.0 if asset is BTC else column[20]
            if asset is not BTC:
                column[:50] = array("d", (price * 100 for price in column[:50]))
        return new

    store.put_quotes([Quote("AAPL", Decimal(899), "USD", CLOCK.now(), CLOCK.now(), "yahoo")])
    summary = await run(store, FakeExchange(respond), ["AAPL", "BTC-USD"])
    assert store.bars(["AAPL"])["AAPL"].close[-1] == pytest.approx(899)
    assert len(store.bars(["BTC-USD"])["BTC-USD"]) == 59
    reasons = sorted(record.reason for record in store.quarantined())
    assert reasons[0].startswith("jump: ")
    assert reasons[1] == "unit: ×100 against the current price, corrected"
    assert summary.details["quarantined"] == 2
    assert summary.details["findings"] == {"AAPL": reasons[1], "BTC-USD": reasons[0]}


async def test_indicator_task_ignores_a_simulated_quote_for_real_bars(store: MemoryStore):
    """A simulated quote is not compared with real bars."""
    quote = Quote("AAPL", Decimal(85_000), "USD", CLOCK.now(), CLOCK.now(), "simulated/yahoo")
    store.put_quotes([quote])
    summary = await run(store, FakeExchange(), ["AAPL"])
    assert (summary.stored, store.quarantined()) == (1, [])


async def test_indicator_task_with_all_bars_quarantined_reports_and_retries(store: MemoryStore):
    """If all bars of an asset are quarantined, the summary says so, and the next run fetches them again."""
    store.put_quotes([Quote("AAPL", Decimal(89_900), "USD", CLOCK.now(), CLOCK.now(), "yahoo")])
    exchange = FakeExchange()
    fetcher = BarFetcher([exchange], CLOCK)
    summary = await run(store, exchange, ["AAPL", "BTC-USD"], fetcher=fetcher)
    assert "refused: scale: every bar is ×0.01 of the current price" in summary.missing["AAPL"]
    assert (summary.stored, store.bars(["AAPL"])) == (1, {})
    await run(store, exchange, ["AAPL", "BTC-USD"], fetcher=fetcher)
    assert [symbol for symbol, _ in exchange.requests].count("AAPL") == 2


async def test_indicator_task_after_its_fetch_deadline_uses_stored_bars(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
):
    """Calls end before the task's time limit. After the deadline, no provider is called and stored bars are used."""
    monkeypatch.setattr(task, "CHUNK", 1)
    clock = ManualClock(CLOCK.now())

    def respond(asset: Asset, first_day: int) -> Bars:
        clock.advance(2_000)
        return bars(asset.symbol, first_day, TODAY - 1)

    store.put_bars([bars("BTC-USD", TODAY - 300, TODAY - 5), bars("ETH-USD", TODAY - 300, TODAY - 5)])
    exchange = FakeExchange(respond)
    summary = await run(store, exchange, clock=clock)
    assert [symbol for symbol, _ in exchange.requests] == ["AAPL"]
    assert exchange.deadlines[0] < 1_800
    assert summary.stored == 3
    assert summary.missing["BTC-USD"] == "bars are late: not queried: the time of the task is used up"


async def test_indicator_task_with_damaged_bars_computes_the_other_assets(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
):
    """One damaged record in a chunk does not affect the other assets, and the summary says how to fix it."""
    await run(store, FakeExchange())
    read = store.bars

    def read_damaged(symbols: Sequence[str], *, unreadable: Unreadable | None = None) -> dict[str, Bars]:
        if "ETH-USD" in symbols and unreadable is not None:
            unreadable["ETH-USD"] = CorruptDataError("financehub:bars:ETH-USD", "checksum", "delete it")
        return {symbol: bars for symbol, bars in read(symbols).items() if symbol != "ETH-USD"}

    monkeypatch.setattr(store, "bars", read_damaged)
    summary = await run(store, FakeExchange())
    assert summary.stored == 2
    assert "delete it" in summary.missing["ETH-USD"]


async def test_indicator_task_with_bars_that_an_engine_refuses_says_what_to_do(store: MemoryStore):
    """N13: the engine's sentence is in the summary and the log, without a traceback. Other assets are served."""

    def collapse(asset: Asset, first: int) -> Bars:
        found = bars(asset.symbol, first, TODAY - 1)
        if asset is ETH:
            for day in range(len(found)):
                fall = 0.05 ** min(max(day - len(found) + 60, 0), 6)
                for column in (found.open, found.high, found.low, found.close):
                    column[day] *= fall
        return found

    fetcher = BarFetcher([FakeExchange(collapse)], CLOCK)
    with capture_logs() as logs:
        summary = await calculate_indicators(
            None, store=store, bars=fetcher, engine="ta", series=100, clock=CLOCK, history_days=200
        )
    assert summary.stored == 2
    assert "set FINANCEHUB_INDICATOR_ENGINE=talib" in summary.missing["ETH-USD"]
    (refused,) = (entry for entry in logs if entry["event"] == "indicators_refused")
    assert (refused["symbol"], refused["reason"]) == ("ETH-USD", summary.missing["ETH-USD"])
    assert not any("exc_info" in entry for entry in logs)


async def test_indicator_task_reads_bars_in_chunks(store: MemoryStore, monkeypatch: pytest.MonkeyPatch):
    """The task never reads more histories at a time than one chunk."""
    store.put_assets([Asset(f"C{number}-USD", AssetType.CRYPTO) for number in range(450)])
    sizes = []
    read = store.bars
    monkeypatch.setattr(store, "bars", lambda symbols, **_: sizes.append(len(symbols)) or read(symbols))
    summary = await run(store, FakeExchange(lambda asset, _: bars(asset.symbol, TODAY - 30, TODAY - 1)))
    assert summary.stored == 453
    assert max(sizes) == task.CHUNK
