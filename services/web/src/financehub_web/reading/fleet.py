"""`Fleet` reads everything that the pages and the API show. Its methods block; call them from a thread."""

from typing import cast

from starlette.requests import Request

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.models import Asset, Bars, Indicators, NewsItem, Quarantined
from financehub_shared.core.settings import Settings
from financehub_shared.health.checks import FleetSnapshot
from financehub_shared.health.freshness import dataset_limits
from financehub_shared.health.readers import RedisReaders
from financehub_shared.health.report import HealthReport
from financehub_shared.schedules import ScheduleInfo, list_schedules
from financehub_shared.views.quotes import QuoteView, quote_view
from financehub_web.reading.cache import Reading, ReadingCache


class Fleet:
    """The state of the fleet in Redis.

    Every method that returns a `Reading` raises `StoreUnavailableError` if Redis does not answer and has not answered
    before.

    Args:
        settings: Redis URLs and check settings.
        clock: Clock of the process, which shows the time of Redis.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._readers = RedisReaders(settings, clock)
        self._store = self._readers.store
        self._cache = ReadingCache(clock)
        self.clock = clock

    def health(self) -> HealthReport:
        """Return the health report. This method never raises."""
        return self._readers.checker.report()

    def snapshot(self) -> Reading[FleetSnapshot]:
        """Return everything from which the health report is made: processes, queues, breakers, freshness."""
        return self._cache.get("snapshot", self._read_snapshot)

    def assets(self) -> Reading[dict[str, Asset]]:
        """Return symbol → asset for all assets, sorted by symbol."""
        return self._cache.get("assets", lambda: {each.symbol: each for each in self._store.assets(active_only=False)})

    def schedules(self) -> Reading[list[ScheduleInfo]]:
        """Return all registered schedules, sorted by name."""
        return self._cache.get("schedules", lambda: list_schedules(self._readers.client))

    def quote_views(self) -> Reading[list[QuoteView]]:
        """Return the newest prices of all active assets that have one, sorted by symbol."""
        return self._cache.get("quotes", self._read_quotes)

    def bars(self, symbol: str) -> Reading[Bars | None]:
        """Return all daily bars of an asset, or None if it has none."""
        return self._cache.get(("bars", symbol), lambda: self._store.bars([symbol]).get(symbol))

    def indicators(self, symbol: str) -> Reading[Indicators | None]:
        """Return the stored series of an asset's indicators, or None if it has none."""
        return self._cache.get(("indicators", symbol), lambda: self._store.indicator_series(symbol))

    def news(self, symbol: str | None = None, *, limit: int) -> Reading[list[NewsItem]]:
        """Return the newest news items of all assets or of one asset, newest first."""
        return self._cache.get(("news", symbol, limit), lambda: self._store.news(symbol, limit=limit))

    def quarantined(self, symbol: str | None = None, *, limit: int) -> Reading[list[Quarantined]]:
        """Return the quarantine records of all assets or of one asset, the last rejection first."""
        return self._cache.get(
            ("quarantined", symbol, limit), lambda: self._store.quarantined(symbol=symbol, limit=limit)
        )

    def _read_snapshot(self) -> FleetSnapshot:
        """Read the snapshot.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        snapshot = self._readers.checker.collect(self.schedules().value)
        if snapshot.redis_error:
            raise StoreUnavailableError(snapshot.redis_error)
        return snapshot

    def _read_quotes(self) -> list[QuoteView]:
        assets = [asset for asset in self.assets().value.values() if asset.active]
        quotes = self._store.quotes([asset.symbol for asset in assets])
        now = self.clock.now()
        limits = dataset_limits(self.schedules().value, now)
        return [quote_view(asset, quotes[asset.symbol], now, limits) for asset in assets if asset.symbol in quotes]


def fleet_of(request: Request) -> Fleet:
    """Return the fleet of the application that handles a request."""
    return cast("Fleet", request.app.state.fleet)
