"""Whether a quote can be stored: as it is, mended, or not at all (quarantine). Pure; ADR 0021 has the limits' reasons.

A reason begins with its class: `price`, `currency`, `future`, `stale` or `jump`. A jump can be confirmed by a second
provider (see `failover`); the others cannot.
"""

import json
import math
from dataclasses import replace
from decimal import Decimal

from financehub_shared.core.models import PAYLOAD_LIMIT, Asset, AssetType, Quality, Quarantined, Quote, is_simulated
from financehub_shared.core.units import major

#: Bitcoin in rials is 10^16, the cheapest listed coin about 10^-12 USD; 1e308 and 1e-308 are outside.
PRICE_RANGE = (Decimal("1e-18"), Decimal("1e18"))
#: A change of more than this between two polls is an error, a split, or rare enough to want a second opinion.
JUMP_LIMIT = 0.40
#: A remaining difference of up to this, after a factor of 100 is taken out, makes the factor the cause.
UNIT_TOLERANCE = 0.20
#: As `UNIT_TOLERANCE`, for splits, where the upstream's previous close is compared with the stored price.
SPLIT_TOLERANCE = 0.05
SPLITS = (1.25, 4 / 3, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)
#: Smallest price step of stocks below one unit: one or two steps are 100 % of a penny stock and no jump.
PENNY_STEP = Decimal("0.0001")
#: Clocks differ; an hour's difference is a wrong zone.
FUTURE_SECONDS = 300.0
#: Crypto trades round the clock.
STALE_CRYPTO_SECONDS = 3_600.0
#: Monday-to-Friday hours without a price: in the US a holiday and a fund's late net asset value take 54,
#: the golden weeks of Asia 163.
STALE_US_WEEKDAY_HOURS = 60.0
STALE_WEEKDAY_HOURS = 192.0
#: An upstream whose price is this much older than the one we hold serves an old copy; feeds are delayed up to 20 min.
BACKWARDS_SECONDS = 3_600.0
_DAY = 86_400.0
_EPOCH_MONDAY = 4 * _DAY


def validate_quote(asset: Asset, quote: Quote, previous: Quote | None, now: float) -> Quote | Quarantined:
    """Judge one quote.

    Args:
        asset: whose quote it is; its currency is the one due.
        quote: as the adapter read it; `currency` may still be a minor unit.
        previous: the last stored quote; None for the first.
        now: Unix seconds.

    Returns:
        The quote to store, in the major unit of the asset's currency, or the record for the quarantine.
    """
    due, _ = major(asset.currency)
    if previous is not None and is_simulated(previous.provider) != is_simulated(quote.provider):
        previous = None  # the simulator's prices say nothing about the market's
    reason = (
        _price_problem(quote.price)
        or _currency_problem(quote.currency, due)
        or _time_problem(asset, quote, previous, now)
    )
    if reason:
        return _quarantined(quote, reason, now)
    quote = _drop_wrong_figures(_in_major_unit(quote))
    if previous is None or not previous.price or major(previous.currency)[0] != due:
        return quote
    return _judge_change(asset, quote, previous, now)


def _price_problem(price: Decimal) -> str:
    if not price.is_finite():
        return f"price: {price} is no number"
    if price <= 0:
        return f"price: {price} is not positive"
    if not PRICE_RANGE[0] <= price <= PRICE_RANGE[1]:
        return f"price: {price:.3E} is out of any range"
    return ""


def _currency_problem(currency: str, due: str) -> str:
    return "" if major(currency)[0] == due else f"currency: {currency} where {due} is due"


def _time_problem(asset: Asset, quote: Quote, previous: Quote | None, now: float) -> str:
    made = quote.upstream_at
    if made is None:
        return ""
    if not made <= now + FUTURE_SECONDS:
        return f"future: made {made - now:.0f} s ahead of our clock"
    if previous is not None and previous.upstream_at is not None:
        # a stored time in the future is a clock gone wrong, which must not lock out what follows
        behind = min(previous.upstream_at, now) - made
        if behind > BACKWARDS_SECONDS:
            return f"stale: made {behind / 3600:.1f} h before the stored one"
    limit, age = _age(asset, made, now)
    return f"stale: made {(now - made) / 3600:.1f} h ago" if age > limit else ""


def _age(asset: Asset, made: float, now: float) -> tuple[float, float]:
    """(limit, age) in seconds, of weekdays alone for what is traded on an exchange."""
    if asset.type is AssetType.CRYPTO:
        return STALE_CRYPTO_SECONDS, now - made
    abroad = "." in asset.symbol or asset.symbol.startswith("^")
    hours = STALE_WEEKDAY_HOURS if abroad else STALE_US_WEEKDAY_HOURS
    return hours * 3600, weekday_seconds(made, now)


def weekday_seconds(start: float, end: float) -> float:
    """Seconds between two Unix times that are on Monday to Friday, UTC."""

    def since_epoch(at: float) -> float:
        weeks, into = divmod(at - _EPOCH_MONDAY, 7 * _DAY)
        return weeks * 5 * _DAY + min(into, 5 * _DAY)

    return since_epoch(end) - since_epoch(start)


def _in_major_unit(quote: Quote) -> Quote:
    currency, per_unit = major(quote.currency)
    if per_unit == 1:
        return quote
    note = "; ".join(part for part in (quote.note, f"unit: {quote.currency} to {currency}") if part)
    return replace(quote, price=quote.price / per_unit, currency=currency, quality=Quality.MENDED, note=note)


def _drop_wrong_figures(quote: Quote) -> Quote:
    """The quote without a volume or change that cannot be; the note says so, the price stands on its own."""
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
    return replace(quote, volume=volume, change_percent=change, quality=Quality.MENDED, note=note)


def _judge_change(asset: Asset, quote: Quote, previous: Quote, now: float) -> Quote | Quarantined:
    ratio = float(quote.price / previous.price)
    since = previous.fetched_at if previous.upstream_at is None else min(previous.upstream_at, previous.fetched_at)
    if abs(math.log(ratio)) <= jump_limit(now - since) or _is_penny_step(asset, quote, previous):
        return quote
    percent = f"{(ratio - 1) * 100:+.4g} % against {previous.price} ({(now - since) / 3600:.1f} h before)"
    # Which of the two is in the wrong unit nobody can tell: mending here would keep a wrong stored price for ever.
    if _is_near(ratio, 100, UNIT_TOLERANCE):
        return _quarantined(quote, f"jump: ×100, {percent}", now)
    if _is_near(ratio, 0.01, UNIT_TOLERANCE):
        return _quarantined(quote, f"jump: ÷100, {percent}", now)
    split = _split(asset, quote, previous)
    if split:
        note = "; ".join(part for part in (quote.note, f"split: {percent} agrees with a split of {split:.4g}") if part)
        return replace(quote, note=note)
    return _quarantined(quote, f"jump: {percent}", now)


def jump_limit(seconds: float) -> float:
    """Largest |ln(price ÷ previous price)| that is believed after so many seconds.

    Prices spread with the square root of time, so a price that is days old stops to forbid the present one.
    """
    return math.log1p(JUMP_LIMIT) * math.sqrt(max(1.0, seconds / _DAY))


def _is_penny_step(asset: Asset, quote: Quote, previous: Quote) -> bool:
    return asset.type is AssetType.STOCK and abs(quote.price - previous.price) <= 2 * PENNY_STEP


def _is_near(ratio: float, factor: float, tolerance: float) -> bool:
    return 1 / (1 + tolerance) <= ratio / factor <= 1 + tolerance


def _split(asset: Asset, quote: Quote, previous: Quote) -> float:
    """New shares per old one, where the upstream's previous close is the stored price after a split; 0 where not."""
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
