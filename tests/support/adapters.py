"""Reads answers of all upstreams as their quote adapters do, without sending requests."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from financehub_shared.core.errors import ProviderError
from financehub_shared.core.models import Asset, Quote
from financehub_shared.providers import finnhub, kraken_quotes
from financehub_shared.providers.binance import quotes as binance_quotes
from financehub_shared.providers.coingecko import quotes as coingecko_quotes
from financehub_shared.providers.kraken_names import pair_of
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.transport import parse, strict_json
from financehub_shared.providers.usd import UsdtRate
from financehub_shared.providers.yahoo import quotes as yahoo_quotes

NOW = 1_800_000_000.0
ONE_TO_ONE = UsdtRate(Decimal(1), "kraken", NOW)


def _binance(body: bytes, assets: Sequence[Asset]) -> QuoteBatch:
    pairs = [(asset, asset.symbol.replace("-USD", "USDT")) for asset in assets]
    tickers = parse.sequence("binance", strict_json.loads("binance", body, ""), "the answer")
    return binance_quotes.read_quotes("binance", pairs, tickers, ONE_TO_ONE, NOW)


def _kraken(body: bytes, assets: Sequence[Asset]) -> QuoteBatch:
    pairs = [(asset, pair_of(asset) or "") for asset in assets]
    answer = parse.mapping("kraken", strict_json.loads("kraken", body, "result"), "the answer")
    return kraken_quotes.read_quotes("kraken", pairs, parse.mapping("kraken", answer.get("result"), "result"), NOW)


def _coingecko(body: bytes, assets: Sequence[Asset]) -> QuoteBatch:
    coins = parse.sequence("coingecko", strict_json.loads("coingecko", body, ""), "the answer")
    return coingecko_quotes.read_quotes("coingecko", assets, coins, NOW)


def _finnhub(body: bytes, assets: Sequence[Asset]) -> QuoteBatch:
    (asset,) = assets
    quotes: dict[str, Quote] = {}
    missing: dict[str, ProviderError] = {}
    try:
        answer = parse.mapping("finnhub", strict_json.loads("finnhub", body), f"{asset.symbol}: the answer")
        quotes[asset.symbol] = finnhub.read_quote("finnhub", asset, asset.symbol, answer, NOW)
    except ProviderError as error:
        missing[asset.symbol] = error
    return QuoteBatch(quotes, missing)


def _yahoo(body: bytes, assets: Sequence[Asset]) -> QuoteBatch:
    return yahoo_quotes.read_quotes("yahoo", assets, body, NOW)


#: Upstream → a function that reads one body as the answer to a request for quotes of the assets.
READ_QUOTES: Mapping[str, Callable[[bytes, Sequence[Asset]], QuoteBatch]] = {
    "binance": _binance,
    "kraken": _kraken,
    "coingecko": _coingecko,
    "finnhub": _finnhub,
    "yahoo": _yahoo,
}
