"""Measures how long a worker waits for ordinary feeds of 2 MB, and compares it with feedparser in the same process.

The worker's time includes the transfer through the pipes to and from the parser process. A feed with long articles has
a few hundred entries. A feed that contains only headlines has thousands, of which the first 500 are read.
"""

import asyncio
import io
import statistics
import time
from pathlib import Path
from xml.sax.saxutils import escape

import feedparser

from bench.rows import Row
from financehub_shared.providers.rss.messages import FeedSource
from financehub_shared.providers.rss.parser_process import FeedParser

SIZE = 2_000_000
ROUNDS = 3
GOAL = 1.0
_SENTENCE = (
    "Bitcoin & ether rose after the Fed's minutes, and analysts said that shares of Apple gained 5 % on guidance. "
)


def run() -> list[Row]:
    """Parse each feed in the parser process, and once with feedparser."""
    return asyncio.run(_rows())


async def _rows() -> list[Row]:
    parser = FeedParser()
    source = FeedSource("rss", "news.test/rss", "https://news.test/rss", "application/rss+xml", time.time())
    rows: list[Row] = []
    try:
        await parser.parse(source, ordinary_feed(10_000, paragraphs=1), 60)  # starts the process
        for name, paragraphs in (("articles", 30), ("headlines", 0)):
            body = ordinary_feed(SIZE, paragraphs)
            durations = []
            for _ in range(ROUNDS):
                started = time.perf_counter()
                await parser.parse(source, body, 60)
                durations.append(time.perf_counter() - started)
            seconds = statistics.median(durations)
            started = time.perf_counter()
            feedparser.parse(io.BytesIO(body))
            alone = time.perf_counter() - started
            goal = f"< {GOAL:.0f} s"
            rows.append(Row(f"feeds.2MB.{name}", seconds, "s", "feedparser", alone, goal, ok=seconds < GOAL))
        rows.append(Row("feeds.parser.rss", _memory(parser), "MB"))
    finally:
        await parser.aclose()
    return rows


def ordinary_feed(size: int, paragraphs: int) -> bytes:
    """Return a feed of about this many bytes, in the form in which publishers write it.

    Args:
        size: Size in bytes.
        paragraphs: Number of paragraphs in each article.
    """
    content = "".join(f"<p>{_SENTENCE}<a href='https://news.test/x'>more</a></p>\n" for _ in range(paragraphs))
    entries, length = [], 0
    while length < size:
        number = len(entries)
        entries.append(
            f"<item><title><![CDATA[Story {number}: {_SENTENCE[:60]}]]></title>"
            f"<link>https://news.test/a{number}?utm_source=rss&amp;id={number}</link>"
            f'<guid isPermaLink="false">g{number}</guid><pubDate>Fri, 15 Jan 2027 07:{number % 60:02d}:00 GMT</pubDate>'
            f"<dc:creator>Jane Doe</dc:creator><category>Markets</category>"
            f'<media:content url="https://cdn.test/{number}.jpg" height="1080" width="1920"/>'
            f"<description>{escape(_SENTENCE * 2)}</description>"
            f"<content:encoded><![CDATA[{content}]]></content:encoded></item>\n"
        )
        length += len(entries[-1])
    names = "".join(
        f' xmlns:{prefix}="{name}"'
        for prefix, name in {
            "dc": "http://purl.org/dc/elements/1.1/",
            "media": "http://search.yahoo.com/mrss/",
            "content": "http://purl.org/rss/1.0/modules/content/",
        }.items()
    )
    text = f'<?xml version="1.0"?><rss version="2.0"{names}><channel><title>The Wire</title>{"".join(entries)}'
    return f"{text}</channel></rss>".encode()


def _memory(parser: FeedParser) -> float:
    """Return the memory of the parser process in MB. It is not measured where there is no /proc."""
    if parser._child is None:
        return 0.0
    status = Path(f"/proc/{parser._child.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1_000
