"""Daily bars: which days are missing, and fetching exactly those, many assets at a time."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import MalformedError, ProviderError
from financehub_shared.core.models import Asset, AssetType, Bars
from financehub_shared.providers.failover import reasons, share
from financehub_shared.providers.ports import BarProvider

log = structlog.get_logger(__name__)

#: Requests in flight; with 50 ms a request that is 320 a second, and far below any upstream's burst limit.
CONCURRENCY = 16
DAY_SECONDS = 86_400
#: A day's bar that is not there may be late rather than a holiday's.
ASK_AGAIN_SECONDS = 6 * 3_600.0
#: 1970-01-01 was a Thursday.
_THURSDAY = 3


@dataclass(slots=True)
class BarReport:
    """What a fetch of bars came to.

    Args:
        asked: symbol → first missing day, of the assets that were asked for.
        bars: symbol → its new bars; empty ones where the upstream has nothing new.
        failures: symbol → provider → why it did not deliver.
        delivered: provider → how many assets it answered.
        retry_after: seconds until the first provider that named a time can be asked again.
    """

    asked: Mapping[str, int]
    bars: dict[str, Bars] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    delivered: dict[str, int] = field(default_factory=dict)
    retry_after: float | None = None

    @property
    def missing(self) -> dict[str, str]:
        """Symbol → reason per provider, of what nobody delivered."""
        return {symbol: reasons(self.failures.get(symbol, {})) for symbol in self.asked if symbol not in self.bars}


def last_complete_day(asset: Asset, now: float) -> int:
    """The newest day (since 1970-01-01) whose bar is final.

    Coins trade on every day; exchanges do not on weekends. A holiday is asked for in vain (see `BarFetcher`).

    Args:
        asset: its type decides.
        now: Unix seconds.
    """
    day = int(now // DAY_SECONDS) - 1
    if asset.type is AssetType.STOCK:
        weekday = (day + _THURSDAY) % 7  # Monday is 0
        day -= max(weekday - 4, 0)
    return day


@dataclass(frozen=True, slots=True)
class _Answer:
    """What an asset was last asked for.

    Args:
        through: newest day that was asked for.
        at: Unix seconds of the answer.
        stored: a store that has not lost anything since has bars of this day or a later one.
    """

    through: int
    at: float
    stored: int


class BarFetcher:
    """Fetches what is missing, and remembers what was asked in vain: a holiday must not cost a request an hour.

    Args:
        providers: in order of preference; the first that serves an asset is asked first.
        clock: the time.
        concurrency: requests in flight.
    """

    def __init__(self, providers: Sequence[BarProvider], clock: Clock, concurrency: int = CONCURRENCY) -> None:
        self._providers = providers
        self._clock = clock
        self._concurrency = concurrency
        self._answers: dict[str, _Answer] = {}

    def missing(self, assets: Sequence[Asset], last_days: Mapping[str, int], history_days: int) -> dict[str, int]:
        """Symbol → first day to ask for, of the assets whose newest complete day is not there.

        Args:
            assets: all of interest.
            last_days: symbol → newest stored day.
            history_days: how far back a new asset begins.
        """
        now = self._clock.now()
        first = int(now // DAY_SECONDS) - history_days
        wanted = {}
        for asset in assets:
            newest = last_complete_day(asset, now)
            have = last_days.get(asset.symbol, first - 1)
            if have < newest and not self._was_in_vain(asset.symbol, newest, have, now):
                wanted[asset.symbol] = max(have + 1, first)
        return wanted

    def _was_in_vain(self, symbol: str, newest: int, have: int, now: float) -> bool:
        """Whether these days were asked for lately and did not come; no longer once the store has lost what did."""
        answer = self._answers.get(symbol)
        return (
            answer is not None
            and answer.through >= newest
            and now - answer.at < ASK_AGAIN_SECONDS
            and have >= answer.stored
        )

    async def fetch(self, assets: Sequence[Asset], first_days: Mapping[str, int], deadline: float) -> BarReport:
        """Fetch the bars of the assets in `first_days`, one request each, at most `concurrency` at once.

        Memory grows with the assets: give a few hundred at a time.

        Args:
            assets: those to fetch are the ones `first_days` names.
            first_days: symbol → first day, as `missing` returns it.
            deadline: monotonic seconds by which it ends.
        """
        report = BarReport(asked=dict(first_days))
        waiting = [asset for asset in reversed(assets) if asset.symbol in first_days]

        async def work() -> None:
            while waiting:
                asset = waiting.pop()
                await self._fetch_one(asset, first_days[asset.symbol], deadline, report)

        await asyncio.gather(*(work() for _ in range(self._concurrency)))
        return report

    async def _fetch_one(self, asset: Asset, first_day: int, deadline: float, report: BarReport) -> None:
        able = [provider for provider in self._providers if provider.serves(asset)]
        for place, provider in enumerate(able):
            until = share(self._clock.monotonic(), deadline, len(able) - place)
            try:
                bars = await provider.fetch_bars(asset, first_day, until)
            except ProviderError as error:
                failure = error
            except Exception as error:  # boundary: a bug in one adapter must not take the others' answers away
                log.exception("provider_bug", provider=provider.name, symbol=asset.symbol)
                failure = MalformedError(provider.name, f"the adapter failed: {type(error).__name__}")
            else:
                report.bars[asset.symbol] = bars
                report.delivered[provider.name] = report.delivered.get(provider.name, 0) + 1
                now = self._clock.now()
                stored = bars.days[0] if len(bars) else first_day - 1
                self._answers[asset.symbol] = _Answer(last_complete_day(asset, now), now, stored)
                return
            report.failures.setdefault(asset.symbol, {})[provider.name] = failure.kind
            if failure.retry_after is not None:
                waits = (failure.retry_after, report.retry_after)
                report.retry_after = min(wait for wait in waits if wait is not None)
