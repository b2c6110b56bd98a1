"""Turns the stored records of an asset's prices into its price history. Pure; docs/data-quality.md has the table.

The records are never changed, so everything that later turns out about a price is applied when the history is read.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

from financehub_shared.core.models import Bars, PriceHistory, PricePoint, ScaleChange
from financehub_shared.market.encoding.history import StoredPoint
from financehub_shared.market.quality.history_scale import find_scale_changes
from financehub_shared.market.quality.quote_moves import jump_limit


def build_history(
    symbol: str, stored: Sequence[StoredPoint], bars: Bars | None, *, has_scale: bool, start: float, end: float
) -> PriceHistory:
    """Return the price history of one asset in a time range.

    Args:
        symbol: The symbol of the asset.
        stored: The records from the first day of the range until the newest one, in the order in which the prices were
            accepted, because what followed a price decides what it means.
        bars: The daily bars of the asset, which are adjusted for splits. None if there are none.
        has_scale: Whether the scale of the prices can change, as that of stocks by a split or a wrong unit. It cannot
            for a coin, whose price can really fall by 99 %.
        start: Start of the range in Unix seconds, inclusive.
        end: End of the range in Unix seconds, exclusive.
    """
    points = settle_points(stored)
    changes = find_scale_changes(points, bars) if has_scale else []
    points, scale_changes = rescale(points, changes)
    first, last = (bisect_left(points, limit, key=lambda point: point.at) for limit in (start, end))
    return PriceHistory(
        symbol,
        points[first:last],
        [change for change in scale_changes if start < change.at < end],
        bool(stored) and stored[-1].simulated,
    )


def settle_points(stored: Sequence[StoredPoint]) -> list[PricePoint]:
    """Return the prices that later prices did not refute, in ascending order of time and without repetitions.

    An unconfirmed price is refuted by the next price if that is beyond the jump limit, and confirmed by a good price
    within the limit. The newest price is never refuted, because it is the one that is shown as the current price.
    Simulated and real prices are unrelated, so only those like the newest one are returned.

    Args:
        stored: The records in the order in which the prices were accepted.
    """
    points: list[PricePoint] = []
    confirmed, is_sorted = False, True
    later: PricePoint | None = None
    for at, price, unconfirmed, simulated in reversed(stored):
        if simulated != stored[-1].simulated:
            continue
        if later is not None:
            if unconfirmed and abs(math.log(price / later.price)) > jump_limit(abs(later.at - at)):
                continue
            if at == later.at and price == later.price:
                confirmed = confirmed or not unconfirmed
                continue
            # a quote that replaces a wrong one may be older
            is_sorted = is_sorted and at <= later.at
        confirmed = confirmed or not unconfirmed
        later = PricePoint(at, price, not confirmed)
        points.append(later)
    points.reverse()
    if not is_sorted:
        points.sort(key=lambda point: point.at)
    return points


def rescale(
    points: Sequence[PricePoint], changes: Sequence[tuple[int, float]]
) -> tuple[list[PricePoint], list[ScaleChange]]:
    """Return the points on the scale of the newest one, and the changes of the scale, oldest first.

    Args:
        points: The points in ascending order of time.
        changes: For each change: the index of the first point on the new scale, and the number by which the points
            before it are divided. In any order.
    """
    if not changes:
        return list(points), []
    rescaled: list[PricePoint] = []
    divisor, end = 1.0, len(points)
    for index, factor in sorted(changes, reverse=True):
        rescaled[:0] = _divided(points[index:end], divisor)
        divisor, end = divisor * factor, index
    rescaled[:0] = _divided(points[:end], divisor)
    return rescaled, [ScaleChange(points[index].at, factor) for index, factor in sorted(changes)]


def _divided(points: Sequence[PricePoint], divisor: float) -> Sequence[PricePoint]:
    if divisor == 1.0:
        return points
    return [PricePoint(at, price / divisor, unconfirmed) for at, price, unconfirmed in points]
