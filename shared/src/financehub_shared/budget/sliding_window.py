"""Counts the units of a rate budget in a sliding window of slices. Pure; `budget.lua` does the same in Redis.

A slice that has begun to leave the window still counts in full. Therefore no period of the window's length ever
contains more units than the limit, no matter when the upstream's own windows begin.
"""

from collections.abc import Mapping

from financehub_shared.core.provider_specs import Limit

#: Slices per window. A unit is released at most 1/20 of a window late, and a window needs 21 counters.
SLICES = 20

#: Slice number since the epoch → units spent in the slice.
Spent = Mapping[int, int]


def slice_ms(limit: Limit) -> int:
    """Return the length of a slice in milliseconds."""
    return max(1, -(-round(limit.window_seconds * 1000) // SLICES))


def used(spent: Spent, now: int, limit: Limit) -> int:
    """Return the units that count against the limit at `now`, given in Unix milliseconds."""
    return sum(_current(spent, now, limit).values())


def wait(spent: Spent, now: int, limit: Limit, weight: int) -> int:
    """Return the milliseconds from `now` until `weight` units fit, or 0 if they fit now.

    `weight` must not exceed the limit.
    """
    current = _current(spent, now, limit)
    excess = sum(current.values()) + weight - limit.units
    if excess <= 0:
        return 0
    for index in sorted(current):
        excess -= current[index]
        if excess <= 0:
            return (index + SLICES + 1) * slice_ms(limit) - now
    raise ValueError(f"{weight} units never fit into {limit.units} per {limit.seconds} s")


def spend(spent: Spent, now: int, limit: Limit, weight: int) -> dict[int, int]:
    """Return the units per slice after `weight` more units are spent."""
    current = _current(spent, now, limit)
    index = now // slice_ms(limit)
    current[index] = current.get(index, 0) + weight
    return current


def _current(spent: Spent, now: int, limit: Limit) -> dict[int, int]:
    index = now // slice_ms(limit)
    return {slice_: units for slice_, units in spent.items() if index - SLICES <= slice_ <= index}


def share_of(limit: Limit, share: float) -> Limit:
    """Return one process's share of a limit. If the share is below one unit, the window grows instead."""
    units = limit.units * share
    if units >= 1:
        return Limit(limit.window_seconds, int(units))
    return Limit(limit.window_seconds / units, 1)
