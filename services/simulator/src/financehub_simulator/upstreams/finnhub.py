"""Finnhub `/api/v1/quote`: one symbol a request, US stocks only on the free plan.

An unknown symbol is answered with zeros, as in reality. Source: finnhub.io/docs/api/quote.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from financehub_simulator.core import Call
from financehub_simulator.serving import Endpoint, JsonAnswer, Upstream, change_percent, html, retry_after
from financehub_simulator.universe import crypto_base, is_known

_ZEROS = b'{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}'
_OVER = "API limit reached. Please try again later. Remaining Limit: 0"


def _names(request: Request) -> Mapping[str, str | None]:
    symbol = request.query_params.get("symbol", "").upper()
    return {symbol: symbol if is_known(symbol) and not crypto_base(symbol) else None} if symbol else {}


def _error(problem: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return JsonAnswer({"error": problem}, status, dict(headers or {}))


def _quote(call: Call) -> Response:
    token = call.request.headers.get("x-finnhub-token") or call.query("token")
    if not token or token == "invalid":
        return _error("Invalid API key." if token else "Please use an API key.", 401)
    limits = call.sim.limits
    minute, burst = limits.finnhub.take(call.now), limits.finnhub_burst.take(call.now)
    headers = {
        "X-Ratelimit-Limit": str(limits.finnhub.allowed),
        "X-Ratelimit-Remaining": str(max(limits.finnhub.allowed - limits.finnhub.used, 0)),
        "X-Ratelimit-Reset": str(int(limits.finnhub.began + limits.finnhub.seconds)),
    }
    if call.sim.limited and (minute is not None or burst is not None):
        return _error(_OVER, 429, headers)
    if not call.names:
        return _error("Missing parameters: symbol", 422)
    (symbol,) = call.names
    if "." in symbol:
        return _error("You don't have access to this resource.", 403, headers)
    bar = call.today(symbol)
    if bar is None:
        return Response(_ZEROS, 200, headers, "application/json")
    content = {
        "c": bar.close,
        "d": round(bar.close - bar.previous_close, 4),
        "dp": round(change_percent(bar, bar.previous_close), 4),
        "h": bar.high,
        "l": bar.low,
        "o": bar.open,
        "pc": bar.previous_close,
        "t": int(call.moment(symbol, bar)),
    }
    return JsonAnswer(content, headers=headers)


FINNHUB = Upstream(
    "finnhub",
    ("finnhub.io", "api.finnhub.io"),
    (Endpoint("/api/v1/quote", _quote, _names, _ZEROS),),
    {
        "rate-limited": lambda fault: _error(_OVER, 429, retry_after(fault)),
        "unauthorized": lambda _fault: _error("Invalid API key.", 401),
        "forbidden": lambda _fault: html("403 Forbidden", 403),
    },
)
