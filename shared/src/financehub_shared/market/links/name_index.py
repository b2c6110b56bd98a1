"""Finds the names of all assets in the words of a headline, longest names first."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from financehub_shared.market.links.headline import Headline
from financehub_shared.market.links.known_assets import known_assets
from financehub_shared.market.links.names import SMALL_WORDS, Doubt, Name
from financehub_shared.market.links.owners import Family, Owner
from financehub_shared.market.links.tokens import Style, Token, fold, tokenize

#: Largest number of assets that can share a name. The listings and share classes of a company have the same name, and
#: so have the pairs of a coin with several currencies. A name that more assets share is a word such as `Fund`.
_MOST_OWNERS = 8
#: Minimum length in characters of a name that counts in lower case. Shorter names may be words of another language.
_SHORTEST_IN_LOWER_CASE = 5


class NameIndex:
    """The names of all assets, by their first words.

    Args:
        names: The names of all assets.
        owners: Canonical symbol → the asset.
    """

    def __init__(self, names: Iterable[Name], owners: Mapping[str, Owner]) -> None:
        by_words = _without_ambiguous(names)
        for words in _other_entities(owners):
            by_words.setdefault(words, [Name(words, "", Doubt.NONE)])
        self._by_first: dict[str, list[tuple[tuple[str, ...], list[Name]]]] = defaultdict(list)
        for words, shared in sorted(by_words.items(), key=lambda item: -len(item[0])):
            self._by_first[words[0]].append((words, _doubted(shared, owners)))
        self._by_first.default_factory = None

    def candidates(self, headline: Headline, place: int) -> Iterator[tuple[int, list[Name]]]:
        """Yield each name that begins at an index, as the index after it and its `Name` for each asset that has it."""
        token = headline.tokens[place]
        entries = self._by_first.get(token.key, [])
        if token.possessive:
            entries = entries + self._by_first.get(token.base, [])
        for words, names in entries:
            end = place + len(words)
            if _matches(headline.tokens, place, words):
                fitting = [name for name in names if _fits_case(name, headline, place, end)]
                if fitting:
                    yield end, fitting
        if not entries and token.key.endswith("s") and len(token.key) > 4 and token.text[0].isupper():
            yield from self._plural(token, place)

    def _plural(self, token: Token, place: int) -> Iterator[tuple[int, list[Name]]]:
        """Yield a name that is in the plural: `Teslas`."""
        for words, names in self._by_first.get(token.key[:-1], ()):
            sure = [name for name in names if not name.doubt and not name.acronym]
            if len(words) == 1 and sure:
                yield place + 1, sure


def _without_ambiguous(names: Iterable[Name]) -> dict[tuple[str, ...], list[Name]]:
    """Group names by their words, without names that too many assets share and parts of several full names."""
    by_words: dict[tuple[str, ...], dict[str, Name]] = defaultdict(dict)
    for name in names:
        known = by_words[name.words]
        other = known.get(name.symbol)
        if other is None or (name.part_of, name.doubt) < (other.part_of, other.doubt):
            known[name.symbol] = name
    kept = {}
    for words, known in by_words.items():
        full = [name for name in known.values() if not name.part_of]
        chosen = full or list(known.values())
        if len(chosen) <= _MOST_OWNERS and len({name.part_of for name in chosen}) == 1:
            kept[words] = chosen
    return kept


def _doubted(names: list[Name], owners: Mapping[str, Owner]) -> list[Name]:
    """Raise the doubt of a name that assets of different kinds share, such as `Dow`, so that the context decides."""
    if len({owners[name.symbol].kind for name in names if name.symbol}) < 2:
        return names
    return [replace(name, doubt=max(name.doubt, Doubt.SOME)) for name in names]


def _other_entities(tracked: Container[str]) -> Iterator[tuple[str, ...]]:
    """Yield the names of several words of well-known untracked entities, so that no part of such a name is linked."""
    for symbol, known in known_assets().items():
        if symbol not in tracked:
            for name in known.names:
                words = tuple(token.key for token in tokenize(fold(name)))
                if len(words) > 1:
                    yield words


def _matches(tokens: Sequence[Token], place: int, words: tuple[str, ...]) -> bool:
    if place + len(words) > len(tokens):
        return False
    for offset, word in enumerate(words):
        token = tokens[place + offset]
        if offset and token.breaks:
            return False
        if token.key != word and not (offset == len(words) - 1 and token.base == word):
            return False
    return True


def _fits_case(name: Name, headline: Headline, start: int, end: int) -> bool:
    """Whether a name has the capitals that names have, or does not need them."""
    first, length = headline.tokens[start], len(name.words[0])
    if name.acronym and not first.shouted:
        may_differ = length > 2 and not name.doubt
        return may_differ and (first.capital or headline.style is Style.LOWER or name.symbol.endswith("-USD"))
    if not name.symbol or name.any_case or headline.style is Style.LOWER:
        return True
    tokens = headline.tokens[start:end]
    if all(token.capital or token.gap == "." or token.key in SMALL_WORDS for token in tokens):
        return True
    is_word = all(word in headline.english.readings or len(word) < 3 for word in name.words)
    if name.doubt or is_word:
        return False
    # `bitcoin` and `goldman sachs` do not have another meaning
    return len(name.words) > 1 or (length >= _SHORTEST_IN_LOWER_CASE and not name.part_of)


def is_of_family(name: Name, owners: Mapping[str, Owner], family: Family) -> bool:
    """Whether a name means a tracked asset of a family."""
    return bool(name.symbol) and owners[name.symbol].family is family
