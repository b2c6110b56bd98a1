"""Defines the interface of the market data store. `RedisStore` implements it; tests also use an in-memory store."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Protocol

from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import (
    Asset,
    Bars,
    Indicators,
    IndicatorValues,
    NewsItem,
    PriceHistory,
    Quarantined,
    Quote,
)
from financehub_shared.market.declared_set import DeclaredSet
from financehub_shared.market.dedupe.known_news import DroppedNews
from financehub_shared.market.quality.disputes import Dispute
from financehub_shared.market.quality.full_reads import FullRead
from financehub_shared.market.unreadable import Unreadable

#: Number of quarantine records kept of each kind: two for each of 2,500 assets, and at most 13 MB a kind if every
#: payload is full.
QUARANTINE_LIMIT = 5_000
#: A stored quote that was fetched this much later than a new one has the time of a wrong clock: concurrent runs are
#: minutes apart.
WRONG_CLOCK_SECONDS = float(HOUR_SECONDS)


class Store(Protocol):
    """Market data at rest. Calls block; from a coroutine use `asyncio.to_thread`.

    A record that cannot be read is reported and left out, and all others are returned. A method with an argument
    `unreadable` also adds the record's error to it, for callers that must distinguish such a record from a missing one.

    Every method raises `StoreUnavailableError` when Redis does not answer or refuses to write.
    """

    # assets -----------------------------------------------------------------------------------------
    def assets(
        self, type: AssetType | None = None, *, active_only: bool = True, unreadable: Unreadable | None = None
    ) -> list[Asset]:
        """Return all assets, sorted by symbol."""
        ...

    def put_assets(self, assets: Iterable[Asset]) -> None:
        """Add or replace assets."""
        ...

    def remove_assets(self, symbols: Iterable[str]) -> int:
        """Remove assets with their quotes, price histories, bars and indicators; return how many existed."""
        ...

    def reconcile_assets(self, declared: Sequence[Asset]) -> tuple[int, int]:
        """Replace the declared assets with these, and keep assets added by the CLI; return (written, removed).

        A record that cannot be read is replaced if it is declared, and is never removed. A newer release's record is
        always kept.
        """
        ...

    def declared_set(self) -> DeclaredSet | None:
        """Return the record of the last call of `reconcile_assets`; None if the store has none, or has lost it."""
        ...

    # quotes -----------------------------------------------------------------------------------------
    def put_quotes(self, quotes: Iterable[Quote], *, replaced: Collection[str] = ()) -> None:
        """Store the latest quotes in one pipeline; an older quote never replaces a newer one.

        Each accepted price is added to the history of its asset in the same step, and only once.

        For the symbols in `replaced`, whose stored prices are wrong or unconfirmed, only the fetch times count. A
        stored quote with the time of a wrong clock (`WRONG_CLOCK_SECONDS`) is always replaced.
        """
        ...

    def quotes(self, symbols: Sequence[str] | None = None, *, unreadable: Unreadable | None = None) -> dict[str, Quote]:
        """Return the latest quotes of `symbols` (None for all) in one round trip; missing symbols are left out."""
        ...

    def quotes_fetched_at(self, symbols: Sequence[str]) -> dict[str, float]:
        """Return the fetch times of quotes in Unix seconds, without decoding the quotes; missing ones are left out."""
        ...

    def history(self, symbol: str, start: float, end: float, *, unreadable: Unreadable | None = None) -> PriceHistory:
        """Return the prices of one asset that were accepted and not refuted later, on the scale of the newest one.

        Args:
            symbol: The symbol of the asset.
            start: Start of the range in Unix seconds, inclusive.
            end: End of the range in Unix seconds, exclusive.
            unreadable: Receives an error for each day with records that cannot be read, by its key.
        """
        ...

    def disputes(self, *, unreadable: Unreadable | None = None) -> dict[str, Dispute]:
        """Return the open disputes about quotes by symbol."""
        ...

    def put_disputes(self, disputes: Mapping[str, Dispute | None]) -> None:
        """Store the disputes of these symbols, and delete those that are None."""
        ...

    # bars -------------------------------------------------------------------------------------------
    def put_bars(
        self, bars: Iterable[Bars], *, first_days: Mapping[str, int] | None = None, unreadable: Unreadable | None = None
    ) -> None:
        """Merge new bars into the stored ones, replacing bars of the same day, in a bounded number of round trips.

        The bars of the symbols in `first_days` replace all stored ones from that day on. Stored bars that cannot be
        read are kept, and the new bars of those symbols are not stored.
        """
        ...

    def bars(self, symbols: Sequence[str], *, unreadable: Unreadable | None = None) -> dict[str, Bars]:
        """Return the stored bars; missing symbols are left out."""
        ...

    def last_days(self, symbols: Sequence[str], *, unreadable: Unreadable | None = None) -> dict[str, int]:
        """Return the newest stored day per symbol, without reading the bars."""
        ...

    def full_reads(self, symbols: Sequence[str]) -> dict[str, FullRead]:
        """Return the last full read of each symbol; symbols whose whole history must be read are left out."""
        ...

    def put_full_reads(self, reads: Mapping[str, FullRead]) -> None:
        """Store the last full read of these symbols."""
        ...

    def request_full_reads(self, symbols: Sequence[str]) -> None:
        """Let the next fetch read the whole history of these symbols."""
        ...

    # indicators -------------------------------------------------------------------------------------
    def put_indicators(self, indicators: Iterable[Indicators]) -> None:
        """Replace the indicators of these symbols in a bounded number of round trips."""
        ...

    def indicators(
        self, symbols: Sequence[str] | None = None, *, unreadable: Unreadable | None = None
    ) -> dict[str, IndicatorValues]:
        """Return the newest values of `symbols` (None for all); missing symbols are left out."""
        ...

    def indicators_computed_at(self, symbols: Sequence[str]) -> dict[str, float]:
        """Return when the indicators were computed (Unix seconds); missing and unreadable ones are left out."""
        ...

    def indicator_series(self, symbol: str) -> Indicators | None:
        """Return the full record of one symbol."""
        ...

    # news -------------------------------------------------------------------------------------------
    def put_news(
        self, items: Iterable[NewsItem], *, oldest: float = float("-inf"), dropped: DroppedNews | None = None
    ) -> int:
        """Store the news items that are not known yet, and return their number.

        Args:
            items: News items, linked to their assets.
            oldest: News items that were published before this time in Unix seconds are not stored.
            dropped: Receives the news items that are not stored, with the reasons.
        """
        ...

    def news(self, symbol: str | None = None, *, limit: int = 50, until: float = inf) -> list[NewsItem]:
        """Return the news items of all assets or of one asset, newest first.

        Args:
            symbol: Symbol of the asset. None selects all.
            limit: Largest number of news items.
            until: Latest time of publication in Unix seconds.
        """
        ...

    # quarantine -------------------------------------------------------------------------------------
    def put_quarantined(self, records: Iterable[Quarantined]) -> None:
        """Add rejections to the record of their kind, symbol, provider and class of reason.

        A record keeps the time of its first rejection and counts all of them. If there are more than
        `QUARANTINE_LIMIT` records of a kind, the oldest records with its most frequent class of reason are deleted.
        """
        ...

    def quarantined(
        self, *, kind: str | None = None, symbol: str | None = None, limit: int = 100, until: float = inf
    ) -> list[Quarantined]:
        """Return the records of a kind and of a symbol in any case (None for all), the last rejection first.

        Args:
            kind: Kind of data. None selects all.
            symbol: Symbol, or feed of news items. None selects all.
            limit: Largest number of records.
            until: Latest time of the last rejection in Unix seconds.
        """
        ...

    def clear_quarantined(self, *, kind: str | None = None, symbol: str | None = None) -> int:
        """Delete the records of a kind and of a symbol in any case (None for all); return their number."""
        ...

    # freshness --------------------------------------------------------------------------------------
    def mark_success(self, dataset: str, provider: str, at: float) -> None:
        """Record that `provider` delivered `dataset` (`quotes:crypto`, `news`, `bars`, `indicators`) at `at`."""
        ...

    def last_success(self) -> dict[tuple[str, str], float]:
        """Return (dataset, provider) → Unix seconds of the last success."""
        ...

    # retention --------------------------------------------------------------------------------------
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
        """Delete data past its retention, or only count it with `dry_run`; return kind → number.

        The keys of `unreadable` are the names of the records, such as `financehub:quotes AAPL`.
        """
        ...
