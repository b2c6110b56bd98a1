"""GDELT DOC 2.0 `/api/v2/doc/doc`, mode artlist, JSON: at most 250 articles, one request every 5 s.

Complaints come as plain text at 200. The stories are those of the feeds, some at the same addresses.
"""

import re
from datetime import UTC, datetime
from typing import Any

from starlette.responses import PlainTextResponse, Response

from financehub_simulator.core import Call
from financehub_simulator.news import Story, latest
from financehub_simulator.serving import Endpoint, JsonAnswer, Upstream, retry_after

_MAXIMUM = 250
_DEFAULT = 75
_WORD = re.compile(r"[a-z0-9&-]{3,}")
#: Words that every simulated story is about.
_ALL = frozenset(
    [
        "stock",
        "stocks",
        "market",
        "markets",
        "finance",
        "financial",
        "economy",
        "economic",
        "investors",
        "trading",
        "crypto",
        "cryptocurrency",
    ]
)
_OVER = "Please limit requests to one every 5 seconds or ask for a larger quota.\n"
_SOURCES = (
    ("cnbc.com", "https://www.cnbc.com/2026/{slug}.html"),
    ("reuters.com", "https://www.reuters.com/markets/{slug}/"),
    ("finance.yahoo.com", "https://finance.yahoo.com/news/{slug}.html"),
    ("benzinga.com", "https://www.benzinga.com/news/{slug}"),
)


def _documents(call: Call) -> Response:
    wait = call.sim.limits.gdelt.take(call.now)
    if wait is not None and call.sim.limited:
        return PlainTextResponse(_OVER, 429)
    query = call.query("query").strip().lower()
    if len(query) < 3:
        return PlainTextResponse("Your query was too short or too long.\n", media_type="text/html")
    if call.query("mode", "artlist").lower() != "artlist" or call.query("format", "html").lower() != "json":
        return PlainTextResponse("The simulator serves mode=artlist and format=json only.\n", media_type="text/html")
    count = min(max(call.number("maxrecords", _DEFAULT), 1), _MAXIMUM)
    words = {word for word in _WORD.findall(query) if ":" not in word}
    stories = latest(call.sim.seed, call.now, 1_000)
    chosen = [told for told in stories if words & _ALL or any(word in told.title.lower() for word in words)][:count]
    return JsonAnswer({"articles": [_article(told) for told in chosen]} if chosen else {})


def _article(told: Story) -> dict[str, Any]:
    domain, address = _SOURCES[told.number % len(_SOURCES)]
    return {
        "url": address.format(slug=told.slug),
        "url_mobile": "",
        "title": told.title,
        "seendate": datetime.fromtimestamp(told.at - told.at % 900 + 900, UTC).strftime("%Y%m%dT%H%M%SZ"),
        "socialimage": "",
        "domain": domain,
        "language": "English",
        "sourcecountry": "United States",
    }


GDELT = Upstream(
    "gdelt",
    ("api.gdeltproject.org",),
    (Endpoint("/api/v2/doc/doc", _documents),),
    {"rate-limited": lambda fault: PlainTextResponse(_OVER, 429, retry_after(fault))},
)
