"""The Binance provider, tested with the documented responses."""

import json
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from financehub_shared.core.errors import MalformedError, NotFoundError, UpstreamError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.providers.binance.provider import Binance, ticker_weight
from financehub_shared.providers.usd import UsdtRates
from support.upstream import FakeUpstream, Respond

BTC, ETH, EUR = (
    Asset("BTC-USD", AssetType.CRYPTO),
    Asset("ETH-USD", AssetType.CRYPTO),
    Asset("BTC-EUR", AssetType.CRYPTO, currency="EUR"),
)


class FixedRate:
    """A source with a fixed USDT rate."""

    name = "kraken"

    def __init__(self, rate: str = "0.999", daily: dict[int, float] | None = None) -> None:
        self.rate = rate
        self.days = daily or {}
        self.requests = 0

    async def usdt_rate(self, deadline: float) -> Decimal:
        return Decimal(self.rate)

    async def usdt_daily(self, deadline: float) -> dict[int, float]:
        self.requests += 1
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


def adapter(answer: Respond, par: FixedRate | None = None) -> tuple[Binance, FakeUpstream]:
    upstream = FakeUpstream(answer)
    source = par or FixedRate()
    rates = UsdtRates([source], source, upstream.clock)
    return Binance(upstream.http, upstream.guard, "https://binance.test/", rates, upstream.clock), upstream


async def test_quote_in_usdt_is_converted_with_a_note():
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


async def test_quotes_with_an_unknown_pair_deliver_the_others():
    """Code -1121 means that the whole list is refused. One more request fetches all known pairs (I10)."""

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


async def test_quotes_of_a_thousand_pairs_take_one_request():
    """Above 100 pairs, a request for all pairs costs the same, so none is named and the URL stays short."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row(f"C{n}USDT") for n in range(1_200)]))
    assets = [Asset(f"C{n}-USD", AssetType.CRYPTO) for n in range(1_000)]
    batch = await binance.fetch_quotes(assets, upstream.deadline)
    assert (len(batch.quotes), len(upstream.requests), upstream.weights) == (1_000, 1, [80])
    assert "symbols" not in upstream.requests[0].url.params


@pytest.mark.parametrize(("pairs", "weight"), [(1, 2), (20, 2), (21, 40), (100, 40), (101, 80), (0, 80)])
def test_ticker_weight_is_the_documented_one(pairs: int, weight: int):
    """The weights of ticker/24hr follow the documented table."""
    assert ticker_weight(pairs) == weight


@pytest.mark.parametrize(("header", "corrected"), [("4711", [4711]), ("many", []), ("", [])])
async def test_used_weight_header_corrects_the_budget(header: str, corrected: list[int]):
    """The header corrects our count, because others may share the IP address. An invalid header is ignored."""
    headers = {"X-MBX-USED-WEIGHT-1M": header}
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row("BTCUSDT")], headers=headers))
    await binance.fetch_quotes([BTC], upstream.deadline)
    assert upstream.corrected == corrected


async def test_quotes_with_a_broken_row_deliver_the_others():
    """A row without a number is malformed, and its neighbors are delivered."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row("BTCUSDT", "1,5"), row("ETHUSDT")]))
    batch = await binance.fetch_quotes([BTC, ETH], upstream.deadline)
    assert list(batch.quotes) == ["ETH-USD"]
    assert isinstance(batch.missing["BTC-USD"], MalformedError)


async def test_quote_with_nan_is_refused_with_a_sentence():
    """`NaN` in a string is refused like any other text, and the sentence names pair and field (D10)."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row("BTCUSDT", "NaN")]))
    error = (await binance.fetch_quotes([BTC], upstream.deadline)).missing["BTC-USD"]
    assert error.reason == "malformed: BTCUSDT: lastPrice is 'NaN'; expected a number"


async def test_quotes_without_a_rate_fail():
    """A price in USDT is never returned as a price in USD."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row("BTCUSDT")]), FixedRate("0.1"))
    with pytest.raises(UpstreamError, match="not plausible"):
        await binance.fetch_quotes([BTC], upstream.deadline)


async def test_quotes_without_a_rate_deliver_the_pairs_in_other_currencies():
    """An unknown USDT rate costs only the pairs in USDT (D9)."""
    answer = [row("BTCUSDT"), row("BTCEUR", "90")]
    binance, upstream = adapter(lambda _: httpx.Response(200, json=answer), FixedRate("NaN"))
    batch = await binance.fetch_quotes([BTC, EUR], upstream.deadline)
    assert batch.quotes["BTC-EUR"].price == 90
    assert "NaN USD per USDT is not plausible" in batch.missing["BTC-USD"].detail


async def test_assets_of_one_pair_have_the_same_price():
    """Two assets may name the same pair, such as a coin under its old and its new symbol (D9)."""
    old = Asset("MATIC-USD", AssetType.CRYPTO, provider_symbols={"binance": "POLUSDT"})
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[row("POLUSDT", "0.5")]))
    batch = await binance.fetch_quotes([old, Asset("POL-USD", AssetType.CRYPTO)], upstream.deadline)
    assert batch.quotes["MATIC-USD"].price == batch.quotes["POL-USD"].price
    assert upstream.requests[0].url.params["symbols"] == '["POLUSDT"]'


@pytest.mark.parametrize("second", ["100.00", "999"])
async def test_pair_that_occurs_twice_must_have_equal_rows(second: str):
    """Equal rows count once. Of two different rows, neither is used, and the other pairs are delivered (D9)."""
    answer = [row("BTCUSDT"), row("ETHUSDT"), row("BTCUSDT", second)]
    binance, upstream = adapter(lambda _: httpx.Response(200, json=answer))
    batch = await binance.fetch_quotes([BTC, ETH], upstream.deadline)
    assert "ETH-USD" in batch.quotes
    assert ("BTC-USD" in batch.quotes) is (second == "100.00")


async def test_damaged_row_does_not_count_against_the_breaker():
    """A row that is not JSON is reported with its position, and the call counts as successful (D9)."""
    text = json.dumps([row("BTCUSDT"), row("ETHUSDT", "@")]).replace('"@"', "NaN")
    binance, upstream = adapter(lambda _: httpx.Response(200, text=text))
    batch = await binance.fetch_quotes([BTC, ETH], upstream.deadline)
    assert list(batch.quotes) == ["BTC-USD"]
    assert batch.missing["ETH-USD"].detail == "ETHUSDT: its entry is not JSON (NaN is not a number)"
    assert upstream.breaker.outcomes == ["ok"]


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
def test_serves_only_possible_crypto_pairs(asset: Asset, served: bool):
    """Binance serves only crypto pairs that it may list."""
    assert adapter(lambda _: httpx.Response(500))[0].serves(asset) is served


def kline(day: int, close: str = "4") -> list[object]:
    return [day * 86_400_000, "1", "5", "0.5", close, "10", (day + 1) * 86_400_000 - 1, "0", 1, "0", "0", "0"]


async def test_bars_are_complete_days_in_usd():
    """Bars end with yesterday and use the rate of their own day. Days before the first rate are left out."""
    today = 1_800_000_000 // 86_400
    par = FixedRate(daily={today - 2: 0.5 + 0.4, today - 1: 1.0})
    binance, upstream = adapter(
        lambda _: httpx.Response(200, json=[kline(day) for day in range(today - 30, today)]), par
    )
    bars = (await binance.fetch_bars(BTC, today - 30, upstream.deadline)).bars
    assert list(bars.days) == [today - 2, today - 1]
    assert list(bars.close) == pytest.approx([3.6, 4.0])
    assert list(bars.volume) == [10.0, 10.0]
    assert upstream.requests[0].url.params["endTime"] == str(today * 86_400_000 - 1)


@pytest.mark.parametrize(
    "broken",
    [kline(6, "NaN"), kline(6, "1e999"), kline(6, "x"), [6 * 86_400_000, None, "1", "1", "1", "1"], [], "text", None],
    ids=["NaN", "overflow", "text", "null", "empty", "no row", "null row"],
)
async def test_broken_kline_costs_only_its_own_bar(broken: object):
    """D9: one broken kline is left out with a sentence, and the others stay."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[kline(5), broken, kline(7)]))
    answer = await binance.fetch_bars(EUR, 5, upstream.deadline)
    assert list(answer.bars.days) == [5, 7]
    assert len(answer.problems) == 1


@pytest.mark.parametrize("time", [5_000_000 * 86_400_000, -1, "x", 1.5, None])
async def test_kline_with_a_broken_time_costs_only_its_own_bar(time: object):
    """D9: a missing time, or a time in another unit, costs only the bar."""
    broken = [time, *kline(6)[1:]]
    binance, upstream = adapter(lambda _: httpx.Response(200, json=[kline(5), broken, kline(7)]))
    answer = await binance.fetch_bars(EUR, 5, upstream.deadline)
    assert list(answer.bars.days) == [5, 7]
    assert answer.problems[0].startswith("the open time of a kline is")


async def test_klines_in_any_order_are_sorted():
    """D9: klines in any order are sorted, and two different klines of one day cost only that day."""
    rows = [kline(7), kline(5), kline(6, "1"), kline(6, "2")]
    binance, upstream = adapter(lambda _: httpx.Response(200, json=rows))
    answer = await binance.fetch_bars(EUR, 5, upstream.deadline)
    assert (list(answer.bars.days), list(answer.bars.close)) == ([5, 7], [4.0, 4.0])
    assert answer.problems == ("1970-01-07 has two different bars, and nothing shows which one is right",)


@pytest.mark.parametrize("rows", [[kline(5, "x")], ["text"], [[]]])
async def test_klines_of_which_none_can_be_read_are_malformed(rows: list[object]):
    """An answer without any readable bar is an error, so the next provider is called."""
    binance, upstream = adapter(lambda _: httpx.Response(200, json=rows))
    with pytest.raises(MalformedError, match="no bar can be read"):
        await binance.fetch_bars(EUR, 5, upstream.deadline)


async def test_bars_of_many_days_take_one_request_per_page():
    """A history longer than 1,000 days takes one request per page, and no page is requested twice."""
    today = 1_800_000_000 // 86_400

    def answer(request: httpx.Request) -> httpx.Response:
        first = int(request.url.params["startTime"]) // 86_400_000
        return httpx.Response(200, json=[kline(day) for day in range(first, min(first + 1_000, today))])

    binance, upstream = adapter(answer)
    bars = (await binance.fetch_bars(EUR, today - 1_500, upstream.deadline)).bars
    assert (len(bars), len(upstream.requests), upstream.weights) == (1_500, 2, [2, 2])


async def test_bars_of_an_unknown_pair_are_not_found():
    """Code -1121 for klines means 'not found', which the breaker does not count."""
    binance, upstream = adapter(lambda _: httpx.Response(400, json={"code": -1121, "msg": "Invalid symbol."}))
    with pytest.raises(NotFoundError):
        await binance.fetch_bars(EUR, 20_000, upstream.deadline)


@pytest.mark.real_data
async def test_recorded_kline_becomes_a_bar(real_answers: Path):
    """The documented kline yields a bar for July 3, 2017 with open 0.0163479 and close 0.015771."""
    recorded = json.loads((real_answers / "binance-klines.json").read_text())["body"]
    binance, upstream = adapter(lambda _: httpx.Response(200, json=recorded))
    bars = (await binance.fetch_bars(EUR, 17_350, upstream.deadline)).bars
    assert list(bars.days) == [17_350]
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0]) == (0.0163479, 0.8, 0.015758, 0.015771)
    assert bars.volume[0] == pytest.approx(148_976.11427815)
