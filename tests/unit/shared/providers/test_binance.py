"""The Binance adapter against its documented answers."""

import json
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from financehub_shared.core.errors import MalformedError, NotFoundError, UpstreamError
from financehub_shared.core.models import Asset, AssetType
from financehub_shared.providers.binance.provider import Binance, ticker_weight
from financehub_shared.providers.usd import UsdtRates
from support.upstream import Answer, Upstream

BTC, ETH, EUR = (
    Asset("BTC-USD", AssetType.CRYPTO),
    Asset("ETH-USD", AssetType.CRYPTO),
    Asset("BTC-EUR", AssetType.CRYPTO, currency="EUR"),
)


class Par:
    """A source that says what a USDT is worth."""

    name = "kraken"

    def __init__(self, rate: str = "0.999", daily: dict[int, float] | None = None) -> None:
        self.rate = rate
        self.days = daily or {}
        self.asked = 0

    async def usdt_rate(self, deadline: float) -> Decimal:
        return Decimal(self.rate)

    async def usdt_daily(self, deadline: float) -> dict[int, float]:
        self.asked += 1
        return self.days


def row(pair: str, price: object = "100.00", close_time: int = 1_800_000_000_000) -> dict[str, object]:
    return {
        "symbol": pair,
        "lastPrice": price,
        "priceChangePercent": "-1.500",
        "volume": "12.5",
        "quoteVolume": "1250",
        "closeTime": close_time,
    }


def adapter(answer: Answer, par: Par | None = None) -> tuple[Binance, Upstream]:
    upstream = Upstream(answer)
    source = par or Par()
    rates = UsdtRates([source], source, upstream.clock)
    return Binance(upstream.http, upstream.guard, "https://binance.test/", rates, upstream.clock), upstream


async def test_usdt_prices_are_converted_and_the_note_says_how():
    """A price in USDT is stored in USD at the rate of another upstream, which the note names."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row("BTCUSDT"), row("BTCEUR", "90")]))
    batch = await binance.fetch_quotes([BTC, EUR], upstream.deadline)
    quote = batch.quotes["BTC-USD"]
    assert (quote.price, quote.currency, quote.note) == (
        Decimal("99.90000"),
        "USD",
        "BTCUSDT at 0.999 USD per USDT (kraken)",
    )
    assert (quote.upstream_at, quote.change_percent, quote.volume) == (1_800_000_000, Decimal("-1.5"), Decimal("12.5"))
    assert (batch.quotes["BTC-EUR"].price, batch.quotes["BTC-EUR"].note) == (90, "")


async def test_an_unknown_pair_does_not_lose_the_batch():
    """-1121 refuses the whole list; one more request answers the known pairs and names the unknown one."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "symbols" in request.url.params:
            return httpx.Response(400, json={"code": -1121, "msg": "Invalid symbol."})
        return httpx.Response(200, json=[row("BTCUSDT"), row("XRPUSDT")])

    binance, upstream = adapter(answer)
    batch = await binance.fetch_quotes([BTC, ETH], upstream.deadline)
    assert list(batch.quotes) == ["BTC-USD"]
    assert isinstance(batch.missing["ETH-USD"], NotFoundError)
    assert len(upstream.requests) == 2
    assert upstream.weights == [2, 80]


async def test_a_thousand_pairs_are_one_request():
    """Past 100 pairs all of them cost the same, so none is named and the URL stays short."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row(f"C{n}USDT") for n in range(1_200)]))
    assets = [Asset(f"C{n}-USD", AssetType.CRYPTO) for n in range(1_000)]
    batch = await binance.fetch_quotes(assets, upstream.deadline)
    assert (len(batch.quotes), len(upstream.requests), upstream.weights) == (1_000, 1, [80])
    assert "symbols" not in upstream.requests[0].url.params


@pytest.mark.parametrize(("pairs", "weight"), [(1, 2), (20, 2), (21, 40), (100, 40), (101, 80), (0, 80)])
def test_the_weight_is_the_documented_one(pairs: int, weight: int):
    """Weights of ticker/24hr follow the table of the documentation."""
    assert ticker_weight(pairs) == weight


@pytest.mark.parametrize(("header", "corrected"), [("4711", [4711]), ("many", []), ("", [])])
async def test_the_budget_learns_what_binance_has_counted(header: str, corrected: list[int]):
    """The used-weight header corrects our count, since others may share the address; nonsense in it does nothing."""
    headers = {"X-MBX-USED-WEIGHT-1M": header}
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row("BTCUSDT")], headers=headers))
    await binance.fetch_quotes([BTC], upstream.deadline)
    assert upstream.corrected == corrected


async def test_a_broken_row_costs_only_its_own_symbol():
    """A row without a number is malformed; its neighbours are stored."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row("BTCUSDT", "1,5"), row("ETHUSDT")]))
    batch = await binance.fetch_quotes([BTC, ETH], upstream.deadline)
    assert list(batch.quotes) == ["ETH-USD"]
    assert isinstance(batch.missing["BTC-USD"], MalformedError)


async def test_a_price_that_is_not_a_number_goes_to_the_validation():
    """`NaN` in a string is passed on, for the quarantine to record it."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row("BTCUSDT", "NaN")]))
    assert (await binance.fetch_quotes([BTC], upstream.deadline)).quotes["BTC-USD"].price.is_nan()


async def test_without_a_rate_there_is_no_usd_price():
    """A price in USDT is never passed off as one in USD."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row("BTCUSDT")]), Par("0.1"))
    with pytest.raises(UpstreamError, match="not plausible"):
        await binance.fetch_quotes([BTC], upstream.deadline)


@pytest.mark.parametrize(
    ("asset", "served"),
    [
        (BTC, True),
        (Asset("USDT-USD", AssetType.CRYPTO), False),
        (Asset("AAPL", AssetType.STOCK), False),
        (Asset("X", AssetType.CRYPTO, provider_symbols={"binance": "not a pair"}), False),
        (Asset("MIOTA-USD", AssetType.CRYPTO, provider_symbols={"binance": "IOTAUSDT"}), True),
    ],
    ids=lambda value: getattr(value, "symbol", value),
)
def test_what_it_serves(asset: Asset, served: bool):
    """Crypto pairs that Binance can have are served, nothing else."""
    assert adapter(lambda _: httpx.Response(500))[0].serves(asset) is served


def kline(day: int, close: str = "4") -> list[object]:
    return [day * 86_400_000, "1", "5", "0.5", close, "10", (day + 1) * 86_400_000 - 1, "0", 1, "0", "0", "0"]


async def test_bars_are_complete_days_in_usd():
    """Bars end with yesterday and each is converted at its own day's rate; days before the first rate are left out."""
    today = 1_800_000_000 // 86_400
    par = Par(daily={today - 2: 0.5 + 0.4, today - 1: 1.0})
    binance, upstream = adapter(
        lambda _: httpx.Response(200, json=[kline(day) for day in range(today - 30, today)]), par
    )
    bars = await binance.fetch_bars(BTC, today - 30, upstream.deadline)
    assert list(bars.days) == [today - 2, today - 1]
    assert list(bars.close) == pytest.approx([3.6, 4.0])
    assert list(bars.volume) == [10.0, 10.0]
    assert upstream.requests[0].url.params["endTime"] == str(today * 86_400_000 - 1)


@pytest.mark.parametrize(
    "rows",
    [
        [kline(5), kline(5)],
        [kline(6), kline(5)],
        [kline(5, "NaN")],
        [kline(5, "1e999")],
        [kline(5, "x")],
        [[5, None, "1", "1", "1", "1"]],
        [[]],
        [kline(5_000_000)],
        ["text"],
    ],
    ids=["twice", "descending", "NaN", "overflow", "text", "null", "empty", "microseconds", "no row"],
)
async def test_broken_klines_are_refused(rows: list[object]):
    """A history with one broken bar is malformed as a whole: indicators over a gap would be wrong in silence."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=rows))
    with pytest.raises(MalformedError):
        await binance.fetch_bars(EUR, 5, upstream.deadline)


async def test_many_days_are_paged():
    """A history longer than 1,000 days takes as many requests as pages, none twice."""
    today = 1_800_000_000 // 86_400

    def answer(request: httpx.Request) -> httpx.Response:
        first = int(request.url.params["startTime"]) // 86_400_000
        return httpx.Response(200, json=[kline(day) for day in range(first, min(first + 1_000, today))])

    binance, upstream = adapter(answer)
    bars = await binance.fetch_bars(EUR, today - 1_500, upstream.deadline)
    assert (len(bars), len(upstream.requests), upstream.weights) == (1_500, 2, [2, 2])


async def test_an_unknown_pair_has_no_bars():
    """-1121 on klines is not-found, which no breaker counts."""
    binance, upstream = adapter(lambda _: httpx.Response(400, json={"code": -1121, "msg": "Invalid symbol."}))
    with pytest.raises(NotFoundError):
        await binance.fetch_bars(EUR, 20_000, upstream.deadline)


@pytest.mark.real_data
async def test_the_recorded_klines_are_read_right(real_answers: Path):
    """The documented kline becomes the bar it says: 3 July 2017, open 0.0163479, close 0.015771."""
    recorded = json.loads((real_answers / "binance-klines.json").read_text())["body"]
    binance, upstream = adapter(lambda _: httpx.Response(200, json=recorded))
    bars = await binance.fetch_bars(EUR, 17_350, upstream.deadline)
    assert list(bars.days) == [17_350]
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0]) == (0.0163479, 0.8, 0.015758, 0.015771)
    assert bars.volume[0] == pytest.approx(148_976.11427815)
