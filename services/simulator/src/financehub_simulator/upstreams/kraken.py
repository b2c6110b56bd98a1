"""Kraken: `/0/public/Ticker` and daily `/0/public/OHLC`.

Errors are in the body of a response with status 200. One unknown pair fails the whole request. The keys are Kraken's
own names for the pairs. Source: docs.kraken.com, Spot REST, market data.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from financehub_simulator.call import Call
from financehub_simulator.endpoints import Endpoint, Upstream
from financehub_simulator.instruments import USD_VALUES
from financehub_simulator.market import Bar
from financehub_simulator.responses import CompactJsonResponse
from financehub_simulator.universe import LISTED_BENCH_COINS, LISTED_COINS, STABLECOINS, bench_coins

_PAIR = re.compile(r"^([A-Z0-9]{2,12}?)(USDT|USDC|USD|EUR|GBP)$")
#: Coin → Kraken's code for it. Kraken's LUNA is Terra Classic.
_KRAKEN_CODES = {"BTC": "XBT", "DOGE": "XDG", "LUNA": "LUNA2", "LUNC": "LUNA", "USTC": "UST", "REP": "REPV2"}
_COMMON_CODES = {code: coin for coin, code in _KRAKEN_CODES.items()}
#: Coins whose pairs with fiat currencies have legacy names (`XXBTZUSD`).
_LEGACY_COINS = frozenset({"BTC", "ETH", "LTC", "XRP", "ETC", "XLM", "XMR", "ZEC"})
_LEGACY_PAIR = re.compile(r"^X([A-Z]{3})Z(USD|EUR|GBP)$")
#: Maximum number of candles in a response.
MAX_CANDLES = 720


def parse_pair(pair: str) -> tuple[str, str] | None:
    """Return the coin and the currency of a pair: (`BTC`, `USD`) for `XBTUSD`, `XXBTZUSD` and `BTC/USD`."""
    plain = pair.upper().replace("/", "")
    legacy = _LEGACY_PAIR.match(plain)
    match = legacy if legacy and _COMMON_CODES.get(legacy[1], legacy[1]) in _LEGACY_COINS else _PAIR.match(plain)
    return (_COMMON_CODES.get(match[1], match[1]), match[2]) if match else None


def kraken_pair_name(coin: str, currency: str) -> str:
    """Return Kraken's own name for a pair."""
    code = _KRAKEN_CODES.get(coin, coin)
    if currency in USD_VALUES:
        if coin in _LEGACY_COINS:
            return f"X{code}Z{currency}"
        if coin == "USDT":
            return f"USDTZ{currency}"
    return f"{code}{currency}"


def _canonical(pair: str) -> str | None:
    parsed = parse_pair(pair)
    return f"{parsed[0]}-{parsed[1] if parsed[1] in USD_VALUES else 'USD'}" if parsed else None


@lru_cache(maxsize=1)
def _listing() -> dict[str, str | None]:
    coins = [
        *(coin for coin in LISTED_COINS if coin not in STABLECOINS),
        *(name[:-4] for name in bench_coins(LISTED_BENCH_COINS)),
    ]
    return {f"{_KRAKEN_CODES.get(coin, coin)}USD": f"{coin}-USD" for coin in coins}


def _pairs(request: Request) -> Mapping[str, str | None]:
    pairs = [pair.strip() for pair in request.query_params.get("pair", "").split(",") if pair.strip()]
    if not pairs and request.url.path.endswith("Ticker"):
        return _listing()
    return {pair: _canonical(pair) for pair in pairs}


def _error(message: str) -> Response:
    return CompactJsonResponse({"error": [message]})


def _rate_limit_rejection(call: Call) -> Response | None:
    # One request per second, with a burst of 15.
    wait = call.simulator.rate_limits.window("kraken", 15, 15).take(call.now)
    return None if wait is None or not call.simulator.enforce_rate_limits else _error("EAPI:Rate limit exceeded")


def _decimal(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if abs(value) < 1e300 else repr(value)


def _pair_name(pair: str) -> str:
    parsed = parse_pair(pair)
    return kraken_pair_name(*parsed) if parsed else pair


def _serve_ticker(call: Call) -> Response:
    if rejection := _rate_limit_rejection(call):
        return rejection
    result = {}
    for pair in call.symbols:
        last_24_hours, today = call.last_24_hours(pair), call.current_day(pair)
        if last_24_hours is None or today is None:
            return _error("EQuery:Unknown asset pair")
        result[_pair_name(pair)] = _row(today, last_24_hours) | (_NO_TRADE if call.has_no_trade(pair) else {})
    return CompactJsonResponse({"error": [], "result": result})


#: The fields of a pair that is not traded.
_NO_TRADE = {
    "a": ["0.00000", "0", "0.000"],
    "b": ["0.00000", "0", "0.000"],
    "v": ["0.00000000", "0.00000000"],
    "t": [0, 0],
}


def _row(today: Bar, last_24_hours: Bar) -> dict[str, Any]:
    digits = 5 if today.close >= 1 else 8
    price, bid, ask = (_decimal(value, digits) for value in (today.close, today.bid, today.ask))
    means = [_decimal((bar.high + bar.low) / 2, digits) for bar in (today, last_24_hours)]
    return {
        "a": [ask, "1", "1.000"],
        "b": [bid, "1", "1.000"],
        "c": [price, "0.00160710"],
        "v": [_decimal(today.volume, 8), _decimal(last_24_hours.volume, 8)],
        "p": means,
        "t": [int(today.volume) % 100_000, int(last_24_hours.volume) % 100_000 + 1],
        "l": [_decimal(today.low, digits), _decimal(last_24_hours.low, digits)],
        "h": [_decimal(today.high, digits), _decimal(last_24_hours.high, digits)],
        "o": _decimal(today.open, digits),
    }


def _serve_ohlc(call: Call) -> Response:
    if rejection := _rate_limit_rejection(call):
        return rejection
    if len(call.symbols) != 1 or call.parameter("interval", "1") != "1440":
        return _error("EGeneral:Invalid arguments")
    (pair,) = call.symbols
    if call.current_day(pair) is None:
        return _error("EQuery:Unknown asset pair")
    today = int(call.now // 86_400)
    since = call.integer_parameter("since", 0)
    first = max(today - MAX_CANDLES + 1, since // 86_400 + 1 if since else 0)
    rows = [_candle(bar) for bar in call.history(pair, first, today)]
    return CompactJsonResponse({"error": [], "result": {_pair_name(pair): rows, "last": (today - 1) * 86_400}})


def _candle(bar: Bar) -> list[Any]:
    digits = 5 if bar.close >= 1 else 8
    middle = (bar.high + bar.low) / 2
    prices = [_decimal(value, digits) for value in (bar.open, bar.high, bar.low, bar.close, middle)]
    return [bar.time, *prices, _decimal(bar.volume, 8), int(bar.volume) % 100_000]


UPSTREAM = Upstream(
    "kraken",
    ("api.kraken.com",),
    (
        Endpoint("/0/public/Ticker", _serve_ticker, _pairs, b'{"error":[],"result":{}}'),
        Endpoint("/0/public/OHLC", _serve_ohlc, _pairs, b'{"error":[],"result":{}}'),
    ),
    {
        "rate-limited": lambda _fault: _error("EAPI:Rate limit exceeded"),
        "body-error": lambda _fault: _error("EService:Unavailable"),
    },
)
