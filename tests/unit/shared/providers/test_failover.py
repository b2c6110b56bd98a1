"""Failover order, accounting and the second opinion on a jump."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import NotFoundError, ProviderError, ProviderTimeoutError, RateLimitedError
from financehub_shared.core.models import Asset, AssetType, Quarantined, Quote
from financehub_shared.market.quality.quotes import validate_quote
from financehub_shared.providers.failover import deadline_share, fetch_quotes
from financehub_shared.providers.ports import QuoteBatch

CLOCK = ManualClock()
BTC, ETH, SOL = (Asset(f"{base}-USD", AssetType.CRYPTO) for base in ("BTC", "ETH", "SOL"))


@dataclass
class Scripted:
    """A provider whose prices are written down; a symbol without one is missing."""

    name: str
    prices: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    currency: str = "USD"
    volume: Decimal | None = None
    asked: list[list[str]] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)

    def serves(self, asset: Asset) -> bool:
        return True

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        self.asked.append([asset.symbol for asset in assets])
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


def accept(asset: Asset, quote: Quote, previous: Quote | None, now: float) -> Quote | Quarantined:
    """Validation of these tests: a price over 1,000 is a jump from a stored one, over 10,000 is absurd."""
    if quote.price <= 1_000 or (previous is None and quote.price <= 10_000):
        return quote
    reason = "absurd: too high" if quote.price > 10_000 else "jump: +900 %"
    return Quarantined("quote", asset.symbol, quote.provider, reason, str(quote.price), now)


async def fetch(*providers: Scripted, assets: Sequence[Asset] = (BTC, ETH)):
    stored = {"BTC-USD": Quote("BTC-USD", Decimal(100), "USD", None, CLOCK.now(), "one")}
    return await fetch_quotes(providers, assets, stored, CLOCK.monotonic() + 90, CLOCK, accept)


async def test_only_what_is_missing_goes_to_the_next_provider():
    """The second provider is asked for exactly the symbols the first did not deliver."""
    first, second = Scripted("first", {"BTC-USD": "1"}), Scripted("second", {"ETH-USD": "2", "BTC-USD": "9"})
    report = await fetch(first, second)
    assert second.asked == [["ETH-USD"]]
    assert {symbol: quote.provider for symbol, quote in report.quotes.items()} == {
        "BTC-USD": "first",
        "ETH-USD": "second",
    }
    assert report.delivered == {"first": 1, "second": 1}


async def test_a_provider_is_not_asked_when_nothing_is_missing():
    """A complete answer ends the chain."""
    second = Scripted("second", {})
    await fetch(Scripted("first", {"BTC-USD": "1", "ETH-USD": "2"}), second)
    assert second.asked == []


async def test_the_record_says_why_the_others_did_not_answer():
    """A quote's note names each provider that failed before and its reason."""
    report = await fetch(
        Scripted("first", error=ProviderTimeoutError("first", "slow")), Scripted("second", {"BTC-USD": "1"})
    )
    assert report.quotes["BTC-USD"].note == "first: timeout"
    assert report.missing == {"ETH-USD": "first: timeout; second: not-found"}


async def test_a_plain_quote_has_no_note():
    """The first provider's good quote carries no remark."""
    report = await fetch(Scripted("first", {"BTC-USD": "1", "ETH-USD": "2"}))
    assert report.quotes["BTC-USD"].note == ""


async def test_a_bug_in_one_adapter_does_not_stop_the_chain():
    """An exception outside the taxonomy counts as malformed and the next provider is asked."""
    report = await fetch(Scripted("first", error=KeyError("price")), Scripted("second", {"BTC-USD": "1"}))
    assert report.quotes["BTC-USD"].note == "first: malformed"


async def test_what_is_quarantined_gets_a_second_chance():
    """A quote that fails validation is reported and the next provider is asked for it."""
    report = await fetch(Scripted("first", {"BTC-USD": "99999"}), Scripted("second", {"BTC-USD": "5"}), assets=[BTC])
    assert report.quotes["BTC-USD"].price == 5
    assert report.quotes["BTC-USD"].note == "first: quarantined: absurd: too high"
    assert [record.provider for record in report.quarantined] == ["first"]


@pytest.mark.parametrize(
    ("first", "second", "stored"),
    [("5000", "5100", "5100"), ("5000", "9000", None), ("20000", "20000", None)],
    ids=["both saw the jump", "they disagree", "absurd stays absurd"],
)
async def test_a_jump_is_believed_when_a_second_provider_saw_it_too(first: str, second: str, stored: str | None):
    """A jump that two providers agree on within 5 % is stored with a note; any other stays in quarantine."""
    report = await fetch(Scripted("one", {"BTC-USD": first}), Scripted("two", {"BTC-USD": second}), assets=[BTC])
    quote = report.quotes.get("BTC-USD")
    assert (str(quote.price) if quote else None) == stored
    if quote:
        assert "confirmed by one" in quote.note


async def test_a_confirmed_jump_is_stored_as_mended_as_any_quote():
    """Confirmation lifts the jump alone: minor units are converted and figures that cannot be are dropped."""
    ocdo = Asset("OCDO.L", AssetType.STOCK, currency="GBP")
    before = Quote("OCDO.L", Decimal(3), "GBP", None, CLOCK.now(), "one")
    one = Scripted("one", {"OCDO.L": "5"}, currency="GBP")
    two = Scripted("two", {"OCDO.L": "501"}, currency="GBp", volume=Decimal(-1))
    report = await fetch_quotes([one, two], [ocdo], {"OCDO.L": before}, CLOCK.monotonic() + 90, CLOCK, validate_quote)
    stored = report.quotes["OCDO.L"]
    assert (stored.price, stored.currency, stored.volume, stored.provider) == (Decimal("5.01"), "GBP", None, "two")
    assert "confirmed by one" in stored.note


async def test_one_provider_cannot_confirm_itself_over_two_fetches():
    """The second opinion is another provider's, of the same fetch."""
    one = Scripted("one", {"BTC-USD": "5000"})
    await fetch(one, assets=[BTC])
    assert (await fetch(one, assets=[BTC])).quotes == {}


async def test_the_shortest_retry_after_is_reported():
    """The task can retry as soon as the first upstream allows it."""
    report = await fetch(
        Scripted("first", error=RateLimitedError("first", "429", 60)),
        Scripted("second", error=RateLimitedError("second", "429", 7)),
    )
    assert report.retry_after == 7
    assert report.quotes == {}


async def test_a_symbol_nobody_serves_is_missing_with_that_reason():
    """An empty chain is a reason, not silence."""
    assert (await fetch(assets=[BTC])).missing == {"BTC-USD": "no provider serves it"}


async def test_each_provider_gets_its_share_of_the_time():
    """With 90 s and three providers that take no time the shares are 30, 45 and 90 s."""
    chain = [Scripted(name) for name in "abc"]
    await fetch(*chain, assets=[BTC])
    start = CLOCK.monotonic()
    assert [round(provider.deadlines[0] - start) for provider in chain] == [30, 45, 90]


@given(st.floats(0, 1e6), st.floats(-1e3, 1e3), st.integers(1, 10))
def test_a_share_never_passes_the_deadline_nor_the_past(now: float, left: float, providers: int):
    """A share lies between now and the deadline, whatever is left."""
    until = deadline_share(now, now + left, providers)
    assert now <= until <= max(now, now + left) + 1e-6


async def test_the_summary_caps_what_it_shows_and_counts_all():
    """At most 50 missing symbols are listed, all of them are counted."""
    assets = [Asset(f"A{n}-USD", AssetType.CRYPTO) for n in range(70)]
    summary = (await fetch(Scripted("first"), assets=assets)).summary()
    assert (len(summary.missing), summary.missing_count, summary.asked, summary.stored) == (50, 70, 70, 0)
