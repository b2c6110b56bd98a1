"""Binance spot market data: `/api/v3/ticker/price`, `/api/v3/ticker/24hr`, `/api/v3/klines`.

Source: binance-spot-api-docs, rest-api. Klines are daily only.
"""

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from financehub_simulator.core import Call, scaled
from financehub_simulator.market import Bar
from financehub_simulator.serving import Endpoint, JsonAnswer, Upstream, html, retry_after
from financehub_simulator.universe import COINS, LISTED_BENCH_COINS, STABLE, bench_coins

_PAIR = re.compile(r"^([A-Z0-9]{2,12}?)(USDT|USDC|FDUSD|EUR|BTC|ETH)$")
_LEGAL = re.compile(r"^[A-Z0-9-_.]{1,20}$")
#: Value of a quote currency in USD; None: itself traded.
_QUOTE: Mapping[str, float | None] = {
    "USDT": 1.0004,
    "USDC": 0.9999,
    "FDUSD": 0.9985,
    "EUR": 1.08,
    "BTC": None,
    "ETH": None,
}
_KLINE_LIMIT = 1_000
_DAY_MS = 86_400_000
#: 2017-08-17, when Binance's first pairs began.
_FIRST_DAY = 17_395
_ABUSE = 6_500


def _canonical(symbol: str) -> str | None:
    match = _PAIR.match(symbol)
    return f"{match[1]}-USD" if match else None


@lru_cache(maxsize=1)
def _listing() -> dict[str, str | None]:
    coins = [*(coin for coin in COINS if coin not in STABLE), *(name[:-4] for name in bench_coins(LISTED_BENCH_COINS))]
    return {f"{coin}USDT": f"{coin}-USD" for coin in coins}


def _names(request: Request) -> Mapping[str, str | None]:
    params = request.query_params
    if "symbol" in params:
        return {params["symbol"]: _canonical(params["symbol"])}
    if "symbols" not in params:
        return {} if request.url.path.endswith("klines") else _listing()
    try:
        asked = json.loads(params["symbols"])
    except ValueError:
        return {}
    valid = isinstance(asked, list) and all(isinstance(name, str) for name in asked)
    return {name: _canonical(name) for name in asked} if valid else {}


def _error(code: int, message: str, status: int = 400, headers: dict[str, str] | None = None) -> Response:
    return JsonAnswer({"code": code, "msg": message}, status, headers)


def _text(value: float) -> str:
    if -1e300 < value < 1e300:
        return f"{value:.8f}"
    return "NaN" if math.isnan(value) else repr(value).replace("inf", "Infinity")


def _refused(call: Call, weight: int) -> Response | None:
    """What is wrong with a ticker request before any price is looked up; counts its weight."""
    if over := _limited(call, weight):
        return over
    params = call.request.query_params
    if "symbol" in params and "symbols" in params:
        return _error(-1128, "Combination of optional parameters invalid.")
    if "symbols" in params and (not call.names or not all(map(_LEGAL.match, call.names))):
        return _error(
            -1100,
            "Illegal characters found in parameter 'symbols'; legal range is "
            '\'^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$\'.',
        )
    return None


def _limited(call: Call, weight: int) -> Response | None:
    window = call.sim.limits.binance
    wait = window.take(call.now, weight)
    if wait is None or not call.sim.limited:
        return None
    used = {"X-MBX-USED-WEIGHT-1M": str(window.used)}
    if window.used > _ABUSE:
        message = f"Way too much request weight used; IP banned until {int((call.now + 120) * 1_000)}."
        return _error(-1003, message, 418, {**used, "Retry-After": "120"})
    message = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
    return _error(-1003, message, 429, {**used, "Retry-After": str(int(wait) + 1)})


def _answer(call: Call, content: Any) -> Response:
    return JsonAnswer(content, headers={"X-MBX-USED-WEIGHT-1M": str(call.sim.limits.binance.used)})


def _in_quote(call: Call, symbol: str, bar: Bar) -> Bar:
    match = _PAIR.match(symbol)
    quote = match[2] if match else "USDT"
    value = _QUOTE[quote]
    if value is None:
        value = call.sim.market.today(f"{quote}-USD", call.now).close
    return scaled(bar, 1 / value, 1 / value)


def _tickers(call: Call, weight: int, *, daily: bool) -> Response:
    if refused := _refused(call, weight):
        return refused
    found = []
    listing = "symbol" not in call.request.query_params and "symbols" not in call.request.query_params
    for symbol in call.names:
        bar = call.window(symbol) if daily else call.today(symbol)
        if bar is not None:
            bar = _in_quote(call, symbol, bar)
            found.append(
                _day(symbol, bar, mini=call.query("type") == "MINI")
                if daily
                else {"symbol": symbol, "price": _text(bar.close)}
            )
        elif not listing:
            return _error(-1121, "Invalid symbol.")
    return _answer(call, found[0] if "symbol" in call.request.query_params else found)


def _price(call: Call) -> Response:
    return _tickers(call, 2 if "symbol" in call.request.query_params else 4, daily=False)


def _day_weight(call: Call) -> int:
    if "symbol" in call.request.query_params:
        return 2
    count = len(call.names)
    return 2 if count <= 20 else 40 if count <= 100 else 80


def _daily(call: Call) -> Response:
    return _tickers(call, _day_weight(call), daily=True)


def _day(symbol: str, bar: Bar, *, mini: bool) -> dict[str, Any]:
    trades = int(bar.volume) % 1_000_000 + 1
    last = _text(bar.close)
    shared = {
        "symbol": symbol,
        "openPrice": _text(bar.open),
        "highPrice": _text(bar.high),
        "lowPrice": _text(bar.low),
        "lastPrice": last,
        "volume": _text(bar.volume),
        "quoteVolume": _text(bar.volume * bar.close),
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
        "priceChange": _text(change),
        "priceChangePercent": f"{change / bar.open * 100 if bar.open else 0:.3f}",
        "weightedAvgPrice": _text(bar.open / 2 + bar.close / 2),
        "prevClosePrice": _text(bar.previous_close),
        "lastQty": "0.01000000",
        "bidPrice": last,
        "bidQty": "1.00000000",
        "askPrice": last,
        "askQty": "1.00000000",
    }


def _klines(call: Call) -> Response:
    if over := _limited(call, 2):
        return over
    if not call.names:
        return _error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
    if call.query("interval") != "1d":
        return _error(-1120, "Invalid interval.")
    (symbol,) = call.names
    if call.today(symbol) is None:
        return _error(-1121, "Invalid symbol.")
    limit = min(call.number("limit", 500), _KLINE_LIMIT)
    today = int(call.now // 86_400)
    last = min(call.number("endTime", int(call.now * 1_000)) // _DAY_MS, today)
    if "startTime" in call.request.query_params:
        first = max(-(-call.number("startTime", 0) // _DAY_MS), _FIRST_DAY)
        last = min(last, first + limit - 1)
    else:
        first = max(last - limit + 1, _FIRST_DAY)
    return _answer(call, [_kline(_in_quote(call, symbol, bar)) for bar in call.history(symbol, first, last)])


def _kline(bar: Bar) -> list[Any]:
    start = bar.day * _DAY_MS
    quote = bar.volume * bar.close
    return [
        start,
        _text(bar.open),
        _text(bar.high),
        _text(bar.low),
        _text(bar.close),
        _text(bar.volume),
        start + _DAY_MS - 1,
        _text(quote),
        int(bar.volume) % 1_000_000 + 1,
        _text(bar.volume / 2),
        _text(quote / 2),
        "0",
    ]


BINANCE = Upstream(
    "binance",
    ("data-api.binance.vision", "api.binance.com"),
    (
        Endpoint("/api/v3/ticker/price", _price, _names, b"[]"),
        Endpoint("/api/v3/ticker/24hr", _daily, _names, b"[]"),
        Endpoint("/api/v3/klines", _klines, _names, b"[]"),
    ),
    {
        "rate-limited": lambda fault: _error(
            -1003,
            "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.",
            429,
            retry_after(fault),
        ),
        "banned": lambda fault: _error(-1003, "Way too much request weight used; IP banned.", 418, retry_after(fault)),
        "country": lambda _fault: _error(
            0, "Service unavailable from a restricted location according to 'b. Eligibility'.", 451
        ),
        "forbidden": lambda _fault: html("403 Forbidden", 403),
    },
)
