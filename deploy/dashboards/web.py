"""The Web dashboard shows whether the console and the API answer, how fast, and what they refuse."""

from grafana_foundation_sdk.models import dashboard

from dashboards.layout import Line, Section, assemble
from dashboards.panels import About, Query, figure, graph
from dashboards.promql import increase, quantile, quantile_of_range, rate, series
from dashboards.style import BAD, GOOD, WARN
from dashboards.tables import Column, rows

UID = "financehub-web"
_REQUESTS = "financehub_http_requests_total"
_DURATION = "financehub_http_request_duration_seconds"
_NO_WEB = "No data: no web process is scraped, or nobody uses it"
#: The requests of the API, without the stream, whose response never ends.
_API = 'route=~"/api/v1/.*", route!~".*/stream/.*"'
#: The pages of the console.
_PAGES = 'route!~"/api/.*|/static/.*|unknown"'

#: Seconds until a response begins. The benchmarks hold the API to 0.03 s and the pages to 0.1 s.
_DURATION_STEPS = ((None, GOOD), (0.25, WARN), (1, BAD))
_FAILED_STEPS = ((None, GOOD), (0.001, WARN), (0.05, BAD))


def _failed(requests: str, failures: str) -> str:
    """Return the fraction of requests that failed, which is 0 if the series of failures does not exist yet."""
    return f"({failures} or 0 * {requests}) / ({requests} > 0)"


def now() -> Section:
    """Key numbers of the time range."""
    load = figure(
        About(
            title="Requests",
            text="Requests per second to the console and the API. A sudden rise usually is a program that reads in a "
            "loop. The table below shows the routes. Each client has a rate limit, and gets 429 "
            "above it.",
            unit="reqps",
            no_value=_NO_WEB,
            decimals=1,
        ),
        Query(f"sum(rate({series(_REQUESTS)}[$__rate_interval]))", "requests"),
        trend=True,
    )
    errors = figure(
        About(
            title="Failed requests",
            text="The share of requests that ended with a 5xx status within the time range. Anything above 0 is bad. "
            "503 means that Redis did not answer: see Redis and processes. 500 is a defect: the log of the web "
            "process has the traceback with the request id.",
            unit="percentunit",
            no_value=_NO_WEB,
            steps=_FAILED_STEPS,
            high=1,
            decimals=2,
        ),
        Query(
            _failed(
                f"sum(increase({series(_REQUESTS)}[$__range]))",
                f"sum(increase({series(_REQUESTS, _status('5'))}[$__range]))",
            ),
            "failed",
        ),
    )
    api = figure(
        About(
            title="API, slowest 1 %",
            text="The time in which 99 % of the API's responses begin. More than 0.25 seconds is bad: the process "
            "lacks CPU, or Redis is slow.",
            unit="s",
            no_value=_NO_WEB,
            steps=_DURATION_STEPS,
            decimals=3,
        ),
        Query(quantile_of_range(0.99, _DURATION, "", _API), "API"),
    )
    pages = figure(
        About(
            title="Pages, slowest 1 %",
            text="The time in which 99 % of the console's pages begin. More than 0.25 seconds is bad: the process "
            "lacks CPU, or Redis is slow.",
            unit="s",
            no_value=_NO_WEB,
            steps=_DURATION_STEPS,
            decimals=3,
        ),
        Query(quantile_of_range(0.99, _DURATION, "", _PAGES), "pages"),
    )
    return Section(None, [Line(4, [(6, load), (6, errors), (6, api), (6, pages)])])


def _status(first_digit: str) -> str:
    return f'status=~"{first_digit}.."'


def over_time() -> Section:
    """Requests and durations over time."""
    by_status = graph(
        About(
            title="Requests by status",
            text="Requests per second by status. 304 is good, because the client already has the newest data. 401 and "
            "403 are clients without the right to do what they try, 429 is a client above the rate limit, and 503 "
            "means that Redis did not answer.",
            unit="reqps",
            no_value=_NO_WEB,
        ),
        Query(rate(_REQUESTS, "status"), "{{status}}"),
        stacked=True,
    )
    durations = graph(
        About(
            title="Time until a response begins",
            text="The duration of all requests without the streams. A climbing line is bad. Compare it with the round "
            "trip of a command on Redis and processes: if both climb, Redis is slow; otherwise, the process lacks CPU.",
            unit="s",
            no_value=_NO_WEB,
            steps=_DURATION_STEPS,
        ),
        *(
            Query(quantile(rank, _DURATION, "", 'route!~".*/stream/.*"'), name)
            for rank, name in ((0.5, "50 %"), (0.95, "95 %"), (0.99, "99 %"))
        ),
    )
    return Section("Do the console and the API answer?", [Line(8, [(12, by_status), (12, durations)])])


def routes() -> Section:
    """A table with one row per route."""
    requests = increase(_REQUESTS, "route")
    table = rows(
        About(
            title="Routes",
            text="Every route that was requested within the time range, the most requested one on top. Failed requests "
            "are bad. Many refused ones on a single route are a client that calls it in a wrong way: the response "
            "tells it how.",
            unit="none",
            no_value=_NO_WEB,
        ),
        {"route": "Route"},
        [
            Column(title="Requests", expr=requests, decimals=0),
            Column(title="Slowest 1 %", expr=quantile_of_range(0.99, _DURATION, "route"), unit="s", decimals=3),
            Column(
                title="Refused",
                expr=_failed(requests, increase(_REQUESTS, "route", _status("4"))),
                unit="percentunit",
                decimals=1,
            ),
            Column(
                title="Failed",
                expr=_failed(requests, increase(_REQUESTS, "route", _status("5"))),
                unit="percentunit",
                steps=_FAILED_STEPS,
                decimals=1,
            ),
        ],
        sort="Requests",
    )
    return Section("Which route is slow or fails?", [Line(10, [(24, table)])])


def build() -> dashboard.Dashboard:
    """Build the dashboard."""
    text = "Whether the web console and the read API answer, how fast, and which requests they refuse."
    return assemble(UID, text, [now(), over_time(), routes()], period="6h")
