"""Resolves tickers to the assets that have them, also on a given exchange."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from financehub_shared.core.kinds import AssetKind
from financehub_shared.core.models import Asset
from financehub_shared.market.links.exchanges import CRYPTO, exchanges_named, exchanges_of_suffix
from financehub_shared.market.links.known_assets import known_asset

_PLAIN_SEPARATOR = str.maketrans({"-": ".", "/": ".", "_": ".", " ": "."})


@dataclass(frozen=True, slots=True)
class Listing:
    """A ticker of an asset.

    Args:
        symbol: Canonical symbol of the asset.
        exchanges: The exchanges that use the ticker.
        home: Whether people use the ticker without an exchange, because it is a US listing or a coin.
    """

    symbol: str
    exchanges: frozenset[str]
    home: bool


def plain_ticker(text: str) -> str:
    """Return the same spelling for all forms of a ticker: `BRK-B`, `BRK/B` and `brk.b` → `BRK.B`; `00700` → `700`."""
    ticker = text.upper().translate(_PLAIN_SEPARATOR)
    return ticker.lstrip("0") or "0" if ticker.isdigit() else ticker


@dataclass(slots=True)
class Listings:
    """The listings of all assets by plain ticker; see `plain_ticker`."""

    by_ticker: dict[str, list[Listing]] = field(default_factory=dict)
    coins: dict[str, list[str]] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)

    def add(self, asset: Asset) -> None:
        """Add the tickers of an asset."""
        self.symbols[asset.symbol] = asset.symbol
        if asset.kind is AssetKind.COIN:
            base = asset.symbol.partition("-")[0]
            self.coins.setdefault(base, []).append(asset.symbol)
            exchanges = _stated(asset) or frozenset({CRYPTO})
            self._add(base, Listing(asset.symbol, exchanges, home=True))
        elif asset.kind in {AssetKind.EQUITY, AssetKind.FUND}:
            ticker, _, suffix = asset.symbol.partition(".")
            exchanges = _stated(asset) or exchanges_of_suffix(suffix)
            for spelling in {ticker, ticker.replace("-", "")}:
                self._add(spelling, Listing(asset.symbol, exchanges, home=not suffix))
        for exchange, _, ticker in (entry.partition(":") for entry in known_asset(asset.symbol).listings):
            if not asset.exchanges:
                self._add(ticker, Listing(asset.symbol, exchanges_named(exchange), home=True))

    def _add(self, ticker: str, listing: Listing) -> None:
        known = self.by_ticker.setdefault(plain_ticker(ticker), [])
        if listing not in known:
            known.append(listing)

    def on_exchange(self, ticker: str, exchanges: Iterable[str]) -> list[str]:
        """Return the assets that have the ticker on one of the exchanges."""
        wanted = frozenset(exchanges)
        found = self.by_ticker.get(plain_ticker(ticker), ())
        return [listing.symbol for listing in found if listing.exchanges & wanted]

    def without_exchange(self, ticker: str) -> list[str]:
        """Return the assets that people mean by the ticker alone: US listings and coins."""
        exact = self.symbols.get(ticker.upper())
        if exact and not exact.isalnum():
            return [exact]
        return [listing.symbol for listing in self.by_ticker.get(plain_ticker(ticker), ()) if listing.home]

    def anywhere(self, ticker: str) -> list[str]:
        """Return the assets that have the ticker on any exchange."""
        return [listing.symbol for listing in self.by_ticker.get(plain_ticker(ticker), ())]


def _stated(asset: Asset) -> frozenset[str]:
    return frozenset().union(*map(exchanges_named, asset.exchanges))
