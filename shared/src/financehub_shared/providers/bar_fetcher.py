"""Fetches daily bars: finds the missing days and fetches exactly those, for many assets in parallel."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import MalformedError, ProviderError
from financehub_shared.core.kinds import KINDS
from financehub_shared.core.models import Asset, Bars
from financehub_shared.providers.failover import deadline_share
from financehub_shared.providers.protocols import BarProvider
from financehub_shared.providers.reasons import format_reasons

log = structlog.get_logger(__name__)

#: Number of parallel requests. At 50 ms per request that is 320 per second, far below any upstream's burst limit. The
#: budget of every bar provider (`limits` in core/provider_specs.py) has room for this many requests within
#: `MAX_WAIT_SECONDS` of providers/budget/budget.py, so requests that start together are not refused. Yahoo's `THREADS`
#: has the same value.
CONCURRENCY = 16
#: Pause before a missing bar is fetched again. The bar may only be late, or the day may be a holiday.
RETRY_MISSING_SECONDS = 6 * 3_600.0


@dataclass(slots=True)
class BarReport:
    """The result of fetching bars.

    Args:
        first_days: Symbol → first missing day, for all requested assets.
        bars: Symbol → its new bars, which are empty if the upstream has none.
        failures: Symbol → provider → reason why it did not deliver.
        delivered: Provider → number of assets that it delivered.
        retry_after: Shortest pause in seconds that a provider requested before its next call.
    """

    first_days: Mapping[str, int]
    bars: dict[str, Bars] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    delivered: dict[str, int] = field(default_factory=dict)
    retry_after: float | None = None

    @property
    def missing(self) -> dict[str, str]:
        """Symbol → each provider's reason, for symbols that no provider delivered."""
        return {
            symbol: format_reasons(self.failures.get(symbol, {}))
            for symbol in self.first_days
            if symbol not in self.bars
        }


def last_complete_day(asset: Asset, now: float) -> int:
    """Return the newest day whose bar is final, in days since 1970-01-01.

    The market hours of the asset's kind (`KINDS`) decide it: coins have a bar of every day, other kinds of weekdays.
    Holidays are not considered, so the bar of a holiday is requested but does not arrive (see `BarFetcher`).

    Args:
        asset: The asset.
        now: Unix seconds.
    """
    return KINDS[asset.kind].hours.last_complete_day(now)


@dataclass(frozen=True, slots=True)
class _LastFetch:
    """The last fetch of one asset.

    Args:
        through: Newest day that was requested.
        at: Unix seconds of the response.
        stored: Day of the first bar in the response. If the newest stored bar is older, the store has lost data since.
    """

    through: int
    at: float
    stored: int


class BarFetcher:
    """Fetches missing bars. It remembers bars that did not arrive, so that a holiday does not cost a request per hour.

    Args:
        providers: The providers, first choice first. The first one that serves an asset is called first.
        clock: Source of time.
        concurrency: Number of parallel requests.
    """

    def __init__(self, providers: Sequence[BarProvider], clock: Clock, concurrency: int = CONCURRENCY) -> None:
        self._providers = providers
        self._clock = clock
        self._concurrency = concurrency
        self._last_fetches: dict[str, _LastFetch] = {}

    def missing(self, assets: Sequence[Asset], last_days: Mapping[str, int], history_days: int) -> dict[str, int]:
        """Return symbol → first day to fetch, for assets whose newest complete day is not stored.

        Args:
            assets: The assets to check.
            last_days: Symbol → newest stored day.
            history_days: Number of days to fetch for a new asset.
        """
        now = self._clock.now()
        first = int(now // DAY_SECONDS) - history_days
        first_days = {}
        for asset in assets:
            newest = last_complete_day(asset, now)
            stored = last_days.get(asset.symbol, first - 1)
            if stored < newest and not self._was_fetched_recently(asset.symbol, newest, stored, now):
                first_days[asset.symbol] = max(stored + 1, first)
        return first_days

    def _was_fetched_recently(self, symbol: str, newest: int, stored: int, now: float) -> bool:
        """Whether these days were fetched recently and did not arrive. False if the store has lost bars since."""
        last = self._last_fetches.get(symbol)
        return (
            last is not None
            and last.through >= newest
            and now - last.at < RETRY_MISSING_SECONDS
            and stored >= last.stored
        )

    async def fetch(self, assets: Sequence[Asset], first_days: Mapping[str, int], deadline: float) -> BarReport:
        """Fetch the bars of the assets in `first_days`, with one request per asset and `concurrency` in parallel.

        Memory grows with the number of assets, so pass a few hundred at a time.

        Args:
            assets: The assets. Only those in `first_days` are fetched.
            first_days: Symbol → first day, as returned by `missing`.
            deadline: Monotonic time in seconds by which the fetch must end.
        """
        report = BarReport(first_days=dict(first_days))
        waiting = [asset for asset in reversed(assets) if asset.symbol in first_days]

        async def work() -> None:
            while waiting:
                asset = waiting.pop()
                await self._fetch_asset(asset, first_days[asset.symbol], deadline, report)

        await asyncio.gather(*(work() for _ in range(self._concurrency)))
        return report

    async def _fetch_asset(self, asset: Asset, first_day: int, deadline: float, report: BarReport) -> None:
        serving = [provider for provider in self._providers if provider.serves(asset)]
        for index, provider in enumerate(serving):
            until = deadline_share(self._clock.monotonic(), deadline, len(serving) - index)
            try:
                bars = await provider.fetch_bars(asset, first_day, until)
            except ProviderError as error:
                failure = error
            except Exception as error:  # a bug in one provider must not lose the results of the others
                log.exception("provider_code_failed", provider=provider.name, symbol=asset.symbol)
                failure = MalformedError(provider.name, f"the provider's code failed: {type(error).__name__}")
            else:
                report.bars[asset.symbol] = bars
                report.delivered[provider.name] = report.delivered.get(provider.name, 0) + 1
                now = self._clock.now()
                stored = bars.days[0] if len(bars) else first_day - 1
                self._last_fetches[asset.symbol] = _LastFetch(last_complete_day(asset, now), now, stored)
                return
            report.failures.setdefault(asset.symbol, {})[provider.name] = failure.kind
            if failure.retry_after is not None:
                waits = (failure.retry_after, report.retry_after)
                report.retry_after = min(wait for wait in waits if wait is not None)
