"""Bodies that make feed parsers slow: every construct of XML and RSS, repeated or nested up to a given size."""

import base64
from collections.abc import Callable, Mapping

_RSS = '<?xml version="1.0"?><rss version="2.0"><channel><title>The Wire</title>'
_END = "</channel></rss>"
_ENTRY = "<title>Bitcoin rises</title><link>https://news.test/a</link>"

#: Makes a body of about this number of bytes.
MakeBody = Callable[[int], bytes]


def _rss(content: str) -> bytes:
    return f"{_RSS}{content}{_END}".encode()


def _item(content: str) -> bytes:
    return _rss(f"<item>{_ENTRY}{content}</item>")


def _fill(unit: str, size: int) -> str:
    return unit * (size // len(unit.encode()))


def _in_element(name: str, unit: str, attributes: str = "") -> MakeBody:
    """Return a function that makes a feed whose entry has an element with a long text."""
    end = name.split(maxsplit=1)[0]
    return lambda size: _item(f"<{name}{attributes}>{_fill(unit, size)}</{end}>")


def _in_channel(name: str, unit: str) -> MakeBody:
    return lambda size: _rss(f"<{name}>{_fill(unit, size)}</{name}><item>{_ENTRY}</item>")


def _instead_of_feed(unit: str) -> MakeBody:
    return lambda size: _fill(unit, size).encode()


def _before_root(unit: str) -> MakeBody:
    return lambda size: _fill(unit, size).encode() + _item("")


def _in_entry(unit: str) -> MakeBody:
    return lambda size: _item(_fill(unit, size))


def _around_entries(unit: str) -> MakeBody:
    return lambda size: _rss(f"{_fill(unit, size)}<item>{_ENTRY}</item>")


def _in_root(attributes: Callable[[int], str]) -> MakeBody:
    return lambda size: f"<rss version='2.0'{attributes(size)}><channel><item>{_ENTRY}</item>{_END}".encode()


def _numbered(pattern: str, size: int) -> str:
    return "".join(pattern.format(number=number) for number in range(size // (len(pattern) + 1)))


#: Elements whose text a feed parser examines → the text that takes the most time to examine.
_TEXTS = {
    "author": "a@",
    "author, words": "Jane Doe ",
    "author, parentheses": "(a@b.c ",
    "author, dots": "a.",
    "dc:creator": "x@x.",
    "managingEditor": "a.b@",
    "title": "<b>",
    "title, entities": "&amp;#60;",
    "title, ampersands": "&",
    "title, words": "Bitcoin ",
    "link": "&a;",
    "link, amps": "&amp;",
    "link, slashes": "/",
    "guid": "a&a",
    "pubDate": "1 ",
    "pubDate, digits": "1",
    "pubDate, colons": "1:",
    "dc:date": "2027-",
    "description": "<p><a href='x'>",
    "description, entities": "&lt;",
    "description, charrefs": "&#x3c;",
    "description, quotes": "<a b='",
    "content:encoded": "&lt;div&gt;",
    "category": "a,",
    "media:keywords": "a,",
    "itunes:duration": "1:",
    "georss:point": "1 ",
    "enclosure": "<",
    "source": "<source>",
}

_CONSTRUCTS: dict[str, MakeBody] = {
    **{f"text of {name}": _in_element(name.split(",")[0], unit) for name, unit in _TEXTS.items()},
    "author of the feed": _in_channel("managingEditor", "a@"),
    "title of the feed": _in_channel("title", "Wire "),
    "title of the feed, markup": _in_channel("title", "&lt;b&gt;"),
    "image of the feed": _in_channel("image", "<url>"),
    "base64 content": lambda size: _item(
        f"<content mode='base64'>{base64.b64encode(b'x' * (size * 3 // 4)).decode()}</content>"
    ),
    "xhtml title": lambda size: (
        f"<feed xmlns='http://www.w3.org/2005/Atom'><entry><title type='xhtml'>{_fill('<div><p>', size)}"
        f"</title><id>1</id></entry></feed>".encode()
    ),
    "xhtml content": lambda size: (
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>T</title><link href='https://a.test/1'/>"
        f"<content type='xhtml'>{_fill('<div>x</div>', size)}</content></entry></feed>".encode()
    ),
    "attribute value": lambda size: _rss(f"<item {_fill('x', size)}='1'>{_ENTRY}</item>"),
    "attribute of a link": lambda size: _item(f"<link href='{_fill('a/../', size)}'/>"),
    "attribute with entities": lambda size: _item(f"<link href='{_fill('&amp;', size)}'/>"),
    "unclosed attribute": lambda size: _item(f"<link href='{_fill('x ', size)}"),
    "unclosed attributes": _in_entry("<a b='"),
    "attributes with one quote": _in_entry("<a b=\"'c "),
    "attributes of an entry": lambda size: _rss("<item" + _numbered(" a{number}='1'", size) + f">{_ENTRY}</item>"),
    "attributes of the root": _in_root(lambda size: _numbered(" a{number}='1'", size)),
    "equal attributes of the root": _in_root(lambda size: _fill(" a='1'", size)),
    "namespaces of the root": _in_root(lambda size: _numbered(" xmlns:n{number}='u:{number}'", size)),
    "bases of the root": _in_root(lambda size: f" xml:base='https://a.test/{_fill('a/../', size)}'"),
    "namespaces of entries": lambda size: _rss(
        _numbered("<item xmlns:n{number}='u:{number}'><title>T</title></item>", size)
    ),
    "blank lines before the root": _before_root("\n"),
    "blanks before the root": _before_root(" "),
    "text before the root": _before_root("Warning: "),
    "tags before the root": _before_root("<br>"),
    "comments before the root": _before_root("<!-- x -->"),
    "comment beginnings before the root": _before_root("<!--"),
    "declarations before the root": _before_root("<!DOCTYPE rss>"),
    "declaration with a subset": _before_root("<!DOCTYPE rss [<!ELEMENT a ANY>]>"),
    "element declarations": lambda size: f"<!DOCTYPE rss [{_fill('<!ELEMENT a ANY>', size)}]>".encode() + _item(""),
    "attribute declarations": lambda size: (
        ("<!DOCTYPE rss [" + _numbered("<!ATTLIST rss a{number} CDATA 'x'>", size) + "]>").encode() + _item("")
    ),
    "instructions before the root": _before_root("<?x y?>"),
    "instruction beginnings": _before_root("<?"),
    "brackets": _instead_of_feed("<"),
    "tag beginnings": _instead_of_feed("<a"),
    "closing brackets": _instead_of_feed(">"),
    "end tags": _instead_of_feed("</a>"),
    "declaration beginnings": _instead_of_feed("<!"),
    "CDATA beginnings": _instead_of_feed("<![CDATA["),
    "ampersands": _instead_of_feed("&"),
    "zero bytes": _instead_of_feed("\0"),
    "quotes in a tag": lambda size: ("<rss " + _fill('"', size)).encode(),
    "one long name": lambda size: f"<{_fill('a', size)}>".encode(),
    "names with colons": lambda size: f"<{_fill('a:', size)}>".encode(),
    "nesting": lambda size: f"{_fill('<a>', size // 2)}{_fill('</a>', size // 2)}".encode(),
    "nesting in an entry": _in_entry("<a>"),
    "nesting of titles": _in_entry("<title>"),
    "nesting of links": _in_entry("<link>"),
    "nesting of channels": _around_entries("<channel>"),
    "nesting of entries": _around_entries("<item>"),
    "nesting of entries with titles": _around_entries("<item><title>T</title>"),
    "nesting of sources": _in_entry("<source><title>T</title>"),
    "nesting of prefixed elements": _in_entry("<media:group>"),
    "nesting of svg": _in_entry("<svg>"),
    "closed containers": _around_entries("</channel></rss><rss><channel>"),
    "comments in an entry": _in_entry("<!-- x -->"),
    "comment beginnings in an entry": _in_entry("<!--"),
    "comment beginnings in entries": _around_entries("<item><title>T</title><!-- </item>"),
    "comment beginnings, one end": lambda size: _rss(f"{_fill('<item><!-- </item>', size)}-->"),
    "comment beginnings around entries, one end": lambda size: _rss(f"{_fill('<!-- <item/>', size)}-->"),
    "CDATA in an entry": _in_entry("<![CDATA[x]]>"),
    "CDATA beginnings in an entry": _in_entry("<![CDATA["),
    "CDATA beginnings in entries": _around_entries("<item><title><![CDATA[T</title></item>"),
    "CDATA ends": _in_entry("]]>"),
    "CDATA in a title": lambda size: _item(f"<title>{_fill('<![CDATA[x]]>', size)}</title>"),
    "instructions in an entry": _in_entry("<?x y?>"),
    "instruction beginnings in an entry": _in_entry("<?"),
    "undefined entities": _in_entry("&nbsp;"),
    "character references": _in_entry("&#9731;"),
    "forbidden references": _in_entry("&#0;"),
    "references beyond Unicode": _in_entry("&#99999999999;"),
    "titles in an entry": _in_entry("<title>T</title>"),
    "links in an entry": _in_entry("<link>https://news.test/a</link>"),
    "empty links in an entry": _in_entry("<link href='/a'/>"),
    "dates in an entry": _in_entry("<pubDate>Fri, 15 Jan 2027 07:00:00 GMT</pubDate>"),
    "broken dates in an entry": _in_entry("<pubDate>1:1:1:1</pubDate>"),
    "authors in an entry": _in_entry("<author>a@b.c (d)</author>"),
    "categories in an entry": _in_entry("<category>a</category>"),
    "enclosures in an entry": _in_entry("<enclosure url='a' length='1' type='b'/>"),
    "empty entries": _around_entries("<item/>"),
    "entries": _around_entries(f"<item>{_ENTRY}</item>"),
    "entries with broken markup": _around_entries(f"<item>{_ENTRY}<title>T & T</link></item>"),
    "entries with undefined entities": _around_entries("<item><title>T &nbsp; &foo;</title><link>/a</link></item>"),
    "entries with long titles": lambda size: _rss(_fill(f"<item><title>{'&lt;b x=' * 480}</title></item>", size)),
    "entries with long dates": lambda size: _rss(
        _fill(f"<item>{_ENTRY}<pubDate>{'1:' * 1_950}</pubDate></item>", size)
    ),
    "entries with long links": lambda size: _rss(_fill(f"<item><link>{'&a' * 1_950}</link></item>", size)),
    "entries with long broken titles": lambda size: _rss(_fill(f"<item><title>{'<a ' * 1_300}</title></item>", size)),
    "entries with many attributes": lambda size: _rss(
        _fill(f"<item><link {' '.join(f'a{n}=1' for n in range(500))}/><title>T</title></item>", size)
    ),
    "entries without an end": _around_entries("<item><title>T</title><link>https://news.test/a</link>"),
    "wrong UTF-8": lambda size: _item("\x00\x00").replace(b"\x00\x00", b"\xff" * size),
    "wrong UTF-8 in titles": lambda size: _rss(_fill("<item><title>T\x00</title></item>", size)).replace(
        b"\x00", b"\x92"
    ),
    "UTF-16": lambda size: _item(_fill("<author>a@</author>", size // 2)).decode().encode("utf-16"),
    "UTF-32": lambda size: _item(_fill("<author>a@</author>", size // 4)).decode().encode("utf-32"),
    "UTF-7": lambda size: b'<?xml version="1.0" encoding="utf-7"?><rss>' + b"+ADw-" * (size // 5),
    "Punycode": lambda size: (
        b'<?xml version="1.0" encoding="punycode"?>' + b"a" * (size // 2) + b"-" + b"b" * (size // 2)
    ),
    "unknown encoding": lambda size: b'<?xml version="1.0" encoding="x-' + b"a" * size + b'"?><rss/>',
    "encodings": lambda size: b"<?xml " + b'encoding="' * (size // 10) + b"?><rss/>",
    "noise": lambda size: bytes((number * 7_919) % 251 for number in range(size)),
}

#: Construct → function that makes a body of it.
HOSTILE_FEEDS: Mapping[str, MakeBody] = _CONSTRUCTS
