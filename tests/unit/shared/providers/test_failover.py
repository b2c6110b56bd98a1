"""Tests of failover between quote providers: order, report, reasons, and comparisons of uncertain prices."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import (
    MalformedError,
    NotFoundError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    StaleError,
)
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality, Quote, QuoteEvidence
from financehub_shared.providers.failover import deadline_share, fetch_quotes
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.reasons import asset_errors

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


def stored_quote(price: str = "100", quality: Quality = Quality.GOOD) -> Quote:
    """Return a quote of Bitcoin that a provider stored just now."""
    return Quote("BTC-USD", Decimal(price), "USD", None, CLOCK.now(), "first", quality=quality)


async def fetch(*providers: ScriptedProvider, assets: Sequence[Asset] = (BTC, ETH), stored: Quote | None = None):
    known = {} if stored is None else {stored.symbol: stored}
    return await fetch_quotes(providers, assets, known, {}, CLOCK.monotonic() + 90, CLOCK)


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
    assert report.quotes["BTC-USD"].note == "first: timeout: slow"
    assert report.missing == {"ETH-USD": "first: timeout: slow; second: not-found: unknown"}


async def test_quote_of_the_first_provider_has_no_note():
    """A good quote of the first provider has an empty note."""
    report = await fetch(ScriptedProvider("first", {"BTC-USD": "1", "ETH-USD": "2"}))
    assert report.quotes["BTC-USD"].note == ""


async def test_failover_with_a_bug_in_a_provider_calls_the_next_one():
    """An unexpected exception counts as malformed, and the next provider is called."""
    report = await fetch(
        ScriptedProvider("first", error=KeyError("price")), ScriptedProvider("second", {"BTC-USD": "1"})
    )
    assert report.quotes["BTC-USD"].note == "first: malformed: the provider's code failed: KeyError"


async def test_failover_with_a_quarantined_quote_calls_the_next_provider():
    """A quote that fails validation is reported, and the next provider is called for its symbol."""
    report = await fetch(
        ScriptedProvider("first", {"BTC-USD": "-1"}), ScriptedProvider("second", {"BTC-USD": "5"}), assets=[BTC]
    )
    assert report.quotes["BTC-USD"].price == 5
    assert report.quotes["BTC-USD"].note == "first: quarantined: price: -1 is not positive"
    assert [record.provider for record in report.quarantined] == ["first"]


async def test_failover_asks_all_providers_about_a_price_without_a_majority():
    """If a price jumps, the next provider is called. If two providers contradict each other, the third is called."""
    first, second, third, fourth = (
        ScriptedProvider(name, {"BTC-USD": price})
        for name, price in (("first", "500"), ("second", "101"), ("third", "102"), ("fourth", "103"))
    )
    report = await fetch(first, second, third, fourth, assets=[BTC], stored=stored_quote())
    assert [len(provider.requested) for provider in (first, second, third, fourth)] == [1, 1, 1, 0]
    assert report.quotes["BTC-USD"].provider == "second"
    assert [(record.provider, record.reason_class) for record in report.quarantined] == [("first", "jump")]
    assert report.quotes["BTC-USD"].note.startswith("first: quarantined: jump: +400 % against 100")


async def test_failover_asks_a_second_provider_about_an_unconfirmed_price():
    """An unconfirmed stored price is compared with a second provider's, although the first provider delivers it."""
    second = ScriptedProvider("second", {"BTC-USD": "101"})
    first = ScriptedProvider("first", {"BTC-USD": "100"})
    report = await fetch(first, second, assets=[BTC], stored=stored_quote(quality=Quality.UNCONFIRMED))
    assert second.requested == [["BTC-USD"]]
    assert report.quotes["BTC-USD"].quality is Quality.GOOD
    assert report.replaced == {"BTC-USD"}


async def test_confirmed_jump_is_corrected_like_any_quote():
    """Agreement confirms the price only. Minor units are still converted, and impossible values are dropped."""
    ocdo = Asset("OCDO.L", AssetType.STOCK, currency="GBP")
    before = Quote("OCDO.L", Decimal(3), "GBP", None, CLOCK.now(), "one")
    one = ScriptedProvider("one", {"OCDO.L": "601"}, currency="GBp", volume=Decimal(-1))
    two = ScriptedProvider("two", {"OCDO.L": "6"}, currency="GBP")
    report = await fetch_quotes([one, two], [ocdo], {"OCDO.L": before}, {}, CLOCK.monotonic() + 90, CLOCK)
    stored = report.quotes["OCDO.L"]
    assert (stored.price, stored.currency, stored.volume, stored.provider) == (Decimal("6.01"), "GBP", None, "one")
    assert "confirmed by two" in stored.note


async def test_reason_of_an_asset_is_kept_and_a_reason_of_a_provider_is_not():
    """D10: The reason why no provider delivers an asset becomes a quarantine record. A provider's outage does not."""
    first = ScriptedProvider("first", {"ETH-USD": "7"})
    second = ScriptedProvider("second", error=ProviderTimeoutError("second", "no answer within 10 s"))
    report = await fetch(first, second, assets=[BTC, ETH, SOL])
    assert report.missing["SOL-USD"] == "first: not-found: unknown; second: timeout: no answer within 10 s"
    assert [(r.kind, r.symbol, r.provider, r.reason) for r in report.absent] == [
        ("quote", "BTC-USD", "first", "not-found: unknown"),
        ("quote", "SOL-USD", "first", "not-found: unknown"),
    ]
    assert report.quarantined == []


async def test_reason_of_an_asset_that_another_provider_delivers_leaves_no_record():
    """D10: If the second provider delivers a symbol, the first provider's sentence is only in the note of the quote."""
    report = await fetch(ScriptedProvider("first"), ScriptedProvider("second", {"BTC-USD": "1"}), assets=[BTC])
    assert report.absent == []
    assert report.quotes["BTC-USD"].note == "first: not-found: unknown"


def test_error_that_assets_share_concerns_the_request():
    """D10: An error that several assets share, or a connection error, is not a statement about one asset."""
    page, own = MalformedError("coingecko", "cut off"), MalformedError("coingecko", "the price is null")
    missing = {"A": page, "B": page, "C": own, "D": RateLimitedError("coingecko", "429"), "E": StaleError("x", "old")}
    assert asset_errors(missing) == {"C": own, "E": missing["E"]}


@settings(max_examples=50)
@given(
    st.dictionaries(st.sampled_from(["BTC-USD", "ETH-USD"]), st.decimals(), max_size=2),
    st.lists(st.decimals() | st.none(), min_size=6, max_size=6),
)
async def test_failover_with_any_evidence_delivers_the_other_asset(prices: dict[str, Decimal], figures: list[Any]):
    """No value that an adapter could read in any field of one asset costs the quote of another asset."""
    evidence = QuoteEvidence(*figures[:5])
    odd = Quote("BTC-USD", prices.get("BTC-USD", Decimal(1)), "USD", None, CLOCK.now(), "first", figures[5])
    fine = Quote("ETH-USD", Decimal(7), "USD", None, CLOCK.now(), "first")

    class Provider(ScriptedProvider):
        async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
            return QuoteBatch({"BTC-USD": replace(odd, evidence=evidence), "ETH-USD": fine})

    report = await fetch(Provider("first"), stored=stored_quote("1"))
    assert report.quotes["ETH-USD"] == fine


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
