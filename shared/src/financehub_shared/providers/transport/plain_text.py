"""Converts feed titles to plain text without markup, entities or characters that move a terminal's cursor. Pure."""

import unicodedata
from html.parser import HTMLParser

#: The longest headline of the known feeds has 180 characters.
MAX_CHARACTERS = 300
_INVISIBLE_ELEMENTS = frozenset({"script", "style"})
#: Unicode categories of control, format (direction marks), surrogate, private and unassigned characters.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


class _TextCollector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._invisible = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self._invisible = tag in _INVISIBLE_ELEMENTS
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._invisible = False
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._invisible:
            self.parts.append(data)


def plain_text(markup: object) -> str:
    """Return a title's text as one line, or an empty string if the title is not a string.

    Args:
        markup: HTML, plain text, or any other value that a broken feed has instead of a title.
    """
    if not isinstance(markup, str):
        return ""
    collector = _TextCollector()
    collector.feed(markup[: MAX_CHARACTERS * 20])
    collector.close()
    characters = (" " if char.isspace() else char for char in "".join(collector.parts))
    printable = "".join(char for char in characters if unicodedata.category(char) not in _UNPRINTABLE)
    return " ".join(printable.split())[:MAX_CHARACTERS]
