"""`MemoryStore`, an in-memory store with the same properties as `RedisStore`, for unit tests."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from threading import RLock

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import (
    PAYLOAD_LIMIT,
    REASON_LIMIT,
    Asset,
    Bars,
    Indicators,
    IndicatorValues,
    NewsItem,
    PriceHistory,
    Quarantined,
    Quote,
)
from financehub_shared.market.declared_set import DeclaredSet, digest_of
from financehub_shared.market.dedupe.identity import identify
from financehub_shared.market.dedupe.known_news import DroppedNews, KnownNews, KnownStory, StoryPlace
from financehub_shared.market.encoding.history import decode_points, encode_point
from financehub_shared.market.encoding.records import QUOTE_ORDER_LENGTH, quote_order
from financehub_shared.market.encoding.series import newest_values, replace_bars, trim_bars
from financehub_shared.market.protocols import QUARANTINE_LIMIT, WRONG_CLOCK_SECONDS
from financehub_shared.market.quality.disputes import Dispute
from financehub_shared.market.quality.full_reads import FullRead
from financehub_shared.market.quality.history_points import build_history
from financehub_shared.market.unreadable import Unreadable


class MemoryStore:
    """Market data in the memory of one process. Threads can share it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._assets: dict[str, Asset] = {}
        self._declared_set: DeclaredSet | None = None
        self._quotes: dict[str, Quote] = {}
        #: Symbol → day → the records of the day.
        self._history: dict[str, dict[int, list[bytes]]] = {}
        self._disputes: dict[str, Dispute] = {}
        self._bars: dict[str, Bars] = {}
        self._full_reads: dict[str, FullRead] = {}
        self._indicators: dict[str, Indicators] = {}
        self._news: list[NewsItem] = []
        self._seen: dict[str, float] = {}
        self._stories: dict[StoryPlace, KnownStory] = {}
        self._quarantined: dict[tuple[str, str, str, str], Quarantined] = {}
        self._marks: dict[tuple[str, str], float] = {}

    def assets(
        self, type: AssetType | None = None, *, active_only: bool = True, unreadable: Unreadable | None = None
    ) -> list[Asset]:
        with self._lock:
            stored = sorted(self._assets.values(), key=lambda asset: asset.symbol)
        return [asset for asset in stored if (asset.active or not active_only) and type in {None, asset.type}]

    def put_assets(self, assets: Iterable[Asset]) -> None:
        with self._lock:
            self._assets.update((asset.symbol, asset) for asset in assets)

    def remove_assets(self, symbols: Iterable[str]) -> int:
        with self._lock:
            requested = set(symbols)
            removed = requested & self._assets.keys()
            for symbol in requested:
                for records in (
                    self._assets,
                    self._quotes,
                    self._history,
                    self._disputes,
                    self._bars,
                    self._full_reads,
                    self._indicators,
                ):
                    records.pop(symbol, None)
            return len(removed)

    def reconcile_assets(self, declared: Sequence[Asset]) -> tuple[int, int]:
        with self._lock:
            declared_assets = {asset.symbol: replace(asset, declared=True) for asset in declared}
            changed = [asset for symbol, asset in declared_assets.items() if self._assets.get(symbol) != asset]
            removed = [
                symbol for symbol, asset in self._assets.items() if asset.declared and symbol not in declared_assets
            ]
            self.put_assets(changed)
            self._declared_set = DeclaredSet(digest_of(declared_assets.values()), time.time())
            return len(changed), self.remove_assets(removed)

    def declared_set(self) -> DeclaredSet | None:
        with self._lock:
            return self._declared_set

    def put_quotes(self, quotes: Iterable[Quote], *, replaced: Collection[str] = ()) -> None:
        with self._lock:
            for quote in quotes:
                stored = self._quotes.get(quote.symbol)
                has_wrong_time = stored is not None and stored.fetched_at > quote.fetched_at + WRONG_CLOCK_SECONDS
                start = QUOTE_ORDER_LENGTH // 2 if quote.symbol in replaced else 0
                if stored is None or has_wrong_time or quote_order(stored)[start:] <= quote_order(quote)[start:]:
                    self._quotes[quote.symbol] = quote
                    day, record = encode_point(quote)
                    records = self._history.setdefault(quote.symbol, {}).setdefault(day, [])
                    if records[-1:] != [record]:
                        records.append(record)

    def history(self, symbol: str, start: float, end: float, *, unreadable: Unreadable | None = None) -> PriceHistory:
        with self._lock:
            days = sorted(self._history.get(symbol, {}).items())
            asset, bars = self._assets.get(symbol), self._bars.get(symbol)
        first = start // DAY_SECONDS
        stored = [each for day, records in days if day >= first for each in decode_points(day, b"".join(records))[0]]
        has_scale = asset is not None and asset.type is AssetType.STOCK
        return build_history(symbol, stored, bars, has_scale=has_scale, start=start, end=end)

    def quotes(self, symbols: Sequence[str] | None = None, *, unreadable: Unreadable | None = None) -> dict[str, Quote]:
        with self._lock:
            requested = self._quotes if symbols is None else symbols
            return {symbol: self._quotes[symbol] for symbol in requested if symbol in self._quotes}

    def quotes_fetched_at(self, symbols: Sequence[str]) -> dict[str, float]:
        with self._lock:
            return {symbol: self._quotes[symbol].fetched_at for symbol in symbols if symbol in self._quotes}

    def disputes(self, *, unreadable: Unreadable | None = None) -> dict[str, Dispute]:
        with self._lock:
            return dict(self._disputes)

    def put_disputes(self, disputes: Mapping[str, Dispute | None]) -> None:
        with self._lock:
            for symbol, dispute in disputes.items():
                if dispute is None:
                    self._disputes.pop(symbol, None)
                else:
                    self._disputes[symbol] = dispute

    def put_bars(
        self, bars: Iterable[Bars], *, first_days: Mapping[str, int] | None = None, unreadable: Unreadable | None = None
    ) -> None:
        with self._lock:
            for new in bars:
                if len(new):
                    stored = self._bars.get(new.symbol)
                    first_day = (first_days or {}).get(new.symbol)
                    self._bars[new.symbol] = replace_bars(stored, new, first_day) if stored else new

    def full_reads(self, symbols: Sequence[str]) -> dict[str, FullRead]:
        with self._lock:
            return {symbol: self._full_reads[symbol] for symbol in symbols if symbol in self._full_reads}

    def put_full_reads(self, reads: Mapping[str, FullRead]) -> None:
        with self._lock:
            self._full_reads.update(reads)

    def request_full_reads(self, symbols: Sequence[str]) -> None:
        with self._lock:
            for symbol in symbols:
                self._full_reads.pop(symbol, None)

    def bars(self, symbols: Sequence[str], *, unreadable: Unreadable | None = None) -> dict[str, Bars]:
        with self._lock:
            return {symbol: self._bars[symbol] for symbol in symbols if symbol in self._bars}

    def last_days(self, symbols: Sequence[str], *, unreadable: Unreadable | None = None) -> dict[str, int]:
        return {symbol: bars.days[-1] for symbol, bars in self.bars(symbols).items()}

    def put_indicators(self, indicators: Iterable[Indicators]) -> None:
        with self._lock:
            self._indicators.update((record.symbol, record) for record in indicators)

    def indicators(
        self, symbols: Sequence[str] | None = None, *, unreadable: Unreadable | None = None
    ) -> dict[str, IndicatorValues]:
        with self._lock:
            requested = self._indicators if symbols is None else symbols
            return {
                symbol: newest_values(self._indicators[symbol]) for symbol in requested if symbol in self._indicators
            }

    def indicators_computed_at(self, symbols: Sequence[str]) -> dict[str, float]:
        with self._lock:
            return {symbol: self._indicators[symbol].computed_at for symbol in symbols if symbol in self._indicators}

    def indicator_series(self, symbol: str) -> Indicators | None:
        with self._lock:
            return self._indicators.get(symbol)

    def put_news(
        self, items: Iterable[NewsItem], *, oldest: float = float("-inf"), dropped: DroppedNews | None = None
    ) -> int:
        with self._lock:
            known = KnownNews(self._seen, self._stories, oldest)
            new = []
            for item in items:
                verdict = known.judge(item, identify(item))
                if verdict is None:
                    new.append(item)
                elif dropped is not None:
                    dropped.add(item, verdict)
            self._seen |= known.sighted
            self._stories |= known.new_stories
            self._news = sorted([*self._news, *new], key=lambda item: (item.published_at, item.id), reverse=True)
            return len(new)

    def news(self, symbol: str | None = None, *, limit: int = 50, until: float = inf) -> list[NewsItem]:
        with self._lock:
            of_symbol = [item for item in self._news if symbol is None or symbol in item.assets]
        found = [item for item in of_symbol if item.published_at <= until]
        return found[: max(limit, 0)]

    def put_quarantined(self, records: Iterable[Quarantined]) -> None:
        with self._lock:
            for new in records:
                key = (new.kind, new.symbol, new.provider, new.reason_class)
                stored = self._quarantined.get(key)
                newest = new if stored is None or new.at >= stored.at else stored
                first_at = new.at if stored is None or stored.first_at is None else min(new.at, stored.first_at)
                count = new.count + (stored.count if stored else 0)
                self._quarantined[key] = replace(
                    newest,
                    reason=newest.reason[:REASON_LIMIT],
                    payload=newest.payload[:PAYLOAD_LIMIT],
                    first_at=first_at,
                    count=count,
                )
                of_kind = [record for record in self._quarantined.values() if record.kind == new.kind]
                if len(of_kind) > QUARANTINE_LIMIT:
                    ((most, _),) = Counter(record.reason_class for record in of_kind).most_common(1)
                    of_class = [record for record in of_kind if record.reason_class == most]
                    self._delete_quarantined([min(of_class, key=lambda record: record.at)])

    def quarantined(
        self, *, kind: str | None = None, symbol: str | None = None, limit: int = 100, until: float = inf
    ) -> list[Quarantined]:
        with self._lock:
            selected = [record for record in self._select_quarantined(kind, symbol) if record.at <= until]
        found = sorted(selected, key=lambda record: -record.at)
        return found[: max(limit, 0)]

    def clear_quarantined(self, *, kind: str | None = None, symbol: str | None = None) -> int:
        with self._lock:
            return self._delete_quarantined(self._select_quarantined(kind, symbol))

    def _select_quarantined(self, kind: str | None, symbol: str | None) -> list[Quarantined]:
        return [
            record
            for record in self._quarantined.values()
            if kind in {None, record.kind} and (symbol is None or symbol.casefold() == record.symbol.casefold())
        ]

    def _delete_quarantined(self, records: Sequence[Quarantined]) -> int:
        for record in records:
            del self._quarantined[record.kind, record.symbol, record.provider, record.reason_class]
        return len(records)

    def mark_success(self, dataset: str, provider: str, at: float) -> None:
        with self._lock:
            self._marks[dataset, provider] = at

    def last_success(self) -> dict[tuple[str, str], float]:
        with self._lock:
            return dict(self._marks)

    def drop_older(
        self,
        *,
        quotes_before: float,
        history_before_day: int,
        bars_before_day: int,
        news_before: float,
        quarantine_before: float,
        dry_run: bool,
        unreadable: Unreadable | None = None,
    ) -> dict[str, int]:
        with self._lock:
            quotes = {symbol: quote for symbol, quote in self._quotes.items() if quote.fetched_at >= quotes_before}
            trimmed = {symbol: trim_bars(bars, bars_before_day) for symbol, bars in self._bars.items()}
            bars = {symbol: remaining for symbol, remaining in trimmed.items() if len(remaining)}
            indicators = {
                symbol: record for symbol, record in self._indicators.items() if record.last_day >= bars_before_day
            }
            news = [item for item in self._news if item.published_at >= news_before]
            rejected = [record for record in self._quarantined.values() if record.at < quarantine_before]
            old_days = [(symbol, day) for symbol, days in self._history.items() for day in days]
            old_days = [(symbol, day) for symbol, day in old_days if day < history_before_day]
            counts = {
                "quotes": len(self._quotes) - len(quotes),
                "history": len(old_days),
                "bars": sum(map(len, self._bars.values())) - sum(map(len, bars.values())),
                "indicators": len(self._indicators) - len(indicators),
                "news": len(self._news) - len(news),
                "quarantine": len(rejected),
            }
            if not dry_run:
                self._delete_quarantined(rejected)
                for symbol, day in old_days:
                    del self._history[symbol][day]
                self._quotes, self._bars, self._indicators, self._news = quotes, bars, indicators, news
            return counts
