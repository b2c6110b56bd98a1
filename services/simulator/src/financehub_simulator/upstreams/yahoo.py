"""Yahoo Finance as yfinance uses it: cookie, consent and crumb. Quotes and charts have their own modules.

The crumb depends only on the seed, so it survives a restart. The fault `invalid-crumb` rejects every crumb.
"""

from collections.abc import Mapping
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from financehub_simulator.call import Call
from financehub_simulator.endpoints import Endpoint, Upstream
from financehub_simulator.responses import CompactJsonResponse, html_page, retry_after_header
from financehub_simulator.universe import is_delisted, is_known
from financehub_simulator.upstreams.yahoo_chart import chart_response
from financehub_simulator.upstreams.yahoo_quote import quote_response

#: Maximum number of symbols per quote request. Additional symbols are ignored.
MAX_SYMBOLS = 99
_COOKIE_AGE_SECONDS = 31_536_000


def crumb(seed: int) -> str:
    """Return the crumb for a simulator seed."""
    return f"sim.{seed:x}Crumb"


def _canonical(symbol: str) -> str | None:
    return symbol if is_known(symbol) or is_delisted(symbol) else None


def _quote_symbols(request: Request) -> Mapping[str, str | None]:
    symbols = [symbol.strip().upper() for symbol in request.query_params.get("symbols", "").split(",")]
    return {symbol: _canonical(symbol) for symbol in symbols if symbol}


def _chart_symbols(request: Request) -> Mapping[str, str | None]:
    symbol = str(request.path_params["symbol"]).upper()
    return {symbol: _canonical(symbol)}


def unauthorized_response(description: str) -> Response:
    """Return the 401 response of `/v7/finance/quote`."""
    error = {"code": "Unauthorized", "description": description}
    return CompactJsonResponse({"finance": {"result": None, "error": error}}, 401)


def _quotes(call: Call) -> Response:
    sent = call.parameter("crumb")
    if sent != crumb(call.simulator.seed):
        return unauthorized_response("Invalid Crumb" if sent else "User is unable to access this feature")
    if not call.symbols:
        error = {"code": "argument-error", "description": 'Missing value for the "symbols" argument'}
        return CompactJsonResponse({"finance": {"result": None, "error": error}}, 400)
    return quote_response(call, list(call.symbols)[:MAX_SYMBOLS])


def _cookie(call: Call) -> str:
    # Clients drop a cookie for Yahoo's domain unless the host is in that domain.
    host = call.request.headers.get("host", "").split(":")[0]
    domain = "; Domain=.yahoo.com" if host.endswith("yahoo.com") else ""
    expires = formatdate(call.now + _COOKIE_AGE_SECONDS, usegmt=True)
    return (
        f"A3=d=simulated&S={call.simulator.seed:x}; Expires={expires}; Max-Age={_COOKIE_AGE_SECONDS}{domain}; "
        "Path=/; HttpOnly"
    )


def _landing(call: Call) -> Response:
    """Return the 404 of fc.yahoo.com that sets the cookie."""
    return html_page("404 Not Found", 404, {"Set-Cookie": _cookie(call)})


def _crumb(call: Call) -> Response:
    if "A3=" not in call.request.headers.get("cookie", ""):
        return PlainTextResponse("", 401)
    return PlainTextResponse(crumb(call.simulator.seed))


def _consent(_call: Call) -> Response:
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{value}"/>'
        for name, value in (("csrfToken", "simulated"), ("sessionId", "1_simulated"), ("namespace", "yahoo"))
    )
    return Response(
        f'<html><body><form action="/v2/collectConsent" method="post">{inputs}</form></body></html>',
        media_type="text/html",
    )


def _accept_consent(call: Call) -> Response:
    return html_page("Yahoo", 200, {"Set-Cookie": _cookie(call)})


UPSTREAM = Upstream(
    "yahoo",
    ("*.yahoo.com", "*.finance.yahoo.com"),
    (
        Endpoint("/v7/finance/quote", _quotes, _quote_symbols, b'{"quoteResponse":{"result":[],"error":null}}'),
        Endpoint("/v8/finance/chart/{symbol}", chart_response, _chart_symbols, b'{"chart":{"result":[],"error":null}}'),
        Endpoint("/v1/test/getcrumb", _crumb),
        Endpoint("/", _landing),
        Endpoint("/consent", _consent),
        Endpoint("/v2/collectConsent", _accept_consent, methods=("POST",)),
        Endpoint("/copyConsent", _accept_consent),
    ),
    {
        "rate-limited": lambda fault: PlainTextResponse("Edge: Too Many Requests", 429, retry_after_header(fault)),
        "invalid-crumb": lambda _fault: unauthorized_response("Invalid Crumb"),
        "will-be-right-back": lambda _fault: html_page("Will be right back..."),
    },
)
