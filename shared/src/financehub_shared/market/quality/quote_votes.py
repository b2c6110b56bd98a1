"""Counts the votes of the providers on the price of an asset. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from financehub_shared.core.models import Quote
from financehub_shared.market.quality.disputes import VOTE_SECONDS, Claim, has_vote, is_forgotten, renew_claim
from financehub_shared.market.quality.quote_case import Case
from financehub_shared.market.quality.quote_moves import agree, differs, is_next_session, jumps_from, may_be_unit_error


class Votes:
    """The newest price of every provider that recently stated one.

    A provider's quote of this run replaces its claim. A recent stored quote is the vote of its provider if the provider
    has no other vote.

    Args:
        case: The state before the decision.
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
        # A fetch time ahead of our clock comes from a clock that was wrong, so the quote's age is unknown.
        if stored is not None and 0 <= now - stored.fetched_at <= VOTE_SECONDS:
            self._voting.setdefault(stored.provider, stored.price)

    def may_replace_unconfirmed(self, quote: Quote, stored: Quote) -> bool:
        """Whether a quote may replace an unconfirmed one: not if a preferred provider still states that price."""
        if quote.provider == stored.provider or self._case.rank(quote.provider) < self._case.rank(stored.provider):
            return True
        vote = self._voting.get(stored.provider)
        return vote is None or differs(self._case.asset, vote, stored.price)

    def backers(self, quote: Quote) -> list[str]:
        """Return the other providers that state the same price."""
        return [name for name, price in self._others(quote) if agree(self._case.asset, price, quote.price)]

    def rivals(self, quote: Quote) -> dict[str, Decimal]:
        """Return provider → price for each other provider whose price is beyond the jump limit of the quote."""
        return {name: price for name, price in self._others(quote) if differs(self._case.asset, price, quote.price)}

    def is_doubted(self, quote: Quote) -> bool:
        """Whether another provider does not agree with the quote."""
        return len(self.backers(quote)) < len(self._others(quote))

    def is_outvoted(self, quote: Quote) -> bool:
        """Whether two other providers agree on another price that is not the trusted price in a wrong unit."""
        asset, trusted = self._case.asset, self._case.trusted
        prices = [
            price
            for _, price in self._others(quote)
            if not agree(asset, price, quote.price)
            and not (trusted and may_be_unit_error(float(price / trusted.price)))
        ]
        return any(agree(asset, one, other) for index, one in enumerate(prices) for other in prices[:index])

    def is_still_traded_at(self, level: Quote, quote: Quote) -> bool:
        """Whether a provider other than that of `quote` states a price at the level of `level` from a later session."""
        case = self._case
        return any(
            is_next_session(other, level) and not jumps_from(case.asset, other, level, case.now)
            for other in self._candidates
            if other.provider != quote.provider
        )

    def is_first(self, quote: Quote) -> bool:
        """Whether no provider with a vote comes before that of the quote in the provider order."""
        return self._case.rank(quote.provider) <= min(map(self._case.rank, self._voting))

    def _others(self, quote: Quote) -> list[tuple[str, Decimal]]:
        return [(name, price) for name, price in self._voting.items() if name != quote.provider]
