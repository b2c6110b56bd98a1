"""Checks one quote by itself and converts it to the unit that is stored. Pure; docs/data-quality.md has the table.

A reason begins with its class: `price`, `currency`, `future` or `stale`. Whether a quote agrees with the stored one and
with other providers is decided in `quote_decision`.
"""

import json
from dataclasses import replace
from decimal import Decimal

from financehub_shared.core.kinds import KINDS, AssetType
from financehub_shared.core.models import PAYLOAD_LIMIT, Asset, Quality, Quarantined, Quote, QuoteEvidence
from financehub_shared.core.units import to_major_unit

#: Bitcoin in rials is 10^16 and the cheapest listed coin about 10^-12 USD; values such as 1e308 are out of range.
PRICE_RANGE = (Decimal("1e-18"), Decimal("1e18"))
#: A larger change in percent was computed from a damaged earlier price, such as Yahoo's values near 0 for `^VIX`.
CHANGE_MAX = Decimal(1_000_000)
#: Volumes and changes are 0 or of a size between these. A coin at the lowest price with a turnover of 10^12 USD has the
#: volume 10^30, and a change from the lowest to the highest price is 10^38 %.
FIGURE_RANGE = (Decimal("1e-38"), Decimal("1e38"))
#: Clocks differ by seconds; a difference of an hour indicates a wrong time zone.
FUTURE_SECONDS = 300.0
#: A price this much older than the stored one is an outdated copy; feeds are delayed by up to 20 minutes.
BACKWARDS_SECONDS = 3_600.0


def check_quote(asset: Asset, quote: Quote, trusted: Quote | None, now: float) -> Quote | Quarantined:
    """Check a quote without comparing its price with other prices.

    Args:
        asset: The asset; the quote must be in its currency.
        quote: The quote as delivered; `currency` may be a minor unit.
        trusted: The last quote of the asset that is not unconfirmed. None if there is none.
        now: Unix seconds.

    Returns:
        The quote in the major unit of the asset's currency, or the quarantine record.
    """
    expected, _ = to_major_unit(asset.currency)
    reason = (
        _price_problem(quote.price)
        or _currency_problem(quote.currency, expected)
        or _time_problem(asset, quote, trusted, now)
    )
    if reason:
        return quarantine_quote(quote, reason, now)
    quote = _drop_wrong_figures(_in_major_unit(quote))
    return quarantine_quote(quote, NO_TRADE, now) if _is_timeless(asset, quote) else quote


def _price_problem(price: Decimal) -> str:
    if not price.is_finite():
        return f"price: {price} is not a number"
    if price <= 0:
        return f"price: {price} is not positive"
    if not PRICE_RANGE[0] <= price <= PRICE_RANGE[1]:
        return f"price: {price:.3E} is outside the plausible range"
    return ""


def _currency_problem(currency: str, expected: str) -> str:
    found, _ = to_major_unit(currency)
    remedy = f"if {found} is right, set it as the currency of the asset"
    return "" if found == expected else f"currency: {currency} instead of {expected}; {remedy}"


def _time_problem(asset: Asset, quote: Quote, trusted: Quote | None, now: float) -> str:
    made = quote.upstream_at
    if made is None:
        return ""
    if not made <= now + FUTURE_SECONDS:
        return f"future: {made - now:.0f} s ahead of our clock"
    if trusted is not None and trusted.upstream_at is not None:
        # a stored time in the future comes from a wrong clock and must not block later quotes
        behind = min(trusted.upstream_at, now) - made
        if behind > BACKWARDS_SECONDS:
            return f"stale: {behind / 3600:.1f} h older than the stored quote"
    limit, age = _age(asset, made, now)
    return f"stale: {(now - made) / 3600:.1f} h old" if age > limit else ""


def _age(asset: Asset, made: float, now: float) -> tuple[float, float]:
    """Return (limit, age) in seconds. Only the market hours of the asset's kind (`KINDS`) count."""
    hours = KINDS[asset.kind].hours
    return hours.stale_seconds(abroad=asset.is_abroad), hours.open_seconds(made, now)


#: The reason for rejecting a price from a market without trading. Its age is unknown even if the upstream has a time.
NO_TRADE = "stale: no trade in 24 h, no bid and no ask"


def _is_timeless(asset: Asset, quote: Quote) -> bool:
    """Whether a coin's price is of unknown age, because there was no trade in 24 h and there is no bid or ask."""
    if asset.type is not AssetType.CRYPTO:
        return False
    evidence = quote.evidence
    traded = quote.volume if evidence.trades is None else evidence.trades
    return traded == 0 and not evidence.bid and not evidence.ask


def _in_major_unit(quote: Quote) -> Quote:
    currency, per_unit = to_major_unit(quote.currency)
    if per_unit == 1:
        return quote
    note = join_notes(quote.note, f"unit: {quote.currency} to {currency}")
    evidence = _divided(quote.evidence, per_unit)
    price = quote.price / per_unit
    return replace(quote, price=price, currency=currency, quality=Quality.CORRECTED, note=note, evidence=evidence)


def _divided(evidence: QuoteEvidence, per_unit: int) -> QuoteEvidence:
    def divide(price: Decimal | None) -> Decimal | None:
        return price / per_unit if price is not None and price.is_finite() else None

    return replace(
        evidence,
        previous_close=divide(evidence.previous_close),
        low=divide(evidence.low),
        high=divide(evidence.high),
        bid=divide(evidence.bid),
        ask=divide(evidence.ask),
    )


def _drop_wrong_figures(quote: Quote) -> Quote:
    """Remove an impossible volume or change from the quote and note it; the price is valid without them."""
    dropped = []
    volume, change = quote.volume, quote.change_percent
    if volume is not None and not (_is_plausible(volume) and volume >= 0):
        dropped.append(f"volume {volume}")
        volume = None
    if change is not None and not (_is_plausible(change) and -100 < change <= CHANGE_MAX):
        dropped.append(f"change {change} %")
        change = None
    if not dropped:
        return quote
    note = join_notes(quote.note, f"dropped: {', '.join(dropped)}")
    return replace(quote, volume=volume, change_percent=change, quality=Quality.CORRECTED, note=note)


def _is_plausible(figure: Decimal) -> bool:
    return figure.is_finite() and (not figure or FIGURE_RANGE[0] <= abs(figure) <= FIGURE_RANGE[1])


def join_notes(*parts: str) -> str:
    """Return the notes that are not empty, separated by semicolons."""
    return "; ".join(part for part in parts if part)


def quarantine_quote(quote: Quote, reason: str, now: float) -> Quarantined:
    """Return the quarantine record of a quote, with the delivered values and the evidence.

    Args:
        quote: The rejected quote.
        reason: Class of the reason, a colon and the detail.
        now: Unix seconds.
    """
    evidence = quote.evidence
    payload = {
        "price": str(quote.price),
        "currency": quote.currency,
        "upstream_at": quote.upstream_at,
        "change_percent": _text(quote.change_percent),
        "volume": _text(quote.volume),
        "previous_close": _text(evidence.previous_close),
        "low": _text(evidence.low),
        "high": _text(evidence.high),
        "bid": _text(evidence.bid),
        "ask": _text(evidence.ask),
        "trades": evidence.trades,
        "note": quote.note,
    }
    delivered = {name: value for name, value in payload.items() if value not in {None, ""}}
    text = json.dumps(delivered, ensure_ascii=False)[:PAYLOAD_LIMIT]
    return Quarantined("quote", quote.symbol, quote.provider, reason, text, now)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
