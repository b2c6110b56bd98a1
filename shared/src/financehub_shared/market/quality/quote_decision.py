"""Decides which quote of an asset is stored, and as what. Pure; docs/data-quality.md has the table of decisions.

A provider's price is never evidence for a stored price from the same provider.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from financehub_shared.core.durations import MINUTE_SECONDS
from financehub_shared.core.models import Quality, Quarantined, Quote
from financehub_shared.market.quality.disputes import Dispute
from financehub_shared.market.quality.quote_case import Case
from financehub_shared.market.quality.quote_evidence import find_contradiction
from financehub_shared.market.quality.quote_moves import agree, describe_move, differs, jumps_from
from financehub_shared.market.quality.quote_rules import Ruling, find_ruling
from financehub_shared.market.quality.quote_votes import Votes
from financehub_shared.market.quality.quotes import join_notes, quarantine_quote

#: Pause before all providers are asked again about a price that is stored but not certain. CoinGecko allows 10,000
#: calls per month, and a call every ten minutes makes 4,500.
CHECK_SECONDS = 10.0 * MINUTE_SECONDS


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision about the quotes of one asset.

    Args:
        quote: The quote to store. None if the stored quote is kept.
        rejected: Quarantine records of the candidates that are rejected.
        dispute: The dispute to store. None if there is no disagreement.
        settled: Whether no further provider needs to be asked.
        replaces: Whether the stored price is wrong or unconfirmed, so that its time must not protect it.
    """

    quote: Quote | None
    rejected: Sequence[Quarantined]
    dispute: Dispute | None
    settled: bool
    replaces: bool


def decide(case: Case, candidates: Sequence[Quote], *, all_asked: bool) -> Decision:
    """Decide which delivered quote is stored.

    Args:
        case: The state before the decision.
        candidates: The quotes that `check_quote` accepted, first choice first.
        all_asked: Whether no further provider can be asked.
    """
    if not candidates:
        return Decision(None, (), case.dispute, settled=False, replaces=False)
    if len(candidates) == 1 and _is_undisputed(case, candidates[0]):
        return Decision(candidates[0], (), None, settled=True, replaces=False)
    votes = Votes(case, candidates)
    ruling = find_ruling(case, votes, candidates)
    quote = ruling.quote if ruling else None
    return Decision(
        quote,
        [rejected for candidate in candidates if (rejected := _reject(case, votes, candidate, quote))],
        _next_dispute(case, votes, quote, all_asked=all_asked),
        settled=ruling is not None and _is_settled(case, votes, ruling),
        replaces=quote is not None and _replaces(case, quote),
    )


def _is_undisputed(case: Case, quote: Quote) -> bool:
    """Whether the quote simply continues a trusted price, as nearly all quotes do."""
    stored = case.stored
    if case.dispute is not None or stored is None or stored.quality is Quality.UNCONFIRMED or case.is_audited:
        return False
    return not jumps_from(case.asset, quote, stored, case.now)


def _is_settled(case: Case, votes: Votes, ruling: Ruling) -> bool:
    is_good = ruling.quote.quality is not Quality.UNCONFIRMED
    certain = is_good and not votes.is_doubted(ruling.quote) and not case.is_audited
    recently = case.dispute is not None and case.now - case.dispute.checked_at < CHECK_SECONDS
    return ruling.conclusive or certain or recently


def _replaces(case: Case, quote: Quote) -> bool:
    stored = case.stored
    if stored is None:
        return False
    return stored.quality is Quality.UNCONFIRMED or jumps_from(case.asset, quote, stored, case.now)


def _reject(case: Case, votes: Votes, candidate: Quote, chosen: Quote | None) -> Quarantined | None:
    """Return the quarantine record of a candidate that contradicts the price to store or is outvoted, or None."""
    kept, trusted = chosen or case.stored, case.trusted
    is_near = chosen is not None and not differs(case.asset, candidate.price, chosen.price)
    if is_near and not votes.is_outvoted(candidate):
        return None
    flaw = find_contradiction(candidate)
    if trusted is not None and jumps_from(case.asset, candidate, trusted, case.now):
        reason = join_notes(f"jump: {describe_move(candidate.price, trusted, case.now)}", flaw)
    elif kept is not None:
        reason = join_notes(f"disagreement: {candidate.price} against {kept.price} of {kept.provider}", flaw)
    else:
        reason = f"contradiction: {flaw}"
    return quarantine_quote(candidate, reason, case.now)


def _next_dispute(case: Case, votes: Votes, quote: Quote | None, *, all_asked: bool) -> Dispute | None:
    """Return the dispute to store. None if the new quote is not unconfirmed and all claims agree with it."""
    agreed = quote is not None and quote.quality is not Quality.UNCONFIRMED
    if (
        quote is not None
        and agreed
        and all(agree(case.asset, claim.price, quote.price) for claim in votes.claims.values())
    ):
        return None
    before = case.dispute
    return Dispute(
        since=before.since if before else case.now,
        claims=votes.claims,
        trusted=_next_origin(case, quote if agreed else None),
        checked_at=case.now if all_asked else before.checked_at if before else 0.0,
    )


def _next_origin(case: Case, accepted: Quote | None) -> Quote | None:
    """Return the quote that set the trusted level. This is the accepted quote if it is on a new level."""
    origin = case.origin
    if accepted is not None and (origin is None or jumps_from(case.asset, accepted, origin, case.now)):
        return accepted
    return origin
