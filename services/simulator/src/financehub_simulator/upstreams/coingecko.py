"""CoinGecko: `/api/v3/simple/price` and `/api/v3/coins/markets`.

An id that is not in the coin table is a coin's name in lower case (`sim0001`). Source: docs.coingecko.com, Demo API.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from financehub_simulator.call import Call
from financehub_simulator.endpoints import Endpoint, Upstream
from financehub_simulator.instruments import USD_VALUES
from financehub_simulator.market import Bar
from financehub_simulator.responses import CompactJsonResponse, change_percent, retry_after_header
from financehub_simulator.universe import COIN_BY_ID, LISTED_BENCH_COINS, LISTED_COINS, bench_coins

_ID = re.compile(r"^[a-z0-9][a-z0-9-]{1,40}$")
#: Maximum number of coins on one page of `/coins/markets`.
MAX_PAGE_SIZE = 250
_COIN_SUPPLY = 19_000_000


def canonical_symbol(coin: str) -> str | None:
    """Return a coin id's canonical symbol (`BTC-USD` for `bitcoin`), or None if the id is invalid."""
    if coin in COIN_BY_ID:
        return f"{COIN_BY_ID[coin]}-USD"
    return f"{coin.upper()}-USD" if _ID.match(coin) and "-" not in coin else None


@lru_cache(maxsize=1)
def _listing() -> dict[str, str | None]:
    known = {coin: f"{base}-USD" for base, (coin, _, _) in LISTED_COINS.items()}
    return {**known, **{name[:-4].lower(): name for name in bench_coins(LISTED_BENCH_COINS)}}


def _ids(request: Request) -> Mapping[str, str | None]:
    ids = [coin.strip().lower() for coin in request.query_params.get("ids", "").split(",")]
    return {coin: canonical_symbol(coin) for coin in ids if coin}


def _market_ids(request: Request) -> Mapping[str, str | None]:
    return _ids(request) if "ids" in request.query_params else _listing()


def _status(code: int, message: str, headers: Mapping[str, str] | None = None, status: int | None = None) -> Response:
    content = {"status": {"error_code": code, "error_message": message}}
    return CompactJsonResponse(content, status or code, dict(headers or {}))


def _too_many_requests(headers: Mapping[str, str]) -> Response:
    return _status(429, "You've exceeded the Rate Limit. Subscribe to a plan for higher rate limits.", headers)


def _rate_limit_rejection(call: Call) -> Response | None:
    # The Demo plan allows 30 to 100 requests per minute; this is the lower end.
    wait = call.simulator.rate_limits.window("coingecko", 30, 60).take(call.now)
    return (
        None
        if wait is None or not call.simulator.enforce_rate_limits
        else _too_many_requests({"Retry-After": str(int(wait) + 1)})
    )


def _priced(call: Call, coin: str, currency: str) -> tuple[float | None, Bar] | None:
    """Return the price in a currency and the last 24 hours in USD, or None if the coin is unknown."""
    bar = call.last_24_hours(coin)
    if bar is None:
        return None
    return None if call.price_is_null(coin) else bar.close / USD_VALUES[currency.upper()], bar


def _serve_prices(call: Call) -> Response:
    if rejection := _rate_limit_rejection(call):
        return rejection
    currencies = [name.strip().lower() for name in call.parameter("vs_currencies").split(",") if name.strip()]
    for name, value in (("ids", call.symbols), ("vs_currencies", currencies)):
        if not value:
            return CompactJsonResponse({"error": f"Missing parameter {name}"}, 422)
    flags = {name for name in ("market_cap", "24hr_vol", "24hr_change") if call.parameter(f"include_{name}") == "true"}
    prices: dict[str, dict[str, Any]] = {}
    for coin in call.symbols:
        fields: dict[str, Any] = {}
        for currency in currencies:
            priced = _priced(call, coin, currency) if currency.upper() in USD_VALUES else None
            if priced is None:
                continue
            price, bar = priced
            extra = {
                "market_cap": (f"{currency}_market_cap", bar.close * _COIN_SUPPLY),
                "24hr_vol": (f"{currency}_24h_vol", bar.volume * bar.close),
                "24hr_change": (f"{currency}_24h_change", change_percent(bar)),
            }
            fields |= {currency: price, **dict(extra[name] for name in sorted(flags))}
            if call.parameter("include_last_updated_at") == "true":
                fields["last_updated_at"] = int(bar.end)
        if fields:
            prices[coin] = fields
    return CompactJsonResponse(prices)


def _serve_markets(call: Call) -> Response:
    if rejection := _rate_limit_rejection(call):
        return rejection
    currency = call.parameter("vs_currency").lower()
    if currency.upper() not in USD_VALUES:
        return CompactJsonResponse(
            {"error": "invalid vs_currency" if currency else "Missing parameter vs_currency"}, 422
        )
    size = min(max(call.integer_parameter("per_page", 100), 1), MAX_PAGE_SIZE)
    page = max(call.integer_parameter("page", 1), 1)
    known = [coin for coin in call.symbols if call.current_day(coin) is not None]
    coins = known[(page - 1) * size : page * size]
    rows = [
        _row(coin, (page - 1) * size + position, currency, priced)
        for position, coin in enumerate(coins, 1)
        if (priced := _priced(call, coin, currency)) is not None
    ]
    return CompactJsonResponse(rows)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _row(coin: str, rank: int, currency: str, priced: tuple[float | None, Bar]) -> dict[str, Any]:
    price, bar = priced
    rate = USD_VALUES[currency.upper()]
    base = COIN_BY_ID.get(coin, coin.upper())
    change = bar.close - bar.open
    return {
        "id": coin,
        "symbol": base.lower(),
        "name": LISTED_COINS[base][1] if base in LISTED_COINS else base.title(),
        "image": f"https://coin-images.coingecko.com/coins/images/1/large/{coin}.png",
        "current_price": price,
        "market_cap": bar.close / rate * _COIN_SUPPLY,
        "market_cap_rank": rank,
        "fully_diluted_valuation": bar.close / rate * _COIN_SUPPLY,
        "total_volume": bar.volume * bar.close / rate,
        "high_24h": bar.high / rate,
        "low_24h": bar.low / rate,
        "price_change_24h": change / rate,
        "price_change_percentage_24h": change_percent(bar),
        "market_cap_change_24h": change / rate * _COIN_SUPPLY,
        "market_cap_change_percentage_24h": change_percent(bar),
        "circulating_supply": _COIN_SUPPLY,
        "total_supply": _COIN_SUPPLY,
        "max_supply": None,
        "ath": bar.high / rate,
        "ath_change_percentage": 0.0,
        "ath_date": _iso(bar.end),
        "atl": bar.low / rate,
        "atl_change_percentage": 0.0,
        "atl_date": _iso(bar.end),
        "roi": None,
        "last_updated": _iso(bar.end),
    }


UPSTREAM = Upstream(
    "coingecko",
    ("api.coingecko.com",),
    (
        Endpoint("/api/v3/simple/price", _serve_prices, _ids),
        Endpoint("/api/v3/coins/markets", _serve_markets, _market_ids, b"[]"),
    ),
    {
        "rate-limited": lambda fault: _too_many_requests(retry_after_header(fault)),
        "access-denied": lambda _fault: PlainTextResponse("error code: 1020", 403),
        "unauthorized": lambda _fault: _status(10_002, "API Key Missing or invalid", status=401),
    },
)
