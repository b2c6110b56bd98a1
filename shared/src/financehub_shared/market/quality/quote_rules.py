"""The rules by which a quote is accepted. Pure; docs/data-quality.md has a table row for each.

Every rule returns a ruling, or None if the rule does not apply. The first ruling decides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from financehub_shared.core.durations import DAY_SECONDS, WEEK_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Quality, Quote
from financehub_shared.market.quality.disputes import COIN_DISPUTE_SECONDS, has_lasted, market_time
from financehub_shared.market.quality.quote_case import Case
from financehub_shared.market.quality.quote_evidence import (
    explain_move,
    find_contradiction,
    previous_close,
    scale_change,
)
from financehub_shared.market.quality.quote_moves import (
    describe_move,
    differs,
    is_jump,
    is_next_session,
    jumps_from,
    may_be_unit_error,
    quote_age,
)
from financehub_shared.market.quality.quote_votes import Votes
from financehub_shared.market.quality.quotes import join_notes

#: An unconfirmed price of a coin becomes good after this time if no provider contradicts it.
COIN_TRUST_SECONDS = float(DAY_SECONDS)
#: The same for a price that may be in the wrong unit, and for a stock price that its sessions do not confirm. A stored
#: quote that is not renewed is deleted after the same time.
TRUST_SECONDS = float(WEEK_SECONDS)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The decision to store a quote.

    Args:
        quote: The quote to store, with its quality and note.
        conclusive: Whether the evidence is conclusive, so that no further provider needs to be asked.
    """

    quote: Quote
    conclusive: bool = False


def find_ruling(case: Case, votes: Votes, candidates: Sequence[Quote]) -> Ruling | None:
    """Return the ruling for the first candidate that can be stored. None if no candidate can be stored.

    Args:
        case: The state before the decision.
        votes: The votes in this run.
        candidates: The quotes of this run, first choice first.
    """
    for quote in candidates:
        if votes.backers(quote) and (ruling := _agreed(case, votes, quote)):
            return ruling
    for quote in candidates:
        if votes.is_outvoted(quote):
            continue
        for rule in _RULES:
            if ruling := rule(case, votes, quote):
                return ruling
    return None


def _agreed(case: Case, votes: Votes, quote: Quote) -> Ruling | None:
    """Two providers agree. A price that may be in a wrong unit must persist, because the two may share a source."""
    trusted, names = case.trusted, ", ".join(votes.backers(quote))
    if trusted is None or not jumps_from(case.asset, quote, trusted, case.now):
        return Ruling(quote, conclusive=True)
    move = f"{describe_move(quote.price, trusted, case.now)}, confirmed by {names}"
    lasted = case.now - votes.claims[quote.provider].since
    if not may_be_unit_error(float(quote.price / trusted.price)) or lasted >= COIN_TRUST_SECONDS:
        return Ruling(_noted(quote, f"jump: {move}"), conclusive=True)
    if lasted < COIN_DISPUTE_SECONDS:
        return None
    return Ruling(_unconfirmed(quote, f"it may be in another unit, {move}", votes.rivals(quote)), conclusive=True)


def _first(case: Case, votes: Votes, quote: Quote) -> Ruling | None:
    """The quote contradicts nothing that is known, except an unconfirmed price, which any better price replaces."""
    stored = case.stored
    if case.trusted is not None or find_contradiction(quote):
        return None
    if stored is None:
        return Ruling(quote)
    is_other = jumps_from(case.asset, quote, stored, case.now)
    return Ruling(quote) if is_other and votes.may_replace_unconfirmed(quote, stored) else None


def _continued(case: Case, votes: Votes, quote: Quote) -> Ruling | None:
    """The price is within the jump limit of the trusted one.

    While another provider contradicts a level, the provider that set the level cannot confirm it.
    """
    stored, trusted, origin = case.stored, case.trusted, case.origin
    if stored is None or trusted is None or origin is None or jumps_from(case.asset, quote, trusted, case.now):
        return None
    returns = trusted is not stored
    if returns and not votes.may_replace_unconfirmed(quote, stored):
        return None
    if _relies_on_age(case, votes, quote):
        return None
    rivals = votes.rivals(quote)
    is_contradicted = bool(rivals) or (returns and quote.provider != stored.provider)
    if origin.provider == quote.provider and is_contradicted:
        return Ruling(_unconfirmed(quote, "only the provider of the earlier price states it", rivals))
    return Ruling(quote)


def _relies_on_age(case: Case, votes: Votes, quote: Quote) -> bool:
    """Whether a provider repeats a price that was beyond the jump limit when the provider first stated it.

    The limit grows with the age of the trusted price. A refused or unconfirmed price must not become good by this
    growth alone.
    """
    asset, trusted = case.asset, case.trusted
    if trusted is None or jumps_from(asset, quote, trusted, case.now):
        return False
    return differs(asset, quote.price, trusted.price, quote_age(trusted, votes.claims[quote.provider].since))


def _explained(case: Case, votes: Votes, quote: Quote) -> Ruling | None:
    """The answer itself explains the move from the trusted price."""
    trusted = case.trusted
    explanation = "" if trusted is None else explain_move(case.asset, quote, trusted, case.now)
    if trusted is None or not explanation or _relies_on_age(case, votes, quote):
        return None
    move = describe_move(quote.price, trusted, case.now)
    return Ruling(_noted(quote, f"jump: {move}, and {explanation}"), conclusive=True)


def _still_unconfirmed(case: Case, votes: Votes, quote: Quote) -> Ruling | None:
    """The quote continues an unconfirmed price. It becomes good if no provider contradicts it for long enough."""
    stored, rivals, flaw = case.stored, votes.rivals(quote), find_contradiction(quote)
    if stored is None or stored.quality is not Quality.UNCONFIRMED or jumps_from(case.asset, quote, stored, case.now):
        return None
    if not rivals and not flaw and _is_proven(case, votes, quote, stored):
        return Ruling(quote)
    against = describe_move(quote.price, case.trusted, case.now) if case.trusted else "nothing confirms it"
    return Ruling(_unconfirmed(quote, join_notes(against, flaw), rivals))


def _is_proven(case: Case, votes: Votes, quote: Quote, stored: Quote) -> bool:
    age, trusted = case.now - votes.claims[quote.provider].since, case.trusted
    if age >= TRUST_SECONDS:
        return True
    if trusted is not None:
        is_of_fallback = case.rank(quote.provider) > case.rank(trusted.provider)
        if is_of_fallback or may_be_unit_error(float(quote.price / trusted.price)):
            return False
    if case.asset.type is AssetType.CRYPTO:
        return age >= COIN_TRUST_SECONDS
    close = previous_close(quote)
    return close is not None and is_next_session(quote, stored) and not is_jump(close, stored.price)


def _rescaled(case: Case, votes: Votes, quote: Quote) -> Ruling | None:
    """The previous close of the answer is on another scale, as after a split. A wrong unit has the same effect."""
    trusted = case.trusted
    factor = 0.0 if trusted is None else scale_change(case.asset, quote, trusted)
    if trusted is None or not factor or may_be_unit_error(factor) or votes.is_still_traded_at(trusted, quote):
        return None
    split = f"1:{factor:.4g}" if factor > 1 else f"{1 / factor:.4g}:1"
    why = f"its previous close {previous_close(quote):.6g} against {trusted.price} suggests a split of {split}"
    return Ruling(_unconfirmed(quote, why, votes.rivals(quote)))


def _lasted(case: Case, votes: Votes, quote: Quote) -> Ruling | None:
    """The dispute ends in favor of the first provider in the order that has a vote."""
    rivals = votes.rivals(quote)
    flaw = find_contradiction(quote)
    if not votes.is_first(quote) or (rivals and flaw):
        return None
    claim = votes.claims[quote.provider]
    if not has_lasted(case.asset, claim, market_time(quote, case.now), case.now):
        return None
    move = describe_move(quote.price, case.trusted, case.now) if case.trusted else ""
    return Ruling(_unconfirmed(quote, join_notes(move, flaw), rivals))


_RULES: Sequence[Callable[[Case, Votes, Quote], Ruling | None]] = (
    _first,
    _continued,
    _explained,
    _still_unconfirmed,
    _lasted,
    _rescaled,
)


def _noted(quote: Quote, note: str) -> Quote:
    return replace(quote, note=join_notes(quote.note, note))


def _unconfirmed(quote: Quote, reason: str, rivals: Mapping[str, Decimal]) -> Quote:
    others = ", ".join(f"{name} states {price.normalize():f}" for name, price in rivals.items())
    note = join_notes(quote.note, f"unconfirmed: {reason}", others)
    return replace(quote, quality=Quality.UNCONFIRMED, note=note)
