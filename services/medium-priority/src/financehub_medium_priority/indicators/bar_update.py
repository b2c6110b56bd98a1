"""Updates the stored bars: fetches new bars, checks them, and reads a whole history again if something is wrong."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Asset, Bars, Quarantined, Quote
from financehub_shared.market.protocols import Store
from financehub_shared.market.quality.bars import CheckedBars, check_history, check_increment
from financehub_shared.market.quality.full_reads import FullRead, next_full_read
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.providers.bar_fetcher import BarFetcher, BarReport, BarRequest
from financehub_shared.providers.reasons import quarantine_error

log = structlog.get_logger(__name__)

#: Kinds of errors that concern the asset. All others concern the provider: timeouts, limits, an open breaker.
ASSET_ERRORS = frozenset({"not-found", "malformed"})
USED_UP = "not queried: the time of the task is used up"


@dataclass(slots=True)
class BarUpdate:
    """The result of updating bars.

    Args:
        stored: The bars that were stored.
        new: Number of stored bars for days that had no bar before.
        records: Quarantine records of corrected and refused bars.
        undelivered: Quarantine records of assets that no provider delivered, with each provider's reason.
        late: Symbol → why its newest bars are missing.
        failed: Number of entries in `late` that are due to a failed provider.
        delivered: Provider → number of assets that it delivered.
        retry_after: Seconds until a provider can be queried again, if a provider reported this.
    """

    stored: list[Bars] = field(default_factory=list)
    new: int = 0
    records: list[Quarantined] = field(default_factory=list)
    undelivered: list[Quarantined] = field(default_factory=list)
    late: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    delivered: dict[str, int] = field(default_factory=dict)
    retry_after: float | None = None

    def add_report(self, report: BarReport, now: float) -> None:
        """Add what providers delivered, and why assets are missing.

        Args:
            report: The result of one fetch.
            now: Unix seconds.
        """
        for provider, count in report.delivered.items():
            self.delivered[provider] = self.delivered.get(provider, 0) + count
        self.late |= report.missing
        for symbol in report.missing:
            errors = report.failures.get(symbol, {})
            self.failed += any(error.kind != "not-found" for error in errors.values())
            about_asset = [error for error in errors.values() if error.kind in ASSET_ERRORS]
            self.undelivered += [quarantine_error("bar", symbol, error, now) for error in about_asset]
        waits = [wait for wait in (self.retry_after, report.retry_after) if wait is not None]
        self.retry_after = min(waits, default=None)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known about the assets before the fetch.

    Args:
        assets: Symbol → asset.
        stored: Symbol → its stored bars.
        quotes: Symbol → its stored quote.
        reads: Symbol → its last full read.
    """

    assets: Mapping[str, Asset]
    stored: Mapping[str, Bars]
    quotes: Mapping[str, Quote]
    reads: Mapping[str, FullRead]


async def update_bars(
    assets: Sequence[Asset], *, store: Store, fetcher: BarFetcher, history_days: int, deadline: float, clock: Clock
) -> BarUpdate:
    """Update the stored bars of these assets.

    Args:
        assets: The assets, a few hundred at most.
        store: Store of market data.
        fetcher: Fetches bars.
        history_days: Number of days of a whole history.
        deadline: Monotonic time in seconds by which upstream calls must end.
        clock: Source of time.

    Raises:
        StoreUnavailableError: Redis is unavailable.
    """
    update = BarUpdate()
    known, requests = await asyncio.to_thread(_prepare, assets, store, fetcher, history_days)
    if not requests:
        return update
    if clock.monotonic() >= deadline:
        # Another call would only make every breaker count a timeout that the upstream did not cause.
        update.late.update(dict.fromkeys(requests, USED_UP))
        return update
    reports = [await fetcher.fetch(assets, requests, deadline)]
    checked = await asyncio.to_thread(_check, reports[0], known, clock.now())
    again = _full_requests(checked, reports[0], known, history_days, clock.now())
    if again and clock.monotonic() < deadline:
        for symbol in again:
            log.info("bars_reread", symbol=symbol, reason=checked[symbol].doubt)
        reports.append(await fetcher.fetch(assets, again, deadline))
        checked |= await asyncio.to_thread(_check, reports[1], known, clock.now())
    await asyncio.to_thread(_store, update, checked, reports, known, store, clock.now())
    for symbol in update.late:
        fetcher.forget(symbol)
    return update


def _prepare(
    assets: Sequence[Asset], store: Store, fetcher: BarFetcher, history_days: int
) -> tuple[_Known, dict[str, BarRequest]]:
    unreadable: Unreadable = {}
    symbols = [asset.symbol for asset in assets]
    last_days = store.last_days(symbols, unreadable=unreadable)
    reads = store.full_reads(symbols)
    readable = [asset for asset in assets if asset.symbol not in unreadable]
    planned = fetcher.plan(readable, last_days, reads, history_days)
    stored = store.bars(list(planned), unreadable=unreadable) if planned else {}
    quotes = store.quotes(list(planned)) if planned else {}
    requests = {
        symbol: _full_request(request.first_day, stored.get(symbol)) if request.is_full else request
        for symbol, request in planned.items()
        if symbol not in unreadable
    }
    return _Known({asset.symbol: asset for asset in assets}, stored, quotes, reads), requests


def _full_request(first_day: int, stored: Bars | None) -> BarRequest:
    """Return the request for a whole history. It includes all stored days, so that no stored bar keeps an old scale."""
    return BarRequest(first_day if stored is None else min(first_day, stored.days[0]), is_full=True)


def _full_requests(
    checked: Mapping[str, CheckedBars], report: BarReport, known: _Known, history_days: int, now: float
) -> dict[str, BarRequest]:
    """Return the requests for whole histories that must be read because a partial answer is in doubt."""
    first = int(now // DAY_SECONDS) - history_days
    reads = known.reads
    return {
        symbol: _full_request(first, known.stored.get(symbol))
        for symbol, decision in checked.items()
        if decision.doubt and not report.requests[symbol].is_full
        if symbol not in reads or reads[symbol].allows_another(now)
    }


def _check(report: BarReport, known: _Known, now: float) -> dict[str, CheckedBars]:
    checked = {}
    for symbol, answer in report.answers.items():
        asset, stored, quote = known.assets[symbol], known.stored.get(symbol), known.quotes.get(symbol)
        if stored is None or report.requests[symbol].is_full:
            is_fallback = symbol in report.fallbacks
            checked[symbol] = check_history(asset, answer, stored, quote, now, is_fallback=is_fallback)
        else:
            checked[symbol] = check_increment(asset, answer, stored, quote, now)
    return checked


def _store(
    update: BarUpdate,
    checked: Mapping[str, CheckedBars],
    reports: Sequence[BarReport],
    known: _Known,
    store: Store,
    now: float,
) -> None:
    reads: dict[str, FullRead] = {}
    for report in reports:
        update.add_report(report, now)
        for symbol, answer in report.answers.items():
            if report.requests[symbol].is_full:
                is_first = symbol not in known.stored and len(answer.bars) > 0
                is_settled = checked[symbol].is_settled and not is_first
                reads[symbol] = next_full_read(symbol, now, is_settled=is_settled)
    for symbol, decision in checked.items():
        update.records += decision.records
        if decision.late:
            update.late[symbol] = f"refused: {decision.late}"
        if len(decision.bars):
            update.stored.append(decision.bars)
            old = known.stored.get(symbol)
            update.new += len({*decision.bars.days} - {*(old.days if old is not None else ())})
    store.put_bars(update.stored, first_days={bars.symbol: checked[bars.symbol].first_day for bars in update.stored})
    store.put_full_reads(reads)
    quarantined = [*update.records, *update.undelivered]
    if quarantined:
        store.put_quarantined(quarantined)
    for record in quarantined:
        log.warning("bars_refused", symbol=record.symbol, provider=record.provider, reason=record.reason)
