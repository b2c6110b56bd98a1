"""Parses the bytes of a feed into news items. Pure, without network or clock. It runs in the parser process."""

import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser

from financehub_shared.core.errors import MalformedError, NotFoundError
from financehub_shared.core.models import PAYLOAD_LIMIT, NewsItem, Quarantined
from financehub_shared.market.news_urls import canonical_url, is_start_page, news_id
from financehub_shared.providers.rss.dates import parse_date
from financehub_shared.providers.rss.decoding import decode_feed
from financehub_shared.providers.rss.document import PIECE_CHARACTERS_MAX, split_feed
from financehub_shared.providers.rss.messages import Feed, FeedSource
from financehub_shared.providers.rss.references import with_valid_references
from financehub_shared.providers.transport.plain_text import plain_text

#: A date that is more than this many seconds in the future is wrong. A smaller difference is due to clocks that differ.
FUTURE_SECONDS = 3_600.0
#: Unix seconds of 1990-01-01. Programs without a date or with a wrong clock write 1970 or 1980.
OLDEST = 631_152_000.0
#: Maximum length of a guid in characters.
GUID_CHARACTERS_MAX = 500
_DATES = ("published", "updated", "created")
_ENTITY = re.compile("<!ENTITY", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Entry:
    title: str
    url: str
    guid: str
    published_at: float | None


def parse_feed(source: FeedSource, body: bytes) -> Feed:
    """Parse RSS or Atom of any version, well-formed or not.

    Args:
        source: Where the bytes come from.
        body: Decompressed body.

    Raises:
        MalformedError: The body is not a feed, or it declares entities.
        NotFoundError: The feed has no entries.
    """
    document = split_feed(decode_feed(body, source.content_type))
    if _ENTITY.search(document.prolog):
        raise MalformedError(source.provider, "the XML declares entities, which could expand without limit")
    header = _parse(document.header)
    if not header.get("version"):
        raise MalformedError(source.provider, "not an RSS or Atom feed")
    if not document.entries:
        raise NotFoundError(source.provider, "the feed has no entries")
    entries: list[_Entry] = []
    quarantined: list[Quarantined] = []
    for text in document.entries:
        raw: Mapping[str, Any] = {}
        try:
            raw = _only_entry(text)
            entries.append(_entry(raw, source))
        except ValueError as error:
            quarantined.append(_rejected(source, raw, text, f"unusable: {error}"))
    title = plain_text(header.feed.get("title")) or source.label
    dates = [entry.published_at for entry in entries if entry.published_at is not None]
    return Feed(_news_items(entries, source, title), quarantined, max(dates, default=None))


def _parse(text: str) -> Any:
    # The text is UTF-8 regardless of its declaration, and the parser must not guess.
    return feedparser.parse(
        io.BytesIO(with_valid_references(text).encode()),
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )


def _only_entry(text: str) -> Mapping[str, Any]:
    try:
        entries = _parse(text).entries
    except MemoryError:
        raise
    except Exception as error:  # a bug in the feed parser must affect only one entry
        raise ValueError(f"the parser failed: {type(error).__name__}") from error
    if not entries:
        raise ValueError("the entry cannot be parsed")
    entry: Mapping[str, Any] = entries[0]
    return entry


def _entry(raw: Mapping[str, Any], source: FeedSource) -> _Entry:
    title = plain_text(raw.get("title"))
    if not title:
        raise ValueError(f"no title, or one of more than {PIECE_CHARACTERS_MAX} characters")
    guid = str(raw.get("id") or "")[:GUID_CHARACTERS_MAX]
    return _Entry(title, _link(raw, source.url), guid, _published(raw, source.fetched_at))


def _link(raw: Mapping[str, Any], base: str) -> str:
    """Return an entry's absolute link, or its guid if the link is missing and the guid is an address."""
    link, guid = str(raw.get("link") or "").strip(), str(raw.get("id") or "").strip()
    is_link = bool(raw.get("guidislink"))  # true if feedparser copied the guid to the link
    if not link or (link == guid and is_link):
        link = guid if guid.startswith(("http:", "https:")) or (is_link and guid.startswith("/")) else ""
    if not link:
        raise ValueError(f"no link, or one of more than {PIECE_CHARACTERS_MAX} characters")
    if link.lower().startswith("www."):
        link = f"https://{link}"
    if not urlsplit(link).scheme:
        # The query of the feed's address may contain a subscriber's token.
        link = urljoin(urlsplit(base)._replace(query="", fragment="").geturl(), link)
    return canonical_url(link)


def _published(raw: Mapping[str, Any], fetched_at: float) -> float | None:
    """Return an entry's date in Unix seconds, or None if it is missing or impossible."""
    for name in _DATES:
        if name not in raw:  # feedparser's `get` would return another date instead
            continue
        at = parse_date(str(raw[name]))
        if at is not None and OLDEST <= at <= fetched_at + FUTURE_SECONDS:
            return min(at, fetched_at)
    return None


def _news_items(entries: Sequence[_Entry], source: FeedSource, publisher: str) -> list[NewsItem]:
    """Return the news items of entries. A link or guid that several articles share does not identify any of them."""
    guids = Counter(entry.guid for entry in entries)
    titles: defaultdict[str, set[str]] = defaultdict(set)
    for entry in entries:
        titles[entry.url].add(entry.title)
    return [
        NewsItem(
            id=news_id(entry.url, entry.title if len(titles[entry.url]) > 1 or is_start_page(entry.url) else ""),
            title=entry.title,
            url=entry.url,
            source=publisher,
            published_at=source.fetched_at if entry.published_at is None else entry.published_at,
            fetched_at=source.fetched_at,
            provider=source.provider,
            guid=f"{source.label} {entry.guid}" if entry.guid and guids[entry.guid] == 1 else "",
        )
        for entry in entries
    ]


def _rejected(source: FeedSource, raw: Mapping[str, Any], text: str, reason: str) -> Quarantined:
    shown = {name: str(raw.get(name))[:500] for name in ("title", "link")} if raw else {"entry": text[-1_000:]}
    payload = json.dumps(shown)[:PAYLOAD_LIMIT]
    return Quarantined("news", source.label, source.provider, reason, payload, source.fetched_at)
