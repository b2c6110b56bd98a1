"""Fetches quotes with failover: a provider is called only for the symbols that previous ones did not settle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError
from financehub_shared.core.log import get_logger
from financehub_shared.core.models import Asset, Quarantined, Quote
from financehub_shared.market.quality.disputes import Dispute
from financehub_shared.market.quality.quote_case import Case, open_case
from financehub_shared.market.quality.quote_decision import Decision, decide
from financehub_shared.market.quality.quotes import check_quote
from financehub_shared.providers.protocols import QuoteProvider
from financehub_shared.providers.quote_report import QuoteReport
from financehub_shared.providers.reach import UpstreamReach
from financehub_shared.providers.reasons import asset_errors

log = get_logger(__name__)


def deadline_share(now: float, deadline: float, providers_left: int) -> float:
    """Return the next provider's deadline. Each gets an equal share of the time left, in case one of them hangs.

    Args:
        now: Monotonic time in seconds.
        deadline: Monotonic time in seconds by which the whole fetch must end.
        providers_left: Number of providers that are left, including the next one.
    """
    return now + max(deadline - now, 0.0) / max(providers_left, 1)


async def fetch_quotes(
    providers: Sequence[QuoteProvider],
    assets: Sequence[Asset],
    stored: Mapping[str, Quote],
    disputes: Mapping[str, Dispute],
    deadline: float,
    clock: Clock,
    *,
    reach: UpstreamReach | None = None,
) -> QuoteReport:
    """Fetch quotes from the providers in order, and decide which of them are stored.

    Args:
        providers: The providers, first choice first.
        assets: The assets to fetch.
        stored: Symbol → stored quote.
        disputes: Symbol → open dispute.
        deadline: Monotonic time in seconds by which the fetch must end.
        clock: Source of time.
        reach: Whether this machine reaches any upstream. If not, failures of single providers are details.

    Returns:
        A report. The caller decides whether a report without quotes is an error.
    """
    report = QuoteReport(requested=len(assets), failures={asset.symbol: {} for asset in assets})
    ranks = {provider.name: rank for rank, provider in enumerate(providers)}
    pending = {asset.symbol: _Pending(asset) for asset in assets}

    def settle(case: Case, decision: Decision) -> None:
        _add_decision(report, case, decision)
        if decision.dispute != disputes.get(case.asset.symbol):
            report.disputes[case.asset.symbol] = decision.dispute

    for index, provider in enumerate(providers):
        wanted = [entry for entry in pending.values() if provider.serves(entry.asset)]
        if not wanted:
            continue
        until = deadline_share(clock.monotonic(), deadline, len(providers) - index)
        quotes = await _fetch_batch(provider, [entry.asset for entry in wanted], until, clock, report, reach)
        now = clock.now()
        for entry in wanted:
            symbol = entry.asset.symbol
            if symbol not in quotes:
                continue
            case = open_case(entry.asset, stored.get(symbol), disputes.get(symbol), ranks, now)
            checked = check_quote(entry.asset, quotes[symbol], case.trusted, now)
            if isinstance(checked, Quarantined):
                report.add_rejected(checked)
                continue
            entry.candidates.append(checked)
            decision = decide(case, entry.candidates, all_asked=False)
            if decision.settled:
                settle(case, decision)
                del pending[symbol]
    for symbol, entry in pending.items():
        case = open_case(entry.asset, stored.get(symbol), disputes.get(symbol), ranks, clock.now())
        settle(case, decide(case, entry.candidates, all_asked=True))
    return report


@dataclass(slots=True)
class _Pending:
    """An asset whose quote is not decided yet, with the quotes that providers have delivered so far."""

    asset: Asset
    candidates: list[Quote] = field(default_factory=list)


def _add_decision(report: QuoteReport, case: Case, decision: Decision) -> None:
    quote = decision.quote
    for record in decision.rejected:
        # the note of a quote names only providers that precede the quote's own provider
        is_before = quote is None or case.rank(record.provider) < case.rank(quote.provider)
        report.add_rejected(record, is_failure=is_before)
    if quote is not None:
        report.add_quote(quote)
        if decision.replaces:
            report.replaced.add(quote.symbol)


async def _fetch_batch(
    provider: QuoteProvider,
    wanted: Sequence[Asset],
    until: float,
    clock: Clock,
    report: QuoteReport,
    reach: UpstreamReach | None,
) -> Mapping[str, Quote]:
    """Return symbol → quote of one provider, and add the errors of all other symbols to the report."""
    try:
        batch = await provider.fetch_quotes(wanted, until)
    except ProviderError as error:
        failure = error
    except Exception as error:  # a bug in one provider must not lose the results of the others
        log.exception("provider_code_failed", provider=provider.name)
        failure = MalformedError(provider.name, f"the provider's code failed: {type(error).__name__}")
    else:
        missing = {
            asset.symbol: batch.missing.get(asset.symbol) or NotFoundError(provider.name, "left out of the answer")
            for asset in wanted
            if asset.symbol not in batch.quotes
        }
        report.add_errors(provider.name, missing, asset_errors(missing), clock.now())
        return batch.quotes
    reason, detail = failure.kind, failure.detail
    report_failure = log.debug if reach is not None and reach.is_lost else log.warning
    report_failure("provider_failed", provider=provider.name, reason=reason, detail=detail, requested=len(wanted))
    report.add_errors(provider.name, {asset.symbol: failure for asset in wanted}, {}, clock.now())
    return {}
