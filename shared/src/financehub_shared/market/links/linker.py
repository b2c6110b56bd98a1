"""Links headlines to the assets that they name."""

from collections.abc import Iterable

from financehub_shared.core.models import Asset
from financehub_shared.market.links.english import english
from financehub_shared.market.links.headline import parse_headline
from financehub_shared.market.links.listings import Listings
from financehub_shared.market.links.name_finder import NameFinder
from financehub_shared.market.links.name_index import NameIndex
from financehub_shared.market.links.names import names_of
from financehub_shared.market.links.notation import NotationReader
from financehub_shared.market.links.other_scripts import OtherScripts
from financehub_shared.market.links.owners import owner_of
from financehub_shared.market.links.tickers import TickerFinder
from financehub_shared.market.links.tokens import fold


class AssetLinker:
    """Finds the assets that headlines name by notations, names and tickers. It is built once per fetch.

    Notations are read first and masked, because they are sufficient evidence by themselves. Names are read next, and
    the longest name at each position counts. Tickers without a notation are read last, because most of them are also
    words or acronyms.

    Args:
        assets: The assets that can be linked, with their names, aliases and exchanges.
    """

    def __init__(self, assets: Iterable[Asset]) -> None:
        assets = list(assets)
        self._english = english()
        owners = {asset.symbol: owner_of(asset) for asset in assets}
        names = [name for asset in assets for name in names_of(asset, self._english)]
        listings = Listings()
        for asset in assets:
            listings.add(asset)
        self._notations = NotationReader(listings)
        self._names = NameFinder(NameIndex(names, owners), owners)
        self._tickers = TickerFinder(listings, owners, {name.symbol for name in names})
        self._other_scripts = OtherScripts(assets)

    def link(self, title: str) -> tuple[str, ...]:
        """Return the canonical symbols of the assets that the headline names, sorted."""
        masked, notes = self._notations.read(fold(title))
        headline = parse_headline(masked, notes, self._english)
        mentions = self._names.find(headline)
        taken = {place for mention in mentions for place in range(mention.start, mention.end)}
        symbols = {symbol for mention in mentions for symbol in mention.symbols}
        symbols.update(self._tickers.find(headline, taken, symbols), self._other_scripts.find(title))
        return tuple(sorted(symbols - {""}))
