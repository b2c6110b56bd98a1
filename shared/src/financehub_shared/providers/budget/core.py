"""Arithmetic of a rate budget: a sliding window of slices. Pure; `budget.lua` does the same for Redis.

A window is cut into `SLICES`; a slice that has begun to leave the window still counts in full. So no stretch of time as
long as the window ever holds more than the limit, wherever the upstream lets its own windows begin.
"""

from collections.abc import Mapping
from typing import NamedTuple

#: At most 1/20 of a window later than necessary is a unit free again; 21 counters a window.
SLICES = 20

#: Number of the slice since the epoch → units spent in it.
Spent = Mapping[int, int]


class Limit(NamedTuple):
    """So many units in any stretch of `window_seconds`."""

    window_seconds: float
    units: int

    @property
    def seconds(self) -> str:
        """The window in plain digits (`2592000`)."""
        return f"{self.window_seconds:.15g}"

    @property
    def slice_ms(self) -> int:
        """Length of a slice, milliseconds."""
        return max(1, -(-round(self.window_seconds * 1000) // SLICES))


def used(spent: Spent, now: int, limit: Limit) -> int:
    """Units that count at `now` (ms)."""
    return sum(_current(spent, now, limit).values())


def wait(spent: Spent, now: int, limit: Limit, weight: int) -> int:
    """Milliseconds from `now` until `weight` units fit; 0: they do. `weight` must not exceed the limit."""
    current = _current(spent, now, limit)
    excess = sum(current.values()) + weight - limit.units
    if excess <= 0:
        return 0
    for index in sorted(current):
        excess -= current[index]
        if excess <= 0:
            return (index + SLICES + 1) * limit.slice_ms - now
    raise ValueError(f"{weight} units never fit into {limit.units} per {limit.seconds} s")


def spend(spent: Spent, now: int, limit: Limit, weight: int) -> dict[int, int]:
    """What is spent after `weight` more units."""
    current = _current(spent, now, limit)
    index = now // limit.slice_ms
    current[index] = current.get(index, 0) + weight
    return current


def _current(spent: Spent, now: int, limit: Limit) -> dict[int, int]:
    index = now // limit.slice_ms
    return {slice_: units for slice_, units in spent.items() if index - SLICES <= slice_ <= index}


def share_of(limit: Limit, share: float) -> Limit:
    """The part of a limit that one of several processes may use; below one unit the window grows instead."""
    units = limit.units * share
    if units >= 1:
        return Limit(limit.window_seconds, int(units))
    return Limit(limit.window_seconds / units, 1)
