"""Tests with feedparser's own feeds: splitting and decoding a feed does not change the values that feedparser reads."""

import io
import re
from collections.abc import Mapping
from typing import Any

import feedparser
import pytest
from feedparser import FeedParserDict
from feedparser.encodings import convert_to_utf8

from financehub_shared.providers.rss.decoding import decode_feed
from financehub_shared.providers.rss.document import split_feed
from support.feed_corpus import content_type_of, feed_corpus

#: Feeds whose pieces are read differently, on purpose.
BETTER = {
    "wellformed/node_precedence/atom10_id.xml": "the id of an image is not a link of its entry",
    "wellformed/rss/item_category_image.xml": "the title of an image is not the title of its entry",
}
#: Feeds that are decoded differently, on purpose.
BETTER_DECODED = {
    "encoding/bozo_invalid-bytes-with-bom.xml": "one wrong byte does not change the encoding of the others",
    "encoding/bozo_linenoise.xml": "random bytes without a stated encoding are windows-1252",
}
#: Feeds that do not state their encoding. feedparser guesses it only with a library that is not installed.
GUESSED = "illformed/chardet/"
_UTF8 = {"content-type": "application/xml; charset=utf-8"}


def parsed(body: bytes) -> Any:
    return feedparser.parse(io.BytesIO(body), response_headers=_UTF8, sanitize_html=False, resolve_relative_uris=False)


def fields(entry: Mapping[str, Any]) -> tuple[object, ...]:
    names = ("title", "link", "id", "published_parsed", "updated_parsed", "created_parsed")
    # feedparser's `get` may return the value of another name
    return tuple(entry[name] if name in entry else None for name in names)  # noqa: SIM401


@pytest.fixture(scope="module")
def feeds() -> dict[str, bytes]:
    """The UTF-8 text of each feed of the corpus that has one and declares no entity."""
    texts = {}
    for path, body in feed_corpus().items():
        text = convert_to_utf8({"content-type": content_type_of(body)}, body, {})
        if b"<!ENTITY" not in text.upper():
            texts[path] = text
    return texts


def test_pieces_of_a_feed_are_read_like_the_whole_feed(feeds: dict[str, bytes]):
    """The pieces of a feed have the same version, titles, links, ids and dates as the whole feed."""
    different = []
    for path, body in feeds.items():
        whole, document = parsed(body), split_feed(body.decode(errors="replace"))
        header = parsed(document.header.encode()) if document.header else FeedParserDict(feed=FeedParserDict())
        entries = [fields(entry) for text in document.entries for entry in parsed(text.encode()).entries]
        same_version = bool(header.get("version")) == bool(whole.version)
        same_title = not whole.version or header.feed.get("title") == whole.feed.get("title")
        if not (same_version and same_title and entries == [fields(entry) for entry in whole.entries]):
            different.append(path)
    assert set(different) == set(BETTER)


def test_decoded_text_is_that_of_feedparser():
    """Feeds in more than a hundred encodings are decoded as feedparser decodes them, if they state their encoding."""
    different = []
    for path, body in feed_corpus().items():
        result: dict[str, Any] = {}
        expected = convert_to_utf8({"content-type": content_type_of(body)}, body, result).decode(errors="replace")
        text = decode_feed(body, content_type_of(body))
        if not path.startswith(GUESSED) and _without_declaration(text) != _without_declaration(expected):
            different.append(path)
    assert set(different) == set(BETTER_DECODED)


def _without_declaration(text: str) -> str:
    return re.sub(r"^<\?xml.*?\?>", "", text.lstrip("\ufeff")).strip()
