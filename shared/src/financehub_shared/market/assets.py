"""Stores assets in one Redis hash that maps symbols to JSON."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import redis

from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import NewerRecordError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.declared_set import DeclaredSet, digest_of
from financehub_shared.market.encoding.disputes import dispute_record
from financehub_shared.market.encoding.history import symbol_and_day
from financehub_shared.market.encoding.record_names import (
    ASSETS_KEY,
    asset_record,
    full_read_record,
    indicator_record,
    quote_record,
)
from financehub_shared.market.encoding.records import decode_asset, encode_asset
from financehub_shared.market.key_types import reads, writes
from financehub_shared.market.repository import BATCH, RedisRepository, translate_errors
from financehub_shared.market.unreadable import ReportUnreadable, Unreadable
from financehub_shared.redis import keys
from financehub_shared.redis.replies import is_wrong_type
from financehub_shared.redis.text import decode

_OF_ONE_ASSET = (quote_record(""), dispute_record(""), full_read_record(""), indicator_record(""))
_TYPES = {ASSETS_KEY: b"hash"}
_REMOVED_TYPES = _TYPES | dict.fromkeys((name.whole() for name in _OF_ONE_ASSET), b"hash")


class AssetRepository(RedisRepository):
    """Reads and writes assets."""

    def __init__(self, client: redis.Redis, report: ReportUnreadable | None = None) -> None:
        super().__init__(client, report)
        #: Symbol → stored bytes and the asset that they encode, as of the last read. Each task reads all assets, but
        #: seldom has one changed since.
        self._last_read: Mapping[str, tuple[bytes, Asset]] = {}

    @translate_errors
    @reads(_TYPES, list)
    def assets(
        self, type: AssetType | None = None, *, active_only: bool = True, unreadable: Unreadable | None = None
    ) -> list[Asset]:
        stored = {decode(symbol): raw for symbol, raw in sorted(self._redis.hgetall(keys.ASSETS).items())}
        known = self._last_read

        def decode_changed(symbol: str, raw: bytes) -> Asset:
            last = known.get(symbol)
            return last[1] if last is not None and last[0] == raw else decode_asset(symbol, raw)

        found = self._decode_each(stored, decode_changed, asset_record, unreadable)
        self._last_read = {symbol: (stored[symbol], asset) for symbol, asset in found.items()}
        everything = found.values()
        return [asset for asset in everything if (asset.active or not active_only) and type in {None, asset.type}]

    @translate_errors
    @writes(_TYPES)
    def put_assets(self, assets: Iterable[Asset]) -> None:
        mapping = {asset.symbol: encode_asset(asset) for asset in assets}
        if mapping:
            self._redis.hset(keys.ASSETS, mapping=mapping)

    @translate_errors
    @writes(_REMOVED_TYPES)
    def remove_assets(self, symbols: Iterable[str]) -> int:
        removed = 0
        gone: set[str] = set()
        for batch in chunks(symbols, BATCH):
            pipe = self._redis.pipeline(transaction=False)
            pipe.hdel(keys.ASSETS, *batch)
            pipe.hdel(keys.QUOTES, *batch)
            pipe.hdel(keys.DISPUTES, *batch)
            pipe.hdel(keys.FULL_READS, *batch)
            pipe.hdel(keys.INDICATORS, *batch)
            pipe.unlink(*(key(symbol) for symbol in batch for key in (keys.bars, keys.indicator_series)))
            removed += pipe.execute()[0]
            gone.update(batch)
        if gone:
            self._remove_histories(gone)
        return removed

    def _remove_histories(self, symbols: Collection[str]) -> None:
        """Delete the prices of all days. One pass over all keys is enough, because assets are seldom removed."""
        for page in chunks(self._redis.scan_iter(match=keys.history("*", "*"), count=BATCH), BATCH):
            names = [name for name in page if symbol_and_day(decode(name))[0] in symbols]
            if names:
                self._redis.unlink(*names)

    @translate_errors
    def reconcile_assets(self, declared: Sequence[Asset]) -> tuple[int, int]:
        wanted = {asset.symbol: replace(asset, declared=True) for asset in declared}
        unreadable: Unreadable = {}
        stored = {asset.symbol: asset for asset in self.assets(active_only=False, unreadable=unreadable)}
        kept = {symbol for symbol, error in unreadable.items() if isinstance(error, NewerRecordError)}
        changed = [asset for symbol, asset in wanted.items() if stored.get(symbol) != asset and symbol not in kept]
        gone = [symbol for symbol, asset in stored.items() if asset.declared and symbol not in wanted]
        self.put_assets(changed)
        removed = self.remove_assets(gone)
        # Written last: if Redis fails before, the absent record shows that the set is incomplete.
        seconds, microseconds = self._redis.time()
        record = DeclaredSet(digest_of(wanted.values()), seconds + microseconds / 1_000_000)
        self._redis.set(keys.DECLARED_SET, record.to_json())
        return len(changed), removed

    @translate_errors
    def declared_set(self) -> DeclaredSet | None:
        try:
            raw = self._redis.get(keys.DECLARED_SET)
        except redis.ResponseError as error:
            if is_wrong_type(error):
                return None  # the next write replaces the key
            raise
        return None if raw is None else DeclaredSet.from_json(raw)
