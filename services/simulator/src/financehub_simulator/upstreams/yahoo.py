"""Yahoo Finance as yfinance uses it: cookie, consent, crumb; quotes and charts are in modules of their own.

The crumb depends on the seed alone, so it survives a restart; the fault `invalid-crumb` refuses any.
"""

from collections.abc import Mapping
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from financehub_simulator.core import Call
from financehub_simulator.serving import Endpoint, JsonAnswer, Upstream, html, retry_after
from financehub_simulator.universe import is_delisted, is_known
from financehub_simulator.upstreams.yahoo_chart import chart
from financehub_simulator.upstreams.yahoo_quote import quote

#: Symbols a quote request may name; what lies beyond is cut off.
MAXIMUM_SYMBOLS = 99
_COOKIE_AGE = 31_536_000


def crumb(seed: int) -> str:
    """The crumb of this simulator."""
    return f"sim.{seed:x}Crumb"


def _canonical(symbol: str) -> str | None:
    return symbol if is_known(symbol) or is_delisted(symbol) else None


def _quote_names(request: Request) -> Mapping[str, str | None]:
    symbols = [symbol.strip().upper() for symbol in request.query_params.get("symbols", "").split(",")]
    return {symbol: _canonical(symbol) for symbol in symbols if symbol}


def _chart_names(request: Request) -> Mapping[str, str | None]:
    symbol = str(request.path_params["symbol"]).upper()
    return {symbol: _canonical(symbol)}


def unauthorized(description: str) -> Response:
    """The 401 of `/v7/finance/quote`."""
    error = {"code": "Unauthorized", "description": description}
    return JsonAnswer({"finance": {"result": None, "error": error}}, 401)


def _quotes(call: Call) -> Response:
    sent = call.query("crumb")
    if sent != crumb(call.sim.seed):
        return unauthorized("Invalid Crumb" if sent else "User is unable to access this feature")
    if not call.names:
        error = {"code": "argument-error", "description": 'Missing value for the "symbols" argument'}
        return JsonAnswer({"finance": {"result": None, "error": error}}, 400)
    return quote(call, list(call.names)[:MAXIMUM_SYMBOLS])


def _cookie(call: Call) -> str:
    # A host that is no Yahoo host may set no Yahoo cookie: clients would drop it.
    host = call.request.headers.get("host", "").split(":")[0]
    domain = "; Domain=.yahoo.com" if host.endswith("yahoo.com") else ""
    expires = formatdate(call.now + _COOKIE_AGE, usegmt=True)
    return f"A3=d=simulated&S={call.sim.seed:x}; Expires={expires}; Max-Age={_COOKIE_AGE}{domain}; Path=/; HttpOnly"


def _landing(call: Call) -> Response:
    """fc.yahoo.com: a 404 that sets the cookie."""
    return html("404 Not Found", 404, {"Set-Cookie": _cookie(call)})


def _crumb(call: Call) -> Response:
    if "A3=" not in call.request.headers.get("cookie", ""):
        return PlainTextResponse("", 401)
    return PlainTextResponse(crumb(call.sim.seed))


def _consent(_call: Call) -> Response:
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{value}"/>'
        for name, value in (("csrfToken", "simulated"), ("sessionId", "1_simulated"), ("namespace", "yahoo"))
    )
    return Response(
        f'<html><body><form action="/v2/collectConsent" method="post">{inputs}</form></body></html>',
        media_type="text/html",
    )


def _consented(call: Call) -> Response:
    return html("Yahoo", 200, {"Set-Cookie": _cookie(call)})


YAHOO = Upstream(
    "yahoo",
    ("*.yahoo.com", "*.finance.yahoo.com"),
    (
        Endpoint("/v7/finance/quote", _quotes, _quote_names, b'{"quoteResponse":{"result":[],"error":null}}'),
        Endpoint("/v8/finance/chart/{symbol}", chart, _chart_names, b'{"chart":{"result":[],"error":null}}'),
        Endpoint("/v1/test/getcrumb", _crumb),
        Endpoint("/", _landing),
        Endpoint("/consent", _consent),
        Endpoint("/v2/collectConsent", _consented, methods=("POST",)),
        Endpoint("/copyConsent", _consented),
    ),
    {
        "rate-limited": lambda fault: PlainTextResponse("Edge: Too Many Requests", 429, retry_after(fault)),
        "invalid-crumb": lambda _fault: unauthorized("Invalid Crumb"),
        "will-be-right-back": lambda _fault: html("Will be right back..."),
    },
)
