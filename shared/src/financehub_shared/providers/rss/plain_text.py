"""Titles of feeds as plain text: no markup, no entities, nothing that moves a terminal's cursor. Pure."""

import unicodedata
from html.parser import HTMLParser

#: The longest headline of the known feeds has 180 characters.
LONGEST = 300
_UNSEEN = frozenset({"script", "style"})
#: Unicode categories of control, format (direction marks), surrogate and private characters.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self._inside = tag if tag in _UNSEEN else ""
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._inside = ""
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.parts.append(data)


def plain_text(markup: object) -> str:
    """One line of text out of what a feed calls a title; empty when it is none.

    Args:
        markup: HTML, text, or whatever a broken feed has there.
    """
    if not isinstance(markup, str):
        return ""
    parser = _Text()
    parser.feed(markup[: LONGEST * 20])
    parser.close()
    letters = (" " if char.isspace() else char for char in "".join(parser.parts))
    shown = "".join(char for char in letters if unicodedata.category(char) not in _UNPRINTABLE)
    return " ".join(shown.split())[:LONGEST]
