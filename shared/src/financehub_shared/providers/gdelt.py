"""GDELT DOC 2.0: headlines about markets from news sites worldwide.

Source: https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/ (mode artlist, at most 250 records). GDELT
allows one request per 5 s.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import MalformedError, NotFoundError
from financehub_shared.core.models import PAYLOAD_LIMIT, NewsItem, Quarantined
from financehub_shared.market.news_urls import canonical_url, is_start_page, news_id
from financehub_shared.providers.context import ProviderContext
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.protocols import NewsBatch
from financehub_shared.providers.transport import parse
from financehub_shared.providers.transport.damaged_json import Damaged
from financehub_shared.providers.transport.http import HttpClient
from financehub_shared.providers.transport.plain_text import plain_text

QUERY = '("stock market" OR earnings OR cryptocurrency OR bitcoin) sourcelang:english'
RECORDS_MAX = 250
#: Twice the interval of the news task, so that a skipped run does not leave a gap.
TIMESPAN = "60min"
SOURCE = "gdelt"


def build(context: ProviderContext) -> "Gdelt":
    """Build the provider."""
    return Gdelt(context.http, context.guard, context.base_url, context.clock, context.name)


class Gdelt:
    """Delivers news items.

    Args:
        http: Sends the requests.
        guard: Budget and breaker of this upstream.
        base_url: Base URL of the API.
        clock: Clock for fetch times.
        name: Name of this provider in records.
    """

    def __init__(
        self, http: HttpClient, guard: UpstreamGuard, base_url: str, clock: Clock, name: str = "gdelt"
    ) -> None:
        self.name = name
        self._http = http
        self._guard = guard
        self._url = base_url.rstrip("/") + "/api/v2/doc/doc"
        self._clock = clock

    def sources(self) -> list[str]:
        return [SOURCE]

    async def fetch_news(self, sources: Sequence[str] | None, deadline: float) -> NewsBatch:
        """Send one request, or none if `sources` does not include GDELT; see `NewsProvider`."""
        if sources is not None and not any(part in SOURCE for part in sources):
            return NewsBatch()
        articles = await self._guard.call(lambda: self._get(deadline))
        now = self._clock.now()
        items: list[NewsItem] = []
        quarantined: list[Quarantined] = []
        for article in articles[:RECORDS_MAX]:
            try:
                items.append(self._item(article, now))
            except MalformedError as error:
                reason = f"unusable: {error.detail}"
                quarantined.append(Quarantined("news", SOURCE, self.name, reason, _payload(article), now))
        return NewsBatch(items, quarantined=quarantined)

    async def _get(self, deadline: float) -> list[Any]:
        params = {
            "query": QUERY,
            "mode": "artlist",
            "format": "json",
            "maxrecords": str(RECORDS_MAX),
            "timespan": TIMESPAN,
            "sort": "datedesc",
        }
        answer = await self._http.get_json(self.name, self._url, params=params, deadline=deadline, elements="articles")
        body = parse.mapping(self.name, answer, "the answer")
        if body.get("articles", []) == []:
            # If there is no article worldwide for an hour, the index is broken.
            raise NotFoundError(self.name, f"GDELT has no article of the last {TIMESPAN}")
        return parse.sequence(self.name, body["articles"], "articles")

    def _item(self, article: Any, now: float) -> NewsItem:
        if isinstance(article, Damaged):
            raise MalformedError(self.name, f"the article is not JSON ({article.problem})")
        fields = parse.mapping(self.name, article, "the article")
        title = plain_text(fields.get("title"))
        if not title:
            raise MalformedError(self.name, f"the article has no title: title is {parse.describe(fields.get('title'))}")
        url = parse.text(self.name, fields.get("url"), "url")
        try:
            canonical = canonical_url(url)
            id = news_id(canonical, title if is_start_page(canonical) else "")
        except ValueError as error:
            raise MalformedError(self.name, f"url is {parse.describe(url)}: {error}") from None
        return NewsItem(
            id=id,
            title=title,
            url=canonical,
            source=plain_text(fields.get("domain")) or SOURCE,
            published_at=min(_seen_at(fields.get("seendate")) or now, now),
            fetched_at=now,
            provider=self.name,
        )


def _seen_at(value: object) -> float | None:
    """Return a timestamp such as `20240216T021500Z` in Unix seconds, or None if the value has another format."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _payload(article: Any) -> str:
    """Return an article as text for the quarantine."""
    try:
        text = article.text if isinstance(article, Damaged) else json.dumps(article, default=str)
    except RecursionError:
        text = parse.describe(article)
    # Lone surrogates cannot be encoded, so neither Redis nor a file can store them.
    return text[:PAYLOAD_LIMIT].encode(errors="backslashreplace").decode()[:PAYLOAD_LIMIT]
