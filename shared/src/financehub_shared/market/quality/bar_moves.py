"""Measures how the price moves from one bar to the next, and whether trading explains a move. Pure.

A wrong scale begins between two sessions, so the level changes by a gap: the price opens at the other level. In a
crash, trading passes through the prices in between, or has a multiple of the usual volume. The larger the move, the
larger this multiple must be, because every share has days with three times its usual volume.
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
#: Smallest |ln| of a change between two sessions that may be a change of unit: pence, cents, or thousandths of a dinar.
UNIT = math.log(33)
#: Standard deviation of a normal distribution, divided by its median absolute deviation.
MAD_SIGMA = 1.4826
#: Smallest number of changes whose standard deviation is used unchanged, and the upper limit for fewer changes.
CHANGES_MIN = 10
FEW_MAX = 0.07
#: A volume is a spike if it is at least this many times the median of the previous `VOLUME_DAYS` bars.
SPIKE = 3.0
VOLUME_DAYS = 20
#: A day is turbulent if its volume is a spike and its range is at least this many times the median of previous bars.
TURBULENCE = 4.0
#: Smallest number of previous bars with a volume that is needed to judge the volume of a bar.
VOLUME_BARS_MIN = 5
#: Ordinary events do not change the median volume of a share by more than this factor within a month.
MAGNITUDE = 10.0
#: After this many days without a bar, the price can be at any level.
SUSPENDED_DAYS = 30
#: After this many days without a bar, three times the usual volume is a spike, regardless of the size of the move. No
#: holiday closes an exchange for that long. SIVB fell from 106.04 to 0.40 in March 2023, when it was suspended for 18
#: days.
HALTED_DAYS = 14


class Moves:
    """The moves between successive bars, as natural logarithms. The move `i` leads from bar `i - 1` to bar `i`.

    Args:
        rows: The bars in ascending order of days. They must not change while this object is used.
        dividends: Day from which a share is traded without a dividend → the dividend.
    """

    def __init__(self, rows: Sequence[Row], dividends: Mapping[int, float]) -> None:
        self.rows = rows
        self._dividends = dividends
        #: Natural logarithm of each change from the previous close to the close.
        self.changes = [0.0, *(math.log(row.close / last.close) for last, row in pairwise(rows))]
        #: The same from the previous close to the open.
        self.gaps = [0.0, *(math.log(row.open / last.close) for last, row in pairwise(rows))]
        #: A robust standard deviation of the daily changes.
        self.usual = _usual(self.changes[1:])

    @property
    def limit(self) -> float:
        """The largest |ln| of a change that is not a jump."""
        return max(JUMP, SIGMAS * self.usual)

    def step(self, i: int) -> float:
        """Return the part of a move that is a gap between sessions and persists to the close. 0 if there is none."""
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
        """Whether a change of level is large enough to be a change of unit."""
        return abs(self.step(i)) >= UNIT

    def has_volumes(self, i: int) -> bool:
        """Whether enough of the previous bars have a volume to recognize a spike."""
        return self._usual_volume(i) is not None

    def has_usual_volume(self, i: int) -> bool:
        """Whether the volume of a bar is known and not a multiple of the usual one."""
        return self.rows[i].volume > 0 and self.has_volumes(i) and not self._has_spike(i)

    def keeps_volume(self, i: int) -> bool:
        """Whether the volume has the same magnitude before bar `i` and from it on. True if either volume is unknown."""
        before = self._usual_volume(i)
        after = [row.volume for row in self.rows[i : i + VOLUME_DAYS] if row.volume > 0]
        return before is None or not after or 1 / MAGNITUDE <= statistics.median(after) / before <= MAGNITUDE

    def _usual_volume(self, i: int) -> float | None:
        """Return the median volume of the bars before a bar. None if too few of them have a volume."""
        volumes = [row.volume for row in self.rows[max(i - VOLUME_DAYS, 0) : i] if row.volume > 0]
        return statistics.median(volumes) if len(volumes) >= VOLUME_BARS_MIN else None

    def _has_spike(self, i: int) -> bool:
        """Whether a bar's volume is a multiple of the usual one.

        If the price fell, the volume is first divided by the factor of the fall, because after a split that was not
        applied, more shares are traded at a lower price. It is also divided by the factor of a large rise: three times
        the usual volume is not evidence that a share opened at 100 times its price. After a long suspension, it is not
        divided, because the price can then be at any level.
        """
        usual, change = self._usual_volume(i), self.changes[i]
        is_divided = (change < 0 or change > CUT) and self._days_apart(i) < HALTED_DAYS
        divisor = math.exp(abs(change)) if is_divided else 1.0
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
    """Return a robust standard deviation of daily changes. It is limited if there are few, which may all be wrong."""
    if not changes:
        return 0.0
    found = MAD_SIGMA * statistics.median(map(abs, changes))
    return found if len(changes) >= CHANGES_MIN else min(found, FEW_MAX)
