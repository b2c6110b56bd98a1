"""Parses a headline into the form that the rules of the linker read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from financehub_shared.market.links.english import English
from financehub_shared.market.links.notation import Note
from financehub_shared.market.links.tokens import Style, Token, is_foreign, style_of, tokenize
from financehub_shared.market.links.vocabulary import (
    AUXILIARIES,
    CONNECTORS,
    MARKET_WORDS,
    MOVES,
    PLURAL_VERBS,
    PREPOSITIONS,
)

#: Characters after which a sentence begins.
_NEW_SENTENCE = frozenset(":.?!|–—\"“”'")
#: Words in capitals that do not continue the name before them.
_NOT_NAMES = frozenset({"USD", "EUR", "GBP", "JPY", "US", "CEO", "CFO"})

#: Verbs of movement that are nouns if a preposition follows: `gains for holders`.
_TRANSITIVE = frozenset({"gains", "cuts", "hits", "trades", "sets", "eyes", "moves", "tests", "targets", "breaks"})


@dataclass(frozen=True, slots=True)
class Headline:
    """The words of a headline, and what all of them together show.

    Args:
        tokens: The words.
        notes: Index of a word that stands for a notation → the notation.
        style: How the headline uses capitals.
        words: The words in lower case without possessive endings.
        mentions_percent: Whether it contains a percentage.
        foreign_script: Whether most letters are not Latin, so a name in Latin letters stands out.
        english: The word list.
    """

    tokens: Sequence[Token]
    notes: Mapping[int, Note]
    style: Style
    words: frozenset[str]
    mentions_percent: bool
    foreign_script: bool
    english: English

    @property
    def is_about_shares(self) -> bool:
        """Whether the headline contains words about companies and their shares."""
        return self.mentions_percent or not MARKET_WORDS.isdisjoint(self.words)

    def before(self, place: int) -> Token | None:
        """Return the word before an index if it is in the same phrase."""
        begins = place <= 0 or (place < len(self.tokens) and self.tokens[place].breaks)
        return None if begins or place > len(self.tokens) else self.tokens[place - 1]

    def after(self, end: int) -> Token | None:
        """Return the word at `end`, which follows a name, if it is in the same phrase."""
        return self.tokens[end] if end < len(self.tokens) and not self.tokens[end].breaks else None

    def begins_sentence(self, place: int) -> bool:
        """Whether a sentence begins at an index, so its capital is not evidence. A comma does not begin a sentence."""
        token = self.tokens[place]
        return place == 0 or (token.breaks and (token.gap == "-" or not _NEW_SENTENCE.isdisjoint(token.gap)))

    def readings(self, token: Token) -> str:
        """Return the readings of a word. They are empty for a word that is not in the word list."""
        return self.english.readings.get(token.base, "")

    def continues_in_capitals(self, end: int) -> bool:
        """Whether the word after a name is also capitalized, and so may belong to a longer name."""
        after = self.after(end)
        return after is not None and after.text[0].isupper() and not after.noted and after.text not in _NOT_NAMES

    def is_verb(self, place: int) -> bool:
        """Whether a word is a verb: `cuts` is a verb in `Visa cuts jobs`, and a noun in `Visa cuts for students`."""
        token, after = self.tokens[place], self.after(place + 1)
        readings = self.readings(token)
        if "n" not in readings or {"z", "v", "d"}.isdisjoint(readings):
            return True
        if {"z", "d"}.isdisjoint(readings):
            return token.key in MOVES or (after is not None and "v" not in readings)
        if after is None:
            return False
        # verbs for movements of prices have no object: `slips on`, `falls after`
        is_move = token.key in MOVES and token.key not in _TRANSITIVE and after.key in PREPOSITIONS
        return is_move or self.is_object(after)

    def is_object(self, token: Token) -> bool:
        """Whether the word after a verb can begin its object."""
        is_name = self.style is Style.SENTENCE and token.text[0].isupper()
        if is_name or token.text[0].isdigit() or token.gap.strip().startswith(("$", "€", "£")):
            return True
        # in `visa rules change` and `price cuts hit`, the word is the verb of a plural noun
        readings = self.readings(token)
        is_verb = ("z" in readings and "n" not in readings) or token.key in PLURAL_VERBS
        return not is_verb and token.key not in PREPOSITIONS and token.key not in AUXILIARIES


def parse_headline(masked: str, notes: Mapping[int, Note], english: English) -> Headline:
    """Read a folded headline.

    Args:
        masked: The headline with its notations masked.
        notes: Offset in characters → notation.
        english: The word list.
    """
    tokens = tokenize(masked)
    return Headline(
        tokens=tokens,
        notes={place: notes[token.start] for place, token in enumerate(tokens) if token.start in notes},
        style=style_of(tokens, english),
        words=frozenset(token.base for token in tokens),
        mentions_percent="%" in masked or "percent" in masked,
        foreign_script=is_foreign(masked),
        english=english,
    )


def neighbors_in_list(headline: Headline, start: int, end: int) -> Iterator[int]:
    """Yield the indexes of the words that a comma or connector joins to the words from `start` up to `end`."""
    tokens = headline.tokens
    if start > 0:
        if tokens[start].gap.strip() in {",", "/"}:
            yield start - 1
        elif start > 1 and tokens[start - 1].key in CONNECTORS and not tokens[start].breaks:
            yield start - 2
    if end < len(tokens):
        if tokens[end].gap.strip() in {",", "/"}:
            yield end
        elif end + 1 < len(tokens) and tokens[end].key in CONNECTORS and not tokens[end + 1].breaks:
            yield end + 1
