"""Cuts the text of a feed into one small document per entry, whatever is wrong with the feed. Pure.

A feed parser reads a document as a whole. One unclosed CDATA section can therefore cost all later entries, and elements
that nobody needs take most of the time. This module finds the tags of the entries and of their children, in one pass
and in linear time. It keeps the elements from which a news item is made, and leaves their content to the feed parser.
"""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

#: Number of entries that are read. Feeds list a few dozen, newest first, so additional entries are old.
ENTRIES_MAX = 500
#: Longest tag or child in characters. A longer child is left out, and a longer tag loses its attributes. The longest
#: titles and links of the known feeds take 1,000.
PIECE_CHARACTERS_MAX = 4_000
#: Largest number of children of an entry that are kept. The known feeds have up to 10.
CHILDREN_MAX = 50
#: Largest number of containers around an entry. RSS has two.
CONTAINERS_MAX = 10
#: Children of an entry that are kept, without their prefix.
_KEPT = frozenset(
    {"title", "link", "guid", "id", "pubdate", "published", "issued", "date", "updated", "modified", "created"}
)
#: Other children of an entry. Inside a kept child, they show that its end tag is missing.
_DROPPED = frozenset(
    {"description", "summary", "content", "encoded", "author", "creator", "category", "source", "enclosure", "comments"}
)
#: Elements that contain the entries and show the version of the feed.
_CONTAINERS = frozenset({"rss", "rdf", "channel", "feed"})
# A damaged tag ends before the next `<`. Possessive quantifiers never backtrack, so a search takes linear time.
_TOKEN = re.compile(
    r"<(?:(?P<opaque>!\[CDATA\[|!--|\?)"
    r"|(?P<slash>/?)(?P<name>(?:[^\W\d][\w.-]*+:)?+(?P<local>[^\W\d][\w.-]*+))"
    r"""(?P<attributes>(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+[^<>]*+)>)"""
)
#: Beginning of an opaque section → its end. Processing instructions are often damaged, so any tag ends them.
_TERMINATORS = {"![CDATA[": re.compile(r"\]\]>"), "!--": re.compile("-->"), "?": re.compile("(?=<)|>")}
_ENTRY = re.compile(r"<(item|entry)(?=[\s/>])", re.IGNORECASE)
_PREFIXED_ENTRY = re.compile(r"<([^\W\d][\w.-]*+:(?:item|entry))(?=[\s/>])", re.IGNORECASE)


Tag = re.Match[str]


@dataclass(frozen=True, slots=True)
class FeedDocument:
    """A feed in pieces.

    Args:
        prolog: The text before the first element of the feed.
        header: The feed without its entries.
        entries: One document for each of the first `ENTRIES_MAX` entries.
    """

    prolog: str
    header: str
    entries: list[str]


def split_feed(text: str) -> FeedDocument:
    """Cut a feed into documents that hold the elements that a news item needs.

    Args:
        text: An RSS or Atom feed of any version, well-formed or not.
    """
    tags = _Tags(text)
    # Only the first title, because those that follow can come from a damaged entry.
    header = _Children(text, frozenset({"title"}), most=1)
    containers: list[Tag] = []
    opened: list[Tag] = []
    entries: list[str] = []
    first: Tag | None = None
    for tag in tags:
        if tags.is_entry(tag):
            header.end(tag.start())
            if not tag["slash"]:
                first = first or tag
                entries.append(_entry_document(opened, tag, tags))
                if len(entries) == ENTRIES_MAX:
                    break
        elif tag["local"].lower() not in _CONTAINERS:
            header.add(tag)
        elif not entries:  # all entries have the containers of the first one, whatever a damaged entry contains
            header.end(tag.start())
            first = first or tag
            if not tag["slash"]:
                containers = [*containers, tag][:CONTAINERS_MAX]
                opened = [*opened, tag][:CONTAINERS_MAX]
            elif any(_same_name(tag, container) for container in opened):
                while not _same_name(tag, opened.pop()):
                    pass
    header.end(len(text))
    prolog = text[: first.start()] if first else text
    return FeedDocument(prolog, _document(containers, header.pieces), entries)


def _entry_document(containers: Sequence[Tag], start: Tag, tags: "_Tags") -> str:
    if _is_empty(start):
        return _document(containers, [_shortened(start)])
    return _document([*containers, start], tags.children_of_entry())


def _document(containers: Sequence[Tag], pieces: Sequence[str]) -> str:
    """Return a document with the pieces inside the containers, the first of which is the outermost."""
    end_tags = (f"</{tag['name']}>" for tag in reversed(containers))
    return "".join([*map(_shortened, containers), *pieces, *end_tags])


def _shortened(tag: Tag) -> str:
    if len(tag[0]) <= PIECE_CHARACTERS_MAX:
        return tag[0]
    return f"<{tag['name']}{'/' if _is_empty(tag) else ''}>"


def _is_empty(tag: Tag) -> bool:
    return tag["attributes"].endswith("/")


def _same_name(tag: Tag, other: Tag) -> bool:
    return tag["name"].lower() == other["name"].lower()


class _Tags:
    """The tags of a text in order, without those in CDATA sections, comments and processing instructions.

    A section whose end is missing would hide the entries up to the end of a later section. If a section contains the
    tag of an entry and another sign of damage, it therefore ends with its entry.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._in_entry = False
        first = _ENTRY.search(text) or _PREFIXED_ENTRY.search(text)
        self._entry_name = first[1].lower() if first else "item"
        self._entry_tag = re.compile(rf"<(/?){re.escape(self._entry_name)}(?=[\s/>])", re.IGNORECASE)
        self._found: dict[re.Pattern[str], re.Match[str] | None] = {}

    def __iter__(self) -> Iterator[Tag]:
        while token := _TOKEN.search(self._text, self._position):
            if token["opaque"]:
                self._position = self._end_of_section(token)
            else:
                self._position = token.end()
                yield token

    def is_entry(self, tag: Tag) -> bool:
        """Whether a tag begins or ends an entry."""
        return tag["name"].lower() == self._entry_name

    def children_of_entry(self) -> list[str]:
        """Return the kept children of the entry that has just begun, and continue after it."""
        children = _Children(self._text, _KEPT, most=CHILDREN_MAX)
        self._in_entry = True
        end = len(self._text)
        for tag in self:
            if self.is_entry(tag):
                end = tag.start()
                if not tag["slash"]:  # the end tag of this entry is missing
                    self._position = end
                break
            children.add(tag)
        self._in_entry = False
        children.end(end)
        return children.pieces

    def _end_of_section(self, start: re.Match[str]) -> int:
        end = self._next(_TERMINATORS[start["opaque"]], start.end())
        entry = self._next(self._entry_tag, start.end())
        if end is not None and (entry is None or entry.start() > end.start()):
            return end.end()
        if entry is None:
            return start.end()
        ends_entry = self._in_entry and entry[1]
        if end is not None and not ends_entry and self._text.find(start[0], start.end(), end.start()) < 0:
            return end.end()  # for example a comment around a whole entry
        return entry.start() if self._in_entry else start.end()

    def _next(self, pattern: re.Pattern[str], position: int) -> re.Match[str] | None:
        """Return the next match from `position` on. It is kept, so that many damaged sections take linear time."""
        found = self._found.get(pattern)
        if pattern not in self._found or (found is not None and found.start() < position):
            found = self._found[pattern] = pattern.search(self._text, position)
        return found


class _Children:
    """Collects the children of an element that are kept.

    Args:
        text: The whole feed.
        kept: Names of the children without their prefix.
        most: Largest number of children that are kept.
    """

    def __init__(self, text: str, kept: AbstractSet[str], *, most: int) -> None:
        self.pieces: list[str] = []
        self._text = text
        self._kept = kept
        self._most = most
        self._open: Tag | None = None
        self._depth = 0

    def add(self, tag: Tag) -> None:
        """Take the next tag of the text."""
        if len(self.pieces) == self._most:
            return
        if self._open is not None and self._lacks_end(self._open, tag):
            self.end(tag.start())
        if self._open is None:
            if not tag["slash"]:
                self._open, self._depth = tag, 1
                if _is_empty(tag):
                    self._close(tag.end())
        elif _same_name(tag, self._open):
            self._depth += -1 if tag["slash"] else not _is_empty(tag)
            if not self._depth:
                self._close(tag.end())

    def end(self, position: int) -> None:
        """End the child that is still open, whose end tag is missing."""
        if self._open is not None:
            self._close(position, f"</{self._open['name']}>")

    def _lacks_end(self, opened: Tag, tag: Tag) -> bool:
        is_kept = opened["local"].lower() in self._kept
        return is_kept and not tag["slash"] and tag["local"].lower() in _KEPT | _DROPPED

    def _close(self, position: int, missing: str = "") -> None:
        opened, self._open = self._open, None
        if opened is None or position - opened.start() > PIECE_CHARACTERS_MAX:
            return
        # The children after a child without an end tag may be inside it, so it is kept whatever its name.
        if missing or opened["local"].lower() in self._kept:
            self.pieces.append(self._text[opened.start() : position] + missing)
