"""Reads market data: assets, prices, bars, indicators, news and the quarantine."""

from collections.abc import Sequence
from math import inf

from financehub_shared.core.chunks import chunks
from financehub_shared.core.durations import DAY_SECONDS, MINUTE_SECONDS
from financehub_shared.core.models import Asset, Bars, Indicators, IndicatorValues, NewsItem, PriceHistory, Quarantined
from financehub_shared.health.freshness import dataset_limits
from financehub_shared.market.closes import Closes
from financehub_shared.market.history_candles import whole_intervals
from financehub_shared.views.bars import BarsView, bars_view
from financehub_shared.views.quotes import QuoteView
from financehub_web.reading.cache import Reading
from financehub_web.reading.work import WorkReadings

#: Assets whose bars are decoded at once to count them. Those of one asset take 0.1 MB.
_SUMMARIZED = 10


class MarketReadings(WorkReadings):
    """Readings of the data Redis. Prices also need the schedules, which decide when a price is stale."""

    def assets(self) -> Reading[dict[str, Asset]]:
        """Return symbol → asset for all assets, sorted by symbol."""
        return self._data.get("assets", lambda: {each.symbol: each for each in self._store.assets(active_only=False)})

    def quote_views(self) -> Reading[list[QuoteView]]:
        """Return the newest prices of all active assets that have one, sorted by symbol."""
        return self._data.get("quotes", self._read_quotes, is_same=_differ_in_ages)

    def closes(self, views: Sequence[QuoteView]) -> Reading[dict[str, Closes]]:
        """Return symbol → the thinned prices of the last 24 hours, for those of some quotes that have a history."""
        symbols = tuple(sorted(view["symbol"] for view in views))
        return self._data.get(("closes", symbols), lambda: self._closes.read(views, self.clock.now()))

    def bars(self, symbol: str) -> Reading[Bars | None]:
        """Return all daily bars of an asset, or None if it has none."""
        return self._data.get(("bars", symbol), lambda: self._store.bars([symbol]).get(symbol))

    def bars_of(self, symbols: Sequence[str]) -> Reading[dict[str, Bars]]:
        """Return symbol → all daily bars, for the assets that have any."""
        return self._data.get(("bars", tuple(symbols)), lambda: self._store.bars(symbols))

    def bar_summaries(self, symbols: Sequence[str]) -> Reading[dict[str, BarsView]]:
        """Return symbol → the view of its daily bars without any bar, for the assets that have bars."""

        def read() -> dict[str, BarsView]:
            today = int(self.clock.now() // DAY_SECONDS)
            return {
                symbol: bars_view(bars, today, range(0))
                for some in chunks(symbols, _SUMMARIZED)
                for symbol, bars in self._store.bars(some).items()
            }

        return self._data.get(("bar-summaries", tuple(symbols)), read)

    def history(self, symbol: str, start: float | None, end: float | None, seconds: int) -> Reading[PriceHistory]:
        """Return the intraday prices of an asset in all intervals that a range touches.

        Args:
            symbol: The symbol.
            start: Start of the range in Unix seconds, inclusive. None for the oldest price.
            end: End of the range in Unix seconds, exclusive. None for now.
            seconds: Length of an interval.
        """
        return self._data.get(
            ("history", symbol, start, end, seconds),
            lambda: self._store.history(symbol, *whole_intervals(*self.history_range(start, end), seconds)),
            is_kept=start is None and end is None,
        )

    def history_range(self, start: float | None, end: float | None) -> tuple[float, float]:
        """Return a range in Unix seconds, which contains every price by default.

        The cleanup removes a day of prices when all of it is older than the retention.
        """
        # the clock of the process is an estimate, so the newest price may be a little later
        last = self.clock.now() + 1 if end is None else end
        kept = (self.settings.history_retention_days + 1) * DAY_SECONDS
        return last - kept if start is None else start, last

    def recent_history(self, symbol: str, age: float, seconds: int) -> Reading[PriceHistory]:
        """Return the newest intraday prices of an asset.

        Args:
            symbol: The symbol.
            age: Age of the oldest prices in seconds, which is rounded up to a whole interval.
            seconds: Length of an interval.
        """

        def read() -> PriceHistory:
            now = self.clock.now()
            return self._store.history(symbol, *whole_intervals(now - age, now + MINUTE_SECONDS, seconds))

        return self._data.get(("recent-history", symbol, age, seconds), read)

    def indicators(self, symbol: str) -> Reading[Indicators | None]:
        """Return the stored series of an asset's indicators, or None if it has none."""
        return self._data.get(("indicators", symbol), lambda: self._store.indicator_series(symbol))

    def newest_indicators(self) -> Reading[dict[str, IndicatorValues]]:
        """Return symbol → the newest values of the indicators, for the assets that have any."""
        return self._data.get("indicators", self._store.indicators)

    def news(self, symbol: str | None = None, *, limit: int, until: float = inf) -> Reading[list[NewsItem]]:
        """Return the newest news items of all assets or of one asset, newest first."""
        return self._data.get(
            ("news", symbol, limit, until),
            lambda: self._store.news(symbol, limit=limit, until=until),
            is_kept=until == inf,
        )

    def quarantined(
        self, symbol: str | None = None, *, kind: str | None = None, limit: int, until: float = inf
    ) -> Reading[list[Quarantined]]:
        """Return the quarantine records of all assets or of one asset, the last rejection first."""
        return self._data.get(
            ("quarantined", symbol, kind, limit, until),
            lambda: self._store.quarantined(kind=kind, symbol=symbol, limit=limit, until=until),
            is_kept=until == inf,
        )

    def _read_quotes(self) -> list[QuoteView]:
        assets = [asset for asset in self.assets().required().values() if asset.active]
        quotes = self._store.quotes([asset.symbol for asset in assets])
        now = self.clock.now()
        limits = dataset_limits(self.schedules().required(), now)
        return self._made_views.of(assets, quotes, now, limits)


def _differ_in_ages(before: list[QuoteView], after: list[QuoteView]) -> bool:
    """Whether two lists of quotes are equal but for ages."""
    return len(before) == len(after) and all(
        old == {**new, "age_seconds": old["age_seconds"]} for old, new in zip(before, after, strict=True)
    )
