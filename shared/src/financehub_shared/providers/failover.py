"""Failover: who is asked in which order, what is still missing, and what the record says of it.

Order and accounting are pure; the only I/O is the providers' own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import structlog

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import MalformedError, ProviderError
from financehub_shared.core.models import Asset, Quarantined, Quote
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.providers.ports import QuoteBatch, QuoteProvider

log = structlog.get_logger(__name__)

#: Two independent providers that agree this closely on a jump saw the market, not an error.
CONFIRMED_WITHIN = Decimal("0.05")
#: The reason class of `Quarantined.reason` that a second provider can confirm.
CONFIRMABLE = "jump"

#: (asset, quote, previous quote or None, now) → the quote to store (perhaps mended), or why not.
Validate = Callable[[Asset, Quote, Quote | None, float], Quote | Quarantined]


@dataclass(slots=True)
class QuoteReport:
    """What a fetch of quotes came to.

    Args:
        asked: how many assets it was about.
        quotes: symbol → quote that passed validation.
        failures: symbol → provider → why it did not deliver; also of symbols that a later provider answered.
        quarantined: what failed validation.
        delivered: provider → how many of `quotes` are its own.
        retry_after: seconds until the first provider that named a time can be asked again.
    """

    asked: int
    quotes: dict[str, Quote] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    delivered: dict[str, int] = field(default_factory=dict)
    retry_after: float | None = None

    @property
    def missing(self) -> dict[str, str]:
        """Symbol → reason per provider, of what nobody delivered."""
        return {symbol: reasons(why) for symbol, why in self.failures.items() if symbol not in self.quotes}

    def summary(self) -> TaskSummary:
        """The task's summary, once all `quotes` are stored."""
        missing = self.missing
        shown = dict(list(missing.items())[: TaskSummary.MISSING_SHOWN])
        return TaskSummary(
            asked=self.asked,
            stored=len(self.quotes),
            missing=shown,
            missing_count=len(missing),
            providers=dict(self.delivered),
            details={"quarantined": len(self.quarantined)},
        )

    def fail(self, symbols: Iterable[str], provider: str, why: str) -> None:
        """Note that `provider` did not deliver these."""
        for symbol in symbols:
            self.failures.setdefault(symbol, {})[provider] = why

    def wait(self, error: ProviderError) -> None:
        """Keep the shortest time an upstream asked for."""
        if error.retry_after is not None and (self.retry_after is None or error.retry_after < self.retry_after):
            self.retry_after = error.retry_after


def reasons(why: Mapping[str, str]) -> str:
    """`binance: timeout; kraken: not-found`; `no provider serves it` when none was asked."""
    return "; ".join(f"{provider}: {reason}" for provider, reason in why.items()) or "no provider serves it"


def share(now: float, deadline: float, providers_left: int) -> float:
    """The deadline of the next provider: an equal share of the time left, so that a hanging one leaves some.

    Args:
        now: monotonic seconds.
        deadline: of the whole fetch, monotonic seconds.
        providers_left: the next one included.
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
    """Fetch quotes, asking each provider only for what the ones before it did not deliver.

    Args:
        providers: in order of preference.
        assets: what to fetch.
        previous: symbol → last stored quote, for the validation.
        deadline: monotonic seconds by which it ends.
        clock: the time.
        validate: says whether a quote can be stored.

    Returns:
        A report; that nothing could be had is for the caller to judge.
    """
    report = QuoteReport(asked=len(assets), failures={asset.symbol: {} for asset in assets})
    suspects: dict[str, Quote] = {}
    for place, provider in enumerate(providers):
        wanted = [asset for asset in assets if asset.symbol not in report.quotes and provider.serves(asset)]
        if not wanted:
            continue
        until = share(clock.monotonic(), deadline, len(providers) - place)
        batch = await _ask_for_quotes(provider, wanted, until, report)
        for asset in wanted:
            quote = batch.quotes.get(asset.symbol)
            if quote is None:
                error = batch.missing.get(asset.symbol)
                report.fail([asset.symbol], provider.name, error.kind if error else "not-found: left out")
                continue
            judged = validate(asset, quote, previous.get(asset.symbol), clock.now())
            if isinstance(judged, Quarantined) and judged.reason.split(":", 1)[0] == CONFIRMABLE:
                # all else about it is right, so that without a stored price it passes, in the unit to be stored
                suspect = validate(asset, quote, None, clock.now())
                judged = _confirm(suspects, suspect, judged) if isinstance(suspect, Quote) else judged
            if isinstance(judged, Quarantined):
                report.quarantined.append(judged)
                report.fail([asset.symbol], provider.name, f"quarantined: {judged.reason}")
                continue
            _accept(report, provider.name, judged)
    return report


def _accept(report: QuoteReport, provider: str, quote: Quote) -> None:
    failed = report.failures[quote.symbol]
    note = "; ".join(part for part in (quote.note, reasons(failed) if failed else "") if part)
    report.quotes[quote.symbol] = replace(quote, note=note)
    report.delivered[provider] = report.delivered.get(provider, 0) + 1


def _confirm(suspects: dict[str, Quote], suspect: Quote, judged: Quarantined) -> Quote | Quarantined:
    """The quote after all, when another provider's quote of the same symbol made the same jump."""
    other = suspects.setdefault(suspect.symbol, suspect)
    if other is suspect or abs(other.price - suspect.price) > CONFIRMED_WITHIN * other.price:
        return judged
    note = "; ".join(part for part in (suspect.note, f"{judged.reason}, confirmed by {other.provider}") if part)
    return replace(suspect, note=note)


async def _ask_for_quotes(
    provider: QuoteProvider, wanted: Sequence[Asset], until: float, report: QuoteReport
) -> QuoteBatch:
    """The provider's batch; an empty one, with the reasons noted, when it failed for all."""
    try:
        batch = await provider.fetch_quotes(wanted, until)
    except ProviderError as error:
        batch = _failed(provider.name, error, wanted)
    except Exception as error:  # boundary: a bug in one adapter must not take the others' answers away
        log.exception("provider_bug", provider=provider.name)
        failure = MalformedError(provider.name, f"the adapter failed: {type(error).__name__}")
        batch = _failed(provider.name, failure, wanted)
    for lost in batch.missing.values():
        report.wait(lost)
    return batch


def _failed(provider: str, error: ProviderError, wanted: Sequence[Asset]) -> QuoteBatch:
    log.warning("provider_failed", provider=provider, reason=error.kind, detail=error.detail, asked=len(wanted))
    return QuoteBatch(missing=dict.fromkeys((asset.symbol for asset in wanted), error))
