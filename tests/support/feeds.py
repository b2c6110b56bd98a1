"""Small feeds for the tests of the RSS provider, and a parser that all tests of a process share."""

from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache

from financehub_shared.providers.rss.feed import parse_feed
from financehub_shared.providers.rss.messages import Feed, FeedSource
from financehub_shared.providers.rss.parser_process import FeedParser

NOW = 1_800_000_000.0
SOURCE = FeedSource("rss", "news.test/rss", "https://news.test/feeds/rss?token=subscriber", "application/rss+xml", NOW)


def date(seconds_ago: float = 60) -> str:
    """Return a date in the form of RSS."""
    return format_datetime(datetime.fromtimestamp(NOW - seconds_ago, UTC))


def rss_of(*items: str, title: str = "The Wire", head: str = "", root: str = "") -> bytes:
    """Return an RSS feed whose items have these contents."""
    body = "".join(f"<item>{item}</item>" for item in items)
    start = f'<?xml version="1.0"?>{head}<rss version="2.0"{root}><channel><title>{title}</title>'
    return f"{start}{body}</channel></rss>".encode()


def entry(number: int = 1, seconds_ago: float = 60, title: str = "Bitcoin rises") -> str:
    """Return the content of an item."""
    link = f"https://News.test/a{number}?utm_source=rss&amp;b=2&amp;a=1"
    return f"<title>{title}</title><link>{link}</link><guid>g{number}</guid><pubDate>{date(seconds_ago)}</pubDate>"


def parse(body: bytes, content_type: str = "application/rss+xml") -> Feed:
    """Parse a feed in this process."""
    return parse_feed(FeedSource(SOURCE.provider, SOURCE.label, SOURCE.url, content_type, NOW), body)


@cache
def shared_parser() -> FeedParser:
    """Return the parser of this test process. Its child ends with the test process."""
    return FeedParser()
