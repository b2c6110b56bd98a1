"""Times in which something was the case: union, gaps, and the rest of a time without them."""

from collections.abc import Iterable
from itertools import pairwise

from history.checker.index import Window


def merge(windows: Iterable[Window]) -> list[Window]:
    """Return windows that do not overlap."""
    merged: list[Window] = []
    for window in sorted(windows, key=lambda each: each.begin):
        if merged and window.begin <= merged[-1].end:
            merged[-1] = Window(merged[-1].begin, max(merged[-1].end, window.end), "several")
        else:
            merged.append(window)
    return merged


def gaps(windows: Iterable[Window], reason: str) -> list[Window]:
    """Return the times between windows."""
    return [Window(earlier.end, later.begin, reason) for earlier, later in pairwise(merge(windows))]


def available(begin: float, end: float, unavailable: Iterable[Window]) -> float:
    """Return the seconds between two times without those of windows that do not overlap."""
    return (end - begin) - sum(max(0.0, min(end, each.end) - max(begin, each.begin)) for each in unavailable)


def uncut(begin: float, end: float, cuts: Iterable[Window], pause: float = 0.0) -> list[Window]:
    """Return a time without the times in which its process was stopped or cut off. A slow link does not cut it off.

    Args:
        begin: Begin of the time.
        end: Its end.
        cuts: The faults of the process's node.
        pause: Seconds after each cut that are left out too.
    """
    parts = []
    for cut in merge(cut for cut in cuts if cut.reason != "slow"):
        parts.append(Window(begin, min(cut.begin, end), "uncut"))
        begin = max(begin, cut.end + pause)
    parts.append(Window(begin, end, "uncut"))
    return [part for part in parts if part.begin < part.end]
