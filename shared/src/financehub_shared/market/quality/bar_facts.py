"""Finds out the current price of an asset, which tells the right scale of its bars. Pure."""

import math

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Asset, BarAnswer, Bars, Quality, Quote, is_simulated
from financehub_shared.core.units import to_major_unit
from financehub_shared.market.quality.bar_check import CurrentPrice
from financehub_shared.market.quality.bar_moves import JUMP
from financehub_shared.market.quality.bar_sections import CUT
from financehub_shared.market.quality.bar_values import PRICE_RANGE

#: Clocks differ by seconds.
FUTURE_SECONDS = 300.0


def current_price(asset: Asset, answer: BarAnswer, quote: Quote | None, now: float) -> CurrentPrice | None:
    """Return the current price in the unit of the bars, or None if it is unknown.

    A price counts if it is not older than the day of the newest bar. So a quote that was refused, and left an older one
    in the store, cannot confirm the old scale. If the quote and the price in the answer contradict each other, neither
    counts, and neither do they if a split takes effect after the newest bar. A price in the answer that alone
    contradicts the newest bar does not count, because it may itself be the damaged element of the answer.

    Args:
        asset: The asset.
        answer: The answer with the bars.
        quote: The stored quote. None if there is none.
        now: Unix seconds.
    """
    bars = answer.bars
    if not len(bars) or any(day > bars.days[-1] for day in answer.splits):
        return None
    quoted = _quoted(asset, bars, quote, now)
    own = _fresh(answer.price, answer.price_at, bars, now)
    if quoted is not None and own is not None:
        is_agreed = abs(math.log(quoted / own)) <= JUMP
        return CurrentPrice(quoted, is_quoted=True, is_confirmed=True) if is_agreed else None
    if quoted is not None:
        return CurrentPrice(quoted, is_quoted=True, is_confirmed=False)
    if own is None or not bars.close[-1] > 0 or abs(math.log(own / bars.close[-1])) > CUT:
        return None
    return CurrentPrice(own, is_quoted=False, is_confirmed=False)


def _quoted(asset: Asset, bars: Bars, quote: Quote | None, now: float) -> float | None:
    if quote is None or not _is_usable(asset, bars.provider, quote):
        return None
    return _fresh(float(quote.price), quote.fetched_at if quote.upstream_at is None else quote.upstream_at, bars, now)


def _fresh(price: float | None, made: float | None, bars: Bars, now: float) -> float | None:
    """Return a price if it is one and not older than the day of the newest bar."""
    lowest, highest = PRICE_RANGE
    if price is None or made is None or not lowest <= price <= highest:
        return None
    return price if bars.days[-1] * DAY_SECONDS <= made <= now + FUTURE_SECONDS else None


def _is_usable(asset: Asset, provider: str, quote: Quote) -> bool:
    is_same_currency = to_major_unit(quote.currency) == to_major_unit(asset.currency)
    is_certain = quote.quality is not Quality.UNCONFIRMED and quote.price > 0
    return is_certain and is_same_currency and is_simulated(quote.provider) == is_simulated(provider)
