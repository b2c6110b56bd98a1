"""Splits headlines and names into words, and determines how a headline uses capitals."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from financehub_shared.market.links.english import English
from financehub_shared.market.links.vocabulary import word_set

#: Largest number of characters of a title that are read. Headlines are shorter, and the limit bounds the time of
#: linking.
LONGEST_TITLE = 2_000
#: Letters after this one are not Latin if they have no accents.
_LAST_LATIN = "\N{LATIN SMALL LETTER TURNED A}"
#: Replaces each character of a notation that has been read, such as `(NYSE: V)`.
NOTED = "\N{REPLACEMENT CHARACTER}"

_PLAIN = str.maketrans({
    **dict.fromkeys("’‘ʼ`´′＇‛", "'"),
    **dict.fromkeys("‐‑﹣－", "-"),
    **dict.fromkeys(f"\u00a0\u2009\u202f\u2007{NOTED}", " "),
    "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d", "ı": "i",
})  # fmt: skip
# Some feeds put spaces around punctuation: `Apple 's`, `Amazon . com`, `U . S .`
_SPACED = re.compile(
    r"(?<=\w) (?=' ?s\b)|(?<=\w') (?=s\b)|(?<=\w) (?=\. ?com\b)|(?<=\w \.) (?=com\b)|(?<=\w\.) (?=com\b)"
)
_SPACED_INITIALS = re.compile(r"\b[A-Z] \.(?: [A-Z] \.)+")
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.){2,}(?![a-z])")
_TOKEN = re.compile(rf"[A-Za-z0-9]+(?:'[A-Za-z]+)*'?|&|{NOTED}+")
#: What can be between the words of one phrase: spaces, a hyphen, slash or dot without spaces, or a plus sign without a
#: space before it.
_SOFT = re.compile(r"\s*|[-/.]|\+\s?")
#: Abbreviations. A dot after one of them does not end the sentence.
_ABBREVIATED = word_set("inc corp co ltd bros st mr mrs ms dr no vs cos intl")
#: Words that may be in lower case in a headline in title case.
_SMALL = word_set("""
    a an and as at but by for from in into is it its nor of off on onto or over per so than that the this to up via vs
    was when with yet amid after de du la le y von
""")


class Style(Enum):
    """How a headline uses capitals, which decides whether a capital is evidence of a name."""

    SENTENCE = auto()
    TITLE = auto()
    SHOUTED = auto()
    LOWER = auto()


@dataclass(slots=True)
class Token:
    """A word of a headline, an ampersand (`and`), or a notation that has been read.

    Args:
        text: The word as the headline writes it, without accents.
        key: The word in lower case.
        base: `key` without the possessive ending.
        start: Offset in characters in the folded headline.
        gap: The characters between the previous word and this one.
        breaks: Whether a new phrase begins here, because it is the first word or punctuation precedes it.
    """

    text: str
    key: str
    base: str
    start: int
    gap: str
    breaks: bool

    @property
    def possessive(self) -> bool:
        """Whether the word ends with an apostrophe or `'s`."""
        return self.base != self.key

    @property
    def capital(self) -> bool:
        """Whether the word begins with a capital letter or a digit, or is in camel case (`eBay`)."""
        return not self.text[0].islower() or not self.text.islower()

    @property
    def shouted(self) -> bool:
        """Whether all letters are capitals, except for the possessive ending (`3M's`)."""
        return self.text.removesuffix("'s").isupper()

    @property
    def noted(self) -> bool:
        """Whether the token represents a notation."""
        return self.key.startswith(NOTED)


def fold(text: str) -> str:
    """Return the text with plain letters, apostrophes, hyphens and initials: `J.P. Nestlé’s` → `JP Nestle's`."""
    text = text[:LONGEST_TITLE]
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_PLAIN)).translate(_PLAIN)
        text = "".join(char for char in text if not unicodedata.combining(char))
    if " ." in text or " '" in text or "' " in text:
        text = _SPACED.sub("", text)
        text = _SPACED_INITIALS.sub(_joined, text)
    return _INITIALS.sub(_joined, text)


def _joined(match: re.Match[str]) -> str:
    return re.sub(r"[ .]", "", match[0]) + " "


def has_other_script(text: str) -> bool:
    """Whether a text contains letters that are not Latin, even with their accents removed."""
    return not text.isascii() and any(char > _LAST_LATIN and char.isalpha() for char in fold(text))


def is_foreign(text: str) -> bool:
    """Whether most letters of a text are not Latin."""
    if text.isascii():
        return False
    letters = [char for char in text if char.isalpha()]
    return sum(char > _LAST_LATIN for char in letters) > len(letters) / 2


def tokenize(folded: str) -> list[Token]:
    """Return the words of a text that `fold` has returned."""
    tokens: list[Token] = []
    end = 0
    for match in _TOKEN.finditer(folded):
        text, gap = match[0], folded[end : match.start()]
        key = text.lower()
        base = key
        if "'" in key:
            base = key.removesuffix("'").removesuffix("'s")
        elif key == "&":
            key = base = "and"
        after_abbreviation = gap == ". " and bool(tokens) and tokens[-1].key in _ABBREVIATED
        soft = gap == " " or _SOFT.fullmatch(gap) or after_abbreviation
        tokens.append(Token(text, key, base, match.start(), gap, breaks=not tokens or not soft))
        end = match.end()
    _mark_slugs(tokens)
    return tokens


def _mark_slugs(tokens: Sequence[Token]) -> None:
    """Begin a new phrase after the slug of a news agency: `US STOCKS-Apple`, `RPT-EXCLUSIVE-Boeing`."""
    for left, right in pairwise(tokens):
        if not (left.text.isupper() or left.text.isdigit()):
            return
        if right.gap == "-" and len(left.text) + left.start >= 4 and right.text[0].isupper():
            right.breaks = True


def style_of(tokens: Sequence[Token], english: English) -> Style:
    """Return how the headline uses capitals."""
    words = [token for token in tokens if token.key[:1].isalpha() and token.key != "and"]
    long = [token for token in words if len(token.key) > 1]
    if len(long) >= 3 and sum(token.text.isupper() for token in long) > 0.6 * len(long):
        return Style.SHOUTED
    lower = titled = capitals = 0
    for token in words:
        if token.text[0].islower():
            # `iPhone` and the second half of `Microsoft-backed` are not evidence of the style
            lower += token.text.islower() and token.gap != "-" and token.key not in _SMALL
        else:
            capitals += 1
            titled += not token.breaks and token.base in english.readings and not token.text.isupper()
    if not capitals:
        return Style.LOWER
    return Style.TITLE if not lower or titled > 2 * lower else Style.SENTENCE
