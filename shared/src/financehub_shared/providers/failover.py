"""Fetches quotes with failover: each provider is called only for the symbols that the previous ones did not deliver."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import structlog

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import MalformedError, ProviderError
from financehub_shared.core.models import Asset, Quarantined, Quote
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.providers.protocols import QuoteBatch, QuoteProvider

log = structlog.get_logger(__name__)

#: If two independent providers agree on a jump this closely, it is a market move and not an error.
CONFIRMED_WITHIN = Decimal("0.05")
#: The class of `Quarantined.reason` that a second provider can confirm.
CONFIRMABLE = "jump"

#: (asset, quote, previous quote or None, now) → the quote to store, possibly corrected, or the quarantine record.
Validate = Callable[[Asset, Quote, Quote | None, float], Quote | Quarantined]


@dataclass(slots=True)
class QuoteReport:
    """The result of fetching quotes.

    Args:
        requested: Number of requested assets.
        quotes: Symbol → quote that passed validation.
        failures: Symbol → provider → reason why it did not deliver. Includes symbols that a later provider delivered.
        quarantined: Quotes that failed validation.
        delivered: Provider → number of quotes that it delivered.
        retry_after: Shortest pause in seconds that a provider requested before its next call.
    """

    requested: int
    quotes: dict[str, Quote] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    delivered: dict[str, int] = field(default_factory=dict)
    retry_after: float | None = None

    @property
    def missing(self) -> dict[str, str]:
        """Symbol → each provider's reason, for symbols that no provider delivered."""
        return {symbol: format_reasons(why) for symbol, why in self.failures.items() if symbol not in self.quotes}

    def summary(self) -> TaskSummary:
        """Return the summary of the task, which assumes that all `quotes` were stored."""
        missing = self.missing
        shown = dict(list(missing.items())[: TaskSummary.MISSING_SHOWN])
        return TaskSummary(
            requested=self.requested,
            stored=len(self.quotes),
            missing=shown,
            missing_count=len(missing),
            providers=dict(self.delivered),
            details={"quarantined": len(self.quarantined)},
        )

    def add_failures(self, symbols: Iterable[str], provider: str, reason: str) -> None:
        """Record that `provider` did not deliver these symbols."""
        for symbol in symbols:
            self.failures.setdefault(symbol, {})[provider] = reason

    def add_retry_after(self, error: ProviderError) -> None:
        """Keep the shortest pause that an upstream requested."""
        if error.retry_after is not None and (self.retry_after is None or error.retry_after < self.retry_after):
            self.retry_after = error.retry_after


def format_reasons(reasons: Mapping[str, str]) -> str:
    """Return `binance: timeout; kraken: not-found`, or `no provider serves it` if there are no reasons."""
    return "; ".join(f"{provider}: {reason}" for provider, reason in reasons.items()) or "no provider serves it"


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
    previous: Mapping[str, Quote],
    deadline: float,
    clock: Clock,
    validate: Validate,
) -> QuoteReport:
    """Fetch quotes from the providers in order.

    Args:
        providers: The providers, first choice first.
        assets: The assets to fetch.
        previous: Symbol → last stored quote, for validation.
        deadline: Monotonic time in seconds by which the fetch must end.
        clock: Source of time.
        validate: Decides whether a quote can be stored.

    Returns:
        A report. The caller decides whether a report without quotes is an error.
    """
    report = QuoteReport(requested=len(assets), failures={asset.symbol: {} for asset in assets})
    suspects: dict[str, Quote] = {}
    for index, provider in enumerate(providers):
        wanted = [asset for asset in assets if asset.symbol not in report.quotes and provider.serves(asset)]
        if not wanted:
            continue
        until = deadline_share(clock.monotonic(), deadline, len(providers) - index)
        batch = await _fetch_batch(provider, wanted, until, report)
        for asset in wanted:
            quote = batch.quotes.get(asset.symbol)
            if quote is None:
                error = batch.missing.get(asset.symbol)
                report.add_failures([asset.symbol], provider.name, error.kind if error else "not-found: left out")
                continue
            result = validate(asset, quote, previous.get(asset.symbol), clock.now())
            if isinstance(result, Quarantined) and result.reason.split(":", 1)[0] == CONFIRMABLE:
                # Without a stored price only the other checks apply. They also convert the quote to the stored unit.
                suspect = validate(asset, quote, None, clock.now())
                result = _confirm(suspects, suspect, result) if isinstance(suspect, Quote) else result
            if isinstance(result, Quarantined):
                report.quarantined.append(result)
                report.add_failures([asset.symbol], provider.name, f"quarantined: {result.reason}")
                continue
            _accept(report, provider.name, result)
    return report


def _accept(report: QuoteReport, provider: str, quote: Quote) -> None:
    failed = report.failures[quote.symbol]
    note = "; ".join(part for part in (quote.note, format_reasons(failed) if failed else "") if part)
    report.quotes[quote.symbol] = replace(quote, note=note)
    report.delivered[provider] = report.delivered.get(provider, 0) + 1


def _confirm(suspects: dict[str, Quote], suspect: Quote, rejected: Quarantined) -> Quote | Quarantined:
    """Return the quote if another provider's quote of the same symbol made the same jump."""
    other = suspects.setdefault(suspect.symbol, suspect)
    if other is suspect or abs(other.price - suspect.price) > CONFIRMED_WITHIN * other.price:
        return rejected
    note = "; ".join(part for part in (suspect.note, f"{rejected.reason}, confirmed by {other.provider}") if part)
    return replace(suspect, note=note)


async def _fetch_batch(
    provider: QuoteProvider, wanted: Sequence[Asset], until: float, report: QuoteReport
) -> QuoteBatch:
    """Return the batch of one provider. If it fails, the batch has its error for every symbol."""
    try:
        batch = await provider.fetch_quotes(wanted, until)
    except ProviderError as error:
        batch = _failed_batch(provider.name, error, wanted)
    except Exception as error:  # a bug in one provider must not lose the results of the others
        log.exception("provider_code_failed", provider=provider.name)
        failure = MalformedError(provider.name, f"the provider's code failed: {type(error).__name__}")
        batch = _failed_batch(provider.name, failure, wanted)
    for missing in batch.missing.values():
        report.add_retry_after(missing)
    return batch


def _failed_batch(provider: str, error: ProviderError, wanted: Sequence[Asset]) -> QuoteBatch:
    log.warning("provider_failed", provider=provider, reason=error.kind, detail=error.detail, requested=len(wanted))
    return QuoteBatch(missing=dict.fromkeys((asset.symbol for asset in wanted), error))
