"""`MemoryStore`: the in-memory peer of `RedisStore`, with the same laws, for tests and dry runs of one process."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from threading import RLock

from financehub_shared.models import Asset, AssetType, Quote
from financehub_shared.store.records import quote_order


class MemoryStore:
    """Market data in one process; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._assets: dict[str, Asset] = {}
        self._quotes: dict[str, Quote] = {}

    def assets(self, type: AssetType | None = None, *, active_only: bool = True) -> list[Asset]:
        with self._lock:
            stored = sorted(self._assets.values(), key=lambda asset: asset.symbol)
        return [asset for asset in stored if (asset.active or not active_only) and type in {None, asset.type}]

    def put_assets(self, assets: Iterable[Asset]) -> None:
        with self._lock:
            self._assets.update((asset.symbol, asset) for asset in assets)

    def remove_assets(self, symbols: Iterable[str]) -> int:
        with self._lock:
            gone = set(symbols)
            removed = gone & self._assets.keys()
            for kept in (self._assets, self._quotes):
                for symbol in gone:
                    kept.pop(symbol, None)
            return len(removed)

    def reconcile_assets(self, declared: Sequence[Asset]) -> tuple[int, int]:
        with self._lock:
            wanted = {asset.symbol: replace(asset, declared=True) for asset in declared}
            changed = [asset for symbol, asset in wanted.items() if self._assets.get(symbol) != asset]
            gone = [symbol for symbol, asset in self._assets.items() if asset.declared and symbol not in wanted]
            self.put_assets(changed)
            return len(changed), self.remove_assets(gone)

    def put_quotes(self, quotes: Iterable[Quote]) -> None:
        with self._lock:
            for quote in quotes:
                stored = self._quotes.get(quote.symbol)
                if stored is None or quote_order(stored) <= quote_order(quote):
                    self._quotes[quote.symbol] = quote

    def quotes(self, symbols: Sequence[str] | None = None) -> dict[str, Quote]:
        with self._lock:
            wanted = self._quotes if symbols is None else symbols
            return {symbol: self._quotes[symbol] for symbol in wanted if symbol in self._quotes}
