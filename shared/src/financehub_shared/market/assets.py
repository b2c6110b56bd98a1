"""Stores assets in one Redis hash that maps symbols to JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from financehub_shared.core.chunks import chunks
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.encoding.records import decode_asset, encode_asset
from financehub_shared.market.repository import BATCH, RedisRepository, translate_errors
from financehub_shared.redis import keys


class AssetRepository(RedisRepository):
    """Reads and writes assets."""

    @translate_errors
    def assets(self, type: AssetType | None = None, *, active_only: bool = True) -> list[Asset]:
        stored = self._redis.hgetall(keys.ASSETS)
        everything = [decode_asset(symbol.decode(), raw) for symbol, raw in sorted(stored.items())]
        return [asset for asset in everything if (asset.active or not active_only) and type in {None, asset.type}]

    @translate_errors
    def put_assets(self, assets: Iterable[Asset]) -> None:
        mapping = {asset.symbol: encode_asset(asset) for asset in assets}
        if mapping:
            self._redis.hset(keys.ASSETS, mapping=mapping)

    @translate_errors
    def remove_assets(self, symbols: Iterable[str]) -> int:
        removed = 0
        for batch in chunks(symbols, BATCH):
            pipe = self._redis.pipeline(transaction=False)
            pipe.hdel(keys.ASSETS, *batch)
            pipe.hdel(keys.QUOTES, *batch)
            pipe.hdel(keys.INDICATORS, *batch)
            pipe.unlink(*(key(symbol) for symbol in batch for key in (keys.bars, keys.indicator_series)))
            removed += pipe.execute()[0]
        return removed

    @translate_errors
    def reconcile_assets(self, declared: Sequence[Asset]) -> tuple[int, int]:
        wanted = {asset.symbol: replace(asset, declared=True) for asset in declared}
        stored = {asset.symbol: asset for asset in self.assets(active_only=False)}
        changed = [asset for symbol, asset in wanted.items() if stored.get(symbol) != asset]
        gone = [symbol for symbol, asset in stored.items() if asset.declared and symbol not in wanted]
        self.put_assets(changed)
        return len(changed), self.remove_assets(gone)
