"""Reads the evidence in an answer: whether it contradicts the answer's price, and how it explains a move. Pure."""

import math
from decimal import Decimal

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset, Quote
from financehub_shared.market.quality.quote_moves import (
    SESSION_GAP_SECONDS,
    is_jump,
    log_ratio,
    market_seconds,
    quote_age,
)
from financehub_shared.market.quality.quotes import PRICE_RANGE

#: An answer alone cannot explain a move by a larger factor within one session: a bad tick also widens the day's range.
EXPLAINED_FACTOR = 10.0
#: No split and no unit explains a previous close that differs by a larger factor. If a narrow range agrees with the
#: price, that previous close is damaged. Yahoo reported values near 0 for `^VIX` and `^RUT` (yfinance #2704).
DAMAGED_CLOSE_FACTOR = 10_000.0
#: Relative tolerance between fields of one answer, which are rounded and can be seconds apart.
FIELD_TOLERANCE = 0.05
#: A bid and an ask with a larger relative distance do not show where the market is.
TIGHT_SPREAD = 0.10
#: Kinds that can be split.
_WITH_SPLITS = frozenset({AssetKind.EQUITY, AssetKind.FUND})
#: Kinds whose range belongs to one session. Currencies and futures are traded across the change of the day.
_WITH_SESSIONS = frozenset({AssetKind.EQUITY, AssetKind.FUND, AssetKind.INDEX})


def previous_close(quote: Quote) -> Decimal | None:
    """Return the previous close that the answer states, or else the previous close that its change implies."""
    stated = _price(quote.evidence.previous_close)
    if stated is not None or quote.change_percent is None or quote.change_percent <= -100:
        return stated
    return _price(quote.price * 100 / (100 + quote.change_percent))  # not 1 + change / 100, which may be rounded to 0


def explain_move(asset: Asset, quote: Quote, earlier: Quote, now: float) -> str:
    """Return how the answer itself shows that the market moved from an earlier quote to this quote. Empty otherwise.

    The range of the session must contain the new price. The earlier price must also be in the range, or equal the
    previous close if it is from an earlier session. A coin trades around the clock, so an earlier price from the last
    24 hours must be in its range.
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
    """Whether an earlier price is from the period that the range of a quote covers. `age` is in seconds."""
    if asset.type is AssetType.CRYPTO:
        return age < DAY_SECONDS
    passed = market_seconds(quote, earlier)
    return asset.kind in _WITH_SESSIONS and passed is not None and passed < SESSION_GAP_SECONDS


def find_contradiction(quote: Quote) -> str:
    """Return how the answer contradicts its own price beyond the limits of this module. Empty if it does not."""
    low, high = _range(quote)
    if low is not None and high is not None:
        nearest = min(max(quote.price, low), high)
        if is_jump(quote.price, nearest):
            return f"{quote.price} is outside of its own range {low} to {high}"
    close = _price(quote.evidence.previous_close)
    is_supported = low is not None and high is not None and not is_jump(high, low)
    limit = math.log(DAMAGED_CLOSE_FACTOR) if is_supported else math.inf
    if close is not None and math.log(EXPLAINED_FACTOR) < abs(log_ratio(quote.price, close)) <= limit:
        return f"{quote.price} contradicts its own previous close {close}"
    bid, ask = _price(quote.evidence.bid), _price(quote.evidence.ask)
    is_open = quote.evidence.market_state in {"", "REGULAR"}
    if is_open and bid is not None and ask is not None and 0 <= log_ratio(ask, bid) <= math.log1p(TIGHT_SPREAD):
        nearest = min(max(quote.price, bid), ask)
        if is_jump(quote.price, nearest):
            return f"{quote.price} is far from its own bid {bid} and ask {ask}"
    return ""


def scale_change(asset: Asset, quote: Quote, earlier: Quote) -> float:
    """Return the factor by which prices increased if the answer's own previous close is on another scale, otherwise 0.

    Any factor is possible: a 1-for-150 reverse split yields about 150. A split takes effect between two sessions, so a
    price of the same session cannot be on another scale.
    """
    close = previous_close(quote)
    if asset.kind not in _WITH_SPLITS or close is None or find_contradiction(quote):
        return 0.0
    passed = market_seconds(quote, earlier)
    if passed is not None and passed < SESSION_GAP_SECONDS:
        return 0.0
    low, high = _range(quote)
    moved_after = is_jump(quote.price, close) and (low is None or high is None or not _contains(low, high, quote.price))
    return 0.0 if moved_after or not is_jump(close, earlier.price) else float(close / earlier.price)


def _price(price: Decimal | None) -> Decimal | None:
    """Return a value of the evidence if it is a price, otherwise None. Some upstreams report 0 for an unknown price."""
    return price if price is not None and price.is_finite() and PRICE_RANGE[0] <= price <= PRICE_RANGE[1] else None


def _range(quote: Quote) -> tuple[Decimal | None, Decimal | None]:
    low, high = _price(quote.evidence.low), _price(quote.evidence.high)
    return (low, high) if low is not None and high is not None and low <= high else (None, None)


def _contains(low: Decimal, high: Decimal, price: Decimal) -> bool:
    return log_ratio(low, price) <= FIELD_TOLERANCE and log_ratio(price, high) <= FIELD_TOLERANCE
