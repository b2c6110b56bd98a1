"""Keeps the claims of providers that disagree about the price of an asset. Pure. Time decides, not the number of runs.

A dispute is stored between runs, so a restart or a missed run changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from financehub_shared.core.kinds import KINDS, AssetType
from financehub_shared.core.models import Asset, Quote
from financehub_shared.market.quality.quote_moves import SESSION_GAP_SECONDS, differs

#: A coin's dispute ends when the claim of the first provider is this old. With runs every two minutes and some of them
#: missed, that is within an hour.
COIN_DISPUTE_SECONDS = 30.0 * MINUTE_SECONDS
#: A claim has a vote until this long after it was last repeated.
VOTE_SECONDS = 30.0 * MINUTE_SECONDS
#: If a provider repeats its claim after a pause of at most this length, the claim keeps its beginning. Otherwise, a
#: dispute would never end if the task runs less often. Coins may be fetched once a day. Stocks may be fetched only in
#: sessions, and the longest holidays close an exchange for up to eleven days (golden weeks, Jakarta).
COIN_MEMORY_SECONDS = 26.0 * HOUR_SECONDS
STOCK_MEMORY_SECONDS = 12.0 * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Claim:
    """The price that a provider maintains in a dispute.

    Args:
        price: The newest price.
        since: Unix seconds of the first of these prices. Each of them is within the jump limit of the previous price.
        market_since: Time of the first of these prices according to the upstream, in Unix seconds.
        seen_at: Unix seconds of the newest price.
    """

    price: Decimal
    since: float
    market_since: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class Dispute:
    """An open disagreement about the price of one asset.

    Args:
        since: Unix seconds of its beginning.
        claims: Provider → its claim.
        trusted: The stored quote at the beginning. None if there was no stored quote, or if it was unconfirmed.
        checked_at: Unix seconds of the last time at which all providers had been asked.
    """

    since: float
    claims: Mapping[str, Claim]
    trusted: Quote | None
    checked_at: float

    @property
    def last_seen_at(self) -> float:
        """Unix seconds of the newest price that any provider stated."""
        return max((claim.seen_at for claim in self.claims.values()), default=self.since)


def market_time(quote: Quote, now: float) -> float:
    """Return the upstream's time of a price in Unix seconds, or `now` if the upstream reports no time."""
    return now if quote.upstream_at is None else min(quote.upstream_at, now)


def renew_claim(asset: Asset, quote: Quote, claim: Claim | None, now: float) -> Claim:
    """Return a provider's claim after its newest quote.

    Args:
        asset: The asset.
        quote: The newest quote of the provider.
        claim: The provider's claim so far. None if the provider has no claim or if the claim is forgotten.
        now: Unix seconds.
    """
    if claim is None or differs(asset, quote.price, claim.price, now - claim.seen_at):
        return Claim(quote.price, now, market_time(quote, now), now)
    return Claim(quote.price, claim.since, claim.market_since, now)


def limit_times(dispute: Dispute, now: float) -> Dispute:
    """Return a dispute without times ahead of our clock, which would keep it open until our clock reaches them."""
    claims = {
        name: replace(
            claim,
            since=min(claim.since, now),
            market_since=min(claim.market_since, now),
            seen_at=min(claim.seen_at, now),
        )
        for name, claim in dispute.claims.items()
    }
    checked_at = dispute.checked_at if dispute.checked_at <= now else 0.0
    return replace(dispute, since=min(dispute.since, now), claims=claims, checked_at=checked_at)


def has_vote(claim: Claim, now: float) -> bool:
    """Whether a claim is recent enough to count against the claims of others."""
    return now - claim.seen_at <= VOTE_SECONDS


def is_forgotten(asset: Asset, claim: Claim, now: float) -> bool:
    """Whether a claim was not repeated for so long that the provider's next price begins a new claim."""
    memory = COIN_MEMORY_SECONDS if asset.type is AssetType.CRYPTO else STOCK_MEMORY_SECONDS
    return now - claim.seen_at > memory


def has_lasted(asset: Asset, claim: Claim, market_now: float, now: float) -> bool:
    """Whether a claim is old enough to end its dispute: 30 minutes for a coin, and until the next session for a stock.

    The upstream's time does not change if a stock is not traded in the next session, so 24 open hours also suffice.

    Args:
        asset: The asset.
        claim: The claim.
        market_now: Time of the newest price according to the upstream, in Unix seconds.
        now: Unix seconds.
    """
    if asset.type is AssetType.CRYPTO:
        return now - claim.since >= COIN_DISPUTE_SECONDS
    open_seconds = KINDS[asset.kind].hours.open_seconds(claim.since, now)
    return market_now - claim.market_since >= SESSION_GAP_SECONDS or open_seconds >= DAY_SECONDS
