"""Says for each figure of each process whether it grows, with the growth that is known and documented as tolerance."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from financehub_shared.monitor.record_writer import RUNS_KEPT
from soak.load import KEPT_RUNS, PERIOD_SECONDS
from soak.samples import Sample, WarmUp, lifetimes
from soak.trend import BLOCK_SECONDS, Trend, trend

_MIB = 1_048_576.0
#: Figure → what a process may gain in an hour of its life, or once in a shorter life, without being called a leak.
#: Memory: an allocator needs hours until its pools are settled. 4 MiB an hour would take a day and a half to reach the
#: smallest limit of the chart.
_OF_PROCESSES: Mapping[str, float] = {
    "rss": 4 * _MIB,
    "pss": 4 * _MIB,
    "descriptors": 1.0,
    "sockets": 1.0,
    "threads": 0.5,
    # A new combination of labels, such as the first error of a provider, is a series that stays.
    "series": 20.0,
}
#: The data that grows by design until its retention ends (docs/data-model.md): the price history of 1,000 assets gets
#: 12 bytes for each price, and news items are kept for a month.
_OF_DATA: Mapping[str, float] = {"used_memory": 4 * _MIB, "keys": 400.0, "clients": 2.0}
#: Kind of keys → growth per hour by design. The tasks of the product have about 130 runs per hour, whose records are
#: kept for a week; those of the load are limited to `RUNS_KEPT`.
_OF_KINDS: Sequence[tuple[re.Pattern[str], float]] = (
    (re.compile(r"^financehub:run:"), 200.0),
    (re.compile(r"^financehub:(news|history|bars|indicators|quarantine|validators)"), 200.0),
    (re.compile(r""), 3.0),
)
_OF_QUEUES = 20.0
#: Names of figures in units of people.
_UNITS = {"rss": (_MIB, "MiB"), "pss": (_MIB, "MiB"), "used_memory": (_MIB, "MiB")}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Args:
        subject: What it belongs to, such as `scheduler main`.
        figure: Its name.
        trend: Its growth, or None if no lifetime was long enough.
        tolerance: Growth per hour that is allowed.
    """

    subject: str
    figure: str
    trend: Trend | None
    tolerance: float

    @property
    def grows(self) -> bool:
        """Whether it grows by more than is allowed."""
        return self.trend is not None and self.trend.exceeds(self.tolerance)

    @property
    def verdict(self) -> str:
        """One or two words for the table."""
        if self.trend is None:
            return "too short"
        if self.grows:
            return "**grows**"
        if self.trend.low > self.tolerance:
            # Its whole interval exceeds the tolerance, but its quarters do not all rise.
            return "levels off"
        return "flat" if self.trend.low <= 0 <= self.trend.high else "within tolerance"

    def cells(self) -> list[str]:
        """Return the cells of the row: names, lifetimes, minutes, level, slope with its interval, verdict."""
        if self.trend is None:
            return [self.subject, self.figure, "0", "", "", "", "", self.verdict]
        factor, unit = _UNITS.get(self.figure, (1.0, ""))
        numbers = (self.trend.level, self.trend.slope, self.trend.low, self.trend.high, self.tolerance)
        level, slope, low, high, tolerance = (_number(each / factor) for each in numbers)
        minutes = f"{self.trend.seconds / 60:.0f}"
        suffix = f" {unit}" if unit else ""
        interval = f"{slope} [{low}, {high}]{suffix}"
        return [
            self.subject,
            self.figure,
            f"{self.trend.lifetimes}",
            minutes,
            f"{level}{suffix}",
            interval,
            f"{tolerance}{suffix}",
            self.verdict,
        ]


@dataclass(frozen=True, slots=True)
class Rules:
    """How a soak of some length is judged.

    Args:
        minutes: Its length.
        rate: Its messages per second.
    """

    minutes: float
    rate: float

    @property
    def is_short(self) -> bool:
        """Whether only fast leaks can be found."""
        return self.minutes < 20

    @property
    def warm_up(self) -> WarmUp:
        """What does not count."""
        # A process: imports, first connections, the first use of each code path. Keys: until each schedule has run
        # once. Records: until there are as many as are kept. Memory of Redis: until each schedule has filled its lists.
        process, data = 60.0 if self.is_short else 180.0, PERIOD_SECONDS + 40.0
        return WarmUp(process, data, data + RUNS_KEPT / self.rate, (KEPT_RUNS + 1) * PERIOD_SECONDS)

    @property
    def block_seconds(self) -> float:
        """Length of the blocks whose medians are compared."""
        return BLOCK_SECONDS / 2 if self.is_short else BLOCK_SECONDS

    def judge(self, samples: Iterable[Sample]) -> list[Row]:
        """Return a row for each figure, ordered by subject and figure.

        Args:
            samples: The samples of the soak.
        """
        found = lifetimes(samples, self.warm_up)
        return [
            Row(*key, growth := trend(series, block_seconds=self.block_seconds), tolerance(*key, growth))
            for key, series in sorted(found.items())
        ]


def tolerance(subject: str, figure: str, growth: Trend | None) -> float:
    """Return the growth per hour that is allowed for a figure.

    A process that is killed after minutes shows what it gains once, such as by the first use of a code path, in each of
    its lives, and as a higher rate the shorter they are.

    Args:
        subject: What it belongs to.
        figure: Its name.
        growth: Its growth, if it is known.
    """
    return _gain(subject, figure) * (max(1.0, 3600 / growth.longest) if growth else 1.0)


def _gain(subject: str, figure: str) -> float:
    if subject == "Redis data":
        return _OF_DATA[figure]
    if subject == "Redis keys":
        return next(growth for pattern, growth in _OF_KINDS if pattern.search(figure))
    return _OF_QUEUES if subject.startswith("queue ") else _OF_PROCESSES[figure]


def _number(value: float) -> str:
    """Return a number with three digits that count."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
