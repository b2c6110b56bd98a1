"""Compares two prices of one asset, and reads the evidence of an answer about the move between them. Pure.

Ratios are compared as logarithms, so every limit holds in both directions: what can be accepted can also be undone.
"""

import math
from decimal import Decimal

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS
from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset, Quote
from financehub_shared.market.quality.quotes import PRICE_RANGE

#: The jump limit: a fall by more than 40 % within a day, or a rise by more than the 66.7 % that undo such a fall, is an
#: error or so rare that it needs evidence.
JUMP_FALL = 0.40
_JUMP = -math.log1p(-JUMP_FALL)
#: Two providers agree if their prices differ by at most 20 %: one may lag in a crash, and errors differ by far more.
AGREEMENT = 0.20
#: A ratio this close to 100 or 1,000, or to 1/100 or 1/1,000, may be a wrong unit (pence, cents, fils).
UNIT_TOLERANCE = 0.10
_UNIT_LOGS = (math.log(100), math.log(1_000))
#: An answer alone does not explain a larger move within one session: a bad tick also widens the range of the day.
EXPLAINED_FACTOR = 10.0
#: Prices of one answer are rounded, and fields of one answer are seconds apart.
FIELD_TOLERANCE = 0.05
#: Smallest price step of stocks below one unit; one or two steps, up to 100 % of a penny stock's price, are not a jump.
PENNY_STEP = Decimal("0.0001")
#: Two prices this far apart are of different sessions. Sessions take up to 8.5 hours, and 15.5 hours separate them.
SESSION_GAP_SECONDS = 12.0 * HOUR_SECONDS
#: A bid and an ask that are further apart do not show where the market is.
TIGHT_SPREAD = 0.10
#: Kinds that can be split.
_WITH_SPLITS = frozenset({AssetKind.EQUITY, AssetKind.FUND})
#: Kinds whose range belongs to one session. Currencies and futures are traded across the change of the day.
_WITH_SESSIONS = frozenset({AssetKind.EQUITY, AssetKind.FUND, AssetKind.INDEX})


def log_ratio(price: Decimal, other: Decimal) -> float:
    """Return the natural logarithm of the ratio of two positive prices."""
    return math.log(price / other)


def jump_limit(seconds: float) -> float:
    """Return the largest |ln(price ÷ earlier price)| that needs no evidence.

    Prices spread with the square root of time, so a price that is days old does not block the current one.

    Args:
        seconds: Age of the earlier price. Within a day, the limit is `JUMP_FALL`.
    """
    return _JUMP * math.sqrt(max(1.0, seconds / DAY_SECONDS))


def is_jump(price: Decimal, earlier: Decimal, seconds: float = 0.0) -> bool:
    """Whether a price is beyond the jump limit of one that is `seconds` older."""
    return abs(log_ratio(price, earlier)) > jump_limit(seconds)


def quote_age(quote: Quote, now: float) -> float:
    """Return the seconds since the price of a quote was made, or since its fetch if the upstream's time is later."""
    return now - (quote.fetched_at if quote.upstream_at is None else min(quote.upstream_at, quote.fetched_at))


def differs(asset: Asset, price: Decimal, other: Decimal, seconds: float = 0.0) -> bool:
    """Whether two prices of an asset are beyond the jump limit.

    Args:
        asset: The asset.
        price: The first price.
        other: The second price.
        seconds: Time between the two prices.
    """
    return is_jump(price, other, seconds) and not _are_penny_steps(asset, price, other)


def agree(asset: Asset, price: Decimal, other: Decimal) -> bool:
    """Whether two providers' prices of an asset are the same price."""
    return abs(log_ratio(price, other)) <= math.log1p(AGREEMENT) or _are_penny_steps(asset, price, other)


def _are_penny_steps(asset: Asset, price: Decimal, other: Decimal) -> bool:
    return asset.type is AssetType.STOCK and abs(price - other) <= 2 * PENNY_STEP


def jumps_from(asset: Asset, quote: Quote, earlier: Quote, now: float) -> bool:
    """Whether a quote is beyond the jump limit of an earlier one."""
    return differs(asset, quote.price, earlier.price, quote_age(earlier, now))


def is_next_session(quote: Quote, earlier: Quote) -> bool:
    """Whether the upstream's times show that a price is from a later session than an earlier one."""
    passed = _market_seconds(quote, earlier)
    return passed is not None and passed >= SESSION_GAP_SECONDS


def _market_seconds(quote: Quote, earlier: Quote) -> float | None:
    """Return the seconds between two prices according to the upstreams. None if one of them reports no time."""
    if quote.upstream_at is None or earlier.upstream_at is None:
        return None
    return quote.upstream_at - earlier.upstream_at


def describe_move(price: Decimal, earlier: Quote, now: float) -> str:
    """Return the move and its limit, such as `-60 % against 1.02 (0.1 h earlier; the limit is -40 % or +66.7 %)`."""
    age = quote_age(earlier, now)
    fall, rise = math.expm1(-jump_limit(age)) * 100, math.expm1(jump_limit(age)) * 100
    percent = (float(price / earlier.price) - 1) * 100
    limits = f"the limit is {fall:.3g} % or {rise:+.3g} %"
    return f"{percent:+.4g} % against {earlier.price} ({age / HOUR_SECONDS:.1f} h earlier; {limits})"


def may_be_unit_error(ratio: float) -> bool:
    """Whether a ratio of two prices may come from a wrong unit."""
    distance = abs(math.log(ratio))
    return any(abs(distance - unit) <= math.log1p(UNIT_TOLERANCE) for unit in _UNIT_LOGS)


def previous_close(quote: Quote) -> Decimal | None:
    """Return the previous close that the answer states, or else the one that its change implies."""
    stated = _price(quote.evidence.previous_close)
    if stated is not None or quote.change_percent is None or quote.change_percent <= -100:
        return stated
    return _price(quote.price / (1 + quote.change_percent / 100))


def explain_move(asset: Asset, quote: Quote, earlier: Quote, now: float) -> str:
    """Return how the answer itself shows that the market moved from an earlier quote to this one. Empty if it does not.

    The range of the session must contain the new price. The earlier price must be in the range too, or be the previous
    close if it is from an earlier session. A coin trades around the clock, so a price of the last 24 hours must be in
    its range.
    """
    low, high = _range(quote)
    if low is None or high is None or not _contains(low, high, quote.price) or find_contradiction(quote):
        return ""
    if abs(log_ratio(quote.price, earlier.price)) > math.log(EXPLAINED_FACTOR):
        return ""
    if _contains(low, high, earlier.price):
        return f"the range {low} to {high} of the same answer contains both prices"
    age, close = quote_age(earlier, now), previous_close(quote)
    if _is_in_range_of(asset, quote, earlier, age) or close is None or is_jump(close, earlier.price, age):
        return ""
    return f"the same answer states a previous close of {close} and a range of {low} to {high}"


def _is_in_range_of(asset: Asset, quote: Quote, earlier: Quote, age: float) -> bool:
    """Whether an earlier price is of the period to which the range of a quote belongs."""
    if asset.type is AssetType.CRYPTO:
        return age < DAY_SECONDS
    passed = _market_seconds(quote, earlier)
    return asset.kind in _WITH_SESSIONS and passed is not None and passed < SESSION_GAP_SECONDS


def find_contradiction(quote: Quote) -> str:
    """Return how the answer contradicts its own price, by more than the jump limit. Empty if it does not."""
    low, high = _range(quote)
    if low is not None and high is not None:
        nearest = min(max(quote.price, low), high)
        if is_jump(quote.price, nearest):
            return f"{quote.price} is outside of its own range {low} to {high}"
    close = _price(quote.evidence.previous_close)
    if close is not None and abs(log_ratio(quote.price, close)) > math.log(EXPLAINED_FACTOR):
        return f"{quote.price} contradicts its own previous close {close}"
    bid, ask = _price(quote.evidence.bid), _price(quote.evidence.ask)
    is_open = quote.evidence.market_state in {"", "REGULAR"}
    if is_open and bid is not None and ask is not None and 0 <= log_ratio(ask, bid) <= math.log1p(TIGHT_SPREAD):
        nearest = min(max(quote.price, bid), ask)
        if is_jump(quote.price, nearest):
            return f"{quote.price} is far from its own bid {bid} and ask {ask}"
    return ""


def scale_change(asset: Asset, quote: Quote, earlier: Quote) -> float:
    """Return the factor by which prices became larger, if the answer's own previous close is on another scale.

    Any ratio is possible: a 1-for-150 reverse split yields about 150. Returns 0 if the answer shows no such change. A
    split takes effect between two sessions, so a price of the same session cannot be on another scale.
    """
    close = previous_close(quote)
    if asset.kind not in _WITH_SPLITS or close is None or find_contradiction(quote):
        return 0.0
    passed = _market_seconds(quote, earlier)
    if passed is not None and passed < SESSION_GAP_SECONDS:
        return 0.0
    low, high = _range(quote)
    moved_after = is_jump(quote.price, close) and (low is None or high is None or not _contains(low, high, quote.price))
    return 0.0 if moved_after or not is_jump(close, earlier.price) else float(close / earlier.price)


def _price(price: Decimal | None) -> Decimal | None:
    """Return a value of the evidence if it is a price. Some upstreams report 0 instead of nothing."""
    return price if price is not None and price.is_finite() and PRICE_RANGE[0] <= price <= PRICE_RANGE[1] else None


def _range(quote: Quote) -> tuple[Decimal | None, Decimal | None]:
    low, high = _price(quote.evidence.low), _price(quote.evidence.high)
    return (low, high) if low is not None and high is not None and low <= high else (None, None)


def _contains(low: Decimal, high: Decimal, price: Decimal) -> bool:
    return log_ratio(low, price) <= FIELD_TOLERANCE and log_ratio(price, high) <= FIELD_TOLERANCE
