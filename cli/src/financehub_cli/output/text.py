"""Text for the terminal: cells with a color, and the width of text in columns."""

import unicodedata
from dataclasses import dataclass

from financehub_shared.core.text import printable, safe_text

#: Name of a style → its ANSI code.
STYLES = {"": "", "bold": "1", "green": "32", "yellow": "33", "red": "31", "dim": "2"}


@dataclass(frozen=True, slots=True)
class Styled:
    """Text in one style, for a cell or a line.

    Args:
        text: The text. It is escaped when it is printed.
        style: Names of `STYLES`, separated by spaces.
    """

    text: str
    style: str = ""


def plain_text(value: object, *, keep_lines: bool = False) -> str:
    """Return a value as text with escapes for control characters. None yields an empty text.

    Untrusted strings, such as headlines, could otherwise send commands to the terminal or look like other lines.

    Args:
        value: Any value.
        keep_lines: Whether the line feeds in the value are ours. Untrusted parts of it are escaped already.
    """
    if isinstance(value, Styled):
        value = value.text
    return "" if value is None else printable(safe_text(value), keep_lines=keep_lines)


def colored(text: str, style: str) -> str:
    """Return text with the ANSI codes of a style."""
    codes = ";".join(STYLES[name] for name in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text


def text_width(text: str) -> int:
    """Return the number of columns that printable text occupies on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def wrap_words(text: str, width: int, mark: str) -> list[str]:
    """Return text in lines of at most `width` columns, broken between words.

    A word that is longer than a line is broken too. Each of its parts but the last ends with the mark, so that no part
    looks like a whole word or number. Without a mark, such a word gets a longer line.

    Args:
        text: Printable text.
        width: Columns of a line, at least 4.
        mark: The mark, one column wide, or an empty text.
    """
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        rest = word
        while True:
            joined = f"{line} {rest}" if line else rest
            if text_width(joined) <= width or not (line or mark):
                line = joined
                break
            if line:
                lines.append(line)
                line = ""
                continue
            head = _fitting(rest, width - 1) or rest[:1]
            lines.append(head + mark)
            rest = rest[len(head) :]
    return [*lines, line] if line or not lines else lines


def _fitting(text: str, width: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += _character_width(character)
        if used > width:
            return text[:index]
    return text
