"""The Kraken provider."""

import json
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError, RateLimitedError, UpstreamError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.providers.kraken import Kraken
from financehub_shared.providers.kraken_names import keys_of, pair_of
from support.upstream import FakeUpstream, Respond

BTC, SOL, DOGE = (Asset(f"{base}-USD", AssetType.CRYPTO) for base in ("BTC", "SOL", "DOGE"))


def ticker(price: str = "10.5") -> dict[str, object]:
    return {"c": [price, "1"], "v": ["1", "24.5"], "o": "9"}


def adapter(answer: Respond) -> tuple[Kraken, FakeUpstream]:
    upstream = FakeUpstream(answer)
    return Kraken(upstream.http, upstream.guard, "https://kraken.test", upstream.clock), upstream


async def test_quotes_under_renamed_keys_are_found():
    """Kraken's response for XBTUSD has the key XXBTZUSD, and the quote is assigned to the requested asset."""
    result = {"XXBTZUSD": ticker("97000"), "SOLUSD": ticker("190"), "XDGUSD": ticker("0.3")}
    kraken, upstream = adapter(lambda _: httpx.Response(200, json={"error": [], "result": result}))
    batch = await kraken.fetch_quotes([BTC, SOL, DOGE], upstream.deadline)
    assert {symbol: str(quote.price) for symbol, quote in batch.quotes.items()} == {
        "BTC-USD": "97000",
        "SOL-USD": "190",
        "DOGE-USD": "0.3",
    }
    assert batch.quotes["BTC-USD"].volume == Decimal("24.5")
    assert batch.quotes["BTC-USD"].upstream_at is None
    assert upstream.requests[0].url.params["pair"] == "XBTUSD,SOLUSD,XDGUSD"


@pytest.mark.parametrize(
    ("key", "missing"), [("solusd", ""), ("SO\\qLUSD", "SOLUSD is not in the answer, or its key is not JSON")]
)
async def test_quote_under_a_damaged_key_is_found_or_said_to_be_damaged(key: str, missing: str):
    """A key in another case is read. One that is not JSON does not mean that Kraken does not list the pair (D9)."""
    result = json.dumps({"XXBTZUSD": ticker(), "KEY": ticker("190")}).replace("KEY", key)
    kraken, upstream = adapter(lambda _: httpx.Response(200, text=f'{{"error":[],"result":{result}}}'))
    batch = await kraken.fetch_quotes([BTC, SOL], upstream.deadline)
    assert ("SOL-USD" in batch.quotes) == (not missing)
    assert missing in str(batch.missing.get("SOL-USD", ""))
    assert "BTC-USD" in batch.quotes


async def test_quotes_with_an_unknown_pair_deliver_the_others():
    """Kraken refuses a list with an unknown pair. All pairs are then fetched, and the unknown one is named (I10)."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "pair" in request.url.params:
            return httpx.Response(200, json={"error": ["EQuery:Unknown asset pair"]})
        return httpx.Response(200, json={"error": [], "result": {"XXBTZUSD": ticker()}})

    kraken, upstream = adapter(answer)
    batch = await kraken.fetch_quotes([BTC, SOL], upstream.deadline)
    assert list(batch.quotes) == ["BTC-USD"]
    assert isinstance(batch.missing["SOL-USD"], NotFoundError)
    assert upstream.breaker.outcomes == ["not-found", "ok"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("EAPI:Rate limit exceeded", RateLimitedError),
        ("EGeneral:Too many requests", RateLimitedError),
        ("EGeneral:Temporary lockout", RateLimitedError),
        ("EService:Unavailable", UpstreamError),
        ("EService:Busy", UpstreamError),
        ("EGeneral:Internal error", UpstreamError),
        ("EGeneral:Invalid arguments", MalformedError),
    ],
)
async def test_error_in_the_body_raises_and_is_counted(text: str, error: type[ProviderError]):
    """An error list in an HTTP 200 response raises the matching error, and the breaker counts it."""
    kraken, upstream = adapter(lambda _: httpx.Response(200, json={"error": [text]}))
    with pytest.raises(error):
        await kraken.fetch_quotes([BTC], upstream.deadline)
    assert upstream.breaker.outcomes == [error.kind]


async def test_warning_in_the_body_is_ignored():
    """Entries with the severity W are accompanied by a result."""
    body = {"error": ["WDatabase:No change"], "result": {"XXBTZUSD": ticker()}}
    kraken, upstream = adapter(lambda _: httpx.Response(200, json=body))
    assert (await kraken.fetch_quotes([BTC], upstream.deadline)).quotes


def candle(day: int, close: str) -> list[object]:
    return [86_400 * day, "1", "3", "0.5", close, "1.1", "7", 5]


async def test_bars_are_complete_days_from_the_first_requested_one():
    """OHLC data is already in USD. The current day and days before the first requested one are left out."""
    today = 1_800_000_000 // 86_400
    rows = [candle(day, "2") for day in range(today - 5, today + 1)]
    kraken, upstream = adapter(
        lambda _: httpx.Response(200, json={"error": [], "result": {"XXBTZUSD": rows, "last": 1}})
    )
    bars = (await kraken.fetch_bars(BTC, today - 3, upstream.deadline)).bars
    assert list(bars.days) == [today - 3, today - 2, today - 1]
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0], bars.volume[0]) == (1, 3, 0.5, 2, 7)
    assert upstream.requests[0].url.params["since"] == str((today - 3) * 86_400 - 1)


@pytest.mark.parametrize("broken", [None, [], "x", {}, candle(20_001, "x"), [None, *candle(20_001, "1")[1:]]], ids=str)
async def test_broken_candle_costs_only_its_own_bar(broken: object):
    """D9: one broken candle is left out with a sentence, and the others stay."""
    body = {"error": [], "result": {"XXBTZUSD": [candle(20_000, "1"), broken, candle(20_002, "2")], "last": 1}}
    kraken, upstream = adapter(lambda _: httpx.Response(200, json=body))
    answer = await kraken.fetch_bars(BTC, 19_000, upstream.deadline)
    assert list(answer.bars.days) == [20_000, 20_002]
    assert len(answer.problems) == 1


async def test_usdt_daily_returns_closes_by_day():
    """The OHLC data of USDTUSD has the close of each day."""
    rows = [candle(20_000, "0.999"), candle(20_001, "1.001")]
    body = {"error": [], "result": {"USDTZUSD": rows, "last": 1}}
    kraken, upstream = adapter(lambda _: httpx.Response(200, json=body))
    assert await kraken.usdt_daily(upstream.deadline) == {20_000: 0.999, 20_001: 1.001}


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTC-USD", "XBTUSD"),
        ("DOGE-EUR", "XDGEUR"),
        ("LUNA-USD", "LUNA2USD"),
        ("LUNC-USD", "LUNAUSD"),
        ("USTC-USD", "USTUSD"),
        ("REP-USD", "REPV2USD"),
        ("REPV1-USD", "REPUSD"),
        ("ETH-BTC", "ETHXBT"),
    ],
)
def test_pair_has_krakens_own_name_of_the_coin(symbol: str, pair: str):
    """Kraken's LUNA is Terra Classic, its UST is TerraClassicUSD, and its REP is the first Augur (D4, ccxt #13581)."""
    assert pair_of(Asset(symbol, AssetType.CRYPTO)) == pair


async def test_luna_never_gets_the_price_of_terra_classic():
    """Each of the two coins gets its own price (D4)."""
    result = {"LUNAUSD": ticker("0.00006"), "LUNA2USD": ticker("0.14")}
    kraken, upstream = adapter(lambda _: httpx.Response(200, json={"error": [], "result": result}))
    assets = [Asset(symbol, AssetType.CRYPTO) for symbol in ("LUNA-USD", "LUNC-USD")]
    quotes = (await kraken.fetch_quotes(assets, upstream.deadline)).quotes
    assert (quotes["LUNA-USD"].price, quotes["LUNC-USD"].price) == (Decimal("0.14"), Decimal("0.00006"))


def test_key_with_a_prefix_is_that_of_the_same_coin():
    """Only the old coins have prefixed keys: DG with a prefix would be Dogecoin, and TZ would be Tezos (D4)."""
    assert keys_of("XBTUSD") == ["XBTUSD", "XXBTZUSD"]
    assert keys_of("ETHXBT") == ["ETHXBT", "XETHXXBT"]
    assert keys_of("USDTUSD") == ["USDTUSD", "USDTZUSD"]
    assert (keys_of("DGUSD"), keys_of("TZUSD"), keys_of("XDGUSD")) == (["DGUSD"], ["TZUSD"], ["XDGUSD"])


@pytest.mark.parametrize("rate", ["NaN", "Infinity", "1,0", "", None])
async def test_usdt_rate_that_is_not_a_number_is_malformed(rate: object):
    """A damaged rate is an error of this source, so the next source is called (D9)."""
    result = {"USDTZUSD": {**ticker(), "c": [rate, "1"]}}
    kraken, upstream = adapter(lambda _: httpx.Response(200, json={"error": [], "result": result}))
    with pytest.raises(MalformedError, match="USDTUSD: c is"):
        await kraken.usdt_rate(upstream.deadline)


@pytest.mark.real_data
async def test_recorded_ticker_becomes_a_quote(real_answers: Path):
    """The recorded ticker contains Bitcoin in USDT in March 2024."""
    recorded = json.loads((real_answers / "kraken-ticker.json").read_text())["body"]
    kraken, upstream = adapter(lambda _: httpx.Response(200, json=recorded))
    asset = Asset("BTC-USDT", AssetType.CRYPTO, currency="USDT")
    quote = (await kraken.fetch_quotes([asset], upstream.deadline)).quotes["BTC-USDT"]
    assert (quote.price, quote.volume) == (Decimal("73380.60000"), Decimal("598.03698452"))


@pytest.mark.real_data
async def test_recorded_ohlc_becomes_bars(real_answers: Path):
    """The recorded OHLC data has Bitcoin in January and February 2024. The later of two rows for a day is used."""
    recorded = json.loads((real_answers / "kraken-ohlc.json").read_text())["body"]
    kraken, upstream = adapter(lambda _: httpx.Response(200, json=recorded))
    bars = (await kraken.fetch_bars(BTC, 19_000, upstream.deadline)).bars
    assert list(bars.close) == [43_539.7, 42_548.5]
    assert (bars.days[-1], bars.open[-1], bars.volume[-1]) == (19_754, 42_633.7, 75.60416795)
