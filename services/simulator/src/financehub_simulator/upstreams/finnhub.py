"""Finnhub `/api/v1/quote`: one symbol per request, and only US stocks, as on the free plan.

The response for an unknown symbol consists of zeros, as in reality. Source: finnhub.io/docs/api/quote.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from financehub_simulator.call import Call
from financehub_simulator.endpoints import Endpoint, Upstream
from financehub_simulator.responses import CompactJsonResponse, change_percent, html_page, retry_after_header
from financehub_simulator.universe import crypto_base, is_known

_UNKNOWN_SYMBOL = b'{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}'
_NO_ACCESS = "You don't have access to this resource."
_LIMIT_REACHED = "API limit reached. Please try again later. Remaining Limit: 0"


def _symbols(request: Request) -> Mapping[str, str | None]:
    symbol = request.query_params.get("symbol", "").upper()
    return {symbol: symbol if is_known(symbol) and not crypto_base(symbol) else None} if symbol else {}


def _error(message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return CompactJsonResponse({"error": message}, status, dict(headers or {}))


def _quote(call: Call) -> Response:
    token = call.request.headers.get("x-finnhub-token") or call.parameter("token")
    if not token or token == "invalid":
        return _error("Invalid API key." if token else "Please use an API key.", 401)
    limits = call.simulator.rate_limits
    per_minute, per_second = limits.window("finnhub", 60, 60), limits.window("finnhub", 30, 1)
    minute_wait, second_wait = per_minute.take(call.now), per_second.take(call.now)
    headers = {
        "X-Ratelimit-Limit": str(per_minute.allowed),
        "X-Ratelimit-Remaining": str(max(per_minute.allowed - per_minute.used, 0)),
        "X-Ratelimit-Reset": str(int(per_minute.started_at + per_minute.seconds)),
    }
    if call.simulator.enforce_rate_limits and (minute_wait is not None or second_wait is not None):
        return _error(_LIMIT_REACHED, 429, headers)
    if not call.symbols:
        return _error("Missing parameters: symbol", 422)
    (symbol,) = call.symbols
    if "." in symbol:
        return _error(_NO_ACCESS, 403, headers)
    bar = call.current_day(symbol)
    if bar is None:
        return Response(_UNKNOWN_SYMBOL, 200, headers, "application/json")
    content = {
        "c": bar.close,
        "d": round(bar.close - bar.previous_close, 4),
        "dp": round(change_percent(bar, bar.previous_close), 4),
        "h": bar.high,
        "l": bar.low,
        "o": bar.open,
        "pc": bar.previous_close,
        "t": int(call.price_time(symbol, bar)),
    }
    return CompactJsonResponse(content, headers=headers)


UPSTREAM = Upstream(
    "finnhub",
    ("finnhub.io", "api.finnhub.io"),
    (Endpoint("/api/v1/quote", _quote, _symbols, _UNKNOWN_SYMBOL),),
    {
        "rate-limited": lambda fault: _error(_LIMIT_REACHED, 429, retry_after_header(fault)),
        "unauthorized": lambda _fault: _error("Invalid API key.", 401),
        "no-access": lambda _fault: _error(_NO_ACCESS, 403),
        "forbidden": lambda _fault: html_page("403 Forbidden", 403),
    },
)
