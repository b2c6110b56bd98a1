"""Derives the names under which headlines mention an asset."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from financehub_shared.core.kinds import AssetKind
from financehub_shared.core.models import Asset
from financehub_shared.market.links.english import English
from financehub_shared.market.links.known_assets import known_asset
from financehub_shared.market.links.tokens import fold, has_other_script, tokenize
from financehub_shared.market.links.vocabulary import (
    CLEAR_ENDINGS,
    FOREIGN_WORDS,
    GENERIC_BEGINNINGS,
    GENERIC_ENDINGS,
    LEGAL_FORMS,
)

#: Largest number of words of a name. Longer names are cut off, so that a headline is compared with few words.
_LONGEST = 8
_FUND_WORDS = frozenset({"etf", "etfs", "fund", "funds", "spdr", "ishares", "etn", "trust"})
#: Latin words in names in another script that are not names by themselves.
_PARTS = _FUND_WORDS | LEGAL_FORMS
#: Words of names that are not capitalized.
SMALL_WORDS = frozenset({"and", "of", "the", "de", "for"})


class Doubt(IntEnum):
    """How many points of `evidence.py` a name needs, in addition to its own words, so that it means the asset."""

    NONE = 0
    LITTLE = 1
    SOME = 2
    GREAT = 3


@dataclass(frozen=True, slots=True)
class Name:
    """One name of one asset.

    Args:
        words: The words, in lower case.
        symbol: Canonical symbol of the asset. Empty for an entity that is known but not tracked.
        doubt: How much evidence the name needs.
        any_case: Whether it is a common noun, which also counts in lower case (`gold price`).
        acronym: Whether it is written in capitals (`GM`), and counts only in capitals.
        part_of: The full name that it is a part of. Empty if it is a full name.
    """

    words: tuple[str, ...]
    symbol: str
    doubt: Doubt
    any_case: bool = False
    acronym: bool = False
    part_of: tuple[str, ...] = ()


def names_of(asset: Asset, english: English) -> Iterator[Name]:
    """Yield the names of an asset: its name without the legal form, shorter forms, aliases and well-known names."""
    known = known_asset(asset.symbol)
    noun = asset.kind is AssetKind.FUTURE
    for text in (*known.names, *asset.aliases):
        yield from _spellings(
            text, asset.symbol, english, stated=known.doubts.get(text.lower()), any_case=text.islower()
        )
    if asset.kind is AssetKind.FX:
        return
    words = _stripped(_keys(asset.name))
    if not words or (len(words) == 1 and len(words[0]) < 2):
        return
    stated = known.doubts.get(" ".join(words))
    if stated is None and asset.kind is AssetKind.COIN and not known.names and len(words) == 1:
        # a coin can have any name, and many have the names of people, animals or places
        is_clear = words[0].endswith(("coin", "swap", "chain", "verse"))
        stated = max(Doubt(not is_clear), _doubt(words, english, stated=None))
    yield from _spellings(asset.name, asset.symbol, english, stated=stated, any_case=noun, words=words)
    if asset.kind in {AssetKind.EQUITY, AssetKind.COIN} and not _FUND_WORDS.intersection(words):
        for shorter in _shorter(words, english):
            doubt = known.doubts.get(" ".join(shorter), _doubt_of_part(shorter, words, english))
            if doubt is not None:
                yield Name(shorter, asset.symbol, Doubt(doubt), part_of=words)
        yield from _initials(asset, words, english)
    elif words[-1] in _FUND_WORDS - {"ishares"} and len(words) > 3:
        yield Name(words[:-1], asset.symbol, Doubt.NONE)


def _spellings(
    text: str,
    symbol: str,
    english: English,
    *,
    stated: int | None,
    any_case: bool,
    words: tuple[str, ...] | None = None,
) -> Iterator[Name]:
    words = words or _keys(text)[:_LONGEST]
    if not words:
        return
    acronym = len(words) == 1 and len(words[0]) <= 4 and text.isupper()
    if acronym and len(words[0]) == 2:
        stated = Doubt.NONE
    yield Name(words, symbol, _doubt(words, english, stated=stated), any_case, acronym)
    if any_case:
        return
    if words[-1].endswith("'s"):  # `McDonald's`, `Lowe's`
        yield Name((*words[:-1], words[-1].replace("'", "")), symbol, Doubt.NONE)
    elif any("'" in word for word in words):  # `L'Oreal`
        yield Name(tuple(word.replace("'", "") for word in words), symbol, Doubt.NONE)
        yield Name(tuple(part for word in words for part in word.split("'")), symbol, Doubt.NONE)
    parts = _camel_parts(text, words[0]) if len(words) == 1 else ()
    if parts:  # `JPMorgan`
        yield Name(parts, symbol, Doubt.SOME if _is_ordinary(parts, english) else Doubt.NONE)
    elif len(words) == 2 and min(map(len, words)) > 1 and "and" not in words and not any(map(str.isdigit, words)):
        joined = "".join(words)  # `Exxon Mobil`
        if joined not in english.readings:
            yield Name((joined,), symbol, Doubt.NONE)


def _camel_parts(text: str, word: str) -> tuple[str, ...]:
    """Split a name of one word in camel case: `JPMorgan` → jp, morgan; `PayPal` → pay, pal."""
    spelled = next((token.text for token in tokenize(fold(text)) if token.key == word), "")
    starts = [
        place
        for place in range(1, len(spelled))
        if spelled[place].isupper() and (spelled[place - 1].islower() or spelled[place + 1 : place + 2].islower())
    ]
    if len(starts) != 1 or not spelled.isalpha():
        return ()
    return spelled[: starts[0]].lower(), spelled[starts[0] :].lower()


def _keys(name: str) -> tuple[str, ...]:
    words = tuple(token.key for token in tokenize(fold(name)))
    # 225 is not a name of `日経225`, and ETF is not a name of `黄金ETF`; `other_scripts.py` finds these names
    if has_other_script(name) and not any(len(word) > 2 and word.isalpha() and word not in _PARTS for word in words):
        return ()
    return words


def _stripped(words: tuple[str, ...]) -> tuple[str, ...]:
    """Remove the article and the legal form."""
    while len(words) > 2 and (words[0] in GENERIC_BEGINNINGS or words[0] in SMALL_WORDS):
        words = words[1:]
    while len(words) > 1 and (words[-1] in LEGAL_FORMS or words[-1] in {"and", "com"}):
        words = words[:-1]
    return words[1:] if len(words) > 1 and words[0] == "the" else words[:_LONGEST]


def _shorter(words: tuple[str, ...], english: English) -> Iterator[tuple[str, ...]]:
    """Yield the name without its generic endings, and its first word if it is distinctive."""
    rest = words
    while len(rest) > 1 and (rest[-1] in GENERIC_ENDINGS or rest[-1] in LEGAL_FORMS or rest[-1] in SMALL_WORDS):
        rest = rest[:-1]
        is_vague = _is_ordinary(rest, english) if len(rest) > 1 else len(rest[0]) < 3 or rest[0] in FOREIGN_WORDS
        if rest[-1] not in SMALL_WORDS and not is_vague:
            yield rest
    first = words[0]
    is_word = first in english.readings or first in english.persons
    if len(rest) > 1 and words[1] != "and" and len(first) >= 5 and not is_word and first not in FOREIGN_WORDS:
        yield (first,)  # `Lockheed` for Lockheed Martin


def _initials(asset: Asset, words: tuple[str, ...], english: English) -> Iterator[Name]:
    """Yield the initials of the name: `M&S`, or a ticker that consists of them, such as `UPS`."""
    if words[1:2] == ("and",) and all(word in GENERIC_ENDINGS for word in words[3:]) and len(words) > 2:
        yield Name((words[0][0], "and", words[2][0]), asset.symbol, Doubt.LITTLE, acronym=True)
    ticker = asset.symbol.partition(".")[0].lower()
    initials = "".join(word[0] for word in words if word not in SMALL_WORDS)
    if len(ticker) > 2 and ticker == initials[: len(ticker)] and "c" not in english.readings.get(ticker, ""):
        yield Name((ticker,), asset.symbol, _doubt((ticker,), english, stated=None), acronym=True)


def _doubt_of_part(part: tuple[str, ...], words: tuple[str, ...], english: English) -> Doubt | None:
    """Return how much evidence a part of a full name needs, or None if it has too many other meanings."""
    if len(part) > 1:
        return Doubt.NONE
    word, readings = part[0], english.readings.get(part[0], "")
    if word in english.places or word in english.first_names or "c" in readings:
        return None
    if readings or word in english.persons:
        return Doubt.GREAT
    # headlines call Ocado Group Ocado, and they may call Lockheed Martin Lockheed
    is_whole = all(rest in GENERIC_ENDINGS or rest in LEGAL_FORMS for rest in words[1:])
    return Doubt.NONE if is_whole else Doubt.LITTLE


def _is_ordinary(words: Iterable[str], english: English) -> bool:
    return all(word in english.readings or word in SMALL_WORDS or len(word) <= 2 for word in words)


def _doubt(words: tuple[str, ...], english: English, *, stated: int | None) -> Doubt:
    if stated is not None:
        return Doubt(stated)
    if len(words) > 1:
        is_vague = len(words) == 2 and words[1] not in CLEAR_ENDINGS and _is_ordinary(words, english)
        return Doubt.LITTLE if is_vague else Doubt.NONE
    readings = english.readings.get(words[0])
    if readings is not None:
        return Doubt.SOME if "n" in readings and "c" not in readings else Doubt.GREAT
    is_proper = words[0] in english.first_names or words[0] in english.persons or words[0] in english.places
    return Doubt.LITTLE if is_proper else Doubt.NONE
