"""Defines what one run knows about the price of an asset: the stored quote, an open dispute, and the provider order."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from zlib import crc32

from financehub_shared.core.durations import MINUTE_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality, Quote, is_simulated
from financehub_shared.core.units import to_major_unit
from financehub_shared.market.quality.disputes import Dispute, limit_times

#: Even if nothing is suspicious, the first run of every half hour compares some of the prices with another provider:
#: each coin once an hour, and each stock twice a day. For 1,000 coins, this takes 2,880 of the 10,000 calls that
#: CoinGecko allows per month; for 1,000 stocks, 44 of the 60 calls that Finnhub allows per minute. If a coin's half
#: hour has no run, the next run compares it, because one request serves many coins. A stock waits for its next half
#: hour: 23 does not divide the 48 half hours of a day, so a stock that is fetched only in sessions is compared on other
#: days.
AUDIT_SECONDS = 30 * MINUTE_SECONDS
AUDIT_PARTS = {AssetType.CRYPTO: 2, AssetType.STOCK: 23}


@dataclass(frozen=True, slots=True)
class Case:
    """The state before the decision.

    Args:
        asset: The asset.
        stored: The stored quote, or None if there is none to compare with.
        dispute: The open dispute, if any.
        ranks: Provider → its place in the provider order; 0 is the first choice.
        now: Unix seconds.
    """

    asset: Asset
    stored: Quote | None
    dispute: Dispute | None
    ranks: Mapping[str, int]
    now: float

    @property
    def trusted(self) -> Quote | None:
        """The last stored quote that is not unconfirmed. None if there is none."""
        if self.stored is None or self.stored.quality is not Quality.UNCONFIRMED:
            return self.stored
        return self.dispute.trusted if self.dispute else None

    @property
    def origin(self) -> Quote | None:
        """The quote that set the trusted level: that of the dispute if it has one, otherwise `trusted`."""
        return (self.dispute.trusted if self.dispute else None) or self.trusted

    @property
    def is_audited(self) -> bool:
        """Whether this run compares the price with other providers although nothing is suspicious."""
        if self.stored is None:
            return False
        parts = AUDIT_PARTS[self.asset.type]
        part = crc32(self.asset.symbol.encode()) % parts
        slot, before = int(self.now // AUDIT_SECONDS), int(self.stored.fetched_at // AUDIT_SECONDS)
        if self.asset.type is AssetType.CRYPTO:
            return (slot - part) // parts != (before - part) // parts
        return slot != before and slot % parts == part

    def rank(self, provider: str) -> int:
        """Return a provider's place in the order. A provider that is no longer in the order is last."""
        return self.ranks.get(provider, len(self.ranks))


def open_case(
    asset: Asset, stored: Quote | None, dispute: Dispute | None, ranks: Mapping[str, int], now: float
) -> Case:
    """Return the case of an asset, without a stored quote or dispute that cannot be compared.

    Simulated and real prices are unrelated, and so are prices in different currencies. Times of a dispute that are
    ahead of our clock come from a clock that was wrong, and count as the present.

    Args:
        asset: The asset.
        stored: The stored quote, if there is one.
        dispute: The stored dispute, if there is one.
        ranks: Provider → its place in the provider order; 0 is the first choice.
        now: Unix seconds.
    """
    simulated = is_simulated(next(iter(ranks), ""))  # all providers of a process or none
    if stored is not None and not _is_comparable(asset, stored, simulated=simulated):
        stored, dispute = None, None
    if dispute is not None:
        claims = {name: claim for name, claim in dispute.claims.items() if is_simulated(name) == simulated}
        trusted = dispute.trusted
        if trusted is not None and not _is_comparable(asset, trusted, simulated=simulated):
            trusted = None
        dispute = limit_times(replace(dispute, claims=claims, trusted=trusted), now)
    return Case(asset, stored, dispute, ranks, now)


def _is_comparable(asset: Asset, quote: Quote, *, simulated: bool) -> bool:
    same_currency = to_major_unit(quote.currency)[0] == to_major_unit(asset.currency)[0]
    return same_currency and quote.price > 0 and is_simulated(quote.provider) == simulated
