"""Kraken: `/0/public/Ticker` and `/0/public/OHLC` (daily only).

Errors are in the body at 200; one unknown pair fails the request; the keys are Kraken's own names of the pairs.
Source: docs.kraken.com, Spot REST, market data.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from financehub_simulator.core import Call
from financehub_simulator.instruments import RATES
from financehub_simulator.market import Bar
from financehub_simulator.serving import Endpoint, JsonAnswer, Upstream
from financehub_simulator.universe import COINS, LISTED_BENCH_COINS, STABLE, bench_coins

_PAIR = re.compile(r"^([A-Z0-9]{2,12}?)(USDT|USDC|USD|EUR|GBP)$")
#: Coin → Kraken's name of it in pair names.
_OWN = {"BTC": "XBT", "DOGE": "XDG"}
_COMMON = {own: coin for coin, own in _OWN.items()}
#: Coins whose pairs with ordinary money have the old names (`XXBTZUSD`).
_LEGACY = frozenset({"BTC", "ETH", "LTC", "XRP", "ETC", "XLM", "XMR", "ZEC"})
_LEGACY_PAIR = re.compile(r"^X([A-Z]{3})Z(USD|EUR|GBP)$")
#: Most candles of one answer.
CANDLES = 720


def parse(pair: str) -> tuple[str, str] | None:
    """(`BTC`, `USD`) of `XBTUSD`, `XXBTZUSD`, `BTC/USD`."""
    plain = pair.upper().replace("/", "")
    legacy = _LEGACY_PAIR.match(plain)
    match = legacy if legacy and _COMMON.get(legacy[1], legacy[1]) in _LEGACY else _PAIR.match(plain)
    return (_COMMON.get(match[1], match[1]), match[2]) if match else None


def key_of(coin: str, money: str) -> str:
    """Kraken's own name of a pair."""
    own = _OWN.get(coin, coin)
    if money in RATES:
        if coin in _LEGACY:
            return f"X{own}Z{money}"
        if coin == "USDT":
            return f"USDTZ{money}"
    return f"{own}{money}"


def _canonical(pair: str) -> str | None:
    found = parse(pair)
    return f"{found[0]}-{found[1] if found[1] in RATES else 'USD'}" if found else None


@lru_cache(maxsize=1)
def _listing() -> dict[str, str | None]:
    coins = [*(coin for coin in COINS if coin not in STABLE), *(name[:-4] for name in bench_coins(LISTED_BENCH_COINS))]
    return {f"{_OWN.get(coin, coin)}USD": f"{coin}-USD" for coin in coins}


def _names(request: Request) -> Mapping[str, str | None]:
    pairs = [pair.strip() for pair in request.query_params.get("pair", "").split(",") if pair.strip()]
    if not pairs and request.url.path.endswith("Ticker"):
        return _listing()
    return {pair: _canonical(pair) for pair in pairs}


def _error(problem: str) -> Response:
    return JsonAnswer({"error": [problem]})


def _limited(call: Call) -> Response | None:
    wait = call.sim.limits.kraken.take(call.now)
    return None if wait is None or not call.sim.limited else _error("EAPI:Rate limit exceeded")


def _text(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if abs(value) < 1e300 else repr(value)


def _key(pair: str) -> str:
    found = parse(pair)
    return key_of(*found) if found else pair


def _ticker(call: Call) -> Response:
    if over := _limited(call):
        return over
    result = {}
    for pair in call.names:
        window, today = call.window(pair), call.today(pair)
        if window is None or today is None:
            return _error("EQuery:Unknown asset pair")
        result[_key(pair)] = _row(today, window)
    return JsonAnswer({"error": [], "result": result})


def _row(today: Bar, window: Bar) -> dict[str, Any]:
    digits = 5 if today.close >= 1 else 8
    price = _text(today.close, digits)
    mean = [_text((bar.high + bar.low) / 2, digits) for bar in (today, window)]
    return {
        "a": [price, "1", "1.000"],
        "b": [price, "1", "1.000"],
        "c": [price, "0.00160710"],
        "v": [_text(today.volume, 8), _text(window.volume, 8)],
        "p": mean,
        "t": [int(today.volume) % 100_000, int(window.volume) % 100_000],
        "l": [_text(today.low, digits), _text(window.low, digits)],
        "h": [_text(today.high, digits), _text(window.high, digits)],
        "o": _text(today.open, digits),
    }


def _ohlc(call: Call) -> Response:
    if over := _limited(call):
        return over
    if len(call.names) != 1 or call.query("interval", "1") != "1440":
        return _error("EGeneral:Invalid arguments")
    (pair,) = call.names
    if call.today(pair) is None:
        return _error("EQuery:Unknown asset pair")
    today = int(call.now // 86_400)
    since = call.number("since", 0)
    first = max(today - CANDLES + 1, since // 86_400 + 1 if since else 0)
    rows = [_candle(bar) for bar in call.history(pair, first, today)]
    return JsonAnswer({"error": [], "result": {_key(pair): rows, "last": (today - 1) * 86_400}})


def _candle(bar: Bar) -> list[Any]:
    digits = 5 if bar.close >= 1 else 8
    middle = (bar.high + bar.low) / 2
    prices = [_text(value, digits) for value in (bar.open, bar.high, bar.low, bar.close, middle)]
    return [bar.time, *prices, _text(bar.volume, 8), int(bar.volume) % 100_000]


KRAKEN = Upstream(
    "kraken",
    ("api.kraken.com",),
    (
        Endpoint("/0/public/Ticker", _ticker, _names, b'{"error":[],"result":{}}'),
        Endpoint("/0/public/OHLC", _ohlc, _names, b'{"error":[],"result":{}}'),
    ),
    {
        "rate-limited": lambda _fault: _error("EAPI:Rate limit exceeded"),
        "body-error": lambda _fault: _error("EService:Unavailable"),
    },
)
