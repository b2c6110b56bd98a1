"""What one run knows about the price of an asset: the stored quote, an open dispute, and the votes of providers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from zlib import crc32

from financehub_shared.core.durations import MINUTE_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality, Quote, is_simulated
from financehub_shared.core.units import to_major_unit
from financehub_shared.market.quality.disputes import (
    VOTE_SECONDS,
    Claim,
    Dispute,
    has_vote,
    is_forgotten,
    limit_times,
    renew_claim,
)
from financehub_shared.market.quality.quote_moves import agree, differs, is_next_session, jumps_from, may_be_unit_error

#: Without any suspicion, the first run of every half hour compares a part of the prices with another provider: each
#: coin once an hour, and each stock twice a day. For 1,000 coins, this makes 2,880 of the 10,000 calls that CoinGecko
#: allows per month; for 1,000 stocks, 44 of the 60 calls that Finnhub allows per minute. A coin whose half hour had no
#: run is compared in the next run, because one request serves many coins. A stock waits for its next half hour: 23 does
#: not divide the 48 half hours of a day, so a stock that is fetched in sessions only is compared on other days.
AUDIT_SECONDS = 30 * MINUTE_SECONDS
AUDIT_PARTS = {AssetType.CRYPTO: 2, AssetType.STOCK: 23}


@dataclass(frozen=True, slots=True)
class Case:
    """The state before the decision.

    Args:
        asset: The asset.
        stored: The stored quote. None if there is none that can be compared.
        dispute: The open dispute, if there is one.
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
        """The last stored quote that is not unconfirmed."""
        if self.stored is None or self.stored.quality is not Quality.UNCONFIRMED:
            return self.stored
        return self.dispute.trusted if self.dispute else None

    @property
    def origin(self) -> Quote | None:
        """The quote from which the trusted level comes: the trusted quote at the beginning of the dispute."""
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
        """Return a provider's place in the order. One that is no longer in the order is last."""
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


class Votes:
    """The newest price of every provider that recently stated one.

    A provider's quote of this run replaces its claim. The stored quote is the vote of its provider if that has no
    other.

    Args:
        case: The case.
        candidates: The quotes of this run.
    """

    def __init__(self, case: Case, candidates: Sequence[Quote]) -> None:
        asset, now, stored = case.asset, case.now, case.stored
        earlier = case.dispute.claims if case.dispute else {}
        kept = {name: claim for name, claim in earlier.items() if not is_forgotten(asset, claim, now)}
        new = {quote.provider: renew_claim(asset, quote, kept.get(quote.provider), now) for quote in candidates}
        self.claims: Mapping[str, Claim] = {**kept, **new}
        self._case, self._candidates = case, candidates
        self._voting = {name: claim.price for name, claim in self.claims.items() if has_vote(claim, now)}
        if stored is not None and now - stored.fetched_at <= VOTE_SECONDS:
            self._voting.setdefault(stored.provider, stored.price)

    def may_replace_unconfirmed(self, quote: Quote, stored: Quote) -> bool:
        """Whether a quote may replace an unconfirmed one: its provider comes first, or nobody states that price now."""
        if quote.provider == stored.provider or self._case.rank(quote.provider) < self._case.rank(stored.provider):
            return True
        vote = self._voting.get(stored.provider)
        return vote is None or differs(self._case.asset, vote, stored.price)

    def backers(self, quote: Quote) -> list[str]:
        """Return the other providers that state the same price."""
        return [name for name, price in self._others(quote) if agree(self._case.asset, price, quote.price)]

    def rivals(self, quote: Quote) -> dict[str, Decimal]:
        """Return other provider → its price, for those whose price is beyond the jump limit of the quote."""
        return {name: price for name, price in self._others(quote) if differs(self._case.asset, price, quote.price)}

    def is_doubted(self, quote: Quote) -> bool:
        """Whether another provider does not agree with the quote."""
        return len(self.backers(quote)) < len(self._others(quote))

    def is_outvoted(self, quote: Quote) -> bool:
        """Whether two other providers agree on another price, which is not in another unit than the trusted one."""
        asset, trusted = self._case.asset, self._case.trusted
        prices = [
            price
            for _, price in self._others(quote)
            if not agree(asset, price, quote.price)
            and not (trusted and may_be_unit_error(float(price / trusted.price)))
        ]
        return any(agree(asset, one, other) for index, one in enumerate(prices) for other in prices[:index])

    def is_still_traded_at(self, level: Quote, quote: Quote) -> bool:
        """Whether another provider than that of `quote` states a price of a later session at the level of a quote."""
        case = self._case
        return any(
            is_next_session(other, level) and not jumps_from(case.asset, other, level, case.now)
            for other in self._candidates
            if other.provider != quote.provider
        )

    def is_first(self, quote: Quote) -> bool:
        """Whether no provider that comes before in the order has a vote."""
        return self._case.rank(quote.provider) <= min(map(self._case.rank, self._voting))

    def _others(self, quote: Quote) -> list[tuple[str, Decimal]]:
        return [(name, price) for name, price in self._voting.items() if name != quote.provider]
