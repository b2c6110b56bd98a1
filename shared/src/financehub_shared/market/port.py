"""The store's port; `RedisStore` and its in-memory peer `MemoryStore` pass the same tests."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from financehub_shared.core.models import (
    Asset,
    AssetType,
    Bars,
    Indicators,
    IndicatorValues,
    NewsItem,
    Quarantined,
    Quote,
)

#: Entries kept: weeks of a feed that errs now and then, at most 12 MB with every payload full.
QUARANTINE_LIMIT = 5_000


class Store(Protocol):
    """Market data at rest. Calls block; from a coroutine use `asyncio.to_thread`.

    Every method raises `StoreUnavailableError` when Redis does not answer or refuses to write.
    """

    # assets -----------------------------------------------------------------------------------------
    def assets(self, type: AssetType | None = None, *, active_only: bool = True) -> list[Asset]:
        """All assets, sorted by symbol."""
        ...

    def put_assets(self, assets: Iterable[Asset]) -> None:
        """Add or replace assets."""
        ...

    def remove_assets(self, symbols: Iterable[str]) -> int:
        """Forget assets and their quotes, bars and indicators; returns how many were there."""
        ...

    def reconcile_assets(self, declared: Sequence[Asset]) -> tuple[int, int]:
        """Make the declared assets exactly these, leaving those added by CLI; returns (written, removed)."""
        ...

    # quotes -----------------------------------------------------------------------------------------
    def put_quotes(self, quotes: Iterable[Quote]) -> None:
        """Store the latest quotes in one pipeline; an older quote never replaces a newer one."""
        ...

    def quotes(self, symbols: Sequence[str] | None = None) -> dict[str, Quote]:
        """Latest quotes of `symbols` (None: all) in one round trip; absent ones are left out."""
        ...

    def quotes_fetched_at(self, symbols: Sequence[str]) -> dict[str, float]:
        """When the quotes of `symbols` were fetched, Unix seconds, without decoding them; absent ones are left out."""
        ...

    # bars -------------------------------------------------------------------------------------------
    def put_bars(self, bars: Iterable[Bars]) -> None:
        """Merge bars into what is stored, by day, the new one winning, in a bounded number of round trips."""
        ...

    def bars(self, symbols: Sequence[str]) -> dict[str, Bars]:
        """Stored bars; absent symbols are left out."""
        ...

    def last_days(self, symbols: Sequence[str]) -> dict[str, int]:
        """Newest stored day per symbol, without reading the bars."""
        ...

    # indicators -------------------------------------------------------------------------------------
    def put_indicators(self, indicators: Iterable[Indicators]) -> None:
        """Replace the indicators of these symbols in a bounded number of round trips."""
        ...

    def indicators(self, symbols: Sequence[str] | None = None) -> dict[str, IndicatorValues]:
        """The newest values of `symbols` (None: all); absent ones are left out."""
        ...

    def indicators_computed_at(self, symbols: Sequence[str]) -> dict[str, float]:
        """When the indicators of `symbols` were computed, Unix seconds; absent and unreadable ones are left out."""
        ...

    def indicator_series(self, symbol: str) -> Indicators | None:
        """The full record of one symbol."""
        ...

    # news -------------------------------------------------------------------------------------------
    def put_news(self, items: Iterable[NewsItem]) -> int:
        """Store what is not known yet (guid, URL, near-equal title within 7 days); returns how many were new."""
        ...

    def news(self, symbol: str | None = None, *, limit: int = 50) -> list[NewsItem]:
        """Newest first, of all assets or one."""
        ...

    # quarantine -------------------------------------------------------------------------------------
    def put_quarantined(self, records: Iterable[Quarantined]) -> None:
        """Append to the capped quarantine."""
        ...

    def quarantined(self, *, limit: int = 100) -> list[Quarantined]:
        """Newest first."""
        ...

    # freshness --------------------------------------------------------------------------------------
    def mark_success(self, dataset: str, provider: str, at: float) -> None:
        """Record that `provider` delivered `dataset` (`quotes:crypto`, `news`, `bars`, `indicators`) at `at`."""
        ...

    def last_success(self) -> dict[tuple[str, str], float]:
        """(dataset, provider) → Unix seconds of the last success."""
        ...

    # retention --------------------------------------------------------------------------------------
    def drop_older(
        self, *, quotes_before: float, bars_before_day: int, news_before: float, dry_run: bool
    ) -> dict[str, int]:
        """Delete what is past its retention; returns kind → how many (would) go."""
        ...
