"""The result of fetching quotes: what is stored, what is rejected, and why symbols are missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from financehub_shared.core.errors import ProviderError
from financehub_shared.core.models import Quality, Quarantined, Quote
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.quality.disputes import Dispute
from financehub_shared.market.quality.quotes import join_notes
from financehub_shared.providers.reasons import format_reasons, quarantine_error


@dataclass(slots=True)
class QuoteReport:
    """The result of fetching quotes.

    Args:
        requested: Number of requested assets.
        quotes: Symbol → quote to store.
        replaced: Symbols whose stored price is wrong or unconfirmed. The new quote replaces it even if its
            upstream time is older.
        disputes: Symbol → the dispute to store, or None if the dispute ended. Symbols without a change are left out.
        failures: Symbol → provider → reason why it did not deliver. Includes symbols that another provider delivered.
        quarantined: Quotes that were rejected.
        delivered: Provider → number of quotes that it delivered.
        retry_after: Shortest pause in seconds that a provider requested before its next call.
    """

    requested: int
    quotes: dict[str, Quote] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    disputes: dict[str, Dispute | None] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    delivered: dict[str, int] = field(default_factory=dict)
    retry_after: float | None = None
    _refusals: list[Quarantined] = field(default_factory=list)

    @property
    def missing(self) -> Mapping[str, str]:
        """Symbol → each provider's reason, for symbols that no provider delivered."""
        return {symbol: format_reasons(why) for symbol, why in self.failures.items() if symbol not in self.quotes}

    @property
    def absent(self) -> list[Quarantined]:
        """Quarantine records of the symbols without a quote, for each provider whose reason concerns the symbol."""
        return [record for record in self._refusals if record.symbol not in self.quotes]

    def summary(self) -> TaskSummary:
        """Return the summary of the task, which assumes that all `quotes` were stored."""
        missing = self.missing
        shown = dict(list(missing.items())[: TaskSummary.MISSING_SHOWN])
        unconfirmed = sum(quote.quality is Quality.UNCONFIRMED for quote in self.quotes.values())
        return TaskSummary(
            requested=self.requested,
            stored=len(self.quotes),
            missing=shown,
            missing_count=len(missing),
            providers=dict(self.delivered),
            details={"quarantined": len(self.quarantined), "unconfirmed": unconfirmed},
        )

    def add_quote(self, quote: Quote) -> None:
        """Add a quote to store. Its note also names the providers that failed to deliver it."""
        failed = self.failures[quote.symbol]
        note = join_notes(quote.note, format_reasons(failed) if failed else "")
        self.quotes[quote.symbol] = replace(quote, note=note) if failed else quote
        self.delivered[quote.provider] = self.delivered.get(quote.provider, 0) + 1

    def add_rejected(self, record: Quarantined, *, is_failure: bool = True) -> None:
        """Add a quote that is not stored.

        Args:
            record: Its quarantine record.
            is_failure: Whether its provider failed to deliver the symbol, so that another provider has to deliver it.
        """
        self.quarantined.append(record)
        if is_failure:
            self.failures[record.symbol][record.provider] = f"quarantined: {record.reason}"

    def add_errors(
        self,
        provider: str,
        missing: Mapping[str, ProviderError],
        of_asset: Mapping[str, ProviderError],
        now: float,
    ) -> None:
        """Add the errors of one provider.

        Args:
            provider: Name of the provider.
            missing: Symbol → error, for all symbols that it did not deliver.
            of_asset: Symbol → error, for the errors in `missing` that concern the asset itself.
            now: Unix seconds.
        """
        for symbol, error in missing.items():
            self.failures[symbol][provider] = error.reason
            if error.retry_after is not None and (self.retry_after is None or error.retry_after < self.retry_after):
                self.retry_after = error.retry_after
        self._refusals += [quarantine_error("quote", symbol, error, now) for symbol, error in of_asset.items()]
