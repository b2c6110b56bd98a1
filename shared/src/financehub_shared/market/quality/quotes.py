"""Validates quotes: a quote is stored as delivered, corrected, or quarantined. Pure; ADR 0021 explains the limits.

A reason begins with its class: `price`, `currency`, `future`, `stale` or `jump`. A second provider can confirm a jump
(see `providers.failover`), but no other reason.
"""

import json
import math
from dataclasses import replace
from decimal import Decimal

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import PAYLOAD_LIMIT, Asset, Quality, Quarantined, Quote, is_simulated
from financehub_shared.core.units import to_major_unit

#: Bitcoin in rials is 10^16 and the cheapest listed coin about 10^-12 USD; values such as 1e308 are out of range.
PRICE_RANGE = (Decimal("1e-18"), Decimal("1e18"))
#: A larger change between two polls is an error, a split, or so rare that a second provider must confirm it.
JUMP_LIMIT = 0.40
#: If two prices differ by at most this after one is scaled by 100, the cause is a wrong unit.
UNIT_TOLERANCE = 0.20
#: The same limit for splits, whose check compares the upstream's previous close with the stored price.
SPLIT_TOLERANCE = 0.05
SPLITS = (1.25, 4 / 3, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)
#: Smallest price step of stocks below one unit; one or two steps, up to 100 % of a penny stock's price, are not a jump.
PENNY_STEP = Decimal("0.0001")
#: Clocks differ by seconds; a difference of an hour indicates a wrong time zone.
FUTURE_SECONDS = 300.0
#: One hour, because crypto trades around the clock.
STALE_CRYPTO_SECONDS = 3_600.0
#: Hours from Monday to Friday without a new price: in the US, a holiday plus a fund's late net asset value take 54;
#: the golden weeks in Asia take 163.
STALE_US_WEEKDAY_HOURS = 60.0
STALE_WEEKDAY_HOURS = 192.0
#: A price this much older than the stored one is an outdated copy; feeds are delayed by up to 20 minutes.
BACKWARDS_SECONDS = 3_600.0
_DAY = float(DAY_SECONDS)
_EPOCH_MONDAY = 4 * _DAY


def validate_quote(asset: Asset, quote: Quote, previous: Quote | None, now: float) -> Quote | Quarantined:
    """Check one quote.

    Args:
        asset: The asset; the quote must be in its currency.
        quote: The quote as delivered; `currency` may be a minor unit.
        previous: The last stored quote; None for the first one.
        now: Unix seconds.

    Returns:
        The quote to store, in the major unit of the asset's currency, or the quarantine record.
    """
    expected, _ = to_major_unit(asset.currency)
    if previous is not None and is_simulated(previous.provider) != is_simulated(quote.provider):
        previous = None  # simulated prices are unrelated to market prices
    reason = (
        _price_problem(quote.price)
        or _currency_problem(quote.currency, expected)
        or _time_problem(asset, quote, previous, now)
    )
    if reason:
        return _quarantined(quote, reason, now)
    quote = _drop_wrong_figures(_in_major_unit(quote))
    if previous is None or not previous.price or to_major_unit(previous.currency)[0] != expected:
        return quote
    return _check_change(asset, quote, previous, now)


def _price_problem(price: Decimal) -> str:
    if not price.is_finite():
        return f"price: {price} is not a number"
    if price <= 0:
        return f"price: {price} is not positive"
    if not PRICE_RANGE[0] <= price <= PRICE_RANGE[1]:
        return f"price: {price:.3E} is outside the plausible range"
    return ""


def _currency_problem(currency: str, expected: str) -> str:
    return "" if to_major_unit(currency)[0] == expected else f"currency: {currency} instead of {expected}"


def _time_problem(asset: Asset, quote: Quote, previous: Quote | None, now: float) -> str:
    made = quote.upstream_at
    if made is None:
        return ""
    if not made <= now + FUTURE_SECONDS:
        return f"future: {made - now:.0f} s ahead of our clock"
    if previous is not None and previous.upstream_at is not None:
        # a stored time in the future comes from a wrong clock and must not block later quotes
        behind = min(previous.upstream_at, now) - made
        if behind > BACKWARDS_SECONDS:
            return f"stale: {behind / 3600:.1f} h older than the stored quote"
    limit, age = _age(asset, made, now)
    return f"stale: {(now - made) / 3600:.1f} h old" if age > limit else ""


def _age(asset: Asset, made: float, now: float) -> tuple[float, float]:
    """Return (limit, age) in seconds; only weekdays count for instruments that are traded on an exchange."""
    if asset.type is AssetType.CRYPTO:
        return STALE_CRYPTO_SECONDS, now - made
    abroad = "." in asset.symbol or asset.symbol.startswith("^")
    hours = STALE_WEEKDAY_HOURS if abroad else STALE_US_WEEKDAY_HOURS
    return hours * 3600, weekday_seconds(made, now)


def weekday_seconds(start: float, end: float) -> float:
    """Return how many of the seconds between two Unix times are on Monday to Friday (UTC)."""

    def since_epoch(at: float) -> float:
        weeks, into = divmod(at - _EPOCH_MONDAY, 7 * _DAY)
        return weeks * 5 * _DAY + min(into, 5 * _DAY)

    return since_epoch(end) - since_epoch(start)


def _in_major_unit(quote: Quote) -> Quote:
    currency, per_unit = to_major_unit(quote.currency)
    if per_unit == 1:
        return quote
    note = "; ".join(part for part in (quote.note, f"unit: {quote.currency} to {currency}") if part)
    return replace(quote, price=quote.price / per_unit, currency=currency, quality=Quality.CORRECTED, note=note)


def _drop_wrong_figures(quote: Quote) -> Quote:
    """Remove an impossible volume or change from the quote and note it; the price is valid without them."""
    dropped = []
    volume, change = quote.volume, quote.change_percent
    if volume is not None and not (volume.is_finite() and volume >= 0):
        dropped.append(f"volume {volume}")
        volume = None
    if change is not None and not (change.is_finite() and change > -100):
        dropped.append(f"change {change} %")
        change = None
    if not dropped:
        return quote
    note = "; ".join(part for part in (quote.note, f"dropped: {', '.join(dropped)}") if part)
    return replace(quote, volume=volume, change_percent=change, quality=Quality.CORRECTED, note=note)


def _check_change(asset: Asset, quote: Quote, previous: Quote, now: float) -> Quote | Quarantined:
    ratio = float(quote.price / previous.price)
    since = previous.fetched_at if previous.upstream_at is None else min(previous.upstream_at, previous.fetched_at)
    if abs(math.log(ratio)) <= jump_limit(now - since) or _is_penny_step(asset, quote, previous):
        return quote
    percent = f"{(ratio - 1) * 100:+.4g} % against {previous.price} ({(now - since) / 3600:.1f} h earlier)"
    # Either of the two may be in the wrong unit; a correction here could keep a wrong stored price forever.
    if _is_near(ratio, 100, UNIT_TOLERANCE):
        return _quarantined(quote, f"jump: ×100, {percent}", now)
    if _is_near(ratio, 0.01, UNIT_TOLERANCE):
        return _quarantined(quote, f"jump: ÷100, {percent}", now)
    split = _split(asset, quote, previous)
    if split:
        note = "; ".join(part for part in (quote.note, f"split: {percent} matches a split of {split:.4g}") if part)
        return replace(quote, note=note)
    return _quarantined(quote, f"jump: {percent}", now)


def jump_limit(seconds: float) -> float:
    """Return the largest |ln(price ÷ previous price)| that is accepted after `seconds`.

    Prices spread with the square root of time, so a price that is days old no longer blocks the current one.
    """
    return math.log1p(JUMP_LIMIT) * math.sqrt(max(1.0, seconds / _DAY))


def _is_penny_step(asset: Asset, quote: Quote, previous: Quote) -> bool:
    return asset.type is AssetType.STOCK and abs(quote.price - previous.price) <= 2 * PENNY_STEP


def _is_near(ratio: float, factor: float, tolerance: float) -> bool:
    return 1 / (1 + tolerance) <= ratio / factor <= 1 + tolerance


def _split(asset: Asset, quote: Quote, previous: Quote) -> float:
    """Return new shares per old share if the upstream's previous close is the stored price after a split, else 0."""
    if (
        asset.type is not AssetType.STOCK
        or quote.change_percent is None
        or abs(quote.change_percent) > 100 * JUMP_LIMIT
    ):
        return 0
    previous_close = float(quote.price) / (1 + float(quote.change_percent) / 100)
    shares = float(previous.price) / previous_close
    for factor in SPLITS:
        for candidate in (factor, 1 / factor):
            if _is_near(shares, candidate, SPLIT_TOLERANCE):
                return candidate
    return 0


def _quarantined(quote: Quote, reason: str, now: float) -> Quarantined:
    payload = {
        "price": str(quote.price),
        "currency": quote.currency,
        "upstream_at": quote.upstream_at,
        "change_percent": None if quote.change_percent is None else str(quote.change_percent),
        "volume": None if quote.volume is None else str(quote.volume),
        "note": quote.note,
    }
    text = json.dumps(payload, ensure_ascii=False)[:PAYLOAD_LIMIT]
    return Quarantined("quote", quote.symbol, quote.provider, reason, text, now)
