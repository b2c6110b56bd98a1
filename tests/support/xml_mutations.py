"""Damages one entry of a feed in every way that XML allows, and in ways that it forbids."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Texts that are inserted at every place of an entry.
INSERTIONS = {
    "less-than": b"<",
    "greater-than": b">",
    "ampersand": b"&",
    "quote": b'"',
    "apostrophe": b"'",
    "unknown entity": b"&foo;",
    "HTML entity": b"&nbsp;",
    "reference to a forbidden character": b"&#0;",
    "reference to a surrogate": b"&#xD800;",
    "reference beyond Unicode": b"&#99999999999;",
    "control character": b"\x01",
    "zero byte": b"\0",
    "byte that is not UTF-8": b"\xff",
    "quote in windows-1252": b"\x92",
    "surrogate in UTF-8": b"\xed\xa0\x80",
    "noncharacter": b"\xef\xbf\xbf",
    "byte order mark": b"\xef\xbb\xbf",
    "CDATA without an end": b"<![CDATA[",
    "CDATA end": b"]]>",
    "comment without an end": b"<!--",
    "comment end": b"-->",
    "comment with hyphens": b"<!-- a -- b -->",
    "instruction without an end": b"<?php",
    "XML declaration": b'<?xml version="1.0"?>',
    "document type": b'<!DOCTYPE rss SYSTEM "a">',
    "entity declaration": b'<!DOCTYPE rss [<!ENTITY a "b">]>',
    "tag without an end": b"<a ",
    "attribute without an end": b'<a b="',
    "start tag": b"<b>",
    "end tag": b"</b>",
    "start of the same element": b"<title>",
    "end of the same element": b"</title>",
    "start of a description": b"<description>",
    "start of an svg image": b"<svg>",
    "start of an image": b"<image>",
    "start of a source": b"<source>",
    "end of the entry": b"</item>",
    "entry in an entry": b"<item><title>Another</title><link>https://news.test/other</link></item>",
    "end of the channel": b"</channel>",
    "end of the feed": b"</channel></rss>",
    "start of a feed": b'<rss version="0.91"><channel><title>Another</title>',
    "unknown prefix": b"<foo:bar>",
    "namespaces": b'<a xmlns="u:x" xmlns:dc="u:y">',
    "base": b'<a xml:base="https://elsewhere.test/">',
    "wrong nesting": b"<b><i></b></i>",
    "long text": b"x" * 10_000,
    "many elements": b"<a>" * 1_000,
}
_TOKEN = re.compile(rb"<[^>]*>|[^<]+")


@dataclass(frozen=True)
class XmlMutation:
    """A damaged entry.

    Args:
        name: The damage, in words.
        entry: The entry, with its tags.
    """

    name: str
    entry: bytes


def entry_mutations(entry: bytes) -> Iterator[XmlMutation]:
    """Yield every damage of an entry: something is inserted, removed, doubled, cut off or written in another way.

    Args:
        entry: The entry, from `<item>` to `</item>`.
    """
    tokens = [match.span() for match in _TOKEN.finditer(entry)]
    # positions before, inside and after every tag and text
    positions = sorted({position for start, end in tokens for position in (start, (start + end) // 2, end)})
    for name, text in INSERTIONS.items():
        for position in positions:
            yield XmlMutation(f"{name} at {position}", entry[:position] + text + entry[position:])
    for start, end in tokens:
        shown = entry[start:end].decode(errors="replace")
        yield XmlMutation(f"without {shown}", entry[:start] + entry[end:])
        yield XmlMutation(f"{shown} twice", entry[:end] + entry[start:end] + entry[end:])
        yield XmlMutation(f"{shown} in capitals", entry[:start] + entry[start:end].upper() + entry[end:])
    for position in range(len(entry)):
        yield XmlMutation(f"without the byte at {position}", entry[:position] + entry[position + 1 :])
        yield XmlMutation(f"cut at {position}", entry[:position])
