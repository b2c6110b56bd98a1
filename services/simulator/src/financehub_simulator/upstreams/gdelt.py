"""GDELT DOC 2.0 `/api/v2/doc/doc` with mode artlist and format JSON: at most 250 articles, one request every 5 s.

Errors are plain text with status 200. The stories are the same as in the feeds, some with the same addresses.
"""

import re
from datetime import UTC, datetime
from typing import Any

from starlette.responses import PlainTextResponse, Response

from financehub_simulator.call import Call
from financehub_simulator.endpoints import Endpoint, Upstream
from financehub_simulator.news import Story, latest_stories
from financehub_simulator.responses import CompactJsonResponse, retry_after_header

_MAX_ARTICLES = 250
_DEFAULT_ARTICLES = 75
_WORD = re.compile(r"[a-z0-9&-]{3,}")
#: Words that match every simulated story.
_GENERAL_WORDS = frozenset(
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
_RATE_LIMITED = "Please limit requests to one every 5 seconds or ask for a larger quota.\n"
_SOURCES = (
    ("cnbc.com", "https://www.cnbc.com/2026/{slug}.html"),
    ("reuters.com", "https://www.reuters.com/markets/{slug}/"),
    ("finance.yahoo.com", "https://finance.yahoo.com/news/{slug}.html"),
    ("benzinga.com", "https://www.benzinga.com/news/{slug}"),
)


def _articles(call: Call) -> Response:
    wait = call.simulator.rate_limits.minimum_interval("gdelt", 5).take(call.now)
    if wait is not None and call.simulator.enforce_rate_limits:
        return PlainTextResponse(_RATE_LIMITED, 429)
    query = call.parameter("query").strip().lower()
    if len(query) < 3:
        return PlainTextResponse("Your query was too short or too long.\n", media_type="text/html")
    if call.parameter("mode", "artlist").lower() != "artlist" or call.parameter("format", "html").lower() != "json":
        return PlainTextResponse("The simulator serves mode=artlist and format=json only.\n", media_type="text/html")
    count = min(max(call.integer_parameter("maxrecords", _DEFAULT_ARTICLES), 1), _MAX_ARTICLES)
    words = {word for word in _WORD.findall(query) if ":" not in word}
    stories = latest_stories(call.simulator.seed, call.now, 1_000)
    matching = [
        story for story in stories if words & _GENERAL_WORDS or any(word in story.title.lower() for word in words)
    ][:count]
    return CompactJsonResponse({"articles": [_article(story) for story in matching]} if matching else {})


def _article(story: Story) -> dict[str, Any]:
    domain, address = _SOURCES[story.number % len(_SOURCES)]
    return {
        "url": address.format(slug=story.slug),
        "url_mobile": "",
        "title": story.title,
        "seendate": datetime.fromtimestamp(story.at - story.at % 900 + 900, UTC).strftime("%Y%m%dT%H%M%SZ"),
        "socialimage": "",
        "domain": domain,
        "language": "English",
        "sourcecountry": "United States",
    }


UPSTREAM = Upstream(
    "gdelt",
    ("api.gdeltproject.org",),
    (Endpoint("/api/v2/doc/doc", _articles),),
    {"rate-limited": lambda fault: PlainTextResponse(_RATE_LIMITED, 429, retry_after_header(fault))},
)
