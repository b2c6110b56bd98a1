"""Cuts the text of a feed into one small document per entry, even if the feed is damaged. Pure.

A feed parser reads a document as a whole. Therefore, one unclosed CDATA section can make all later entries unreadable,
and unused elements take most of the time. This module keeps the elements that a news item needs. The feed parser reads
their content.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from financehub_shared.providers.rss.tags import FeedTags, Tag, is_empty, same_name

#: Largest number of entries that are read. Feeds list a few dozen, newest first, so additional entries are old.
ENTRIES_MAX = 500
#: Maximum length of a tag or child in characters. A longer child is left out, and a longer tag loses its
#: attributes. In the known feeds, titles and links have up to 1,000.
PIECE_CHARACTERS_MAX = 4_000
#: Largest number of children of an entry that are kept. The known feeds have up to 10.
CHILDREN_MAX = 50
#: Largest number of containers around an entry. RSS has two.
CONTAINERS_MAX = 10
#: Names of the children of an entry that are kept, without prefixes.
_KEPT = frozenset(
    {"title", "link", "guid", "id", "pubdate", "published", "issued", "date", "updated", "modified", "created"}
)
#: Names of other children of an entry. If one occurs inside a kept child, the end tag of the kept child is missing.
_DROPPED = frozenset(
    {"description", "summary", "content", "encoded", "author", "creator", "category", "source", "enclosure", "comments"}
)
#: Names of the elements that contain the entries and show the version of the feed.
_CONTAINERS = frozenset({"rss", "rdf", "channel", "feed"})


@dataclass(frozen=True, slots=True)
class FeedDocument:
    """A feed in pieces.

    Args:
        prolog: The text before the first element of the feed.
        header: The feed without its entries.
        entries: One document for each of the first `ENTRIES_MAX` entries. If the start tag of an entry is missing, its
            document contains no entry.
    """

    prolog: str
    header: str
    entries: list[str]


def split_feed(text: str) -> FeedDocument:
    """Cut a feed into documents with the elements that a news item needs.

    Args:
        text: An RSS or Atom feed of any version, well-formed or not.
    """
    return _Splitter(text).split()


class _Splitter:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tags = FeedTags(text)
        # Only the first title is kept, because later ones can come from a damaged entry.
        self._header = _Children(text, frozenset({"title"}), most=1)
        self._containers: list[Tag] = []
        self._opened: list[Tag] = []
        self._entries: list[str] = []
        self._prolog: str | None = None
        #: First tag since the last entry.
        self._between: Tag | None = None

    def split(self) -> FeedDocument:
        for tag in self._tags:
            if self._tags.is_entry(tag):
                self._on_entry(tag)
                if len(self._entries) == ENTRIES_MAX:
                    break
                continue
            self._between = self._between or tag
            if tag["local"].lower() not in _CONTAINERS:
                self._header.add(tag)
            elif not self._entries:  # a container after the first entry may belong to a damaged entry
                self._on_container(tag)
        self._header.end(len(self._text))
        prolog = self._text if self._prolog is None else self._prolog
        return FeedDocument(prolog, _document(self._containers, self._header.pieces), self._entries)

    def _on_entry(self, tag: Tag) -> None:
        self._begin_element(tag)
        if not tag["slash"]:
            self._entries.append(self._entry(tag))
        elif self._between is not None:
            lost = self._text[self._between.start() : tag.start()]
            self._entries.append(_document(self._opened, [lost[:PIECE_CHARACTERS_MAX]]))
        self._between = None

    def _entry(self, start: Tag) -> str:
        if is_empty(start):
            return _document(self._opened, [_start_tag(start)])
        children = _Children(self._text, _KEPT, most=CHILDREN_MAX)
        end = len(self._text)
        for tag in self._tags.in_entry():
            if self._tags.is_entry(tag):
                end = tag.start()
            else:
                children.add(tag)
        children.end(end)
        return _document([*self._opened, start], children.pieces)

    def _on_container(self, tag: Tag) -> None:
        self._begin_element(tag)
        if not tag["slash"]:
            self._containers = [*self._containers, tag][:CONTAINERS_MAX]
            self._opened = [*self._opened, tag][:CONTAINERS_MAX]
        elif any(same_name(tag, container) for container in self._opened):
            while not same_name(tag, self._opened.pop()):
                pass

    def _begin_element(self, tag: Tag) -> None:
        self._header.end(tag.start())
        if self._prolog is None:
            self._prolog = self._text[: tag.start()]


def _document(containers: Sequence[Tag], pieces: Sequence[str]) -> str:
    """Return a document with the pieces inside the containers, of which the first is the outermost."""
    end_tags = (f"</{tag['name']}>" for tag in reversed(containers))
    return "".join([*map(_start_tag, containers), *pieces, *end_tags])


def _start_tag(tag: Tag) -> str:
    if len(tag[0]) <= PIECE_CHARACTERS_MAX:
        return f"<{tag['name']}{tag['attributes']}>"
    return f"<{tag['name']}{'/' if is_empty(tag) else ''}>"


class _Children:
    """Collects those children of an element that are kept.

    Args:
        text: The whole feed.
        kept: Names of the children that are kept, without prefixes.
        most: Largest number of children that are kept.
    """

    def __init__(self, text: str, kept: AbstractSet[str], *, most: int) -> None:
        self.pieces: list[str] = []
        self._text = text
        self._kept = kept
        self._most = most
        self._open: Tag | None = None
        self._last: Tag | None = None
        self._depth = 0

    def add(self, tag: Tag) -> None:
        """Process the next tag of the text."""
        self._last = tag
        if len(self.pieces) == self._most:
            return
        if self._open is not None and self._lacks_end(self._open, tag):
            self.end(tag.start())
        if self._open is None:
            if not tag["slash"]:
                self._open, self._depth = tag, 1
                if is_empty(tag):
                    self._close(tag.end())
        elif same_name(tag, self._open):
            self._depth += -1 if tag["slash"] else not is_empty(tag)
            if not self._depth:
                self._close(tag.end())

    def end(self, position: int) -> None:
        """End the child that is still open because its end tag is missing.

        If nothing follows its start tag, the end of the feed is missing, and with it a part of the child.
        """
        is_cut = self._open is self._last and position == len(self._text)
        if self._open is not None and not is_cut:
            self._close(position, f"</{self._open['name']}>")

    def _lacks_end(self, opened: Tag, tag: Tag) -> bool:
        is_kept = opened["local"].lower() in self._kept
        return is_kept and not tag["slash"] and tag["local"].lower() in _KEPT | _DROPPED

    def _close(self, position: int, missing: str = "") -> None:
        opened, self._open = self._open, None
        if opened is None or position - opened.start() > PIECE_CHARACTERS_MAX:
            return
        # A child that is not kept may contain kept ones if its end tag is missing, so the feed parser receives it too.
        if opened["local"].lower() in self._kept or (missing and self._kept is _KEPT):
            self.pieces.append(self._text[opened.start() : position] + missing)
