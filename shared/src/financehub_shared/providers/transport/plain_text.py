"""Converts feed titles to plain text without markup, entities or characters that move a terminal's cursor. Pure."""

import html
import re
import unicodedata

#: Maximum length of a title in characters. The longest headline of the known feeds has 180.
MAX_CHARACTERS = 300
#: Number of characters of markup that are read. The limit and the possessive quantifiers bound the time for hostile
#: markup.
_MARKUP_CHARACTERS = 20 * MAX_CHARACTERS
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_MARKUP = re.compile(
    r"<(?:(?P<hidden>script|style)\b[^>]*+>.*?(?:</(?P=hidden)[^<>]*+>?|$)"
    r"|!--.*?(?:-->|$)"
    r"""|/?[a-z](?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+[^<>]*+>?"""
    r"|[!?][^<>]*+>?)",
    re.IGNORECASE | re.DOTALL,
)
#: Characters of the category Cf that are visible: signs that precede a number in Arabic, Syriac and Kaithi.
_VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_JOINERS = frozenset("\u200c\u200d")
#: The black flag and the tags that make it the flag of England, Scotland or Wales (Unicode Technical Standard 51).
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
#: Scripts whose letters have one shape, so a joiner in a word would only make two equal words different.
_UNJOINED_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "FULLWIDTH")
#: First code point of Hebrew. The scripts before it, including ASCII and its punctuation, do not have joined letters
#: either.
_FIRST_JOINED = 0x0590


def plain_text(markup: object) -> str:
    """Return a title's text as one line, or an empty string if the title is not a string.

    Invisible characters are removed, in particular those that reverse the direction of text. Joiners stay where they
    change what is visible: in Arabic and Indic scripts, and in emoji of several parts.

    Args:
        markup: HTML, plain text, or any other value that a broken feed has instead of a title.
    """
    if not isinstance(markup, str):
        return ""
    text = html.unescape(_MARKUP.sub(" ", _CDATA.sub("", markup[:_MARKUP_CHARACTERS])))
    flags = {position for flag in _FLAG.finditer(text) for position in range(*flag.span())}
    shown: list[str] = []
    for position, char in enumerate(text):
        if char.isspace():
            shown.append(" ")
        elif position in flags or _is_shown(char, shown[-1] if shown else " "):
            shown.append(char)
    return " ".join("".join(shown).split())[:MAX_CHARACTERS].strip()


def _is_shown(char: str, previous: str) -> bool:
    """Whether a character is visible, or changes how the character before it looks."""
    match unicodedata.category(char):
        case "Cc" | "Cs" | "Co":
            return False
        case "Cf":
            return char in _VISIBLE_FORMATS or (char in _JOINERS and _can_join(previous))
        case "Cn":
            # Emoji that are newer than Python's table are unassigned too, but noncharacters and tags are not emoji.
            return 0x1F000 <= ord(char) <= 0x1FFFD
    return True


def _can_join(previous: str) -> bool:
    if ord(previous) < _FIRST_JOINED or previous in _JOINERS:
        return False
    return not unicodedata.name(previous, "").startswith(_UNJOINED_SCRIPTS)
