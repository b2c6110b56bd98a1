"""The indicators task: update the daily bars, then compute the indicators of every asset."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import structlog

from financehub_medium_priority.indicators.bar_update import BarUpdate, update_bars
from financehub_medium_priority.indicators.compute import compute
from financehub_medium_priority.indicators.engines import Engine, EngineName, load_engine
from financehub_medium_priority.indicators.outputs import EngineError
from financehub_shared.core.asset_selection import select_assets, why_nothing_selected
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.chunks import chunks
from financehub_shared.core.clock import Clock
from financehub_shared.core.models import Asset, Indicators
from financehub_shared.core.settings import BAR_HISTORY_DAYS
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.protocols import Store
from financehub_shared.market.unreadable import Unreadable, reasons_of
from financehub_shared.metrics.data_counts import DISCARD_COUNTS, DataCounts
from financehub_shared.providers.bar_fetcher import BarFetcher
from financehub_shared.providers.reach import UpstreamReach
from financehub_shared.providers.reasons import task_failure

log = structlog.get_logger(__name__)

TASK = "calculate_indicators_task"
#: Share of the task's time limit for upstream calls; the rest is for computing and storing.
UPSTREAM_SHARE = 0.7
#: Number of assets processed at a time; their bars and indicators take about 10 MB.
CHUNK = 200
#: Maximum number of assets whose findings are in the summary. The quarantine contains the findings of all assets.
FINDINGS_SHOWN = 20


@dataclass(slots=True)
class _Progress:
    """Results of the run so far.

    Args:
        counts: Receives the numbers of stored and quarantined items.
        computed: Number of assets whose indicators are stored.
        missing: Symbol → reason why it has no indicators.
        late: Symbol → reason why its newest bars are missing.
        failed: Number of entries in `late` that are due to a failed provider.
        delivered: Provider → number of assets that it delivered in this run.
        current: Providers of the stored bars that are up to date.
        new_bars: Number of bars that were stored for days without a bar.
        findings: Symbol → reasons why its bars were corrected or left out.
        records: Number of quarantine records.
        retry_after: Seconds until a provider can be queried again, if a provider reported this.
    """

    counts: DataCounts
    computed: int = 0
    missing: dict[str, str] = field(default_factory=dict)
    late: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    delivered: Counter[str] = field(default_factory=Counter)
    current: set[str] = field(default_factory=set)
    new_bars: int = 0
    findings: dict[str, str] = field(default_factory=dict)
    records: int = 0
    retry_after: float | None = None

    def add(self, update: BarUpdate) -> None:
        self.delivered.update(update.delivered)
        self.late.update(update.late)
        self.failed += update.failed
        self.new_bars += update.new
        self.records += len(update.records)
        for record in update.records:
            known = self.findings.get(record.symbol)
            self.findings[record.symbol] = f"{known}; {record.reason}" if known else record.reason
        waits = [wait for wait in (self.retry_after, update.retry_after) if wait is not None]
        self.retry_after = min(waits, default=None)
        stored: Counter[str] = Counter()
        for bars in update.stored:
            stored[bars.provider] += len(bars)
        self.counts.count_stored("bars", stored)
        self.counts.count_quarantined(update.records)


async def calculate_indicators(
    symbols: Sequence[str] | None,
    *,
    store: Store,
    bars: BarFetcher,
    engine: EngineName,
    series: int,
    clock: Clock,
    history_days: int = BAR_HISTORY_DAYS,
    counts: DataCounts = DISCARD_COUNTS,
    reach: UpstreamReach | None = None,
) -> TaskSummary:
    """Update the daily bars of the selected assets, compute their indicators and store both.

    The task processes `CHUNK` assets at a time, so memory does not grow with their number. If new bars cannot be
    fetched, indicators are computed from the stored ones.

    Args:
        symbols: Canonical symbols to limit the run to; None selects every active asset.
        store: Store of market data.
        bars: Fetches missing bars.
        engine: Name of the engine, `talib` or `ta`.
        series: Number of values kept per output.
        clock: Source of time.
        history_days: Calendar days of a whole history.
        counts: Receives the numbers of stored and quarantined items.
        reach: Whether this machine reaches any upstream. By default, it does.

    Raises:
        InvalidArgumentsError: A symbol is unknown or inactive.
        TaskFailedError: No provider delivered and at least half of the assets failed, or no asset has bars.
        StoreUnavailableError: Redis is unavailable.
    """
    unreadable: Unreadable = {}
    known = await asyncio.to_thread(store.assets, active_only=False, unreadable=unreadable)
    assets = select_assets(TASK, symbols, known, unreadable)
    if not assets:
        note = why_nothing_selected(TASK, known, unreadable)
        if not known:
            log.warning("assets_missing", reason=note)
        return TaskSummary(requested=0, stored=0, details={"note": note}).with_missing(reasons_of(unreadable, symbols))
    deadline = clock.monotonic() + CATALOG[TASK].time_limit_seconds * UPSTREAM_SHARE
    calculate = await asyncio.to_thread(load_engine, engine)
    progress = _Progress(counts)
    for chunk in chunks(assets, CHUNK):
        update = await update_bars(
            chunk, store=store, fetcher=bars, history_days=history_days, deadline=deadline, clock=clock
        )
        progress.add(update)
        await asyncio.to_thread(_compute_chunk, chunk, store, calculate, engine, series, clock, progress)
    for provider in sorted(progress.current):
        await asyncio.to_thread(store.mark_success, "bars", provider, clock.now())
    if progress.computed:
        await asyncio.to_thread(store.mark_success, "indicators", engine, clock.now())
    _raise_if_nothing_worked(assets, progress, reach)
    return _summary(assets, progress).with_missing(reasons_of(unreadable, symbols))


def _compute_chunk(
    assets: Sequence[Asset],
    store: Store,
    calculate: Engine,
    name: EngineName,
    series: int,
    clock: Clock,
    progress: _Progress,
) -> None:
    damaged: Unreadable = {}
    stored = store.bars([asset.symbol for asset in assets], unreadable=damaged)
    computed: list[Indicators] = []
    for asset in assets:
        bars = stored.get(asset.symbol)
        if bars is None or not len(bars):
            none_yet = _no_bars(progress.late.get(asset.symbol, "none yet"))
            progress.missing[asset.symbol] = str(damaged.get(asset.symbol, none_yet))
            continue
        if asset.symbol not in progress.late:
            progress.current.add(bars.provider)
        try:
            computed.append(compute(bars, calculate, name, series, clock.now()))
        except EngineError as error:
            log.warning("indicators_refused", symbol=asset.symbol, engine=name, reason=str(error))
            progress.missing[asset.symbol] = str(error)
        except Exception as error:  # The bars of one asset must not affect the other assets.
            log.exception("indicators_failed", symbol=asset.symbol, engine=name, bars=len(bars))
            progress.missing[asset.symbol] = f"the engine failed: {type(error).__name__}"
    store.put_indicators(computed)
    progress.counts.count_stored("indicators", {name: len(computed)})
    progress.computed += len(computed)


def _raise_if_nothing_worked(assets: Sequence[Asset], progress: _Progress, reach: UpstreamReach | None) -> None:
    nothing_delivered = not progress.delivered and progress.failed > 0 and 2 * progress.failed >= len(assets)
    if not nothing_delivered and (progress.computed or not assets):
        return
    late = progress.late.values()
    # An asset without any bars repeats the reason why its bars are late.
    repeated = {_no_bars(reason) for reason in late}
    reasons = [*late, *(reason for reason in progress.missing.values() if reason not in repeated)]
    problem = (
        f"no daily bars for {progress.failed} assets"
        if nothing_delivered
        else f"no indicators for {len(assets)} assets"
    )
    # If the bars are not late, the network is not the reason.
    raise task_failure(problem, reasons, progress.retry_after, reach if late else None)


def _no_bars(reason: str) -> str:
    return f"no bars ({reason})"


def _summary(assets: Sequence[Asset], progress: _Progress) -> TaskSummary:
    missing = {**{symbol: f"bars are late: {reason}" for symbol, reason in progress.late.items()}, **progress.missing}
    return TaskSummary(
        requested=len(assets),
        stored=progress.computed,
        missing=missing,
        missing_count=len(missing),
        providers=dict(progress.delivered),
        details={"new_bars": progress.new_bars, "quarantined": progress.records, **_findings(progress)},
    )


def _findings(progress: _Progress) -> dict[str, dict[str, str]]:
    """Return the findings as an entry of the summary's details, or nothing if there are no findings."""
    shown = islice(progress.findings.items(), FINDINGS_SHOWN)
    found = {symbol: reasons[: TaskSummary.REASON_CHARACTERS] for symbol, reasons in shown}
    return {"findings": found} if found else {}
