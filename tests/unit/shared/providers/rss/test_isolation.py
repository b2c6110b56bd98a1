"""Tests of isolation: no damage of one entry of a feed affects the other entries."""

from itertools import islice

import pytest

from financehub_shared.providers.rss.decoding import decode_feed
from financehub_shared.providers.rss.document import FeedDocument, split_feed
from support.feeds import date, parse
from support.xml_mutations import entry_mutations

START = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>The Wire</title><link>https://news.test/</link><image><title>Logo</title></image>
"""
END = "</channel></rss>"
#: Every n-th mutation is split, and every n-th is also parsed, which takes longer.
SPLIT_SHARE = 3
PARSED_SHARE = 50


def story(number: int) -> str:
    return (
        f"<item><title><![CDATA[Story №{number} – “€{number}”]]></title><link>https://news.test/{number}?a=1&amp;b=2</link>"
        f"<description><![CDATA[<p>Text & more</p>]]></description><dc:creator>Jané</dc:creator><!-- note -->"
        f'<guid isPermaLink="false">g{number}</guid><pubDate>{date(number * 60)}</pubDate>'
        f"<content:encoded>&lt;p&gt;Text&lt;/p&gt;</content:encoded></item>\n"
    )


STORIES = [story(number).encode() for number in range(4)]


def feed_with(entry: bytes, damaged: int) -> bytes:
    before, after = b"".join(STORIES[:damaged]), b"".join(STORIES[damaged + 1 :])
    return START.encode() + before + entry + after + END.encode()


def pieces(body: bytes) -> FeedDocument:
    return split_feed(decode_feed(body, "application/rss+xml"))


def test_damaged_entry_leaves_the_documents_of_the_others_unchanged():
    """Item 3: no damage of an entry changes the header or the text that the parser receives for the other entries.

    The parser also receives the rest of the damaged entry, which therefore becomes a news item or is quarantined.
    """
    undamaged = pieces(feed_with(STORIES[1], 1))
    others = {text for number, text in enumerate(undamaged.entries) if number != 1}
    failures = []
    for mutation in islice(entry_mutations(STORIES[1].rstrip()), 0, None, SPLIT_SHARE):
        document = pieces(feed_with(mutation.entry, 1))
        is_lost = len(document.entries) < len(STORIES) and len(mutation.entry) >= len(b"<item")
        if is_lost or not others <= set(document.entries) or document.header != undamaged.header:
            failures.append(mutation.name)
    assert failures == []


@pytest.mark.parametrize("damaged", [0, 3], ids=["first", "last"])
def test_damaged_entry_leaves_the_news_items_of_the_others_unchanged(damaged: int):
    """Item 3: the news items of the other entries are equal in every field, and no entry is lost without a reason."""
    others = [
        item for number, item in enumerate(parse(feed_with(STORIES[damaged], damaged)).items) if number != damaged
    ]
    failures = []
    for mutation in islice(entry_mutations(STORIES[damaged].rstrip()), damaged, None, PARSED_SHARE):
        feed = parse(feed_with(mutation.entry, damaged))
        if not all(item in feed.items for item in others):
            failures.append(mutation.name)
    assert failures == []


def test_byte_that_is_not_utf8_costs_one_character():
    """Item 3: a wrong byte in one title changes neither that title's other characters nor the other titles."""
    titles = [item.title for item in parse(feed_with(STORIES[1].replace(b"Story", b"Stor\x92y"), 1)).items]
    assert titles == [f"Stor{'’' if number == 1 else ''}y №{number} – “€{number}”" for number in range(4)]
