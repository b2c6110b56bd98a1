"""Fetches daily bars: decides which days are requested, and requests them for many assets in parallel."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError
from financehub_shared.core.kinds import KINDS
from financehub_shared.core.log import get_logger
from financehub_shared.core.models import Asset, BarAnswer
from financehub_shared.market.quality.full_reads import FullRead
from financehub_shared.providers.failover import deadline_share
from financehub_shared.providers.protocols import BarProvider
from financehub_shared.providers.reasons import format_reasons

log = get_logger(__name__)

#: Number of parallel requests. At 50 ms per request that is 320 per second, far below any upstream's burst limit. The
#: budget of every bar provider (`limits` in core/provider_specs.py) has room for this many requests within
#: `MAX_WAIT_SECONDS` of providers/budget/budget.py, so requests that start together are not refused. Yahoo's `THREADS`
#: has the same value.
CONCURRENCY = 16
#: Pause before a missing bar is fetched again. The bar may only be late, or the day may be a holiday.
RETRY_MISSING_SECONDS = 6 * 3_600.0
#: Number of stored days that are requested again together with the new days. With two weeks, bars that an upstream adds
#: or corrects within ten sessions are noticed.
OVERLAP_DAYS = 14
#: Number of days by which the newest stored bar may be behind the newest complete day. If it is further behind, the
#: whole history of the asset is read.
OUTDATED_DAYS = 30


@dataclass(frozen=True, slots=True)
class BarRequest:
    """The bars to request for one asset.

    Args:
        first_day: First day, in days since 1970-01-01.
        is_full: Whether the whole history is requested.
    """

    first_day: int
    is_full: bool


@dataclass(slots=True)
class BarReport:
    """The result of fetching bars.

    Args:
        requests: Symbol → its request.
        answers: Symbol → its answer, which has no bars if the upstream has none.
        fallbacks: Symbols whose answer came from a provider other than the first choice.
        failures: Symbol → provider → why it did not deliver.
        delivered: Provider → number of assets that it delivered.
        retry_after: Shortest pause in seconds that a provider requested before its next call.
    """

    requests: Mapping[str, BarRequest]
    answers: dict[str, BarAnswer] = field(default_factory=dict)
    fallbacks: set[str] = field(default_factory=set)
    failures: dict[str, dict[str, ProviderError]] = field(default_factory=dict)
    delivered: dict[str, int] = field(default_factory=dict)
    retry_after: float | None = None

    @property
    def missing(self) -> dict[str, str]:
        """Symbol → each provider's reason, for symbols that no provider delivered."""
        return {
            symbol: format_reasons({name: error.reason for name, error in self.failures.get(symbol, {}).items()})
            for symbol in self.requests
            if symbol not in self.answers
        }


def last_complete_day(asset: Asset, now: float) -> int:
    """Return the newest day whose bar is final, in days since 1970-01-01.

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

    def plan(
        self,
        assets: Sequence[Asset],
        last_days: Mapping[str, int],
        reads: Mapping[str, FullRead],
        history_days: int,
    ) -> dict[str, BarRequest]:
        """Return symbol → request for each asset whose newest complete day is not stored or whose history must be read.

        Args:
            assets: The assets to check.
            last_days: Symbol → newest stored day.
            reads: Symbol → its last full read. If a symbol has bars but no full read, its whole history is requested at
                once.
            history_days: Number of days of a whole history.
        """
        now = self._clock.now()
        first = int(now // DAY_SECONDS) - history_days
        requests = {}
        for asset in assets:
            newest, read = last_complete_day(asset, now), reads.get(asset.symbol)
            stored = last_days.get(asset.symbol, first - 1)
            is_known = asset.symbol in last_days
            # A stored bar of the future, which a wrong clock may have left, must not prevent the fetch of all others.
            is_future = stored > now // DAY_SECONDS + 1
            is_current = not is_future and self._is_current(asset.symbol, newest, stored, now)
            if is_current and (read is not None or not is_known):
                continue
            is_outdated = is_future or newest - stored > OUTDATED_DAYS
            if read is None or read.is_due(now) or not is_known or is_outdated:
                requests[asset.symbol] = BarRequest(first, is_full=True)
            else:
                requests[asset.symbol] = BarRequest(max(stored - OVERLAP_DAYS + 1, first), is_full=False)
        return requests

    def _is_current(self, symbol: str, newest: int, stored: int, now: float) -> bool:
        """Whether the newest day is stored, or was requested recently and did not arrive.

        An earlier request does not count if the store has lost bars since then.
        """
        last = self._last_fetches.get(symbol)
        return stored >= newest or (
            last is not None
            and last.through >= newest
            and now - last.at < RETRY_MISSING_SECONDS
            and stored >= last.stored
        )

    def forget(self, symbol: str) -> None:
        """Let the next run fetch an asset again, because the newest bars of the asset were not stored."""
        self._last_fetches.pop(symbol, None)

    async def fetch(self, assets: Sequence[Asset], requests: Mapping[str, BarRequest], deadline: float) -> BarReport:
        """Fetch the bars of the assets in `requests`, with one request per asset and `concurrency` in parallel.

        Memory grows with the number of assets, so pass a few hundred at a time.

        Args:
            assets: The assets. Only those in `requests` are fetched.
            requests: Symbol → request, as returned by `plan`.
            deadline: Monotonic time in seconds by which the fetch must end.
        """
        report = BarReport(requests=dict(requests))
        waiting = [asset for asset in reversed(assets) if asset.symbol in requests]

        async def work() -> None:
            while waiting:
                asset = waiting.pop()
                await self._fetch_asset(asset, requests[asset.symbol], deadline, report)

        await asyncio.gather(*(work() for _ in range(self._concurrency)))
        return report

    async def _fetch_asset(self, asset: Asset, request: BarRequest, deadline: float, report: BarReport) -> None:
        serving = [provider for provider in self._providers if provider.serves(asset)]
        for index, provider in enumerate(serving):
            until = deadline_share(self._clock.monotonic(), deadline, len(serving) - index)
            try:
                answer = await _fetch_bars(provider, asset, request, until)
            except ProviderError as error:
                failure = error
            except Exception as error:  # a bug in one provider must not lose the results of the others
                log.exception("provider_code_failed", provider=provider.name, symbol=asset.symbol)
                failure = MalformedError(provider.name, f"the provider's code failed: {type(error).__name__}")
            else:
                report.answers[asset.symbol] = answer
                report.delivered[provider.name] = report.delivered.get(provider.name, 0) + 1
                if index:
                    report.fallbacks.add(asset.symbol)
                now = self._clock.now()
                stored = answer.bars.days[0] if len(answer.bars) else request.first_day - 1
                self._last_fetches[asset.symbol] = _LastFetch(last_complete_day(asset, now), now, stored)
                return
            report.failures.setdefault(asset.symbol, {})[provider.name] = failure
            if failure.retry_after is not None:
                waits = (failure.retry_after, report.retry_after)
                report.retry_after = min(wait for wait in waits if wait is not None)


async def _fetch_bars(provider: BarProvider, asset: Asset, request: BarRequest, deadline: float) -> BarAnswer:
    answer = await provider.fetch_bars(asset, request.first_day, deadline)
    if not len(answer.bars) and not request.is_full:
        raise NotFoundError(provider.name, "it has no bars of days of which bars are stored; it may have lost them")
    return answer
