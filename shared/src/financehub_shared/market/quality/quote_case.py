"""What one run knows about the price of an asset: the stored quote, an open dispute, and the votes of providers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from zlib import crc32

from financehub_shared.core.durations import MINUTE_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality, Quote, is_simulated
from financehub_shared.core.units import to_major_unit
from financehub_shared.market.quality.disputes import VOTE_SECONDS, Claim, Dispute, has_vote, is_forgotten, renew_claim
from financehub_shared.market.quality.quote_moves import agree, is_jump

#: Without any suspicion, the first run of every half hour compares a part of the prices with another provider: each
#: coin once an hour, and each stock twice a day. For 1,000 coins, this makes 2,880 of the 10,000 calls that CoinGecko
#: allows per month; for 1,000 stocks, 44 of the 60 calls that Finnhub allows per minute. 23 does not divide the 48 half
#: hours of a day, so a stock that is fetched in sessions only is compared on other days.
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
        slot = int(self.now // AUDIT_SECONDS)
        if self.stored is None or slot == int(self.stored.fetched_at // AUDIT_SECONDS):
            return False
        parts = AUDIT_PARTS[self.asset.type]
        return crc32(self.asset.symbol.encode()) % parts == slot % parts

    def rank(self, provider: str) -> int:
        """Return a provider's place in the order. One that is no longer in the order is last."""
        return self.ranks.get(provider, len(self.ranks))


def open_case(
    asset: Asset, stored: Quote | None, dispute: Dispute | None, ranks: Mapping[str, int], now: float
) -> Case:
    """Return the case of an asset, without a stored quote or dispute that cannot be compared.

    Simulated and real prices are unrelated, and so are prices in different currencies.

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
        dispute = replace(dispute, claims=claims, trusted=trusted)
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
        self._case = case
        self._voting = {name: claim.price for name, claim in self.claims.items() if has_vote(claim, now)}
        if stored is not None and now - stored.fetched_at <= VOTE_SECONDS:
            self._voting.setdefault(stored.provider, stored.price)

    def may_replace_unconfirmed(self, quote: Quote, stored: Quote) -> bool:
        """Whether a quote may replace an unconfirmed one: its provider comes first, or nobody states that price now."""
        if quote.provider == stored.provider or self._case.rank(quote.provider) < self._case.rank(stored.provider):
            return True
        vote = self._voting.get(stored.provider)
        return vote is None or is_jump(vote, stored.price)

    def backers(self, quote: Quote) -> list[str]:
        """Return the other providers that state the same price."""
        return [name for name, price in self._others(quote) if agree(price, quote.price)]

    def rivals(self, quote: Quote) -> dict[str, Decimal]:
        """Return other provider → its price, for those whose price is beyond the jump limit of the quote."""
        return {name: price for name, price in self._others(quote) if is_jump(price, quote.price)}

    def is_outvoted(self, quote: Quote) -> bool:
        """Whether two other providers agree on another price."""
        rivals = list(self.rivals(quote).values())
        return any(agree(one, other) for index, one in enumerate(rivals) for other in rivals[:index])

    def is_first(self, quote: Quote) -> bool:
        """Whether no provider that comes before in the order has a vote."""
        return self._case.rank(quote.provider) <= min(map(self._case.rank, self._voting))

    def _others(self, quote: Quote) -> list[tuple[str, Decimal]]:
        return [(name, price) for name, price in self._voting.items() if name != quote.provider]
