"""Measures how the price moves from one bar to the next, and whether trading explains a move. Pure.

A wrong scale begins between two sessions, so its change of level is a gap: the price opens at the other level. A crash
goes through the prices between, or is traded in a multiple of the usual volume. The larger the move, the larger this
multiple must be, because every share has days with three times its usual volume.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise

from financehub_shared.market.quality.bar_check import HIGH, LOW, Row

#: Largest |ln| of a daily change that needs no explanation.
JUMP = math.log(1.4)
#: A change is a jump if it exceeds `JUMP` and this many standard deviations of the asset's daily changes.
SIGMAS = 10
#: |ln| of a change between two sessions beyond which the price needs a reason.
CUT = math.log(4)
#: |ln| of a change between two sessions that may be one of the unit: pence, cents, or thousandths of a dinar.
UNIT = math.log(33)
#: Standard deviations per median absolute deviation of a normal distribution.
MAD_SIGMA = 1.4826
#: Fewest changes whose deviation is taken as it is, and the largest deviation of fewer ones.
CHANGES_MIN = 10
FEW_MAX = 0.07
#: A volume is a spike if it is this many times the median of the `VOLUME_DAYS` bars before.
SPIKE = 3.0
VOLUME_DAYS = 20
#: A day is turbulent if its volume is a spike and its range is this many times the usual one of the bars before.
TURBULENCE = 4.0
#: Fewest bars with a volume before a bar whose own volume can be judged.
VOLUME_BARS_MIN = 5
#: Factor by which the median volume of a share does not change within a month for ordinary reasons.
MAGNITUDE = 10.0
#: After this many days without a bar, the price can be at any level.
SUSPENDED_DAYS = 30


class Moves:
    """The moves between successive bars, as natural logarithms. The move `i` leads from bar `i - 1` to bar `i`.

    Args:
        rows: The bars, ascending by day. They must not change while this object is used.
        dividends: Day from which a share is traded without a dividend → the dividend.
    """

    def __init__(self, rows: Sequence[Row], dividends: Mapping[int, float]) -> None:
        self.rows = rows
        self._dividends = dividends
        #: From close to close.
        self.changes = [0.0, *(math.log(row.close / last.close) for last, row in pairwise(rows))]
        #: From close to open.
        self.gaps = [0.0, *(math.log(row.open / last.close) for last, row in pairwise(rows))]
        #: A robust standard deviation of the daily changes.
        self.usual = _usual(self.changes[1:])

    @property
    def limit(self) -> float:
        """Largest |ln| of a change that is not a jump."""
        return max(JUMP, SIGMAS * self.usual)

    def step(self, i: int) -> float:
        """Return the part of a move that happened between the sessions and stayed: 0 if the price went through it."""
        change, gap = self.changes[i], self.gaps[i]
        return min(change, gap, key=abs) if change * gap > 0 else 0.0

    def is_traded_through(self, i: int) -> bool:
        """Whether at least half of a move happened during the session."""
        return abs(self.step(i)) <= abs(self.changes[i]) / 2

    def is_explained(self, i: int) -> bool:
        """Whether a spike of the volume, turbulence, a dividend or a long suspension explains a move."""
        if self._days_apart(i) >= SUSPENDED_DAYS or self._is_dividend(i) or self._has_spike(i):
            return True
        return self._is_turbulent(i) and not self.is_unit_size(i)

    def is_unit_size(self, i: int) -> bool:
        """Whether a change of the level is so large that it may be one of the unit."""
        return abs(self.step(i)) >= UNIT

    def has_volumes(self, i: int) -> bool:
        """Whether the bars before a bar have volumes, so that a spike can be recognized."""
        return self._usual_volume(i) is not None

    def has_usual_volume(self, i: int) -> bool:
        """Whether the volume of a bar is known and not a multiple of the usual one."""
        return self.rows[i].volume > 0 and self.has_volumes(i) and not self._has_spike(i)

    def keeps_volume(self, i: int) -> bool:
        """Whether bars have a volume of the same magnitude from a bar on as before it, as far as it is known."""
        before = self._usual_volume(i)
        after = [row.volume for row in self.rows[i : i + VOLUME_DAYS] if row.volume > 0]
        return before is None or not after or 1 / MAGNITUDE <= statistics.median(after) / before <= MAGNITUDE

    def _usual_volume(self, i: int) -> float | None:
        """Return the median volume before a bar, or None if too few bars have one."""
        volumes = [row.volume for row in self.rows[max(i - VOLUME_DAYS, 0) : i] if row.volume > 0]
        return statistics.median(volumes) if len(volumes) >= VOLUME_BARS_MIN else None

    def _has_spike(self, i: int) -> bool:
        """Whether a bar's volume is a multiple of the usual one.

        The volume is divided by the factor of a fall, because a split that was not applied has more shares at a lower
        price. It is divided by the factor of a large rise, too: a volume of three times the usual one is no evidence
        that a share opened at 100 times its price.
        """
        usual, change = self._usual_volume(i), self.changes[i]
        divisor = math.exp(abs(change)) if change < 0 or change > CUT else 1.0
        return usual is not None and self.rows[i].volume / divisor >= SPIKE * usual

    def _is_turbulent(self, i: int) -> bool:
        """Whether a bar has a spike of the volume and a range that is a multiple of the usual one.

        A split that was not applied multiplies the volume, but not the range, and a wrong unit multiplies neither.
        """
        usual = self._usual_volume(i)
        if usual is None or self.rows[i].volume < SPIKE * usual:
            return False
        usual_range = statistics.median(map(_range, self.rows[max(i - VOLUME_DAYS, 0) : i]))
        return 0 < TURBULENCE * usual_range <= _range(self.rows[i])

    def _is_dividend(self, i: int) -> bool:
        paid = self._dividends.get(self.rows[i].day, 0.0) / self.rows[i - 1].close
        if not 0 < paid < 1:
            return False
        return abs(self.step(i) - math.log1p(-paid)) <= abs(self.changes[i]) / 3

    def _days_apart(self, i: int) -> int:
        return self.rows[i].day - self.rows[i - 1].day


def _range(row: Row) -> float:
    """Return ln(high ÷ low)."""
    return math.log(row.prices[HIGH] / row.prices[LOW])


def _usual(changes: Sequence[float]) -> float:
    """Return a robust standard deviation of daily changes. Few changes may all be wrong, so they have a bound."""
    if not changes:
        return 0.0
    found = MAD_SIGMA * statistics.median(map(abs, changes))
    return found if len(changes) >= CHANGES_MIN else min(found, FEW_MAX)
