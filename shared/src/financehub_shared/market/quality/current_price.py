"""Determines the current price of an asset, which shows the right scale of its bars. Pure."""

import math

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Asset, BarAnswer, Bars, Quality, Quote, is_simulated
from financehub_shared.core.units import to_major_unit
from financehub_shared.market.quality.bar_check import CurrentPrice
from financehub_shared.market.quality.bar_moves import CUT, JUMP
from financehub_shared.market.quality.bar_values import PRICE_RANGE, SPLIT_DAYS

#: Clocks differ by seconds, so a price may be this far ahead of our clock.
FUTURE_SECONDS = 300.0


def current_price(
    asset: Asset, answer: BarAnswer, quote: Quote | None, now: float, *, is_first: bool
) -> CurrentPrice | None:
    """Return the current price in the unit of the bars, or None if it is unknown.

    A price counts if it is not older than the day of the newest bar. So if newer quotes were refused, the older quote
    that is still stored cannot confirm the old scale. No price counts if a split takes effect after the newest bar.

    The price in the answer alone counts only for a first history, and only if it agrees with the newest bar. An
    upstream that reports its newest bars in a wrong unit reports this price in the same unit, so against stored bars it
    proves nothing. If it differs from the quote by more than any move of a day, only the quote counts, because the
    quote was checked. If the difference is a smaller jump, the quote counts if it is not older than the other price and
    there was no split recently. Otherwise the price may have moved in between, and neither counts.

    Args:
        asset: The asset.
        answer: The answer with the bars.
        quote: The stored quote. None if there is none.
        now: Unix seconds.
        is_first: Whether no bars are stored.
    """
    bars = answer.bars
    if not len(bars) or any(day > bars.days[-1] for day in answer.splits):
        return None
    quoted = _quoted(asset, bars, quote, now)
    own = _fresh(answer.price, answer.price_at, bars, now)
    if quote is not None and quoted is not None:
        distance = 0.0 if own is None else abs(math.log(quoted / own))
        is_split = any(day > bars.days[-1] - SPLIT_DAYS for day in answer.splits)
        if JUMP < distance <= CUT and (is_split or _made_at(quote) < (answer.price_at or 0.0)):
            return None
        return CurrentPrice(quoted, is_quoted=True, is_confirmed=own is not None and distance <= JUMP)
    if own is None or not is_first or not bars.close[-1] > 0 or abs(math.log(own / bars.close[-1])) > CUT:
        return None
    return CurrentPrice(own, is_quoted=False, is_confirmed=False)


def _quoted(asset: Asset, bars: Bars, quote: Quote | None, now: float) -> float | None:
    if quote is None or not _is_usable(asset, bars.provider, quote):
        return None
    return _fresh(float(quote.price), _made_at(quote), bars, now)


def _made_at(quote: Quote) -> float:
    return quote.fetched_at if quote.upstream_at is None else quote.upstream_at


def _fresh(price: float | None, made: float | None, bars: Bars, now: float) -> float | None:
    """Return a price if it is valid and not older than the day of the newest bar, otherwise None."""
    lowest, highest = PRICE_RANGE
    if price is None or made is None or not lowest <= price <= highest:
        return None
    return price if bars.days[-1] * DAY_SECONDS <= made <= now + FUTURE_SECONDS else None


def _is_usable(asset: Asset, provider: str, quote: Quote) -> bool:
    is_same_currency = to_major_unit(quote.currency) == to_major_unit(asset.currency)
    is_certain = quote.quality is not Quality.UNCONFIRMED and quote.price > 0
    return is_certain and is_same_currency and is_simulated(quote.provider) == is_simulated(provider)
