"""Decides which tickers in a headline mean assets, both bare tickers in brackets and tickers without a notation."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from financehub_shared.core.kinds import AssetKind
from financehub_shared.market.links import vocabulary as v
from financehub_shared.market.links.english import English
from financehub_shared.market.links.headline import Headline, neighbors_in_list
from financehub_shared.market.links.listings import Listings
from financehub_shared.market.links.notation import Note, NoteKind
from financehub_shared.market.links.owners import Family, Owner
from financehub_shared.market.links.tokens import Style, Token


class TickerFinder:
    """Finds tickers and judges them.

    Args:
        listings: The tickers of the assets.
        owners: Canonical symbol → the asset.
        named: Canonical symbols of the assets that have names.
    """

    def __init__(self, listings: Listings, owners: Mapping[str, Owner], named: Collection[str]) -> None:
        self._listings = listings
        self._owners = owners
        self._named = named

    def find(self, headline: Headline, taken: Collection[int], linked: Collection[str]) -> set[str]:
        """Return the canonical symbols of the assets that notations and tickers mean.

        Args:
            headline: The headline.
            taken: Indexes of words that belong to accepted names.
            linked: Canonical symbols of the assets that these names mean.
        """
        found = {
            symbol
            for place, note in headline.notes.items()
            for symbol in self._noted(note, self._likely(note.symbols, headline, linked), headline, place)
        }
        doubtful: dict[int, list[str]] = {}
        accepted = {*taken, *headline.notes}
        for place, token in enumerate(headline.tokens):
            text = token.text.removesuffix("'s")
            if place in taken or len(text) < 2 or not text[0].isalpha() or not text.isupper():
                continue
            symbols = self._likely(self._listings.without_exchange(text), headline, linked)
            sure = [symbol for symbol in symbols if self._is_ticker(headline, place, self._owners[symbol])]
            if sure:
                found.update(sure)
                accepted.add(place)
            elif symbols:
                doubtful[place] = symbols
        is_about_coins = not v.COIN_WORDS.isdisjoint(headline.words)
        if headline.style is not Style.SHOUTED:
            # one pass in each direction, because each accepted ticker supports its neighbors
            for place, symbols in (*doubtful.items(), *reversed(doubtful.items())):
                neighbors = list(neighbors_in_list(headline, place, place + 1))
                is_with_coin = is_about_coins and not doubtful.keys().isdisjoint(neighbors)
                if is_with_coin or not accepted.isdisjoint(neighbors):
                    found.update(symbols)
                    accepted.add(place)
        return found

    def _likely(self, symbols: Sequence[str], headline: Headline, linked: Collection[str]) -> list[str]:
        """Leave out the company or the coin where both have the same ticker: LTC Properties and Litecoin."""
        by_ticker: defaultdict[str, list[str]] = defaultdict(list)
        for symbol in symbols:
            by_ticker[symbol.partition("-")[0]].append(symbol)
        is_about_coins = not v.COIN_WORDS.isdisjoint(headline.words)
        for same in by_ticker.values():
            coins = [symbol for symbol in same if self._owners[symbol].family is Family.COIN]
            if coins and len(coins) < len(same):
                means_coin = is_about_coins or not set(coins).isdisjoint(linked)
                symbols = [symbol for symbol in symbols if symbol not in same or (symbol in coins) is means_coin]
        return list(symbols)

    def _noted(self, note: Note, symbols: Sequence[str], headline: Headline, place: int) -> Iterator[str]:
        if note.kind is not NoteKind.BARE:
            yield from symbols
            return
        before = headline.before(place)
        for symbol in symbols:
            ticker = (symbol if symbol in note.tickers else symbol.partition("-")[0]).lower()
            is_distinctive = _is_distinctive(ticker, headline.english)
            is_coin = self._owners[symbol].family is Family.COIN
            if is_coin and not v.COIN_WORDS.isdisjoint(headline.words):
                is_distinctive = True
            if before is None or not before.capital:
                # the name of another company would be capitalized, in contrast to `the chipmaker (NVDA)`
                counts = is_distinctive
            elif symbol not in self._named:
                counts = not _abbreviates(ticker, headline.tokens, place)
            else:
                # `Google Parent (GOOGL)` counts, but the ticker of a coin after the name of something else does not
                is_word = before.base in v.ROLES or headline.readings(before) != ""
                counts = is_distinctive and not is_coin and len(ticker) > 3 and is_word
            if counts:
                yield symbol

    def _is_ticker(self, headline: Headline, place: int, owner: Owner) -> bool:
        token, after = headline.tokens[place], headline.after(place + 1)
        following = after.base if after else ""
        if headline.style is not Style.SHOUTED and len(token.base) > 2 and _moves(headline, place + 1):
            return True
        if _is_distinctive(token.base, headline.english):
            return _is_distinctive_ticker(headline, place, owner, following)
        if headline.style is Style.SHOUTED or token.gap == "-" or (after is not None and after.gap == "-"):
            return False
        return _follows_ticker(headline, token, owner, following)


def _follows_ticker(headline: Headline, token: Token, owner: Owner, following: str) -> bool:
    """Whether a word or acronym is a ticker, usually because of the word after it: `NEAR token`."""
    readings = headline.readings(token)
    if owner.family is Family.COIN:
        return following in v.COIN_NOUNS or (following in v.LOOSE_COIN_NOUNS and "c" not in readings)
    if owner.kind is AssetKind.FUND:
        # in running text, a noun such as `spy` is not in capitals
        is_ticker = headline.style is Style.SENTENCE or (headline.style is Style.TITLE and not token.start)
        is_ticker &= len(token.base) > 2 and "c" not in readings
        is_ticker &= "n" in readings and token.base not in headline.english.acronyms
        return is_ticker or following in v.AFTER_FUNDS or not v.ABOUT_FUNDS.isdisjoint(headline.words)
    return not readings and token.base not in v.THEMES and following in {"stock", "shares"}


def _moves(headline: Headline, place: int) -> bool:
    """Whether the verb at an index moves a price, as in `jumps 11%` and `closes above`, but not in `drops charges`."""
    verb, after = headline.after(place), headline.after(place + 1)
    if verb is None or verb.key not in v.TICKER_MOVES or "g" in headline.readings(verb):
        return False
    return after is not None and (after.text[0].isdigit() or after.key in v.AFTER_MOVES)


def _is_distinctive_ticker(headline: Headline, place: int, owner: Owner, following: str) -> bool:
    """Whether a ticker that is not a word or acronym means its asset. Shorter tickers need more evidence."""
    length = len(headline.tokens[place].base)
    is_coin = owner.family is Family.COIN
    in_context = not v.COIN_WORDS.isdisjoint(headline.words) if is_coin else headline.is_about_shares
    if headline.style is Style.SHOUTED or len(owner.known.unlike & headline.words) > 1:
        return length > 3 and in_context
    if length == 2:
        return following in v.AFTER_TICKERS
    is_heading = place == 0 and len(headline.tokens) > 1 and headline.tokens[1].gap.startswith(":")
    is_followed = following in v.TICKER_MOVES or (is_coin and following in v.LOOSE_COIN_NOUNS)
    return length > 3 or is_heading or in_context or is_followed


def _is_distinctive(ticker: str, english: English) -> bool:
    return not (ticker in english.readings or ticker in english.acronyms or ticker in english.first_names)


def _abbreviates(ticker: str, tokens: Sequence[Token], place: int) -> bool:
    """Whether a ticker consists of the initials of the words before it: `Long-Term Care (LTC)`."""
    before = tokens[max(0, place - len(ticker)) : place]
    return "".join(token.key[0] for token in before) == ticker
