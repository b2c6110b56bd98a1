"""Reduces headlines to their story words. Pure.

Two headlines announce the same article if they have the same story words in the same order. These differences
are harmless: case, punctuation, accents, articles, inflection, and the form of an amount. Every other difference makes
another story: for example, another name, number or direction, a negation, or two names in the reverse order.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from financehub_shared.market.dedupe.quick_checks import has_digit, may_contain
from financehub_shared.market.dedupe.words import (
    AUXILIARY,
    BASE_FORM,
    ENGLISH,
    EVENTS,
    GENERIC,
    HARMLESS,
    JOINING,
    LEGAL_FORMS,
    QUESTIONS,
    ROUTINE,
)

#: Smallest number of specific words and numbers with which a headline tells a story. At least one of them must be a
#: word; `Net Asset Value(s)` tells no story.
FEWEST_SPECIFIC = 3

# Python counts the vowel signs of Indic and Southeast Asian scripts and the marks of Hebrew and Arabic as punctuation.
_LETTER = (
    r"\w\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff\u0e00-\u109f\u1780-\u17d3"
    r"\u200c\u200d"
)
#: A rating (`BBB-`), a word, a number, an amount, or a symbol that has a meaning (`?`, `▲`, `>`, an emoji).
_TOKEN = re.compile(
    rf"\b(?:A{{1,3}}|B{{1,3}}|C{{1,3}}|D)-(?![{_LETTER}])"
    rf"|[$€£¥₹₩₽]?[{_LETTER}]+(?:(?:[.'&]|(?<=\d),(?=\d))[{_LETTER}]+|[$€£¥₹₩₽]\d+)*(?:%|\++(?![{_LETTER}]))?"
    r"|[?؟](?![?؟])|[<>←-⇿■-➿\U0001f000-\U0001faff]"
)
_MINUS = re.compile(rf"(?<![{_LETTER}%)])[-−–](?=[$€£¥₹₩₽]?\d)")
_LATIN_ACCENTS = re.compile("(?<=[A-Za-z])[\u0300-\u0303\u0308\u030a\u0327]")
_QUOTES = str.maketrans(dict.fromkeys("’‘ʼ`´", "'"))
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_CONTRACTION = re.compile(r"(?i:won't|can't|cannot|n't|'ll|'re|'ve)\b")
_FULL = {"won't": "will not", "can't": "can not", "cannot": "can not", "n't": " not", "'ll": " will"}
_QUARTER = re.compile(r"(?i:\b(first|second|third|fourth)[- ]quarter\b)|\b([1-4])Q\b")
#: The Danish legal form A/S.
_A_S = re.compile(r"(?<=\w) A/S\b")
_MAKER = re.compile(r"\b(chip|car|auto|truck|plane|drug|steel)[- ](makers?)\b", re.IGNORECASE)
_QUARTERS = {"first": "Q1", "second": "Q2", "third": "Q3", "fourth": "Q4"}
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)|\bUS(?=\$\d)")
#: A unit after a number. The name of the matching group is the spelling that replaces it, except that `percent` becomes
#: a percent sign.
_UNIT = re.compile(
    r"(?<=\d)(?:(?P<percent>(?:[ -]?(?:percent|per cent|pct)\b| ?%))|(?P<bp>[ -]?(?:basis points?|bps?)\b)"
    r"|(?P<tn>(?:[ -]?(?:trillion|trln|tn)|t)\b)|(?P<bn>(?:[ -]?(?:billion|bln|bn)|b)\b)"
    r"|(?P<mn>(?:[ -]?(?:million|mln|mn)|m)\b)|(?P<k>(?:[ -]?thousand|k)\b))",
    re.IGNORECASE,
)
#: A quick check, and what is replaced if it is true, in this order. Most headlines contain none of this, and the checks
#: take a tenth of the time of the patterns. A check is true for every text in which its pattern finds something.
RESPELLINGS: Sequence[tuple[Callable[[str], bool], re.Pattern[str], str | Callable[[re.Match[str]], str]]] = (
    (
        lambda text: "'" in text or may_contain(text, "cannot"),
        _CONTRACTION,
        lambda found: _FULL.get(found[0].casefold(), ""),
    ),
    (lambda text: text.count(".") > 1, _INITIALS, lambda found: found[0].replace(".", "")),
    (lambda text: "A/S" in text, _A_S, ""),
    (lambda text: may_contain(text, "maker"), _MAKER, r"\1\2"),
    (
        lambda text: "Q" in text or may_contain(text, "quarter"),
        _QUARTER,
        lambda found: f"Q{found[2]}" if found[2] else _QUARTERS[found[1].casefold()],
    ),
    (has_digit, _THOUSANDS, ""),
    (has_digit, _UNIT, lambda found: "%" if found.lastgroup == "percent" else str(found.lastgroup)),
    (has_digit, _MINUS, " minus "),
)
#: In a headline in capitals, the word before one of these words may be a ticker.
_SHARES = frozenset({"stock", "stocks", "share", "shares"})


@dataclass(frozen=True, slots=True)
class Headline:
    """The content of a headline.

    Args:
        words: All its words in lower case, with a uniform spelling of numbers and amounts.
        story: The story words. Empty if they do not distinguish the story from other stories of the same day.
        has_event: Whether a verb reports an event, and the headline is not a question, an explanation or a routine
            announcement.
        has_figure: Whether it has a number.
    """

    words: str
    story: str
    has_event: bool
    has_figure: bool


def read_headline(text: str) -> Headline:
    """Read a headline from which the additions of publishers were removed; see `bare_headline`."""
    is_shouted = text == text.upper()
    text = _respell(text)
    tokens = _TOKEN.findall(text)
    words = [word.removesuffix("'s") for word in map(str.lower, tokens)] if text.isascii() else list(map(_fold, tokens))
    harmless = HARMLESS if _is_english(tokens, words) else frozenset[str]()
    story: list[str] = []
    for place, (token, word, following) in enumerate(zip(tokens, words, [*words[1:], ""], strict=False)):
        # it is an acronym or a ticker, such as `BE`, and not the harmless word
        is_name = following in _SHARES if is_shouted else len(token) > 1 and token.isupper()
        asks = not place and word in AUXILIARY
        if word in LEGAL_FORMS and place and (following in ENGLISH or not following) and _is_name(tokens[place - 1]):
            continue
        if is_name or asks or word not in harmless:
            story.append(word if is_name else BASE_FORM.get(word, word))
    text = " ".join(words)
    has_figure = has_digit(text)
    is_routine = ROUTINE.search(text) is not None
    return Headline(
        text,
        story=" ".join(story) if not is_routine and _is_specific(story, has_figure=has_figure) else "",
        has_event=not is_routine and not EVENTS.isdisjoint(story) and QUESTIONS.isdisjoint(words),
        has_figure=has_figure,
    )


def _respell(text: str) -> str:
    """Return a headline with a uniform spelling of contractions, initials, quarters, numbers and amounts."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    for check, pattern, replacement in RESPELLINGS:
        if check(text):
            text = pattern.sub(replacement, text)
    return text


def _is_english(tokens: Sequence[str], words: Sequence[str]) -> bool:
    """Whether a headline contains English words apart from names. `Bank of America` is only a name."""
    if not ENGLISH.isdisjoint(words):
        return True
    return not JOINING.isdisjoint(tokens) and any(
        token in JOINING and following.islower() for token, following in pairwise(tokens)
    )


def _is_name(token: str) -> bool:
    word = _fold(token)
    return token[0].isupper() and word not in ENGLISH and word not in HARMLESS and word not in BASE_FORM


def _is_specific(story: Sequence[str], *, has_figure: bool) -> bool:
    numbers = [word for word in story if has_digit(word)] if has_figure else []
    names = sum(_weight(word) for word in story if word not in GENERIC and word not in numbers)
    return names > 0 and names + len(numbers) >= FEWEST_SPECIFIC


def _fold(token: str) -> str:
    if not token.isascii():
        decomposed = unicodedata.normalize("NFD", token)
        token = unicodedata.normalize("NFC", _LATIN_ACCENTS.sub("", decomposed))
    return token.casefold().removesuffix("'s")


def _weight(word: str) -> int:
    """Return the number of words that a token counts as. Scripts from U+0E00 (Thai) on do not separate words."""
    return max(1, len(word) // 3) if word[0] >= "\u0e00" else 1
