"""The clock of a time zone: its readings around the changes of its offset.

The standard library returns the offset at an instant, but not the instants at which it changes. They are found by
probing, once for each year that is needed, and then kept.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS

#: Length of a window as a power of two: 388 days.
_WINDOW_BITS = 25
#: Seconds that a window reaches beyond its edges. No clock has ever been put back or forward by more than 25 hours.
_MARGIN = 8 * DAY_SECONDS
#: Distance of the probes. Two changes of a zone are at least 4 days apart (Freetown, September 1939).
_PROBE = DAY_SECONDS
#: The largest distance of a clock from UTC. It is below 16 hours, but Manila and Sitka once were on the other date.
_FARTHEST = 26 * HOUR_SECONDS
#: The instants whose local times are dates of Python in every zone. Beyond them, the nearest offset counts.
_FIRST, _LAST = (
    int(datetime(1, 1, 3, tzinfo=UTC).timestamp()),
    int(datetime(9999, 12, 29, tzinfo=UTC).timestamp()),
)


@dataclass(frozen=True, slots=True)
class _Window:
    """The offsets of a zone during one window and its margins.

    Args:
        starts: Beginnings of the sections with the same offset, Unix seconds, ascending.
        offsets: Seconds that the local time of each section is ahead of UTC.
        peaks: The latest local time that the clock has shown before each section.
    """

    starts: tuple[int, ...]
    offsets: tuple[int, ...]
    peaks: tuple[int, ...]


class ZoneClock:
    """The clock of one zone.

    A local time is a number of seconds: the Unix time of the instant at which a clock in UTC shows the same date and
    time.

    Args:
        zone: The time zone.
    """

    __slots__ = ("_windows", "_zone", "name")

    def __init__(self, zone: ZoneInfo) -> None:
        self.name = zone.key
        self._zone = zone
        self._windows: dict[int, _Window] = {}

    def local(self, at: int) -> int:
        """Return the local time at the instant `at`."""
        window = self._window(at >> _WINDOW_BITS)
        return at + window.offsets[bisect_right(window.starts, at) - 1]

    def section(self, at: int) -> tuple[int, int]:
        """Return the offset at the instant `at`, and an instant until which it does not change."""
        window = self._window(at >> _WINDOW_BITS)
        index = bisect_right(window.starts, at)
        end = window.starts[index] if index < len(window.starts) else (at | (1 << _WINDOW_BITS) - 1) + 1
        return window.offsets[index - 1], end

    def latest(self, at: int) -> int:
        """Return the latest local time that the clock has shown up to the instant `at`.

        It differs from the local time while the clock repeats an hour.
        """
        window = self._window(at >> _WINDOW_BITS)
        index = bisect_right(window.starts, at) - 1
        return max(at + window.offsets[index], window.peaks[index])

    def first_at(self, local: int) -> int:
        """Return the first instant at which the clock shows the local time, or a later one if it skips this one."""
        window = self._window(local >> _WINDOW_BITS)
        begin = bisect_right(window.starts, local - _FARTHEST) - 1
        last = len(window.starts) - 1
        for index in range(begin, last):
            at = local - window.offsets[index]
            if at < window.starts[index + 1]:
                return max(at, window.starts[index])
        return max(local - window.offsets[last], window.starts[last])

    def _window(self, number: int) -> _Window:
        window = self._windows.get(number)
        if window is None:
            window = self._windows[number] = self._probe(number)
        return window

    def _probe(self, number: int) -> _Window:
        begin = (number << _WINDOW_BITS) - _MARGIN
        end = (number + 1 << _WINDOW_BITS) + _MARGIN
        starts, offsets, peaks = [begin], [self._offset(begin)], [begin + self._offset(begin) - 1]
        for probe in range(begin + _PROBE, end + _PROBE, _PROBE):
            offset = self._offset(probe)
            if offset != offsets[-1]:
                change = self._change(probe - _PROBE, probe)
                peaks.append(max(peaks[-1], change - 1 + offsets[-1]))
                starts.append(change)
                offsets.append(offset)
        return _Window(tuple(starts), tuple(offsets), tuple(peaks))

    def _change(self, before: int, after: int) -> int:
        """Return the first instant with the offset of `after`; there is one change in between."""
        offset = self._offset(after)
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (before, middle) if self._offset(middle) == offset else (middle, after)
        return after

    def _offset(self, at: int) -> int:
        offset = datetime.fromtimestamp(min(max(at, _FIRST), _LAST), self._zone).utcoffset()
        return 0 if offset is None else offset.days * DAY_SECONDS + offset.seconds


@cache  # one for each zone that a schedule uses
def zone_clock(zone: ZoneInfo) -> ZoneClock:
    """Return the clock of a zone, which all schedules share."""
    return ZoneClock(zone)
