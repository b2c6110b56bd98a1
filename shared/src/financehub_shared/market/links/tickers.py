"""Decides which tickers in a headline mean assets: bare ones in brackets, and those that stand as words."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from financehub_shared.market.links import vocabulary as v
from financehub_shared.market.links.english import English
from financehub_shared.market.links.headline import Headline
from financehub_shared.market.links.listings import Listings
from financehub_shared.market.links.notation import Note, NoteKind
from financehub_shared.market.links.owners import Family, Owner
from financehub_shared.market.links.tokens import Style, Token


class TickerFinder:
    """Finds tickers and judges them.

    Args:
        listings: The tickers of the assets.
        owners: Canonical symbol → the asset.
        named: The assets that have names.
    """

    def __init__(self, listings: Listings, owners: Mapping[str, Owner], named: Collection[str]) -> None:
        self._listings = listings
        self._owners = owners
        self._named = named

    def find(self, headline: Headline, taken: Collection[int]) -> Iterator[str]:
        """Yield the assets that notations and tickers name.

        Args:
            headline: The headline.
            taken: Places of words that belong to accepted names.
        """
        for place, note in headline.notes.items():
            yield from self._noted(note, headline, place)
        for place, token in enumerate(headline.tokens):
            text = token.text.removesuffix("'s")
            if place not in taken and len(text) > 1 and text[0].isalpha() and text.isupper():
                for symbol in self._listings.without_exchange(text):
                    if self._is_ticker(headline, place, self._owners[symbol].family):
                        yield symbol

    def _noted(self, note: Note, headline: Headline, place: int) -> Iterator[str]:
        if note.kind is not NoteKind.BARE:
            yield from note.symbols
            return
        before = headline.before(place)
        for symbol in note.symbols:
            ticker = (symbol if symbol in note.tickers else symbol.partition("-")[0]).lower()
            is_distinctive = _is_distinctive(ticker, headline.english)
            is_coin = self._owners[symbol].family is Family.COIN
            if before is None or not before.capital:
                # `the chipmaker (NVDA)`; the name of another company would have a capital
                if is_distinctive or (is_coin and not v.COIN_WORDS.isdisjoint(headline.words)):
                    yield symbol
            elif not _abbreviates(ticker, headline.tokens, place) and (
                symbol not in self._named or (is_distinctive and len(ticker) > 3)
            ):
                yield symbol

    def _is_ticker(self, headline: Headline, place: int, family: Family) -> bool:
        token, after = headline.tokens[place], headline.after(place + 1)
        following = after.base if after else ""
        if _is_distinctive(token.base, headline.english):
            return _is_distinctive_ticker(headline, place, family, following)
        if headline.style is Style.SHOUTED or token.gap == "-" or (after is not None and after.gap == "-"):
            return False
        readings = headline.readings(token)
        if family is Family.COIN:
            return following in v.COIN_NOUNS or (following in v.LOOSE_COIN_NOUNS and "c" not in readings)
        return not readings and token.base not in v.THEMES and following in {"stock", "shares"}


def _is_distinctive_ticker(headline: Headline, place: int, family: Family, following: str) -> bool:
    """Judge a ticker that is no word or acronym. The shorter it is, the more it needs."""
    length = len(headline.tokens[place].base)
    is_coin = family is Family.COIN
    in_context = not v.COIN_WORDS.isdisjoint(headline.words) if is_coin else headline.is_about_shares
    if headline.style is Style.SHOUTED:
        return length > 3 and in_context
    if length == 2:
        return following in v.AFTER_TICKERS
    is_heading = place == 0 and len(headline.tokens) > 1 and headline.tokens[1].gap.startswith(":")
    return length > 3 or is_heading or in_context or (is_coin and following in v.LOOSE_COIN_NOUNS)


def _is_distinctive(ticker: str, english: English) -> bool:
    return not (ticker in english.readings or ticker in english.acronyms or ticker in english.first_names)


def _abbreviates(ticker: str, tokens: Sequence[Token], place: int) -> bool:
    """Whether a ticker is the initials of the words before it: `Long-Term Care (LTC)`."""
    before = tokens[max(0, place - len(ticker)) : place]
    return "".join(token.key[0] for token in before) == ticker
