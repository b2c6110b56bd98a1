"""Parses the bytes of a feed into news items. Pure: no network, no clock."""

import calendar
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import feedparser
from feedparser.encodings import convert_to_utf8

from financehub_shared.core.errors import MalformedError, NotFoundError
from financehub_shared.core.models import PAYLOAD_LIMIT, NewsItem, Quarantined
from financehub_shared.market.news_text import canonical_url, news_id
from financehub_shared.providers.transport.plain_text import plain_text

#: Number of entries that are read. Feeds list a few dozen, newest first, so additional entries are old.
ENTRIES_MAX = 500
#: Dates that are further in the future than this are ignored.
FUTURE_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Feed:
    """A parsed feed.

    Args:
        items: Its news items.
        quarantined: Entries that are not usable as news items.
        newest_at: Unix seconds of the newest dated entry. None if no entry has a date.
    """

    items: list[NewsItem]
    quarantined: list[Quarantined]
    newest_at: float | None


def parse_feed(provider: str, label: str, body: bytes, content_type: str, fetched_at: float) -> Feed:
    """Parse RSS or Atom of any version, well-formed or not.

    Args:
        provider: Name of the provider in records.
        label: Name of the feed, used as source if the feed does not have a title.
        body: Decompressed body.
        content_type: Content type of the response, which may name the encoding.
        fetched_at: Unix seconds of the fetch.

    Raises:
        MalformedError: The body is not a feed, or it declares entities.
        NotFoundError: The feed has no entries.
    """
    # The check and the parser must read the same text whatever its encoding, so both get UTF-8.
    utf8: bytes = convert_to_utf8({"content-type": content_type or "application/xml"}, body, {})
    if b"<!ENTITY" in utf8.upper():
        raise MalformedError(provider, f"{label}: the XML declares entities, which could expand without limit")
    parsed = feedparser.parse(
        io.BytesIO(utf8), response_headers={"content-type": "application/xml; charset=utf-8"}, sanitize_html=False
    )
    if not parsed.get("version"):
        raise MalformedError(provider, f"{label}: not an RSS or Atom feed")
    if not parsed.entries:
        raise NotFoundError(provider, f"{label}: the feed has no entries")
    source = plain_text(parsed.feed.get("title")) or label
    items: list[NewsItem] = []
    quarantined: list[Quarantined] = []
    newest: float | None = None
    for entry in parsed.entries[:ENTRIES_MAX]:
        published_at = _published(entry, fetched_at)
        if published_at is not None:
            newest = max(newest or published_at, published_at)
        try:
            items.append(_item(provider, source, entry, published_at or fetched_at, fetched_at))
        except ValueError as error:
            payload = json.dumps({"title": str(entry.get("title"))[:500], "link": str(entry.get("link"))[:500]})
            record = Quarantined("news", label, provider, f"unusable: {error}", payload[:PAYLOAD_LIMIT], fetched_at)
            quarantined.append(record)
    return Feed(items, quarantined, newest)


def _item(provider: str, source: str, entry: Mapping[str, Any], published_at: float, fetched_at: float) -> NewsItem:
    title = plain_text(entry.get("title"))
    if not title:
        raise ValueError("no title")
    guid = str(entry.get("id") or "")[:500]
    url = str(entry.get("link") or guid)
    return NewsItem(
        id=news_id(url),
        title=title,
        url=canonical_url(url),
        source=source,
        published_at=published_at,
        fetched_at=fetched_at,
        provider=provider,
        guid=guid,
    )


def _published(entry: Mapping[str, Any], fetched_at: float) -> float | None:
    """Return an entry's date in Unix seconds, or None if it is missing or impossible."""
    for name in ("published_parsed", "updated_parsed", "created_parsed"):
        parts = entry[name] if name in entry else None  # noqa: SIM401 — feedparser's `get` maps one date to another
        if parts:
            try:
                at = float(calendar.timegm(parts))
            except (ValueError, OverflowError, TypeError):
                continue
            if 0 < at <= fetched_at + FUTURE_SECONDS:
                return at
    return None
