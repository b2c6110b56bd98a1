"""Binance spot market data: `/api/v3/ticker/price`, `/api/v3/ticker/24hr` and daily `/api/v3/klines`.

Source: binance-spot-api-docs, rest-api.
"""

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from financehub_simulator.call import Call, scale_prices
from financehub_simulator.endpoints import Endpoint, Upstream
from financehub_simulator.market import Bar
from financehub_simulator.rate_limits import FixedWindow
from financehub_simulator.responses import CompactJsonResponse, html_page, retry_after_header
from financehub_simulator.universe import LISTED_BENCH_COINS, LISTED_COINS, STABLECOINS, bench_coins

_PAIR = re.compile(r"^([A-Z0-9]{2,12}?)(USDT|USDC|FDUSD|EUR|BTC|ETH)$")
_LEGAL_SYMBOL = re.compile(r"^[A-Z0-9-_.]{1,20}$")
#: Quote currency → value in USD, or None for a coin that has a simulated price.
_QUOTE_CURRENCIES: Mapping[str, float | None] = {
    "USDT": 1.0004,
    "USDC": 0.9999,
    "FDUSD": 0.9985,
    "EUR": 1.08,
    "BTC": None,
    "ETH": None,
}
_MAX_KLINES = 1_000
_DAY_MILLISECONDS = 86_400_000
#: 2017-08-17, the first trading day of Binance's first pairs, in days since 1970-01-01.
_FIRST_DAY = 17_395
#: Request weight per minute above which Binance bans a client.
_BAN_WEIGHT = 6_500


def _canonical(symbol: str) -> str | None:
    match = _PAIR.match(symbol)
    return f"{match[1]}-USD" if match else None


@lru_cache(maxsize=1)
def _listing() -> dict[str, str | None]:
    coins = [
        *(coin for coin in LISTED_COINS if coin not in STABLECOINS),
        *(name[:-4] for name in bench_coins(LISTED_BENCH_COINS)),
    ]
    return {f"{coin}USDT": f"{coin}-USD" for coin in coins}


def _symbols(request: Request) -> Mapping[str, str | None]:
    params = request.query_params
    if "symbol" in params:
        return {params["symbol"]: _canonical(params["symbol"])}
    if "symbols" not in params:
        return {} if request.url.path.endswith("klines") else _listing()
    try:
        requested = json.loads(params["symbols"])
    except ValueError:
        return {}
    valid = isinstance(requested, list) and all(isinstance(name, str) for name in requested)
    return {name: _canonical(name) for name in requested} if valid else {}


def _error(code: int, message: str, status: int = 400, headers: dict[str, str] | None = None) -> Response:
    return CompactJsonResponse({"code": code, "msg": message}, status, headers)


def _decimal(value: float) -> str:
    if -1e300 < value < 1e300:
        return f"{value:.8f}"
    return "NaN" if math.isnan(value) else repr(value).replace("inf", "Infinity")


def _rejection(call: Call, weight: int) -> Response | None:
    """Count the weight of a ticker request and return an error response if the request is invalid."""
    if rejection := _rate_limit_rejection(call, weight):
        return rejection
    params = call.request.query_params
    if "symbol" in params and "symbols" in params:
        return _error(-1128, "Combination of optional parameters invalid.")
    if "symbols" in params and (not call.symbols or not all(map(_LEGAL_SYMBOL.match, call.symbols))):
        return _error(
            -1100,
            "Illegal characters found in parameter 'symbols'; legal range is "
            '\'^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$\'.',
        )
    return None


def _weight_limit(call: Call) -> FixedWindow:
    """Return the request weight limit per minute."""
    return call.simulator.rate_limits.window("binance", 6_000, 60)


def _rate_limit_rejection(call: Call, weight: int) -> Response | None:
    window = _weight_limit(call)
    wait = window.take(call.now, weight)
    if wait is None or not call.simulator.enforce_rate_limits:
        return None
    used = {"X-MBX-USED-WEIGHT-1M": str(window.used)}
    if window.used > _BAN_WEIGHT:
        message = f"Way too much request weight used; IP banned until {int((call.now + 120) * 1_000)}."
        return _error(-1003, message, 418, {**used, "Retry-After": "120"})
    message = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
    return _error(-1003, message, 429, {**used, "Retry-After": str(int(wait) + 1)})


def _success(call: Call, content: Any) -> Response:
    return CompactJsonResponse(content, headers={"X-MBX-USED-WEIGHT-1M": str(_weight_limit(call).used)})


def _in_quote_currency(call: Call, symbol: str, bar: Bar) -> Bar:
    match = _PAIR.match(symbol)
    quote = match[2] if match else "USDT"
    value = _QUOTE_CURRENCIES[quote]
    if value is None:
        value = call.simulator.market.current_day(f"{quote}-USD", call.now).close
    return scale_prices(bar, 1 / value, 1 / value)


def _serve_tickers(call: Call, weight: int, *, daily: bool) -> Response:
    if rejection := _rejection(call, weight):
        return rejection
    tickers = []
    lists_all = "symbol" not in call.request.query_params and "symbols" not in call.request.query_params
    for symbol in call.symbols:
        bar = call.last_24_hours(symbol) if daily else call.current_day(symbol)
        if bar is not None:
            bar = _in_quote_currency(call, symbol, bar)
            tickers.append(
                _ticker_24h(call, symbol, bar, mini=call.parameter("type") == "MINI")
                if daily
                else {"symbol": symbol, "price": _decimal(bar.close)}
            )
        elif not lists_all:
            return _error(-1121, "Invalid symbol.")
    return _success(call, tickers[0] if "symbol" in call.request.query_params else tickers)


def _serve_price(call: Call) -> Response:
    return _serve_tickers(call, 2 if "symbol" in call.request.query_params else 4, daily=False)


def _day_weight(call: Call) -> int:
    if "symbol" in call.request.query_params:
        return 2
    count = len(call.symbols)
    return 2 if count <= 20 else 40 if count <= 100 else 80


def _serve_24h(call: Call) -> Response:
    return _serve_tickers(call, _day_weight(call), daily=True)


def _ticker_24h(call: Call, symbol: str, bar: Bar, *, mini: bool) -> dict[str, Any]:
    trades, volume = int(bar.volume) % 1_000_000 + 1, bar.volume
    bid, ask = bar.bid, bar.ask
    if call.has_no_trade(symbol):
        trades, volume, bid, ask = 0, 0.0, 0.0, 0.0
    shared = {
        "symbol": symbol,
        "openPrice": _decimal(bar.open),
        "highPrice": _decimal(bar.high),
        "lowPrice": _decimal(bar.low),
        "lastPrice": _decimal(bar.close),
        "volume": _decimal(volume),
        "quoteVolume": _decimal(volume * bar.close),
        "openTime": int(bar.time * 1_000),
        "closeTime": int(bar.end * 1_000),
        "firstId": bar.day * 1_000_000,
        "lastId": bar.day * 1_000_000 + trades - 1,
        "count": trades,
    }
    if mini:
        return shared
    change = bar.close - bar.open
    return {
        **shared,
        "priceChange": _decimal(change),
        "priceChangePercent": f"{change / bar.open * 100 if bar.open else 0:.3f}",
        "weightedAvgPrice": _decimal(bar.open / 2 + bar.close / 2),
        "prevClosePrice": _decimal(bar.previous_close),
        "lastQty": "0.01000000",
        "bidPrice": _decimal(bid),
        "bidQty": "1.00000000",
        "askPrice": _decimal(ask),
        "askQty": "1.00000000",
    }


def _serve_klines(call: Call) -> Response:
    if rejection := _rate_limit_rejection(call, 2):
        return rejection
    if not call.symbols:
        return _error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
    if call.parameter("interval") != "1d":
        return _error(-1120, "Invalid interval.")
    (symbol,) = call.symbols
    if call.current_day(symbol) is None:
        return _error(-1121, "Invalid symbol.")
    limit = min(call.integer_parameter("limit", 500), _MAX_KLINES)
    today = int(call.now // 86_400)
    last = min(call.integer_parameter("endTime", int(call.now * 1_000)) // _DAY_MILLISECONDS, today)
    if "startTime" in call.request.query_params:
        first = max(-(-call.integer_parameter("startTime", 0) // _DAY_MILLISECONDS), _FIRST_DAY)
        last = min(last, first + limit - 1)
    else:
        first = max(last - limit + 1, _FIRST_DAY)
    return _success(call, [_kline(_in_quote_currency(call, symbol, bar)) for bar in call.history(symbol, first, last)])


def _kline(bar: Bar) -> list[Any]:
    start = bar.day * _DAY_MILLISECONDS
    quote = bar.volume * bar.close
    return [
        start,
        _decimal(bar.open),
        _decimal(bar.high),
        _decimal(bar.low),
        _decimal(bar.close),
        _decimal(bar.volume),
        start + _DAY_MILLISECONDS - 1,
        _decimal(quote),
        int(bar.volume) % 1_000_000 + 1,
        _decimal(bar.volume / 2),
        _decimal(quote / 2),
        "0",
    ]


UPSTREAM = Upstream(
    "binance",
    ("data-api.binance.vision", "api.binance.com"),
    (
        Endpoint("/api/v3/ticker/price", _serve_price, _symbols, b"[]"),
        Endpoint("/api/v3/ticker/24hr", _serve_24h, _symbols, b"[]"),
        Endpoint("/api/v3/klines", _serve_klines, _symbols, b"[]"),
    ),
    {
        "rate-limited": lambda fault: _error(
            -1003,
            "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.",
            429,
            retry_after_header(fault),
        ),
        "banned": lambda fault: _error(
            -1003, "Way too much request weight used; IP banned.", 418, retry_after_header(fault)
        ),
        "country": lambda _fault: _error(
            0, "Service unavailable from a restricted location according to 'b. Eligibility'.", 451
        ),
        "forbidden": lambda _fault: html_page("403 Forbidden", 403),
    },
)
