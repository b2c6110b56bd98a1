"""News feeds: RSS 2.0 in the shapes of Yahoo Finance, CNBC, MarketWatch and CoinDesk, and one Atom feed.

Stories overlap between feeds: same address with other utm parameters, or the same title at another publisher.
Conditional requests are answered as real feeds do (RFC 9110: If-None-Match goes before If-Modified-Since).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from hashlib import blake2b
from xml.sax.saxutils import escape, quoteattr

from starlette.requests import Request
from starlette.responses import Response

from financehub_simulator.core import Call
from financehub_simulator.news import Story, latest
from financehub_simulator.serving import Endpoint, Upstream, html

_ITEMS = 25


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed.

    Args:
        bit: which bit of `Story.told_by` decides whether it tells a story.
        link: address of an article, with its tracking parameters.
        guid: the item's guid; "" where the feed has none.
        real: host and path in reality.
    """

    title: str
    bit: int
    link: str
    guid: str
    real: str
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
    # Tells what yahoo tells, with the same addresses and other tracking parameters.
    "atom": Feed(
        "Markets (Atom)",
        0,
        "https://Finance.Yahoo.com/news/{slug}.html?utm_campaign=b&utm_source=atom",
        "tag:example.com,2026:{number}",
        "",
        atom=True,
    ),
}


def _names(request: Request) -> Mapping[str, str | None]:
    return {str(request.path_params["feed"]): None}


def _feed(call: Call) -> Response:
    name = next(iter(call.names))
    feed = FEEDS.get(name)
    if feed is None:
        return html("404 Not Found", 404)
    stories = [told for told in latest(call.sim.seed, call.now, _ITEMS * 4) if _tells(feed, told)][:_ITEMS]
    modified = max((told.at for told in stories), default=0)
    etag = '"' + blake2b(f"{name}{[told.number for told in stories]}".encode(), digest_size=8).hexdigest() + '"'
    headers = {"ETag": etag, "Last-Modified": formatdate(modified, usegmt=True), "Cache-Control": "max-age=60"}
    if _unchanged(call.request, etag, modified):
        return Response(None, 304, headers)
    body = _atom(feed, stories, modified) if feed.atom else _rss(feed, stories, modified)
    media = "application/atom+xml" if feed.atom else "application/rss+xml"
    return Response(body, 200, headers, f"{media}; charset=utf-8")


def _tells(feed: Feed, told: Story) -> bool:
    return bool(told.told_by >> feed.bit & 1) and (told.crypto or not feed.crypto_only)


def _unchanged(request: Request, etag: str, modified: int) -> bool:
    if matched := request.headers.get("if-none-match"):
        return matched == "*" or etag in [tag.strip().removeprefix("W/") for tag in matched.split(",")]
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return modified <= since.timestamp()


def _rss(feed: Feed, stories: list[Story], modified: int) -> str:
    items = "".join(
        f"<item><title>{_title(feed, told)}</title><link>{escape(_link(feed, told))}</link>"
        f'<guid isPermaLink="false">{escape(_guid(feed, told))}</guid>'
        f"<pubDate>{formatdate(told.at, usegmt=True)}</pubDate>"
        f"<description><![CDATA[<p>{told.title}.</p>]]></description></item>\n"
        for told in stories
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>{escape(feed.title)}</title><link>https://{escape(feed.real)}</link>"
        f"<description>{escape(feed.title)}</description><language>en-US</language>"
        f"<lastBuildDate>{formatdate(modified, usegmt=True)}</lastBuildDate>\n{items}</channel></rss>\n"
    )


def _atom(feed: Feed, stories: list[Story], modified: int) -> str:
    entries = "".join(
        f'<entry><title type="html">{_title(feed, told)}</title>'
        f'<link rel="alternate" href={quoteattr(_link(feed, told))}/>'
        f"<id>{escape(_guid(feed, told))}</id><published>{_iso(told.at)}</published><updated>{_iso(told.at)}</updated>"
        f"<summary>{escape(told.title)}.</summary></entry>\n"
        for told in stories
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>{escape(feed.title)}</title><id>tag:example.com,2026:markets</id><updated>{_iso(modified)}</updated>\n{entries}</feed>\n"
    )


def _title(feed: Feed, told: Story) -> str:
    # CoinDesk repeats what others tell with a full stop: near-equal titles are the third rule of deduplication.
    return escape(f"{told.title}." if feed.crypto_only else told.title)


def _link(feed: Feed, told: Story) -> str:
    return feed.link.format(slug=told.slug, number=told.number)


def _guid(feed: Feed, told: Story) -> str:
    return feed.guid.format(slug=told.slug, number=told.number)


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_EMPTY = b'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>News</title></channel></rss>\n'

RSS = Upstream("rss", (), (Endpoint("/{feed}", _feed, _names, _EMPTY),))
