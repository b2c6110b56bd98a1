"""Failover between quote providers: order, report, and confirmation of jumps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import NotFoundError, ProviderError, ProviderTimeoutError, RateLimitedError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quarantined, Quote
from financehub_shared.market.quality.quotes import validate_quote
from financehub_shared.providers.failover import deadline_share, fetch_quotes
from financehub_shared.providers.protocols import QuoteBatch

CLOCK = ManualClock()
BTC, ETH, SOL = (Asset(f"{base}-USD", AssetType.CRYPTO) for base in ("BTC", "ETH", "SOL"))


@dataclass
class ScriptedProvider:
    """A provider with fixed prices. Symbols without a price are missing."""

    name: str
    prices: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    currency: str = "USD"
    volume: Decimal | None = None
    requested: list[list[str]] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)

    def serves(self, asset: Asset) -> bool:
        return True

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        self.requested.append([asset.symbol for asset in assets])
        self.deadlines.append(deadline)
        if self.error:
            raise self.error
        quotes = {a.symbol: self._quote(a.symbol) for a in assets if a.symbol in self.prices}
        lost: dict[str, ProviderError] = {
            a.symbol: NotFoundError(self.name, "unknown") for a in assets if a.symbol not in quotes
        }
        return QuoteBatch(quotes, lost)

    def _quote(self, symbol: str) -> Quote:
        price, now = Decimal(self.prices[symbol]), CLOCK.now()
        return Quote(symbol, price, self.currency, None, now, self.name, volume=self.volume)


def limit_price(asset: Asset, quote: Quote, previous: Quote | None, now: float) -> Quote | Quarantined:
    """Validate a quote for these tests. A price over 1,000 is a jump from a stored price, and over 10,000 is absurd."""
    if quote.price <= 1_000 or (previous is None and quote.price <= 10_000):
        return quote
    reason = "absurd: too high" if quote.price > 10_000 else "jump: +900 %"
    return Quarantined("quote", asset.symbol, quote.provider, reason, str(quote.price), now)


async def fetch(*providers: ScriptedProvider, assets: Sequence[Asset] = (BTC, ETH)):
    stored = {"BTC-USD": Quote("BTC-USD", Decimal(100), "USD", None, CLOCK.now(), "one")}
    return await fetch_quotes(providers, assets, stored, CLOCK.monotonic() + 90, CLOCK, limit_price)


async def test_failover_calls_the_next_provider_for_missing_symbols_only():
    """The second provider is called for exactly the symbols that the first one did not deliver."""
    first, second = (
        ScriptedProvider("first", {"BTC-USD": "1"}),
        ScriptedProvider("second", {"ETH-USD": "2", "BTC-USD": "9"}),
    )
    report = await fetch(first, second)
    assert second.requested == [["ETH-USD"]]
    assert {symbol: quote.provider for symbol, quote in report.quotes.items()} == {
        "BTC-USD": "first",
        "ETH-USD": "second",
    }
    assert report.delivered == {"first": 1, "second": 1}


async def test_failover_with_a_complete_answer_calls_no_other_provider():
    """If nothing is missing, the next provider is not called."""
    second = ScriptedProvider("second", {})
    await fetch(ScriptedProvider("first", {"BTC-USD": "1", "ETH-USD": "2"}), second)
    assert second.requested == []


async def test_quote_after_a_failover_notes_the_failed_providers():
    """The note of a quote has each provider that failed before, with its reason."""
    report = await fetch(
        ScriptedProvider("first", error=ProviderTimeoutError("first", "slow")),
        ScriptedProvider("second", {"BTC-USD": "1"}),
    )
    assert report.quotes["BTC-USD"].note == "first: timeout"
    assert report.missing == {"ETH-USD": "first: timeout; second: not-found"}


async def test_quote_of_the_first_provider_has_no_note():
    """A good quote of the first provider has an empty note."""
    report = await fetch(ScriptedProvider("first", {"BTC-USD": "1", "ETH-USD": "2"}))
    assert report.quotes["BTC-USD"].note == ""


async def test_failover_with_a_bug_in_a_provider_calls_the_next_one():
    """An unexpected exception counts as malformed, and the next provider is called."""
    report = await fetch(
        ScriptedProvider("first", error=KeyError("price")), ScriptedProvider("second", {"BTC-USD": "1"})
    )
    assert report.quotes["BTC-USD"].note == "first: malformed"


async def test_failover_with_a_quarantined_quote_calls_the_next_provider():
    """A quote that fails validation is reported, and the next provider is called for its symbol."""
    report = await fetch(
        ScriptedProvider("first", {"BTC-USD": "99999"}), ScriptedProvider("second", {"BTC-USD": "5"}), assets=[BTC]
    )
    assert report.quotes["BTC-USD"].price == 5
    assert report.quotes["BTC-USD"].note == "first: quarantined: absurd: too high"
    assert [record.provider for record in report.quarantined] == ["first"]


@pytest.mark.parametrize(
    ("first", "second", "stored"),
    [("5000", "5100", "5100"), ("5000", "9000", None), ("20000", "20000", None)],
    ids=["both saw the jump", "they disagree", "absurd stays absurd"],
)
async def test_jump_is_stored_only_if_a_second_provider_confirms_it(first: str, second: str, stored: str | None):
    """A jump on which two providers agree within 5 % is stored with a note. Any other jump remains quarantined."""
    report = await fetch(
        ScriptedProvider("one", {"BTC-USD": first}), ScriptedProvider("two", {"BTC-USD": second}), assets=[BTC]
    )
    quote = report.quotes.get("BTC-USD")
    assert (str(quote.price) if quote else None) == stored
    if quote:
        assert "confirmed by one" in quote.note


async def test_confirmed_jump_is_corrected_like_any_quote():
    """Only the jump is confirmed. Minor units are still converted, and impossible values are still dropped."""
    ocdo = Asset("OCDO.L", AssetType.STOCK, currency="GBP")
    before = Quote("OCDO.L", Decimal(3), "GBP", None, CLOCK.now(), "one")
    one = ScriptedProvider("one", {"OCDO.L": "5"}, currency="GBP")
    two = ScriptedProvider("two", {"OCDO.L": "501"}, currency="GBp", volume=Decimal(-1))
    report = await fetch_quotes([one, two], [ocdo], {"OCDO.L": before}, CLOCK.monotonic() + 90, CLOCK, validate_quote)
    stored = report.quotes["OCDO.L"]
    assert (stored.price, stored.currency, stored.volume, stored.provider) == (Decimal("5.01"), "GBP", None, "two")
    assert "confirmed by one" in stored.note


async def test_jump_repeated_by_the_same_provider_is_not_confirmed():
    """Only another provider in the same fetch can confirm a jump."""
    one = ScriptedProvider("one", {"BTC-USD": "5000"})
    await fetch(one, assets=[BTC])
    assert (await fetch(one, assets=[BTC])).quotes == {}


async def test_report_of_two_failures_has_the_shortest_retry_after():
    """The task may retry as soon as the first upstream allows it."""
    report = await fetch(
        ScriptedProvider("first", error=RateLimitedError("first", "429", 60)),
        ScriptedProvider("second", error=RateLimitedError("second", "429", 7)),
    )
    assert report.retry_after == 7
    assert report.quotes == {}


async def test_symbol_without_a_provider_is_missing_with_a_reason():
    """If no provider serves a symbol, the report says so."""
    assert (await fetch(assets=[BTC])).missing == {"BTC-USD": "no provider serves it"}


async def test_failover_gives_each_provider_a_share_of_the_time():
    """With 90 s and three providers that take no time, the deadlines are after 30, 45 and 90 s."""
    order = [ScriptedProvider(name) for name in "abc"]
    await fetch(*order, assets=[BTC])
    start = CLOCK.monotonic()
    assert [round(provider.deadlines[0] - start) for provider in order] == [30, 45, 90]


@given(st.floats(0, 1e6), st.floats(-1e3, 1e3), st.integers(1, 10))
def test_deadline_share_is_between_now_and_the_deadline(now: float, left: float, providers: int):
    """A provider's deadline is neither in the past nor after the fetch's deadline."""
    until = deadline_share(now, now + left, providers)
    assert now <= until <= max(now, now + left) + 1e-6


async def test_summary_lists_50_missing_symbols_and_counts_all():
    """At most 50 missing symbols are listed, and all of them are counted."""
    assets = [Asset(f"A{n}-USD", AssetType.CRYPTO) for n in range(70)]
    summary = (await fetch(ScriptedProvider("first"), assets=assets)).summary()
    assert (len(summary.missing), summary.missing_count, summary.requested, summary.stored) == (50, 70, 70, 0)
