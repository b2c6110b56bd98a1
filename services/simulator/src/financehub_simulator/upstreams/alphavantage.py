"""Alpha Vantage `/query?function=GLOBAL_QUOTE`: 25 requests a day, and every complaint at 200.

Source: alphavantage.co/documentation.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from financehub_simulator.core import Call
from financehub_simulator.serving import Endpoint, JsonAnswer, Upstream, change_percent
from financehub_simulator.universe import crypto_base, is_known

_NOTE = "Thank you for using Alpha Vantage! Our standard API rate limit is 25 requests per day."
_EMPTY = b'{"Global Quote":{}}'


def _names(request: Request) -> Mapping[str, str | None]:
    symbol = request.query_params.get("symbol", "").upper()
    return {symbol: symbol if is_known(symbol) and not crypto_base(symbol) else None} if symbol else {}


def _note() -> Response:
    return JsonAnswer({"Note": _NOTE})


def _query(call: Call) -> Response:
    if call.sim.limits.alphavantage.take(call.now) is not None and call.sim.limited:
        return _note()
    if not call.query("apikey"):
        return JsonAnswer({"Error Message": "the parameter apikey is invalid or missing."})
    if call.query("function") != "GLOBAL_QUOTE" or not call.names:
        return JsonAnswer({"Error Message": "Invalid API call."})
    (symbol,) = call.names
    bar = call.today(symbol)
    if bar is None:
        return Response(_EMPTY, media_type="application/json")
    prices = {"02. open": bar.open, "03. high": bar.high, "04. low": bar.low, "05. price": bar.close}
    content = {
        "01. symbol": symbol,
        **{name: _text(value) for name, value in prices.items()},
        "06. volume": str(int(bar.volume)),
        "07. latest trading day": datetime.fromtimestamp(bar.time, UTC).strftime("%Y-%m-%d"),
        "08. previous close": _text(bar.previous_close),
        "09. change": _text(bar.close - bar.previous_close),
        "10. change percent": f"{change_percent(bar, bar.previous_close):.4f}%",
    }
    return JsonAnswer({"Global Quote": content})


def _text(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1e300 else repr(value)


ALPHAVANTAGE = Upstream(
    "alphavantage",
    ("www.alphavantage.co",),
    (Endpoint("/query", _query, _names, _EMPTY),),
    {"rate-limited": lambda _fault: _note()},
)
