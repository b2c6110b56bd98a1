"""News feeds: RSS 2.0 in the shapes of Yahoo Finance, CNBC, MarketWatch and CoinDesk, and one Atom feed.

Stories overlap between feeds. They have the same address with different utm parameters, or the same title from a
different publisher. Conditional requests work as with real feeds (RFC 9110: If-None-Match precedes If-Modified-Since).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from hashlib import blake2b
from xml.sax.saxutils import escape, quoteattr

from starlette.requests import Request
from starlette.responses import Response

from financehub_simulator.call import Call
from financehub_simulator.endpoints import Endpoint, Upstream
from financehub_simulator.news import Story, latest_stories
from financehub_simulator.responses import html_page

_MAX_ITEMS = 25


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed.

    Args:
        title: Title of the feed.
        publisher_bit: Bit of `Story.publishers` that decides whether the feed contains a story.
        link: Template of an article's address, with tracking parameters.
        guid: Template of an article's guid.
        real_address: Real host and path; "" if there is no real feed.
        crypto_only: Whether the feed contains only stories about coins.
        atom: Whether the feed is an Atom feed.
    """

    title: str
    publisher_bit: int
    link: str
    guid: str
    real_address: str
    crypto_only: bool = False
    atom: bool = False


FEEDS: Mapping[str, Feed] = {
    "yahoo": Feed(
        "Yahoo Finance",
        0,
        "https://finance.yahoo.com/news/{slug}.html?.tsrc=rss",
        "{slug}.html",
        "finance.yahoo.com/news/rssindex",
    ),
    "cnbc": Feed(
        "US Top News and Analysis",
        1,
        "https://www.cnbc.com/2026/{slug}.html?utm_source=rss&utm_medium=feed&utm_campaign=top",
        "10{number}",
        "www.cnbc.com/id/100003114/device/rss/rss.html",
    ),
    "marketwatch": Feed(
        "MarketWatch.com - Top Stories",
        2,
        "https://www.marketwatch.com/story/{slug}?mod=mw_rss_topstories",
        "{{{number:08X}-SIM}}",
        "feeds.content.dowjones.io/public/rss/mw_topstories",
    ),
    "coindesk": Feed(
        "CoinDesk: Bitcoin, Ethereum, Crypto News and Price Data",
        3,
        "https://www.coindesk.com/markets/{slug}?utm_source=rss&utm_medium=rss",
        "sim-{number:012x}",
        "www.coindesk.com/arc/outboundfeeds/rss/",
        crypto_only=True,
    ),
    # The stories and addresses of `yahoo`, with different tracking parameters.
    "atom": Feed(
        "Markets (Atom)",
        0,
        "https://Finance.Yahoo.com/news/{slug}.html?utm_campaign=b&utm_source=atom",
        "tag:example.com,2026:{number}",
        "",
        atom=True,
    ),
}


def _feed_name(request: Request) -> Mapping[str, str | None]:
    return {str(request.path_params["feed"]): None}


def _serve_feed(call: Call) -> Response:
    name = next(iter(call.symbols))
    feed = FEEDS.get(name)
    if feed is None:
        return html_page("404 Not Found", 404)
    stories = [
        story for story in latest_stories(call.simulator.seed, call.now, _MAX_ITEMS * 4) if _contains(feed, story)
    ][:_MAX_ITEMS]
    modified = max((story.at for story in stories), default=0)
    etag = '"' + blake2b(f"{name}{[story.number for story in stories]}".encode(), digest_size=8).hexdigest() + '"'
    headers = {"ETag": etag, "Last-Modified": formatdate(modified, usegmt=True), "Cache-Control": "max-age=60"}
    if _unchanged(call.request, etag, modified):
        return Response(None, 304, headers)
    body = _atom(feed, stories, modified) if feed.atom else _rss(feed, stories, modified)
    media = "application/atom+xml" if feed.atom else "application/rss+xml"
    return Response(body, 200, headers, f"{media}; charset=utf-8")


def _contains(feed: Feed, story: Story) -> bool:
    return bool(story.publishers >> feed.publisher_bit & 1) and (story.is_crypto or not feed.crypto_only)


def _unchanged(request: Request, etag: str, modified: int) -> bool:
    if condition := request.headers.get("if-none-match"):
        return condition == "*" or etag in [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return modified <= since.timestamp()


def _rss(feed: Feed, stories: list[Story], modified: int) -> str:
    items = "".join(
        f"<item><title>{_title(feed, story)}</title><link>{escape(_link(feed, story))}</link>"
        f'<guid isPermaLink="false">{escape(_guid(feed, story))}</guid>'
        f"<pubDate>{formatdate(story.at, usegmt=True)}</pubDate>"
        f"<description><![CDATA[<p>{story.title}.</p>]]></description></item>\n"
        for story in stories
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>{escape(feed.title)}</title><link>https://{escape(feed.real_address)}</link>"
        f"<description>{escape(feed.title)}</description><language>en-US</language>"
        f"<lastBuildDate>{formatdate(modified, usegmt=True)}</lastBuildDate>\n{items}</channel></rss>\n"
    )


def _atom(feed: Feed, stories: list[Story], modified: int) -> str:
    entries = "".join(
        f'<entry><title type="html">{_title(feed, story)}</title>'
        f'<link rel="alternate" href={quoteattr(_link(feed, story))}/>'
        f"<id>{escape(_guid(feed, story))}</id><published>{_iso(story.at)}</published>"
        f"<updated>{_iso(story.at)}</updated><summary>{escape(story.title)}.</summary></entry>\n"
        for story in stories
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>{escape(feed.title)}</title><id>tag:example.com,2026:markets</id><updated>{_iso(modified)}</updated>\n{entries}</feed>\n"
    )


def _title(feed: Feed, story: Story) -> str:
    # CoinDesk adds a period to other publishers' titles, because deduplication must also find nearly equal titles.
    return escape(f"{story.title}." if feed.crypto_only else story.title)


def _link(feed: Feed, story: Story) -> str:
    return feed.link.format(slug=story.slug, number=story.number)


def _guid(feed: Feed, story: Story) -> str:
    return feed.guid.format(slug=story.slug, number=story.number)


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_EMPTY = b'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>News</title></channel></rss>\n'

UPSTREAM = Upstream("rss", (), (Endpoint("/{feed}", _serve_feed, _feed_name, _EMPTY),))
