"""Finds the tags of a feed in one pass and in linear time, even if the feed is damaged. Pure."""

import re
from collections.abc import Iterator

# A damaged tag ends before the next `<`. Possessive quantifiers never backtrack, so a search takes linear time.
_TOKEN = re.compile(
    r"<(?:(?P<opaque>!\[CDATA\[|!--|\?)"
    r"|(?P<slash>/?)(?P<name>(?:[^\W\d][\w.-]*+:)?+(?P<local>[^\W\d][\w.-]*+))"
    r"""(?P<attributes>(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+[^<>]*+)(?:>|(?=<)))"""
)
#: Beginning of an opaque section → pattern of its end. Processing instructions are often damaged, so any tag ends
#: them.
_TERMINATORS = {"![CDATA[": re.compile(r"\]\]>"), "!--": re.compile("-->"), "?": re.compile("(?=<)|>")}
_SECTION = re.compile(r"<(!\[CDATA\[|!--)")
_ENTRY = re.compile(r"<(item|entry)(?=[\s/>])", re.IGNORECASE)
_PREFIXED_ENTRY = re.compile(r"<([^\W\d][\w.-]*+:(?:item|entry))(?=[\s/>])", re.IGNORECASE)

#: A match with the groups `slash`, `name`, `local` (the name without its prefix) and `attributes`.
Tag = re.Match[str]


def is_empty(tag: Tag) -> bool:
    """Whether a tag is an element without content (`<link/>`)."""
    return bool(tag["attributes"].endswith("/"))


def same_name(tag: Tag, other: Tag) -> bool:
    """Whether two tags have the same name, ignoring case."""
    return bool(tag["name"].lower() == other["name"].lower())


class FeedTags:
    """The tags of a text in order, except those in CDATA sections, comments and processing instructions.

    A section without an end would hide the entries up to the end of a later section. Therefore, a section that contains
    the tag of an entry and another sign of damage ends with its entry.

    Args:
        text: The feed.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._in_entry = False
        self._found: dict[re.Pattern[str], re.Match[str] | None] = {}
        first = self._outside_sections(_ENTRY) or self._outside_sections(_PREFIXED_ENTRY)
        self._entry_name = first[1].lower() if first else "item"
        self._entry_tag = re.compile(rf"<(/?){re.escape(self._entry_name)}(?=[\s/>])", re.IGNORECASE)
        self._found.clear()  # the tags are read from the beginning again

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

    def in_entry(self) -> Iterator[Tag]:
        """Yield the tags in the entry that has just begun, followed by the tag after the entry if there is one.

        The last tag ends the entry. If the end tag is missing, it begins the next entry and is yielded again later.
        """
        self._in_entry = True
        for tag in self:
            if self.is_entry(tag):
                if not tag["slash"]:
                    self._position = tag.start()
                self._in_entry = False
                yield tag
                return
            yield tag
        self._in_entry = False

    def _outside_sections(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return the first match outside of CDATA sections and comments, or the first one if all are inside of them.

        A section without an end does not count, because it would hide all entries.
        """
        first = found = pattern.search(self._text)
        position = 0
        while found and (section := _SECTION.search(self._text, position, found.start())):
            end = self._next(_TERMINATORS[section[1]], section.end())
            position = end.end() if end else section.end()
            if position > found.start():
                found = pattern.search(self._text, position)
        return found or first

    def _end_of_section(self, start: re.Match[str]) -> int:
        end = self._next(_TERMINATORS[start["opaque"]], start.end())
        entry = self._next(self._entry_tag, start.end())
        if end is not None and (entry is None or entry.start() > end.start()):
            return end.end()
        if entry is None:
            return start.end()
        ends_entry = self._in_entry and entry[1]
        if end is not None and not ends_entry and self._text.find(start[0], start.end(), end.start()) < 0:
            return end.end()  # for example, a comment around a whole entry
        return entry.start() if self._in_entry else start.end()

    def _next(self, pattern: re.Pattern[str], position: int) -> re.Match[str] | None:
        """Return the next match from `position` on. It is cached, so that many damaged sections take linear time."""
        found = self._found.get(pattern)
        if pattern not in self._found or (found is not None and found.start() < position):
            found = self._found[pattern] = pattern.search(self._text, position)
        return found
