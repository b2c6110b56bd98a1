"""Compares two prices of one asset: the jump limit, agreement, and the sessions between them. Pure.

Ratios are compared as logarithms, so every limit holds in both directions: a move that is accepted can also be undone.
"""

import math
from decimal import Decimal

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS, WEEK_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quote

#: The jump limit: a fall by more than 40 % within a day, or a rise by more than the 66.7 % that undo such a fall, is
#: either an error or so rare that it needs evidence.
JUMP_FALL = 0.40
_JUMP = -math.log1p(-JUMP_FALL)
#: Two providers agree if their prices differ by at most 20 %: one may lag in a crash, and errors differ by far more.
AGREEMENT = 0.20
#: A ratio this close to 100 or 1,000, or to 1/100 or 1/1,000, may be a wrong unit (pence, cents, fils).
UNIT_TOLERANCE = 0.10
_UNIT_LOGS = (math.log(100), math.log(1_000))
#: Smallest price step of stocks below one unit; one or two steps are not a jump.
PENNY_STEP = Decimal("0.0001")
#: Two prices this far apart in time are from different sessions. Sessions take up to 8.5 hours, and 15.5 hours separate
#: them.
SESSION_GAP_SECONDS = 12.0 * HOUR_SECONDS


def log_ratio(price: Decimal, other: Decimal) -> float:
    """Return the natural logarithm of the ratio of two positive prices."""
    return math.log(price / other)


def jump_limit(seconds: float) -> float:
    """Return the largest |ln(price ÷ earlier price)| that needs no evidence.

    Prices spread with the square root of time, so a price that is days old does not block the current one. The growth
    ends after a week. Otherwise, a wrong unit would be within the limit of a price that is three months old.

    Args:
        seconds: Age of the earlier price. Within a day, the limit is `JUMP_FALL`.
    """
    return _JUMP * math.sqrt(max(1.0, min(seconds, WEEK_SECONDS) / DAY_SECONDS))


def is_jump(price: Decimal, earlier: Decimal, seconds: float = 0.0) -> bool:
    """Whether a price is beyond the jump limit of an earlier price that is `seconds` older."""
    return abs(log_ratio(price, earlier)) > jump_limit(seconds)


def quote_age(quote: Quote, now: float) -> float:
    """Return the age of a quote in seconds, from the earlier of the upstream's time and the fetch time."""
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
    """Whether the prices of two providers agree within `AGREEMENT`, or within two price steps of a stock."""
    return abs(log_ratio(price, other)) <= math.log1p(AGREEMENT) or _are_penny_steps(asset, price, other)


def _are_penny_steps(asset: Asset, price: Decimal, other: Decimal) -> bool:
    return asset.type is AssetType.STOCK and abs(price - other) <= 2 * PENNY_STEP


def jumps_from(asset: Asset, quote: Quote, earlier: Quote, now: float) -> bool:
    """Whether a quote is beyond the jump limit of an earlier one."""
    return differs(asset, quote.price, earlier.price, quote_age(earlier, now))


def is_next_session(quote: Quote, earlier: Quote) -> bool:
    """Whether the upstream's times show that a price is from a later session than an earlier one."""
    passed = market_seconds(quote, earlier)
    return passed is not None and passed >= SESSION_GAP_SECONDS


def market_seconds(quote: Quote, earlier: Quote) -> float | None:
    """Return the seconds between two prices according to the upstreams. None if either upstream reports no time."""
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
